"""Tags in the text of a schema: where they may stand, how they are read, added and taken away."""

import json

import pytest

from app.registry.errors import InvalidSchema
from app.registry.formats import parse
from app.registry.inline_tags import Entity, EntityTags, TagChange, tags_in, with_tags
from app.registry.inline_tags.entity import FIELD, RECORD, merged, wanted

AVRO = json.dumps(
    {
        "type": "record", "name": "Order", "namespace": "shop",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "lines", "type": {"type": "array", "items": {
                "type": "record", "name": "Line", "fields": [{"name": "sku", "type": ["null", "string"]}]}}},
            {"name": "note", "type": [
                "null", {"type": "record", "name": "other.Note", "fields": [{"name": "text", "type": "string"}]}]},
        ],
    }
)  # fmt: skip
JSON = json.dumps(
    {
        "type": "object",
        "definitions": {"card": {"type": "object", "properties": {"number": {"type": "string"}}}},
        "properties": {
            "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
            "sum": {"allOf": [{"type": "string"}, {"type": "object", "properties": {"units": {"type": "number"}}}]},
            "none": {"not": {"type": "object", "properties": {"a": {}}}},
            "color": {"enum": ["red", "green"]},
            "address": {"type": "object", "properties": {"street": {"type": "string"}}},
            "maybe": {"type": ["null", "object"], "properties": {"b": {}}},
            "card": {"$ref": "#/definitions/card"},
        },
        "if": {"properties": {"country": {"const": "CA"}}},
        "else": {"properties": {"code": {"pattern": "[0-9]"}}},
    }
)
PROTO = """syntax = "proto3";
package shop;

import "confluent/meta.proto";

message Order {
  int64 id = 1 [
    deprecated = true,
    (confluent.field_meta).tags = "OLD",
    (confluent.field_meta).doc = "the key"
  ];

  oneof choice {
    string card = 2 [(confluent.field_meta) = {tags: ["A", "B"]}];
  }

  message Line {
    string sku = 1;
  }
}
"""


def add(path, *tags, kind=FIELD):
    return TagChange(Entity.of(kind, path), added=tags)


def found(schema_type, text):
    return {(one.entity.kind, one.entity.path): one.tags for one in tags_in(schema_type, text)}


@pytest.mark.parametrize(
    ("schema_type", "text", "fields", "records"),
    [
        (
            "AVRO", AVRO,
            ["shop.Order.id", "shop.Line.sku", "other.Note.text"], ["shop.Order", "shop.Line", "other.Note"],
        ),
        (
            "JSON",
            JSON,
            [
                "allof.1.object.lines", "allof.1.object.lines.array.object.sku",
                "allof.1.object.sum.allof.0.object.units", "allof.1.object.none.not.object.a", "allof.1.object.color",
                "allof.1.object.maybe.anyof.1.object.b", "allof.1.object.card",
                "allof.1.object.definitions.card.object.number", "allof.0.conditional.else.object.code",
            ],
            ["allof.1.object", "allof.1.object.lines.array.object", "allof.0.conditional.if.object"],
        ),
        ("PROTOBUF", PROTO, ["Order.card", "Order.Line.sku"], ["Order", "Order.Line"]),
    ],
)  # fmt: skip
def test_what_is_added_is_found_and_can_be_taken_away(schema_type, text, fields, records):
    places = [Entity(FIELD, path) for path in fields] + [Entity(RECORD, path) for path in records]
    plain = with_tags(schema_type, text, [TagChange(one, removed=("A", "B", "OLD")) for one in places])
    before = found(schema_type, plain)
    tagged = with_tags(schema_type, plain, [TagChange(one, added=("PII", "TOP")) for one in places])
    assert parse(schema_type, tagged).canonical
    assert {key: tags for key, tags in found(schema_type, tagged).items() if key not in before} == {
        (one.kind, one.path): ("PII", "TOP") for one in places
    }
    untagged = with_tags(schema_type, tagged, [TagChange(one, removed=("TOP", "PII")) for one in places])
    assert parse(schema_type, untagged).canonical == parse(schema_type, plain).canonical


def test_an_object_that_is_a_property_is_listed_as_that_once():
    tagged = with_tags("JSON", JSON, [add("allof.1.object.address.object", "PII", kind=RECORD)])
    assert found("JSON", tagged) == {(FIELD, "allof.1.object.address"): ("PII",)}


def test_protobuf_says_it_in_one_option_where_the_first_stood():
    changed = with_tags("PROTOBUF", PROTO, [add(".shop.Order.id", "NEW"), add("Order.card", "B", "C")])
    assert (
        """int64 id = 1 [
    deprecated = true,
    (confluent.field_meta) = {
      doc: "the key",
      tags: [
        "OLD",
        "NEW"
      ]
    }
  ];"""
        in changed
    )
    assert found("PROTOBUF", changed) == {(FIELD, "Order.id"): ("OLD", "NEW"), (FIELD, "Order.card"): ("A", "B", "C")}


@pytest.mark.parametrize(("schema_type", "text"), [("AVRO", AVRO), ("JSON", JSON), ("PROTOBUF", PROTO)])
@pytest.mark.parametrize("kind", [RECORD, FIELD])
def test_a_place_that_is_not_there_is_refused(schema_type, text, kind):
    with pytest.raises(InvalidSchema, match=r"no .* 'nowhere'"):
        with_tags(schema_type, text, [add("nowhere", "PII", kind=kind)])


@pytest.mark.parametrize("schema_type", ["AVRO", "JSON"])
def test_schemas_of_no_places_have_no_tags(schema_type):
    for text in ("{}", "true", "[]", '{"type":"record"}', '{"type":"record","name":"R","fields":7}', '{"oneOf":[7]}'):
        assert tags_in(schema_type, text) == []


def test_json_schemas_nested_as_deep_as_may_be_are_walked():
    text = '{"items":' * 319 + '{"properties":{"a":{"confluent:tags":["PII"]}}}' + "}" * 319
    assert [one.tags for one in tags_in("JSON", text[len('{"items":') * 3 : -3])] == [("PII",)]


def test_changes_of_one_place_become_one():
    one, same, other = Entity.of(FIELD, ".a.b"), Entity.of(None, "a.b"), Entity.of(RECORD, "a")
    assert merged([EntityTags(one, ("X",)), EntityTags(same, ("Y", "X"))], [EntityTags(other, ("Z",))]) == (
        TagChange(one, added=("X", "Y")),
        TagChange(other, removed=("Z",)),
    )
    tags = [EntityTags(one, ("X", "Y")), EntityTags(other, ("Z",))]
    assert [wanted(tags, names) for names in (["*"], ["Y"], ["no"])] == [tags, tags[:1], []]
