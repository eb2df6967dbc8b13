"""Avro payloads: what is taken, what is refused and where, and what hostile bytes cost."""

import json

import pytest

from app.registry.formats import parse
from app.registry.payloads import compile_codec
from app.schemas.ports import InvalidPayload

ORDER = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "price", "type": "double", "default": 1.5},
        {"name": "lines", "type": {"type": "array", "items": ["null", "Order"]}, "default": []},
    ],
}


def codec(schema):
    return compile_codec(parse("AVRO", json.dumps(schema)))


def encode(schema, value):
    return codec(schema).encode_all([json.dumps(value).encode()])[0]


def there_and_back(schema, value):
    one = codec(schema)
    return json.loads(one.decode(one.encode_all([json.dumps(value).encode()])[0]))


def test_fields_that_are_missing_take_their_defaults():
    assert there_and_back(ORDER, {"id": 1}) == {"id": 1, "note": None, "price": 1.5, "lines": []}


def test_a_union_is_taken_with_its_type_or_without():
    tagged = {"id": 1, "note": {"string": "x"}, "lines": [{"shop.Order": {"id": 2}}]}
    plain = {"lines": [{"id": 2}], "note": "x", "id": 1}
    assert encode(ORDER, tagged) == encode(ORDER, plain)
    assert there_and_back(ORDER, plain)["note"] == {"string": "x"}


def test_the_short_name_of_a_type_is_enough():
    assert encode(ORDER, {"id": 1, "lines": [{"Order": {"id": 2}}]}) == encode(ORDER, {"id": 1, "lines": [{"id": 2}]})


def test_the_default_of_a_union_is_of_its_first_type_that_takes_it():
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "n", "type": ["int", "long", "null"], "default": 5}],
    }
    assert there_and_back(schema, {}) == {"n": {"int": 5}}


@pytest.mark.parametrize(
    ("union", "value", "told"),
    [
        (["int", "long"], 5, 'fits int and long; say which, as {"int": 5}'),
        (["string", "bytes"], "x", "fits string and bytes"),
        (["null", "string"], 5, "5 is none of the types null, string"),
        (["null", "string"], {"string": 5}, "5 is no string (at /string)"),
        (["string", "int"], None, "null is none of the types"),
    ],
)
def test_what_a_union_cannot_tell_is_refused(union, value, told):
    with pytest.raises(InvalidPayload) as refused:
        encode(union, value)
    assert told in str(refused.value)


def test_a_whole_number_is_a_whole_number_where_a_fraction_could_be_one():
    assert there_and_back(["null", "double", "long"], 5) == {"long": 5}
    assert there_and_back(["null", "double", "long"], 5.5) == {"double": 5.5}


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ("int", 1.5, "1.5 is no int"),
        ("int", True, "true is no int"),
        ("int", 2**31, "is no int"),
        ("long", 2**63, "is no long"),
        ("long", "1", '"1" is no long'),
        ("boolean", 1, "1 is no boolean"),
        ("boolean", "x", '"x" is no boolean'),
        ("float", 1e300, "is no float"),
        ("double", True, "true is no double"),
        ("double", "x", '"x" is no double'),
        ("null", 0, "0 is not null"),
        ("string", 3, "3 is no string"),
        ("bytes", "\u0100", "a character is beyond U+00FF"),
        ("bytes", [1], "are no bytes"),
        ({"type": "fixed", "name": "F", "size": 2}, "abc", "a fixed of 2 bytes is needed, these are 3"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "B", '"B" is no symbol of E'),
        ({"type": "array", "items": "int"}, {"a": 1}, "is no array"),
        ({"type": "array", "items": "int"}, [1, 2, "x"], '"x" is no int (at /2)'),
        ({"type": "map", "values": "int"}, {"a/b": "x"}, '"x" is no int (at /a~1b)'),
        (ORDER, [], "[] is no shop.Order: it is no object"),
        (ORDER, {}, "the field 'id' of shop.Order is missing"),
        (ORDER, {"id": 1, "pice": 2}, "shop.Order has no field 'pice'"),
        (ORDER, {"id": 1, "lines": [None, {"id": 2, "price": "x"}]}, '"x" is no double (at /lines/1/price)'),
        (ORDER, {"id": 1, "note": {"string": 1}, "price": 2, "lines": []}, "1 is no string (at /note/string)"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(schema, value, told):
    with pytest.raises(InvalidPayload) as refused:
        encode(schema, value)
    assert told in str(refused.value)


def test_the_refusal_says_which_of_many():
    with pytest.raises(InvalidPayload) as refused:
        codec("int").encode_all([b"1", b"2", b'"x"'])
    assert refused.value.index == 2


@pytest.mark.parametrize("text", [b"", b"{", b'"\xff"', b'"\\ud800"', b"1,2"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(InvalidPayload) as refused:
        codec("string").encode_all([b'"x"', text])
    assert refused.value.index == 1


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("kind", ["float", "double"])
def test_numbers_that_json_cannot_say_are_strings(kind, value):
    assert there_and_back(kind, value) == value


def test_logical_types_are_what_they_are_made_of():
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "sum", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
        ],
    }
    assert there_and_back(schema, {"at": 1, "sum": "\u0001\u00ff"}) == {"at": 1, "sum": "\u0001\u00ff"}


def test_long_numbers_keep_every_digit():
    assert codec("long").decode(encode("long", 9007199254740993)) == b"9007199254740993"


@pytest.mark.parametrize(
    ("schema", "payload", "told"),
    [
        ("string", b"\x08ab", "a string of 4 bytes is announced where 2 are left"),
        ("string", b"\x02\xff", "a string is no UTF-8"),
        ("bytes", b"\x01", "-1 bytes are announced"),
        ("boolean", b"\x02", "a boolean is the byte 0 or 1, not 2"),
        ("long", b"\xff" * 11, "a number is longer than ten bytes"),
        ("int", b"\xff\xff\xff\xff\xff\x7f", "is no int"),
        ("double", b"1234", "the payload ends too early"),
        (["null", "int"], b"\x04", "a union has no type 2"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02", "E has no symbol 1"),
        ({"type": "fixed", "name": "F", "size": 2}, b"a", "the payload ends too early"),
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\xff\x7f", "more than 100000 items of no bytes"),
        ({"type": "array", "items": "int"}, b"\xfe\xff\xff\xff\xff\xff\xff\x7f", "the payload ends too early"),
        (ORDER, b"\x02\x00" + bytes(8) + b"\x02\x02\x02\x00" + bytes(8), "the payload ends too early"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(schema, payload, told):
    with pytest.raises(InvalidPayload) as refused:
        codec(schema).decode(payload)
    assert told in str(refused.value)


def test_a_million_levels_end_in_a_refusal():
    linked = {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}
    with pytest.raises(InvalidPayload, match="nested too deeply"):
        codec(linked).decode(b"\x02" * 1_000_000 + b"\x00")
    with pytest.raises(InvalidPayload, match="levels deep"):
        codec(linked).encode_all([b'{"next":' * 5_000 + b"null" + b"}" * 5_000])


def test_blocks_with_their_size_are_read_over_it():
    assert json.loads(codec({"type": "array", "items": "int"}).decode(b"\x03\x04\x02\x04\x00")) == [1, 2]
