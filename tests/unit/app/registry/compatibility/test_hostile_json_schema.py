"""JSON Schemas whose comparison could run away: each ends in an answer or a refusal."""

import json

import pytest

from app.registry.compatibility import check
from app.registry.errors import SchemaTooLarge
from app.registry.formats import parse


def schema(value):
    return parse("JSON", json.dumps(value))


def chain(length, leaf, siblings=False):
    more = {"$schema": "https://json-schema.org/draft/2020-12/schema"} if siblings else {}
    link = {"type": "object"} if siblings else {}
    definitions = {f"d{i}": {"properties": {"x": {"$ref": f"#/definitions/d{i + 1}", **link}}} for i in range(length)}
    return {**more, "$ref": "#/definitions/d0", "definitions": {**definitions, f"d{length}": leaf}}


@pytest.mark.parametrize("siblings", [False, True])
def test_definitions_chained_by_the_thousand_are_compared(siblings):
    old, new = (schema(chain(2_000, {"type": kind}, siblings)) for kind in ("object", "string"))
    assert check("FULL", old, [old]) == []
    assert len(check("BACKWARD", new, [old])) >= 1


def test_large_sums_of_the_same_parts_are_compared():
    value = {"oneOf": [{"properties": {"kind": {"const": i}}, "required": ["kind"]} for i in range(800)]}
    assert check("FULL", schema(value), [schema(value)]) == []


def test_large_sums_of_other_parts_are_refused_by_the_limit():
    old, new = ({"oneOf": [{"const": f"{name}{i}"} for i in range(1_500)]} for name in "ab")
    with pytest.raises(SchemaTooLarge):
        check("BACKWARD", schema(new), [schema(old)])


def test_sums_of_themselves_are_compared():
    value = {"anyOf": [{"$ref": "#"}, {"type": "string"}, {"not": {"$ref": "#"}}]}
    assert check("FULL", schema(value), [schema(value)]) == []


def test_large_enums_are_compared():
    old, new = ({"enum": list(range(count))} for count in (40_000, 40_001))
    assert check("BACKWARD", schema(new), [schema(old)]) == []
