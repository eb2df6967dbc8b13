"""Avro texts made to hurt: each ends in an answer or a refusal, never in a RecursionError or out of memory."""

import json

import pytest

from app.registry.compatibility import check
from app.registry.errors import InvalidSchema, SchemaTooLarge
from app.registry.formats import parse
from app.registry.schema import Reference, ResolvedReference


def record(name, *fields):
    return {"type": "record", "name": name, "fields": list(fields)}


def field(name, kind, **attributes):
    return {"name": name, "type": kind, **attributes}


def avro(value):
    return parse("AVRO", json.dumps(value))


def cycle(length):
    return [record(f"R{i}", field("x", f"R{(i - 1) % length}")) for i in range(length)]


DEPTH = 10_000
REFUSED = {
    "deep arrays": '{"type":"array","items":' * DEPTH + '"int"' + "}" * DEPTH,
    "deep, but not for JSON": '{"type":"array","items":' * 300 + '"int"' + "}" * 300,
    "deep lists": "[" * DEPTH + "]" * DEPTH,
    "unclosed lists": "[" * DEPTH,
    "deep attribute": '{"type":"int","x":' + "[" * DEPTH + "]" * DEPTH + "}",
    "a chain of later names": json.dumps(
        [record(f"R{i}", field("x", f"R{i + 1}")) for i in range(500)] + [record("R500")]
    ),
    "a default without end": json.dumps(record("R", field("a", "R", default={}))),
    "an endless number": '{"type":"int","x":' + "9" * 500_000 + "}",
    "a number beyond doubles": '{"type":"int","x":1e999}',
    "comments without end": '{"type":' + "/* " * 100_000,
    "strings without end": '"a\\' * 100_000 + "/",
    "half a surrogate pair": '{"type":"int","x":"\\ud800"}',
    "nothing": "",
    "not JSON": "record R {}",
    "trailing text": '"int" "int"',
    "a number that is none": '{"type":"int","x":NaN}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_text_is_refused(name):
    with pytest.raises(InvalidSchema):
        parse("AVRO", REFUSED[name])


@pytest.mark.parametrize("schema_type", ["AVRO", "JSON"])
def test_what_is_nested_as_deep_as_may_be_is_normalized(schema_type):
    def nested(depth):
        return '{"type":"array","items":{"type":"string"},"x":' + "[" * depth + "]" * depth + "}"

    parsed = parse(schema_type, nested(319))
    assert parsed.normalized().normalized().canonical == parsed.normalized().canonical
    assert check("FULL", parsed, [parsed]) == []
    with pytest.raises(InvalidSchema):
        parse(schema_type, nested(320))


def test_records_nested_as_deep_as_may_be_are_normalized():
    value = record("R0", field("x", "int"))
    for level in range(1, 51):
        value = record(f"R{level}", field("x", ["null", value]))
    parsed = avro(value)
    assert parsed.normalized().canonical == parsed.canonical
    assert parsed.formatted("resolved") == parsed.canonical


def test_exponential_defaults_are_refused():
    both = [field(name, "int", default=0) for name in "xy"]
    chain = [record("R0", *both)]
    chain += [record(f"R{i}", *(field(name, f"R{i - 1}", default={}) for name in "xy")) for i in range(1, 60)]
    with pytest.raises(SchemaTooLarge):
        avro(chain)


def test_a_large_text_is_refused_unread():
    with pytest.raises(SchemaTooLarge) as refused:
        parse("AVRO", "[" * 5_000_000)
    assert refused.value.error_code == 42209


def test_large_references_are_refused_unread():
    references = [ResolvedReference(Reference(f"r{i}", "s", i), " " * 900_000) for i in range(5)]
    with pytest.raises(SchemaTooLarge):
        parse("AVRO", '"int"', references)


def test_records_chained_by_the_thousand_are_compared():
    chain = [record("R0")] + [record(f"R{i}", field("x", f"R{i - 1}")) for i in range(1, 400)]
    assert check("FULL", avro(chain), [avro(chain)]) == []


def test_cycles_of_different_lengths_are_compared():
    new, old = (avro([*cycle(length), record("S", field("a", "R0"))]) for length in (97, 89))
    assert check("BACKWARD", new, [old]) != []


def test_a_comparison_beyond_the_limit_is_refused():
    new = avro([record(f"R{i}", field("x", "int")) for i in range(3_000)])
    old = avro([record(f"S{i}") for i in range(3_000)])
    with pytest.raises(SchemaTooLarge):
        check("BACKWARD", new, [old])


def test_only_so_many_differences_are_listed():
    new = avro(record("R", *(field(f"f{i}", "int") for i in range(5_000))))
    assert len(check("BACKWARD", new, [avro(record("R"))])) == 500
