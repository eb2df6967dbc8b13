"""JSON payloads held against their schema: drafts, references, patterns, and nothing fetched."""

import json

import pytest

from app.registry.errors import InvalidSchema
from app.registry.formats import parse
from app.registry.payloads import compile_codec
from app.registry.schema import Reference, ResolvedReference
from app.schemas.ports import InvalidPayload


def codec(schema, **references):
    resolved = [
        ResolvedReference(Reference(name.replace("_", "."), name, 1), json.dumps(text))
        for name, text in references.items()
    ]
    return compile_codec(parse("JSON", json.dumps(schema), resolved, validate_new=False))


def fits(one, value):
    try:
        one.encode_all([json.dumps(value).encode()])
    except InvalidPayload:
        return False
    return True


def test_the_place_and_the_reason_are_told():
    one = codec({"properties": {"a": {"items": {"type": "integer"}}}})
    with pytest.raises(InvalidPayload) as refused:
        one.encode_all([b'{"a": [1]}', b'{"a": [1, "x"]}'])
    assert str(refused.value) == '"x" is not of type "integer" (at /a/1)'
    assert refused.value.index == 1


def test_the_draft_of_a_schema_decides():
    exclusive = {"type": "number", "maximum": 3, "exclusiveMaximum": True}
    draft4 = codec({"$schema": "http://json-schema.org/draft-04/schema#", **exclusive})
    assert not fits(draft4, 3)
    tuples = {"prefixItems": [{"type": "string"}]}
    assert fits(codec(tuples), [1])  # draft 7, where none is named, does not know prefixItems
    assert not fits(codec({"$schema": "https://json-schema.org/draft/2020-12/schema", **tuples}), [1])


def test_references_are_the_registrys_and_know_each_other():
    one = codec(
        {"properties": {"a": {"$ref": "first.json#/definitions/x"}, "b": {"$ref": "second.json"}}},
        first_json={"$id": "http://example.org/s/first.json", "definitions": {"x": {"$ref": "second.json"}}},
        second_json={"type": "integer"},
    )
    assert fits(one, {"a": 1, "b": 2})
    assert not fits(one, {"a": "x"})
    assert not fits(one, {"b": "x"})


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x.json", "file:///etc/hostname", "nowhere.json"])
def test_nothing_is_fetched(address):
    with pytest.raises(InvalidSchema, match="no value can be held against this schema"):
        codec({"$ref": address})


def test_a_pattern_that_would_backtrack_for_ever_does_not():
    one = codec({"type": "string", "pattern": "^(a+)+$"})
    assert fits(one, "a" * 5_000)
    assert not fits(one, "a" * 5_000 + "b")


def test_patterns_with_lookaround_work_within_bounds():
    one = codec({"type": "string", "pattern": "^(?!x)(a|aa)+$"})
    assert fits(one, "aa")
    assert not fits(one, "xaa")
    assert not fits(one, "a" * 500 + "b")


def test_alternatives_of_alternatives_end_in_a_refusal():
    """The library's own explanation of sixteen levels takes half a minute, and every level doubles it."""
    one = codec(
        {
            "anyOf": [
                {"type": "array", "items": {"$ref": "#"}},
                {"type": "array", "items": {"$ref": "#"}, "maxItems": 1},
            ]
        }
    )
    with pytest.raises(InvalidPayload, match="the value does not fit the schema"):
        one.encode_all([b"[" * 100 + b'"x"' + b"]" * 100])


TREE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "enum": ["a", "b"]},
        "count": {"type": ["integer", "null"]},
        "children": {"type": "array", "items": {"$ref": "#"}},
        "none": False,
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"name": "a", "children": [{"name": "b"}, {}]}, '"name" is a required property (at /children/1)'),
        ({"name": "a", "count": 1.5}, '1.5 is not of type "integer" or "null" (at /count)'),
        ({"name": "a", "count": True}, 'true is not of type "integer" or "null" (at /count)'),
        ({"name": "c"}, '"c" is not one of ["a","b"] (at /name)'),
        ({"name": "a", "x/y": 1}, 'Additional properties are not allowed ("x/y" was unexpected)'),
        ({"name": "a", "children": [{"name": "a", "none": 1}]}, "nothing may stand here, not 1 (at /children/0/none)"),
    ],
)
def test_a_schema_that_refers_to_itself_says_what_is_broken(value, told):
    one = codec(TREE)
    assert fits(one, {"name": "a", "count": 1.0, "children": [{"name": "b", "count": None}]})
    with pytest.raises(InvalidPayload) as refused:
        one.encode_all([json.dumps(value).encode()])
    assert str(refused.value) == told


def test_a_schema_that_is_nothing_but_itself_ends():
    assert fits(codec({"allOf": [{"$ref": "#"}]}), 1)


def test_numbers_are_kept_as_they_were_written():
    one = codec({"type": "number"})
    assert one.encode_all([b"1.10", b"123456789012345678901234567890"]) == [b"1.10", b"123456789012345678901234567890"]


@pytest.mark.parametrize("payload", [b"", b"{", b'"\xff"', b"\x00"])
def test_payloads_that_are_no_json_are_refused(payload):
    with pytest.raises(InvalidPayload, match="no JSON"):
        codec({}).decode(payload)


def test_what_is_read_is_not_held_against_the_schema():
    assert codec({"type": "integer"}).decode(b'"x"') == b'"x"'
