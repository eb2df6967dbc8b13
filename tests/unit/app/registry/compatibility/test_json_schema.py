"""JSON Schema's changes, one by one: the name and place of each, and whether old documents stay valid."""

import json

import pytest
from jsonschema import Draft7Validator

from app.registry.compatibility import check
from app.registry.compatibility.json_schema import json_changes
from app.registry.formats import parse
from app.registry.formats.json_schema import JsonSchema
from app.registry.limits import Budget
from app.registry.schema import Reference, ResolvedReference

STRING, NUMBER, INTEGER, BOOLEAN = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))


def schema(value, references=()):
    parsed = parse("JSON", json.dumps(value), references)
    assert isinstance(parsed, JsonSchema)
    return parsed


def changes(old, new):
    return sorted(" ".join(one) for one in json_changes(schema(new), schema(old), is_lenient=False, budget=Budget()))


def is_accepted(old, new, policy="STRICT"):
    return check("BACKWARD", schema(new), [schema(old)], policy=policy) == []


def obj(properties, **keywords):
    return {"type": "object", "properties": properties, **keywords}


def closed(properties, **keywords):
    return obj(properties, additionalProperties=False, **keywords)


def tup(*items, **keywords):
    return {"type": "array", "items": list(items), **keywords}


def one_of(*subs):
    return {"oneOf": list(subs)}


def any_of(*subs):
    return {"anyOf": list(subs)}


def all_of(*subs):
    return {"allOf": list(subs)}


BOUNDS = [
    ("string", "maxLength", "MAX_LENGTH", "upper"), ("string", "minLength", "MIN_LENGTH", "lower"),
    ("number", "maximum", "MAXIMUM", "upper"), ("number", "minimum", "MINIMUM", "lower"),
    ("number", "exclusiveMaximum", "EXCLUSIVE_MAXIMUM", "upper"),
    ("number", "exclusiveMinimum", "EXCLUSIVE_MINIMUM", "lower"),
    ("object", "maxProperties", "MAX_PROPERTIES", "upper"), ("object", "minProperties", "MIN_PROPERTIES", "lower"),
    ("array", "maxItems", "MAX_ITEMS", "upper"), ("array", "minItems", "MIN_ITEMS", "lower"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "keyword", "name", "side"), BOUNDS)
def test_a_bound_may_go_or_loosen_and_not_come_or_tighten(kind, keyword, name, side):
    none, low, high = {"type": kind}, {"type": kind, keyword: 2}, {"type": kind, keyword: 3}
    for old, new, verb, accepted in [
        (none, low, "ADDED", False),
        (low, none, "REMOVED", True),
        (low, high, "INCREASED", side == "upper"),
        (high, low, "DECREASED", side == "lower"),
    ]:
        assert changes(old, new) == [f"{name}_{verb} #/{keyword}"]
        assert is_accepted(old, new) is accepted
    assert changes(low, low) == []


