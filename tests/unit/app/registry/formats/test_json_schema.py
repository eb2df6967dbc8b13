"""JSON Schemas: what is taken and refused, canonical and normalized text, where `$ref`s lead."""

import json
import subprocess
import sys

import pytest
from jsonschema import validators
from jsonschema.exceptions import SchemaError as MetaSchemaError

from app.registry.compatibility import check
from app.registry.errors import InvalidSchema
from app.registry.formats import parse
from app.registry.schema import Reference, ResolvedReference

D4 = "http://json-schema.org/draft-04/schema#"
D6 = "http://json-schema.org/draft-06/schema#"
D7 = "http://json-schema.org/draft-07/schema#"
D2019 = "https://json-schema.org/draft/2019-09/schema"
D2020 = "https://json-schema.org/draft/2020-12/schema"


def schema(value, *references):
    return parse("JSON", value if isinstance(value, str) else json.dumps(value), references)


def resolved(name, value):
    return ResolvedReference(Reference(name, name, 1), json.dumps(value))


def test_canonical_is_compact_and_keeps_the_order_of_keys():
    assert schema('{ "title" : "é/\\u00e9", "b": [1, 1.50, 1e2], "a": null }').canonical == (
        '{"title":"é/é","b":[1,1.5,100.0],"a":null}'
    )


def test_normalized_sorts_keys_at_every_depth():
    assert schema({"b": {"d": 1, "c": [{"z": 1, "y": 2}]}, "a": 0}).normalized().canonical == (
        '{"a":0,"b":{"c":[{"y":2,"z":1}],"d":1}}'
    )


@pytest.mark.parametrize(
    ("url", "draft"),
    [(D4, 4), (D6, 6), (D7, 7), (D7.rstrip("#"), 7), (D2019, 2019), (D2020, 2020), ("http://example.org/mine", 7)],
)
def test_the_draft_is_told_by_its_url(url, draft):
    assert schema({"$schema": url}).draft == draft


def test_without_url_the_draft_is_7():
    assert schema({}).draft == 7
    assert schema(True).draft == 7


def test_the_title_is_the_name():
    assert schema({"title": "Order"}).name == "Order"
    assert schema({}).name is None


