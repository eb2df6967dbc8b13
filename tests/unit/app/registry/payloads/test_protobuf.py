"""Protobuf payloads: indexes, Protobuf's JSON, imports, and what is refused."""

import json

import pytest

from app.registry.errors import InvalidSchema
from app.registry.formats import parse
from app.registry.formats.protobuf import ProtobufSchema
from app.registry.payloads import compile_codec
from app.registry.payloads.protobuf import ProtobufCodec
from app.registry.schema import Reference, ResolvedReference
from app.schemas.ports import InvalidPayload

FILE = """syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "confluent/meta.proto";
import "dep.proto";
message Order {
  option (confluent.message_meta).doc = "an order";
  int64 id = 1;
  google.protobuf.Timestamp at = 2 [(confluent.field_meta).doc = "when"];
  Dep dep = 3;
  optional string note = 4;
  message Line { int32 count = 1; message Part { bool ok = 1; } }
}
message Other { string name = 1; }"""
DEP = ResolvedReference(
    Reference("dep.proto", "dep", 1), 'syntax = "proto3"; package shop; message Dep { int32 a = 1; }'
)


@pytest.fixture(scope="module")
def schema() -> ProtobufSchema:
    parsed = parse("PROTOBUF", FILE, [DEP])
    assert isinstance(parsed, ProtobufSchema)
    return parsed


@pytest.fixture(scope="module")
def codec(schema):
    return compile_codec(schema)


def test_the_first_message_is_written_and_unset_fields_are_read_as_their_defaults(codec):
    (payload,) = codec.encode_all([b'{"id": "9007199254740993", "at": "2026-11-23T07:30:00Z"}'])
    assert payload[0] == 0
    assert json.loads(codec.decode(payload)) == {"id": "9007199254740993", "at": "2026-11-23T07:30:00Z"}
    assert json.loads(codec.decode(b"\x00")) == {"id": "0"}


def test_a_message_of_an_import_is_known(codec):
    (payload,) = codec.encode_all([b'{"dep": {"a": 3}}'])
    assert json.loads(codec.decode(payload))["dep"] == {"a": 3}


def test_indexes_name_another_message(codec):
    assert json.loads(codec.decode(b"\x02\x02\x0a\x01x")) == {"name": "x"}
    assert json.loads(codec.decode(b"\x06\x00\x00\x00\x08\x01")) == {"ok": True}


@pytest.mark.parametrize(
    ("message", "start"), [("Order.Line", b"\x04\x00\x00"), ("shop.Other", b"\x02\x02"), ("shop.Order", b"\x00")]
)
def test_a_named_message_is_written_with_its_indexes(schema, message, start):
    one = ProtobufCodec(schema, message)
    (payload,) = one.encode_all([b"{}"])
    assert payload == start
    assert json.loads(one.decode(payload)) is not None


def test_a_message_that_is_not_there_is_refused(schema):
    with pytest.raises(InvalidSchema, match="no message Nothing"):
        ProtobufCodec(schema, "Nothing")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"[]", "this is no shop.Order: it is no object"),
        (b"null", "this is no shop.Order: it is no object"),
        (b'{"id": "x"}', "Failed to parse id field"),
        (b'{"nothing": 1}', 'no field named "nothing"'),
        (b'{"dep": {"a": 2147483648}}', "Failed to parse dep field"),
        (b'{"at": "yesterday"}', "Failed to parse at field"),
    ],
)
def test_json_that_does_not_fit_is_refused(codec, text, told):
    with pytest.raises(InvalidPayload) as refused:
        codec.encode_all([b"{}", text])
    assert told in str(refused.value)
    assert refused.value.index == 1


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"", "the message indexes end too early"),
        (b"\x02\x10", "no message at the indexes [8]"),
        (b"\x04\x02\x02", "no message at the indexes [1, 1]"),
        (b"\x00\x08", "this is no shop.Order"),
        (b"\xff\xff\xff\xff\xff\xff", "longer than five bytes"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(codec, payload, told):
    with pytest.raises(InvalidPayload) as refused:
        codec.decode(payload)
    assert told in str(refused.value)


def test_messages_inside_messages_end_somewhere():
    deep = compile_codec(parse("PROTOBUF", 'syntax = "proto3"; message M { M m = 1; }'))
    with pytest.raises(InvalidPayload, match=r"deep|recursion"):
        deep.encode_all([b'{"m":' * 200 + b"{}" + b"}" * 200])
    payload = b""
    for _ in range(300):
        size = len(payload)
        payload = b"\x0a" + (bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])) + payload
    with pytest.raises(InvalidPayload, match="is no M"):
        deep.decode(b"\x00" + payload)


def test_proto2_with_groups_and_required_fields():
    one = compile_codec(
        parse("PROTOBUF", "message M { required int32 a = 1; optional group G = 2 { optional string s = 3; } }")
    )
    (payload,) = one.encode_all([b'{"a": 1, "g": {"s": "x"}}'])
    assert json.loads(one.decode(payload)) == {"a": 1, "g": {"s": "x"}}
    with pytest.raises(InvalidPayload, match="required"):
        one.encode_all([b"{}"])
