import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.registry import wire
from app.registry.formats.proto_parser import parse_proto
from broker.schemas.record_names import (
    NoName,
    avro_name,
    json_schema_name,
    message_names,
    read_indexes,
    read_messages,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"type":"record","name":"Order","namespace":"shop","fields":[]}', "shop.Order"),
        ('{"type":"record","name":"a.Order","namespace":"shop","fields":[]}', "a.Order"),
        ('{"type":"record","name":"Order","namespace":"","fields":[]}', "Order"),
        ('{"type":"fixed","name":"Hash","size":16}', "Hash"),
        ('{"type":{"type":"enum","name":"E","symbols":[]}}', "E"),
        ('{"type":"long","logicalType":"timestamp-millis"}', "long"),
        ('{"type":"array","items":"int"}', "array"),
        ('["null","string"]', "union"),
        ('"string"', "string"),
    ],
)
def test_avro_schemas_have_these_names(text, name):
    assert avro_name(text) == name


@pytest.mark.parametrize("text", ["", "{", "{}", "7", "[" * 100_000, '{"type":"record","fields":[]}', '{"type":7}'])
def test_an_avro_schema_without_a_name_is_told(text):
    if text == "[" * 100_000 or text in ("", "{"):
        with pytest.raises(NoName, match="no JSON"):
            avro_name(text)
    else:
        with pytest.raises(NoName, match="has no"):
            avro_name(text)


@pytest.mark.parametrize("text", ["true", "{}", '{"title":""}', '{"title":5}', "{"])
def test_a_json_schema_without_a_title_is_told(text):
    with pytest.raises(NoName):
        json_schema_name(text)
    assert json_schema_name('{"title":"Order","type":"object"}') == "Order"


# --- Protobuf, held against the registry's own parser -----------------------------------------------------------------

TRICKY = r"""
syntax = "proto2"; /* package wrong; message Wrong {} */
package shop . v1;
import "other.proto";
option (words) = { text: "message Fake { }" inner { message: 'it\'s { "fine"' } };
message First { option deprecated = true; optional string message = 1 [default = "} message Fake {"]; reserved 5 to 9; }
enum Kind { message = 0; }
message Second {
  oneof choice { string group = 1; Third map = 2; }
  extensions 100 to 199 [declaration = { number: 100 full_name: ".x" type: ".y" }];
  message Third { enum E { A = 0; } message Fourth { } }
  extend First { optional int32 more = 100; }
  message Fifth {}
}
service S { rpc Do (First) returns (stream Second) { option idempotency_level = IDEMPOTENT; } }
message Last {}
"""


def paths_of(messages, indexes=(), names=()):
    for index, message in enumerate(messages):
        here, path = (*indexes, index), (*names, message.name)
        yield here, ".".join(path)
        yield from paths_of(message.messages, here, path)


def test_messages_are_found_where_the_registrys_parser_finds_them():
    text = TRICKY.replace("shop . v1", "shop.v1")
    expected = dict(paths_of(parse_proto(text).messages))
    found = read_messages(text)
    assert expected == {
        (0,): "First",
        (1,): "Second",
        (1, 0): "Second.Third",
        (1, 0, 0): "Second.Third.Fourth",
        (1, 1): "Second.Fifth",
        (2,): "Last",
    }
    for indexes, name in expected.items():
        assert message_names(found, indexes) == [f"shop.v1.{name}"]
    for indexes in ((3,), (1, 2), (0, 0), (-1,), (0, 0, 0)):
        assert message_names(found, indexes) == []


def test_groups_and_entries_of_maps_count_in_descriptors():
    found = read_messages("message A { optional group G = 1 { message In {} } map<int32, string> m = 2; message B {} }")
    assert message_names(found, (0, 0)) == ["A.B", "A.G"]
    assert message_names(found, (0, 2)) == ["A.B"]
    assert message_names(found, (0, 0, 0)) == ["A.G.In"]


@settings(deadline=None)
@given(text=st.text(alphabet="message AB{}\"'/*\n=;<map group\\", max_size=60))
def test_no_text_is_too_strange(text):
    package, messages = read_messages(text)
    assert isinstance(package, str)
    assert all(one.name or one.is_made for one in messages)


@settings(deadline=None)
@given(indexes=st.lists(st.integers(0, 2**20), min_size=1, max_size=100), start=st.integers(0, 3))
def test_indexes_are_read_as_serializers_write_them(indexes, start):
    written = bytes(start) + wire.write_indexes(indexes)
    assert read_indexes(written + b"data", start) == tuple(indexes)
    for length in range(start, len(written)):
        assert read_indexes(written[:length], start) is None


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xca\x01", b"\xff\xff\xff\xff\xff\xff\x01", b"\x02"])
def test_what_is_no_list_of_indexes_is_none(data):
    assert read_indexes(data, 0) is None
