"""Avro's schema resolution, rule by rule; and every answer held against Java's SchemaCompatibility."""

import json

import pytest

from app.registry.compatibility import Incompatibility, check
from app.registry.formats import parse
from tests.unit.app.registry.avro_golden import PAIRS


def record(*fields, name="R", **attributes):
    return {"type": "record", "name": name, "fields": list(fields), **attributes}


def field(name, kind, **attributes):
    return {"name": name, "type": kind, **attributes}


def enum(*symbols, name="E", **attributes):
    return {"type": "enum", "name": name, "symbols": list(symbols), **attributes}


def fixed(size, name="F", **attributes):
    return {"type": "fixed", "name": name, "size": size, **attributes}


def array(items):
    return {"type": "array", "items": items}


def mapping(values):
    return {"type": "map", "values": values}


def backward(reader, writer):
    new, old = (parse("AVRO", json.dumps(value)) for value in (reader, writer))
    return [(one.error_type, one.path) for one in check("BACKWARD", new, [old])]


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: f"{row['reader'][:40]}<-{row['writer'][:40]}")
def test_java_finds_the_same_differences(row):
    found = check("BACKWARD", parse("AVRO", row["reader"]), [parse("AVRO", row["writer"])])
    assert sorted([one.error_type, one.path, one.additional_info] for one in found) == sorted(row["differences"])


PROMOTIONS = [
    ("long", "int"), ("float", "int"), ("float", "long"), ("double", "int"), ("double", "long"), ("double", "float"),
    ("string", "bytes"), ("bytes", "string"),
]  # fmt: skip
PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "string", "bytes"]


@pytest.mark.parametrize("reader", PRIMITIVES)
@pytest.mark.parametrize("writer", PRIMITIVES)
def test_only_the_promotions_of_the_specification_are_taken(reader, writer):
    expected = [] if reader == writer or (reader, writer) in PROMOTIONS else [("TYPE_MISMATCH", "/")]
    assert backward(reader, writer) == expected


ACCEPTED = {
    "field added with a default": (record(field("a", "int", default=1)), record()),
    "field added with null as default": (record(field("a", ["null", "int"], default=None)), record()),
    "field removed": (record(), record(field("a", "int"))),
    "field renamed with an alias of the reader": (record(field("b", "int", aliases=["a"])), record(field("a", "int"))),
    "fields reordered": (record(field("a", "int"), field("b", "int")), record(field("b", "int"), field("a", "int"))),
    "namespace changed": (record(name="x.R"), record(name="y.R")),
    "record renamed with an alias": (record(name="S", aliases=["R"]), record()),
    "enum symbol added": (enum("A", "B"), enum("A")),
    "enum symbol removed, reader has a default": (enum("A", default="A"), enum("A", "B")),
    "enum symbols reordered": (enum("B", "A"), enum("A", "B")),
    "union gets a branch": (["null", "int"], ["null"]),
    "non-union becomes a union": (["null", "int"], "int"),
    "union branch by promotion": (["null", "long"], "int"),
    "union of one branch becomes that": ("int", ["int"]),
    "decimal of another precision": (
        {"type": "bytes", "logicalType": "decimal", "precision": 9},
        {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
    ),
    "logical type removed": ("long", {"type": "long", "logicalType": "timestamp-millis"}),
    "items promoted": (array("long"), array("int")),
    "values promoted": (mapping("long"), mapping("int")),
    "recursion": (
        record(field("next", ["null", "R"]), field("v", "long")),
        record(field("next", ["null", "R"]), field("v", "int")),
    ),
}
REFUSED = {
    "field added without default": (
        record(field("a", "int")), record(), [("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0")],
    ),
    "field renamed": (
        record(field("b", "int")), record(field("a", "int")), [("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0")],
    ),
    "alias on the writer's side only": (
        record(field("b", "int")),
        record(field("a", "int", aliases=["b"])),
        [("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0")],
    ),
    "field type changed": (
        record(field("a", "int")), record(field("a", "string")), [("TYPE_MISMATCH", "/fields/0/type")],
    ),
    "narrowed": (record(field("a", "int")), record(field("a", "long")), [("TYPE_MISMATCH", "/fields/0/type")]),
    "record renamed": (record(name="S"), record(), [("NAME_MISMATCH", "/name")]),
    "alias of another namespace": (record(name="x.S", aliases=["R"]), record(name="y.R"), [("NAME_MISMATCH", "/name")]),
    "enum symbol removed": (enum("A"), enum("A", "B"), [("MISSING_ENUM_SYMBOLS", "/symbols")]),
    "enum renamed": (enum("A"), enum("A", name="G"), [("NAME_MISMATCH", "/name")]),
    "fixed of another size": (fixed(2), fixed(3), [("FIXED_SIZE_MISMATCH", "/size")]),
    "fixed renamed": (fixed(2), fixed(2, name="G"), [("NAME_MISMATCH", "/name")]),
    "union branch removed": (["null"], ["null", "int"], [("MISSING_UNION_BRANCH", "/1")]),
    "union becomes one branch": ("int", ["null", "int"], [("TYPE_MISMATCH", "/0")]),
    "no branch fits": (["null", "int"], "string", [("MISSING_UNION_BRANCH", "/")]),
    "items changed": (array("int"), array("string"), [("TYPE_MISMATCH", "/items")]),
    "values changed": (mapping("int"), mapping("string"), [("TYPE_MISMATCH", "/values")]),
    "bytes and fixed": ("bytes", fixed(2), [("TYPE_MISMATCH", "/")]),
    "deep inside": (
        record(field("a", array(mapping(record(field("q", "int"), name="S"))))),
        record(field("a", array(mapping(record(name="S"))))),
        [("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0/type/items/values/fields/0")],
    ),
    "inside a recursion": (
        record(field("next", ["null", "R"]), field("v", "int")),
        record(field("next", ["null", "R"]), field("v", "string")),
        [("TYPE_MISMATCH", "/fields/1/type")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    reader, writer = ACCEPTED[name]
    assert backward(reader, writer) == []


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    reader, writer, differences = REFUSED[name]
    assert backward(reader, writer) == differences


def test_a_type_used_twice_is_told_once():
    reader = record(field("a", record(field("q", "int"), name="S")), field("b", "S"))
    writer = record(field("a", record(name="S")), field("b", "S"))
    assert backward(reader, writer) == [("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0/type/fields/0")]


def test_the_description_says_which_schema_lacks_what():
    new, old = parse("AVRO", json.dumps(record(field("a", "int")))), parse("AVRO", json.dumps(record()))
    (backward,) = check("BACKWARD", new, [old])
    assert "in the new schema has no default value and is missing in the old schema" in backward.description
    (forward,) = check("FORWARD", old, [new])
    assert "in the old schema has no default value and is missing in the new schema" in forward.description
    assert str(forward).startswith(
        "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'a' at path"
    )
    assert isinstance(forward, Incompatibility)