ACCEPTED = {
    "annotations": ({"title": "a", "description": "b", "default": 1, **NUMBER}, {"title": "c", **NUMBER}, []),
    "anything to the empty schema": (closed({"a": STRING}), {}, []),
    "anything to true": (closed({"a": STRING}), True, []),
    "false to anything": (False, STRING, []),
    "pattern removed": ({**STRING, "pattern": "a"}, STRING, ["PATTERN_REMOVED #/pattern"]),
    "pattern kept": ({**STRING, "pattern": "a"}, {**STRING, "pattern": "a"}, []),
    "multipleOf removed": ({**NUMBER, "multipleOf": 4}, NUMBER, ["MULTIPLE_OF_REMOVED #/multipleOf"]),
    "multipleOf to a divisor": (
        {**NUMBER, "multipleOf": 0.4}, {**NUMBER, "multipleOf": 0.1}, ["MULTIPLE_OF_REDUCED #/multipleOf"],
    ),
    "integer to number": (INTEGER, NUMBER, ["TYPE_EXTENDED #/"]),
    "type to a list of types": (STRING, {"type": ["string", "null"]}, ["SUM_TYPE_EXTENDED #/"]),
    "list of types extended": (
        {"type": ["string", "null"]}, {"type": ["null", "number", "string"]}, ["SUM_TYPE_EXTENDED #/"],
    ),
    "required removed": (
        obj({"a": STRING}, required=["a"]), obj({"a": STRING}), ["REQUIRED_ATTRIBUTE_REMOVED #/required/a"],
    ),
    "required added with a default": (
        obj({"a": {**STRING, "default": "x"}}),
        obj({"a": {**STRING, "default": "x"}}, required=["a"]),
        ["REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED #/required/a"],
    ),
    "optional property added, closed": (
        closed({}), closed({"a": STRING}), ["OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"],
    ),
    "required property with default added, closed": (
        closed({}),
        closed({"a": {**STRING, "default": ""}}, required=["a"]),
        ["REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"],
    ),
    "required property with default added, covered": (
        obj({}, additionalProperties=STRING),
        obj({"a": {**STRING, "default": ""}}, required=["a"], additionalProperties=STRING),
        [
            "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
            "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        ],
    ),
    "empty property added, closed": (
        closed({}), closed({"a": True}), ["OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"],
    ),
    "empty property added, open": (
        obj({}), obj({"a": {}}), ["PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"],
    ),
    "property removed, open": (
        obj({"a": STRING}), obj({}), ["PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL #/properties/a"],
    ),
    "false property removed, closed": (
        closed({"a": False}), closed({}), ["PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a"],
    ),
    "property added, covered by the schema of the others": (
        obj({}, additionalProperties=INTEGER),
        obj({"a": NUMBER}, additionalProperties=INTEGER),
        [
            "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
            "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
            "TYPE_EXTENDED #/properties/a",
        ],
    ),
    "property removed, covered by a pattern": (
        closed({"I_1": INTEGER}),
        closed({}, patternProperties={"^I_": NUMBER}),
        [
            "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/I_1",
            "TYPE_EXTENDED #/properties/I_1",
        ],
    ),
    "closed to open": (closed({}), obj({}), ["ADDITIONAL_PROPERTIES_ADDED #/additionalProperties"]),
    "closed to partially open": (
        closed({}), obj({}, additionalProperties=STRING), ["ADDITIONAL_PROPERTIES_ADDED #/additionalProperties"],
    ),
    "partially open to open": (
        obj({}, additionalProperties=STRING), obj({}), ["ADDITIONAL_PROPERTIES_EXTENDED #/additionalProperties"],
    ),
    "dependency array removed": (
        obj({}, dependencies={"a": ["b"]}), obj({}), ["DEPENDENCY_ARRAY_REMOVED #/dependencies/a"],
    ),
    "dependency array narrowed": (
        obj({}, dependencies={"a": ["b", "c"]}),
        obj({}, dependencies={"a": ["b"]}),
        ["DEPENDENCY_ARRAY_NARROWED #/dependencies/a"],
    ),
    "dependency schema removed": (
        obj({}, dependencies={"a": STRING}), obj({}), ["DEPENDENCY_SCHEMA_REMOVED #/dependencies/a"],
    ),
    "items removed": ({"type": "array", "items": STRING}, {"type": "array"}, ["SCHEMA_REMOVED #/items"]),
    "uniqueItems removed": (
        {"type": "array", "uniqueItems": True}, {"type": "array"}, ["UNIQUE_ITEMS_REMOVED #/uniqueItems"],
    ),
    "contains removed": ({"type": "array", "contains": STRING}, {"type": "array"}, ["SCHEMA_REMOVED #/contains"]),
    "item removed, open": (tup(STRING, NUMBER), tup(STRING), ["ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL #/items/1"]),
    "item added, closed": (
        tup(STRING, additionalItems=False),
        tup(STRING, NUMBER, additionalItems=False),
        ["ITEM_ADDED_TO_CLOSED_CONTENT_MODEL #/items/1"],
    ),
    "empty item added, open": (
        tup(STRING), tup(STRING, True), ["ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL #/items/1"],
    ),
    "false item removed, closed": (
        tup(False, additionalItems=False),
        tup(additionalItems=False),
        ["ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/0"],
    ),
    "item added, covered": (
        tup(STRING, additionalItems=NUMBER),
        tup(STRING, NUMBER, additionalItems=NUMBER),
        ["ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1"],
    ),
    "item removed, covered": (
        tup(STRING, NUMBER, additionalItems=NUMBER),
        tup(STRING, additionalItems=NUMBER),
        ["ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1"],
    ),
    "other items let in": (
        tup(STRING, additionalItems=False), tup(STRING), ["ADDITIONAL_ITEMS_ADDED #/additionalItems"],
    ),
    "other items no longer typed": (
        tup(STRING, additionalItems=STRING), tup(STRING), ["ADDITIONAL_ITEMS_EXTENDED #/additionalItems"],
    ),
    "enum extended": ({"enum": ["a"]}, {"enum": ["b", "a"]}, ["ENUM_ARRAY_EXTENDED #/enum"]),
    "enum reordered": ({"enum": [1, "a"]}, {"enum": ["a", 1.0]}, []),
    "enum beside a type removed": ({**STRING, "enum": ["a"]}, STRING, ["PRODUCT_TYPE_NARROWED #/"]),
    "const kept": ({"const": {"a": 1, "b": 2}}, {"const": {"b": 2, "a": 1.0}}, []),
    "not narrowed": ({"not": NUMBER}, {"not": INTEGER}, ["NOT_TYPE_NARROWED #/not"]),
    "oneOf extended": (one_of(STRING), one_of(NUMBER, STRING), ["SUM_TYPE_EXTENDED #/"]),
    "oneOf reordered": (one_of(STRING, NUMBER), one_of(NUMBER, STRING), []),
    "anyOf extended": (any_of(STRING), any_of(NUMBER, STRING), ["SUM_TYPE_EXTENDED #/"]),
    "allOf narrowed": (all_of({"enum": ["a"]}, STRING), all_of(STRING), ["PRODUCT_TYPE_NARROWED #/"]),
    "doubles in allOf": (all_of(STRING, STRING), all_of(STRING), []),
    "oneOf to anyOf": (
        one_of(STRING), any_of(NUMBER, STRING), ["COMBINED_TYPE_EXTENDED #/", "SUM_TYPE_EXTENDED #/"],
    ),
    "allOf of several to anyOf": (
        all_of(STRING, {"enum": ["a"]}), any_of(STRING, {"enum": ["a"]}), ["COMBINED_TYPE_EXTENDED #/"],
    ),
    "allOf of one to oneOf": (
        all_of(NUMBER), one_of(NUMBER, STRING), ["COMBINED_TYPE_EXTENDED #/", "SUM_TYPE_EXTENDED #/"],
    ),
    "anyOf of one to allOf of one": (any_of(STRING), all_of(STRING), ["COMBINED_TYPE_EXTENDED #/"]),
    "single into oneOf": (
        {**STRING, "maxLength": 3}, one_of(NUMBER, STRING), ["MAX_LENGTH_REMOVED #/maxLength", "SUM_TYPE_EXTENDED #/"],
    ),
    "single into anyOf": (STRING, any_of(NUMBER, STRING), ["SUM_TYPE_EXTENDED #/"]),
    "single into allOf of one": (STRING, all_of(STRING), []),
    "oneOf of one to single": (one_of(STRING), STRING, []),
    "into a $ref": (STRING, {"$ref": "#/definitions/a", "definitions": {"a": STRING}}, []),
    "out of a $ref": ({"$ref": "#/definitions/a", "definitions": {"a": STRING}}, STRING, []),
    "definitions moved": (
        {"items": {"$ref": "#/definitions/a"}, "definitions": {"a": STRING}},
        {"items": {"$ref": "#/definitions/b"}, "definitions": {"b": STRING}},
        [],
    ),
    "parts matched by what they take": (
        one_of({**STRING, "maxLength": 5}, BOOLEAN),
        one_of(NUMBER, BOOLEAN, {**STRING, "maxLength": 8}),
        ["MAX_LENGTH_INCREASED #/oneOf/0/maxLength", "SUM_TYPE_EXTENDED #/"],
    ),
}  # fmt: skip

REFUSED = {
    "type changed": (STRING, NUMBER, ["TYPE_CHANGED #/"]),
    "number to integer": (NUMBER, INTEGER, ["TYPE_NARROWED #/"]),
    "empty to a type": ({}, STRING, ["TYPE_CHANGED #/"]),
    "pattern added": (STRING, {**STRING, "pattern": "a"}, ["PATTERN_ADDED #/pattern"]),
    "pattern changed": ({**STRING, "pattern": "a"}, {**STRING, "pattern": "b"}, ["PATTERN_CHANGED #/pattern"]),
    "multipleOf added": (NUMBER, {**NUMBER, "multipleOf": 2}, ["MULTIPLE_OF_ADDED #/multipleOf"]),
    "multipleOf to a multiple": (
        {**NUMBER, "multipleOf": 2}, {**NUMBER, "multipleOf": 4}, ["MULTIPLE_OF_EXPANDED #/multipleOf"],
    ),
    "multipleOf changed": (
        {**NUMBER, "multipleOf": 2}, {**NUMBER, "multipleOf": 3}, ["MULTIPLE_OF_CHANGED #/multipleOf"],
    ),
    "required added": (
        obj({"a": STRING}), obj({"a": STRING}, required=["a"]), ["REQUIRED_ATTRIBUTE_ADDED #/required/a"],
    ),
    "required added, not a property of either": (
        obj({}), obj({}, required=["a"]), ["REQUIRED_ATTRIBUTE_ADDED #/required/a"],
    ),
    "property added, open": (
        obj({}), obj({"a": STRING}), ["OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"],
    ),
    "required property added, open": (
        obj({}),
        obj({"a": STRING}, required=["a"]),
        ["REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"],
    ),
    "required property with default added, open": (
        obj({}),
        obj({"a": {**STRING, "default": ""}}, required=["a"]),
        ["REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"],
    ),
    "required empty property added, open": (
        obj({}), obj({"a": {}}, required=["a"]), ["REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"],
    ),
    "required property added, covered": (
        obj({}, additionalProperties=STRING),
        obj({"a": STRING}, required=["a"], additionalProperties=STRING),
        [
            "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
            "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        ],
    ),
    "required property with default added, not covered": (
        obj({}, additionalProperties=STRING),
        obj({"a": {**NUMBER, "default": 1}}, required=["a"], additionalProperties=STRING),
        [
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
            "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
            "TYPE_CHANGED #/properties/a",
        ],
    ),
    "required property added, closed": (
        closed({}),
        closed({"a": STRING}, required=["a"]),
        ["REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"],
    ),
    "property removed, closed": (
        closed({"a": STRING}), closed({}), ["PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a"],
    ),
    "property added, not covered": (
        obj({}, additionalProperties=STRING),
        obj({"a": NUMBER}, additionalProperties=STRING),
        [
            "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
            "TYPE_CHANGED #/properties/a",
        ],
    ),
    "property removed, not covered": (
        closed({"a": NUMBER}),
        obj({}, additionalProperties=STRING),
        [
            "ADDITIONAL_PROPERTIES_ADDED #/additionalProperties",
            "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
            "TYPE_CHANGED #/properties/a",
        ],
    ),
    "open to closed": (obj({}), closed({}), ["ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties"]),
    "open to partially open": (
        obj({}), obj({}, additionalProperties=STRING), ["ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties"],
    ),
    "others of another type": (
        obj({}, additionalProperties=STRING),
        obj({}, additionalProperties=NUMBER),
        ["TYPE_CHANGED #/additionalProperties"],
    ),
    "property of another type": (obj({"a": STRING}), obj({"a": NUMBER}), ["TYPE_CHANGED #/properties/a"]),
    "pattern's property of another type": (
        obj({}, patternProperties={"^a": STRING}),
        obj({}, patternProperties={"^a": NUMBER}),
        ["TYPE_CHANGED #/patternProperties/^a"],
    ),
    "dependency array added": (
        obj({}), obj({}, dependencies={"a": ["b"]}), ["DEPENDENCY_ARRAY_ADDED #/dependencies/a"],
    ),
    "dependency array extended": (
        obj({}, dependencies={"a": ["b"]}),
        obj({}, dependencies={"a": ["b", "c"]}),
        ["DEPENDENCY_ARRAY_EXTENDED #/dependencies/a"],
    ),
    "dependency array changed": (
        obj({}, dependencies={"a": ["b"]}),
        obj({}, dependencies={"a": ["c"]}),
        ["DEPENDENCY_ARRAY_CHANGED #/dependencies/a"],
    ),
    "dependency schema added": (
        obj({}), obj({}, dependencies={"a": STRING}), ["DEPENDENCY_SCHEMA_ADDED #/dependencies/a"],
    ),
    "dependency schema changed": (
        obj({}, dependencies={"a": obj({"b": STRING})}),
        obj({}, dependencies={"a": obj({"b": NUMBER})}),
        ["TYPE_CHANGED #/dependencies/a/properties/b"],
    ),
    "items added": ({"type": "array"}, {"type": "array", "items": STRING}, ["SCHEMA_ADDED #/items"]),
    "items changed": (
        {"type": "array", "items": STRING}, {"type": "array", "items": NUMBER}, ["TYPE_CHANGED #/items"],
    ),
    "uniqueItems added": (
        {"type": "array"}, {"type": "array", "uniqueItems": True}, ["UNIQUE_ITEMS_ADDED #/uniqueItems"],
    ),
    "contains added": ({"type": "array"}, {"type": "array", "contains": STRING}, ["SCHEMA_ADDED #/contains"]),
    "item added, open": (tup(STRING), tup(STRING, NUMBER), ["ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1"]),
    "item removed, closed": (
        tup(STRING, NUMBER, additionalItems=False),
        tup(STRING, additionalItems=False),
        ["ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1"],
    ),
    "item added, not covered": (
        tup(STRING, additionalItems=STRING),
        tup(STRING, NUMBER, additionalItems=STRING),
        ["ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1", "TYPE_CHANGED #/items/1"],
    ),
    "item removed, not covered": (
        tup(STRING, NUMBER, additionalItems=STRING),
        tup(STRING, additionalItems=STRING),
        ["ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1", "TYPE_CHANGED #/items/1"],
    ),
    "other items refused": (
        tup(STRING), tup(STRING, additionalItems=False), ["ADDITIONAL_ITEMS_REMOVED #/additionalItems"],
    ),
    "other items typed": (
        tup(STRING), tup(STRING, additionalItems=STRING), ["ADDITIONAL_ITEMS_NARROWED #/additionalItems"],
    ),
    "enum narrowed": ({"enum": ["a", "b"]}, {"enum": ["a"]}, ["ENUM_ARRAY_NARROWED #/enum"]),
    "enum changed": ({"enum": ["a"]}, {"enum": ["b"]}, ["ENUM_ARRAY_CHANGED #/enum"]),
    "enum: true is not 1": ({"enum": [1]}, {"enum": [True]}, ["ENUM_ARRAY_CHANGED #/enum"]),
    "const changed": ({"const": 1}, {"const": 2}, ["ENUM_ARRAY_CHANGED #/const"]),
    "not extended": ({"not": INTEGER}, {"not": NUMBER}, ["NOT_TYPE_EXTENDED #/not"]),
    "oneOf narrowed": (one_of(STRING, NUMBER), one_of(STRING), ["SUM_TYPE_NARROWED #/"]),
    "oneOf to one of its parts": (one_of(STRING, NUMBER), STRING, ["SUM_TYPE_NARROWED #/"]),
    "list of types narrowed": ({"type": ["string", "null"]}, STRING, ["SUM_TYPE_NARROWED #/"]),
    "allOf extended": (all_of(STRING), all_of({"maxLength": 3}, STRING), ["PRODUCT_TYPE_EXTENDED #/"]),
    "parts changed": (one_of(STRING), one_of(NUMBER), ["COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"]),
    "anyOf of several to oneOf": (any_of(STRING, NUMBER), one_of(STRING), ["COMBINED_TYPE_CHANGED #/"]),
    "oneOf of several to allOf": (one_of(STRING, NUMBER), all_of(STRING, NUMBER), ["COMBINED_TYPE_CHANGED #/"]),
    "single into allOf of several": (STRING, all_of(NUMBER, STRING), ["TYPE_CHANGED #/"]),
    "enum put beside a type": (STRING, {**STRING, "enum": ["a"]}, ["TYPE_CHANGED #/"]),
    "behind a $ref": (
        {"items": {"$ref": "#/definitions/a"}, "definitions": {"a": STRING}},
        {"items": {"$ref": "#/definitions/a"}, "definitions": {"a": NUMBER}},
        ["TYPE_CHANGED #/items"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    old, new, expected = ACCEPTED[name]
    assert changes(old, new) == sorted(expected)
    assert is_accepted(old, new)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    old, new, expected = REFUSED[name]
    assert changes(old, new) == sorted(expected)
    assert not is_accepted(old, new)


LENIENT = [
    "property added, open", "required property with default added, open", "property removed, closed",
    "property added, not covered", "required property with default added, not covered", "property removed, not covered",
    "open to closed", "open to partially open",
]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_lenient_forgives_content_models_only(name):
    old, new, _ = REFUSED[name]
    assert is_accepted(old, new, policy="LENIENT") is (name in LENIENT)


def test_required_stays_required_when_lenient():
    for model in (closed, obj):
        assert not is_accepted(model({}), model({"a": STRING}, required=["a"]), policy="LENIENT")


@pytest.mark.parametrize(
    ("old", "new", "change", "accepted"),
    [
        ({}, {"maxContains": 2}, "MAX_CONTAINS_ADDED", False),
        ({"maxContains": 2}, {}, "MAX_CONTAINS_REMOVED", True),
        ({"maxContains": 2}, {"maxContains": 3}, "MAX_CONTAINS_INCREASED", True),
        ({"maxContains": 3}, {"maxContains": 2}, "MAX_CONTAINS_DECREASED", False),
        ({}, {"minContains": 2}, "MIN_CONTAINS_ADDED", False),
        ({"minContains": 2}, {}, "MIN_CONTAINS_REMOVED", True),
        ({"minContains": 2}, {"minContains": 3}, "MIN_CONTAINS_INCREASED", False),
        ({"minContains": 3}, {"minContains": 2}, "MIN_CONTAINS_DECREASED", True),
    ],
)
def test_how_often_something_is_contained(old, new, change, accepted):
    array = {"$schema": D2020, "type": "array", "contains": STRING}
    before, after = {**array, **old}, {**array, **new}
    assert changes(before, after) == [f"{change} #/{change[:3].lower()}Contains"]
    assert is_accepted(before, after) is accepted


D4 = "http://json-schema.org/draft-04/schema#"
D2019 = "https://json-schema.org/draft/2019-09/schema"
D2020 = "https://json-schema.org/draft/2020-12/schema"
DRAFTS = {
    "draft 4's exclusive bound is a flag": (
        {"$schema": D4, **NUMBER, "maximum": 3, "exclusiveMaximum": True},
        {"$schema": D4, **NUMBER, "maximum": 3},
        ["EXCLUSIVE_MAXIMUM_REMOVED #/exclusiveMaximum", "MAXIMUM_ADDED #/maximum"],
    ),
    "2020-12's tuple": (
        {"$schema": D2020, "prefixItems": [STRING], "items": False},
        {"$schema": D2020, "prefixItems": [STRING, NUMBER], "items": False},
        ["ITEM_ADDED_TO_CLOSED_CONTENT_MODEL #/prefixItems/1"],
    ),
    "2020-12's other items": (
        {"$schema": D2020, "prefixItems": [STRING]},
        {"$schema": D2020, "prefixItems": [STRING], "items": False},
        ["ADDITIONAL_ITEMS_REMOVED #/items"],
    ),
    "dependentRequired": (
        {"$schema": D2019, "dependentRequired": {"a": ["b"]}},
        {"$schema": D2019, "dependentRequired": {"a": ["b", "c"]}},
        ["DEPENDENCY_ARRAY_EXTENDED #/dependentRequired/a"],
    ),
    "dependentSchemas": (
        {"$schema": D2019},
        {"$schema": D2019, "dependentSchemas": {"a": STRING}, "type": "object"},
        ["TYPE_CHANGED #/"],
    ),
    "unevaluatedProperties close too": (
        {"$schema": D2020, "type": "object", "unevaluatedProperties": False},
        {"$schema": D2020, "type": "object", "unevaluatedProperties": False, "properties": {"a": STRING}},
        ["OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"],
    ),
    "keywords beside a $ref count from 2019-09": (
        {"$schema": D2019, "$ref": "#/$defs/a", "maxLength": 3, "$defs": {"a": STRING}},
        {"$schema": D2019, "$ref": "#/$defs/a", "maxLength": 2, "$defs": {"a": STRING}},
        ["COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"],
    ),
    "keywords beside a $ref do not count before": (
        {"$ref": "#/definitions/a", "maxLength": 3, "definitions": {"a": STRING}},
        {"$ref": "#/definitions/a", "maxLength": 2, "definitions": {"a": STRING}},
        [],
    ),
    "another draft": ({"$schema": D4, **STRING}, {"$schema": D2020, **STRING}, []),
    "$anchor": (
        {"$schema": D2020, "$ref": "#a", "$defs": {"x": {"$anchor": "a", **STRING}}},
        {"$schema": D2020, "$ref": "#a", "$defs": {"x": {"$anchor": "a", **NUMBER}}},
        ["TYPE_CHANGED #/"],
    ),
    "$id of a part": (
        {"$id": "http://x/root", "$ref": "part", "definitions": {"p": {"$id": "part", **STRING}}},
        {"$id": "http://x/root", "$ref": "http://x/part", "definitions": {"p": {"$id": "part", **NUMBER}}},
        ["TYPE_CHANGED #/"],
    ),
}


@pytest.mark.parametrize("name", DRAFTS)
def test_drafts(name):
    old, new, expected = DRAFTS[name]
    assert changes(old, new) == expected


def test_a_recursive_schema_is_compared_with_another():
    def tree(leaf):
        node = obj({"value": leaf, "left": {"$ref": "#/definitions/tree"}})
        return {"$ref": "#/definitions/tree", "definitions": {"tree": node}}

    assert changes(tree(INTEGER), tree(NUMBER)) == ["TYPE_EXTENDED #/properties/value"]
    assert changes(tree(NUMBER), tree(STRING)) == ["TYPE_CHANGED #/properties/value"]
    assert changes({"not": {"$ref": "#"}}, {"not": {"$ref": "#"}}) == []


def test_a_reference_to_another_subject_is_followed_by_its_name():
    def with_reference(target):
        reference = ResolvedReference(Reference("item.json", "item", 1), json.dumps(target))
        return schema({"type": "array", "items": {"$ref": "item.json#/definitions/x"}}, [reference])

    old, new = (with_reference({"definitions": {"x": kind}}) for kind in (NUMBER, INTEGER))
    assert [(one.error_type, one.path) for one in check("BACKWARD", new, [old])] == [("TYPE_NARROWED", "#/items")]
    assert check("FORWARD", new, [old]) == []


def test_names_are_escaped_in_paths():
    assert changes(obj({"a/b~c": STRING}), obj({"a/b~c": NUMBER})) == ["TYPE_CHANGED #/properties/a~1b~0c"]


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(?=a)a", "a*b*c*d", r"(a)\1", "[", "a{99999}", "(a|a)*"])
def test_a_pattern_that_may_run_long_is_not_run(pattern):
    old = closed({}, patternProperties={pattern: STRING})
    new = closed({"a" * 60: STRING}, patternProperties={pattern: STRING})
    assert changes(old, new) == [f"OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/{'a' * 60}"]


def test_another_format_is_incompatible():
    found = check("BACKWARD", schema(STRING), [parse("AVRO", '"string"')])
    assert found[0].error_type == "SCHEMA_TYPE_CHANGED"
    assert found[0].description == "Incompatible because of different schema type"
    assert check("NONE", schema(STRING), [parse("AVRO", '"string"')]) == []


SCALARS = [None, True, 0, 1, 2, 3, 4, 5, 6, 0.1, 1.5, "", "a", "b", "aa", "aaaa"]
NAMES = ["a", "b", "c", "I_1", "z"]
DOCUMENTS = [
    *SCALARS,
    *([], *([one] for one in SCALARS), *([one, other] for one in ("a", 1, 1.5, True) for other in ("a", "b", 1, True))),
    *({}, *({name: one} for name in NAMES for one in SCALARS)),
    *({"a": one, "b": other} for one in SCALARS for other in ("x", 1)),
]


def broken_documents(old, new):
    before, after = Draft7Validator(old), Draft7Validator(new)
    return [one for one in DOCUMENTS if before.is_valid(one) and not after.is_valid(one)]


FILLED_IN = {name for name in ACCEPTED if "with default" in name or "with a default" in name}
"""What is not there has a default, says the rule; a validator does not fill it in."""


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted_keeps_documents_valid(name):
    old, new, _ = ACCEPTED[name]
    assert (broken_documents(old, new) == []) is (name not in FILLED_IN)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_for_a_document(name):
    old, new, _ = REFUSED[name]
    assert broken_documents(old, new) != []