WRONG = {
    "no schema": 3, "null": None, "list": [], "type": {"type": "strin"}, "types": {"type": ["string", "string"]},
    "no type": {"type": []}, "required": {"required": "a"}, "required twice": {"required": ["a", "a"]},
    "properties": {"properties": []}, "property": {"properties": {"a": 3}}, "items": {"items": 3},
    "tuple": {"items": [3]}, "allOf": {"allOf": {}}, "oneOf": {"oneOf": []}, "anyOf": {"anyOf": [1]},
    "not": {"not": []}, "enum": {"enum": {}}, "maximum": {"maximum": "3"}, "true is no number": {"minimum": True},
    "maxLength": {"maxLength": -1}, "minLength": {"minLength": 1.5}, "multipleOf": {"multipleOf": 0},
    "uniqueItems": {"uniqueItems": 1}, "pattern": {"pattern": 1}, "title": {"title": []}, "$ref": {"$ref": 1},
    "dependencies": {"dependencies": {"a": "b"}}, "dependency names": {"dependencies": {"a": ["b", "b"]}},
    "definitions": {"definitions": {"a": 1}}, "draft 4 flag": {"$schema": D4, "exclusiveMaximum": 3},
    "draft 7 number": {"$schema": D7, "exclusiveMaximum": True}, "$defs": {"$schema": D2020, "$defs": {"a": 1}},
    "prefixItems": {"$schema": D2020, "prefixItems": 1},
    "dependentRequired": {"$schema": D2019, "dependentRequired": {"a": 1}},
    "contains": {"contains": 1}, "propertyNames": {"propertyNames": 1}, "additional": {"additionalProperties": 1},
}  # fmt: skip
RIGHT = {
    "true": True, "false": False, "empty": {}, "all": {
        "$id": "http://x/y", "title": "t", "type": ["object", "null"], "properties": {"a": True}, "required": ["a"],
        "minProperties": 0, "maxLength": 3.0, "dependencies": {"a": ["b"], "b": {}}, "enum": [1], "const": None,
        "items": [{}, True], "additionalItems": False, "if": {}, "then": {}, "else": {}, "exclusiveMinimum": 1,
    },
    "draft 4": {"$schema": D4, "id": "http://x", "maximum": 3, "exclusiveMaximum": True},
    "2020-12": {
        "$schema": D2020, "prefixItems": [{}], "items": False, "$defs": {"a": {"$anchor": "b"}},
        "dependentRequired": {"a": ["b"]},
    },
    "unknown keywords": {"confluent:tags": ["PII"], "connect.type": "int32"},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_keyword_is_refused(name):
    with pytest.raises(InvalidSchema) as refused:
        schema(WRONG[name])
    assert refused.value.path.startswith("#")


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_schema_is_taken(name):
    assert json.loads(schema(RIGHT[name]).canonical) == RIGHT[name]


@pytest.mark.parametrize("name", [name for name in (*WRONG, *RIGHT) if name not in ("no schema", "null", "list")])
def test_the_meta_schema_says_the_same(name):
    value = WRONG.get(name, RIGHT.get(name))
    validator = validators.validator_for(value, default=validators.validator_for({"$schema": D7}))
    if name in WRONG:
        with pytest.raises(MetaSchemaError):
            validator.check_schema(value)
    else:
        assert validator.check_schema(value) is None


def test_a_ref_that_leads_nowhere_is_refused_with_its_place():
    with pytest.raises(InvalidSchema, match="unresolved reference '#/definitions/a'") as refused:
        schema({"properties": {"x": {"$ref": "#/definitions/a"}}})
    assert refused.value.path == "#/properties/x"


@pytest.mark.parametrize(
    "address", ["http://example.org/s.json", "file:///etc/passwd", "other.json", "//x", "http://[bad"]
)
def test_a_ref_elsewhere_is_never_fetched(address):
    with pytest.raises(InvalidSchema, match=r"not among the schema's references|no address"):
        schema({"$ref": address})


def test_an_old_schema_with_a_ref_elsewhere_is_still_read_and_asks_for_nothing_there():
    old = parse("JSON", '{"items":{"$ref":"http://example.org/s.json"}}', validate_new=False)
    assert check("BACKWARD", schema({"items": {}}), [old]) == []


def test_a_ref_to_a_draft_is_known():
    assert schema({"properties": {"schema": {"$ref": D7}}}).canonical


def test_refs_lead_into_references_by_name_and_by_id():
    item = resolved("item.json", {"$id": "http://x/item", "definitions": {"sku": {"type": "string"}}})
    for reference in ("item.json", "item.json#/definitions/sku", "http://x/item#/definitions/sku"):
        parsed = schema({"$ref": reference}, item)
        assert [one.name for one in parsed.references] == ["item.json"]


def test_a_relative_ref_is_joined_to_the_id():
    item = resolved("http://x/schemas/item.json", {"type": "string"})
    assert schema({"$id": "http://x/schemas/order.json", "items": {"$ref": "item.json"}}, item).canonical


def test_a_broken_reference_is_named():
    with pytest.raises(InvalidSchema, match=r"reference 'a\.json'"):
        schema({}, resolved("a.json", {"type": 3}))


DEPTH = 10_000
HOSTILE = {
    "deep": '{"items":' * DEPTH + "{}" + "}" * DEPTH,
    "deep, but not for JSON": '{"items":' * 200 + "{}" + "}" * 200,
    "deep enum": '{"enum":[' * 1 + "[" * DEPTH + "]" * DEPTH + "]}",
    "not JSON": "{",
    "empty": "",
    "a number beyond doubles": '{"maximum":1e999}',
    "half a surrogate pair": '{"title":"\\ud800"}',
    "comments": "/* */ {}",
    "no address": '{"$id":"http://x","definitions":{"a":{"$id":"http://[x"}}}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused(name):
    with pytest.raises(InvalidSchema):
        schema(HOSTILE[name])


@pytest.mark.parametrize(
    "value", [{"$ref": "#"}, {"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}}]
)
def test_a_ref_in_a_circle_is_taken(value):
    assert schema(value).canonical


def test_importing_the_registry_loads_no_format():
    code = (
        "import sys, app.registry.formats, app.registry.compatibility, app.registry.identity\n"
        "libraries = ('jsonschema', 'referencing', 'google', 'fastavro')\n"
        "print([name for name in sys.modules if name.split('.')[0] in libraries or 'registry.formats.' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
