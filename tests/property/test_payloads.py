"""JSON into a payload and back is the same JSON, in every format; what Avro's writer writes is what fastavro does."""

import io
import json
import struct
from functools import partial

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.registry.formats import parse
from app.registry.payloads import compile_codec
from app.schemas.ports import InvalidPayload

INTS = st.integers(-(2**31), 2**31 - 1)
LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(max_size=8)
BYTES = st.binary(max_size=8)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False).map(
    lambda value: struct.unpack("<f", struct.pack("<f", value))[0]
)
PRIMITIVES = {
    "null": st.just((None, None)),
    "boolean": st.booleans().map(lambda value: (value, value)),
    "int": INTS.map(lambda value: (value, value)),
    "long": LONGS.map(lambda value: (value, value)),
    "double": st.floats(allow_nan=False, allow_infinity=False).map(lambda value: (value, value)),
    "string": TEXTS.map(lambda value: (value, value)),
    "bytes": BYTES.map(lambda value: (value.decode("latin-1"), value)),
}


@st.composite
def avro(draw, depth=0):
    """A schema, and a strategy of its values: as Avro's JSON encoding and as fastavro takes them."""
    kinds = [*PRIMITIVES, "enum", "fixed", *(("record", "array", "map", "union") if depth < 3 else ())]
    kind = draw(st.sampled_from(kinds))
    name = f"{kind[0].upper()}{draw(st.uuids(version=4)).hex}"
    match kind:
        case "enum":
            return {"type": "enum", "name": name, "symbols": ["A", "B"]}, st.sampled_from("AB").map(lambda v: (v, v))
        case "fixed":
            values = st.binary(min_size=3, max_size=3).map(lambda value: (value.decode("latin-1"), value))
            return {"type": "fixed", "name": name, "size": 3}, values
        case "array":
            items, values = draw(avro(depth + 1))
            lists = st.lists(values, max_size=3)
            return {"type": "array", "items": items}, lists.map(lambda all: ([a for a, _ in all], [b for _, b in all]))
        case "map":
            inner, values = draw(avro(depth + 1))
            maps = st.dictionaries(TEXTS, values, max_size=3)
            return {"type": "map", "values": inner}, maps.map(
                lambda all: ({k: a for k, (a, _) in all.items()}, {k: b for k, (_, b) in all.items()})
            )
        case "record":
            parts = draw(st.lists(avro(depth + 1), max_size=3))
            fields = [{"name": f"f{index}", "type": schema} for index, (schema, _) in enumerate(parts)]
            values = st.tuples(*(values for _, values in parts))
            return {"type": "record", "name": name, "fields": fields}, values.map(
                lambda all: ({f"f{i}": a for i, (a, _) in enumerate(all)}, {f"f{i}": b for i, (_, b) in enumerate(all)})
            )
        case "union":
            parts = draw(st.lists(avro(3), min_size=1, max_size=4, unique_by=lambda part: branch_name(part[0])))
            return [schema for schema, _ in parts], st.one_of(
                *(values.map(partial(tagged, branch_name(schema))) for schema, values in parts)
            )
    return kind, PRIMITIVES[kind]


def branch_name(schema):
    return schema if isinstance(schema, str) else schema["name"]


def tagged(name, both):
    value, native = both
    return (None, None) if name == "null" else ({name: value}, (name, native))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_avro_is_written_as_fastavro_does_and_read_back(data):
    schema, values = data.draw(avro())
    value, native = data.draw(values)
    codec = compile_codec(parse("AVRO", json.dumps(schema)))
    (payload,) = codec.encode_all([json.dumps(value).encode()])
    expected = io.BytesIO()
    fastavro.schemaless_writer(expected, fastavro.parse_schema(schema), native)
    assert payload == expected.getvalue()
    assert json.loads(codec.decode(payload)) == value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=FLOATS)
def test_a_float_is_read_back_as_the_shortest_that_means_it(value):
    codec = compile_codec(parse("AVRO", '"float"'))
    (payload,) = codec.encode_all([json.dumps(value).encode()])
    text = codec.decode(payload)
    assert codec.encode_all([text]) == [payload]
    assert len(text) <= len(repr(value)) + 2


RECURSIVE = json.dumps(
    {
        "type": "record",
        "name": "L",
        "fields": [
            {"name": "next", "type": ["null", "L"]},
            {"name": "items", "type": {"type": "array", "items": ["null", "double", {"type": "map", "values": "int"}]}},
        ],
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payload=st.binary(max_size=60))
@pytest.mark.parametrize(
    ("schema_type", "text"),
    [
        ("AVRO", RECURSIVE),
        ("JSON", '{"type": "object"}'),
        ("PROTOBUF", 'syntax = "proto3"; message M { M m = 1; repeated string s = 2; map<string, double> d = 3; }'),
    ],
)
def test_no_bytes_do_more_than_be_refused(schema_type, text, payload):
    codec = compile_codec(parse(schema_type, text))
    try:
        text = codec.decode(payload)
    except InvalidPayload:
        return
    assert json.dumps(json.loads(text))


MESSAGE = """syntax = "proto3";
message M {
  int64 i = 1; uint32 u = 2; string s = 3; bytes b = 4; double d = 5; bool o = 6; repeated int32 r = 7;
  map<string, string> m = 8; optional int32 p = 9; oneof one { string left = 10; N right = 11; }
  message N { sint32 z = 1; E e = 2; }
  enum E { ZERO = 0; ONE = 1; }
}"""
N = st.fixed_dictionaries({"z": INTS, "e": st.sampled_from(["ZERO", "ONE"])})
MESSAGES = st.fixed_dictionaries(
    {
        "i": LONGS.map(str), "u": st.integers(0, 2**32 - 1), "s": TEXTS, "b": st.sampled_from(["", "AA==", "3q2+7w=="]),
        "d": st.floats(allow_nan=False, allow_infinity=False), "o": st.booleans(), "r": st.lists(INTS, max_size=3),
        "m": st.dictionaries(TEXTS, TEXTS, max_size=2),
    },
    optional={"p": INTS},
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=MESSAGES, left=st.none() | TEXTS, right=N)
def test_protobuf_is_read_back(value, left, right):
    value = value | ({"right": right} if left is None else {"left": left})
    codec = compile_codec(parse("PROTOBUF", MESSAGE))
    (payload,) = codec.encode_all([json.dumps(value).encode()])
    assert payload[0] == 0
    assert json.loads(codec.decode(payload)) == value


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.lists(JSON_VALUES, min_size=1, max_size=4))
def test_json_that_fits_its_schema_is_kept_to_the_letter(values):
    codec = compile_codec(parse("JSON", "{}"))
    texts = [json.dumps(value).encode() for value in values]
    assert codec.encode_all(texts) == texts
    assert [codec.decode(text) for text in texts] == texts
