"""Avro schemas: what is taken, what is refused, and the canonical text, held against Java's Avro."""

import json

import pytest

from app.registry.errors import InvalidSchema
from app.registry.formats import parse
from app.registry.schema import Reference, ResolvedReference
from tests.unit.app.registry.avro_golden import SCHEMAS


def avro(value, **kwargs):
    return parse("AVRO", value if isinstance(value, str) else json.dumps(value), **kwargs)


def record(*fields, name="R", **attributes):
    return {"type": "record", "name": name, "fields": list(fields), **attributes}


def resolved(text, name="r", version=1):
    return ResolvedReference(Reference(name, f"{name}-subject", version), text)


@pytest.mark.parametrize("row", SCHEMAS, ids=lambda row: row["schema"][:60])
def test_java_takes_refuses_and_prints_the_same(row):
    references = [resolved(text) for text in row.get("refs", ())]
    if row.get("refused"):
        with pytest.raises(InvalidSchema):
            parse("AVRO", row["schema"], references)
    else:
        parsed = parse("AVRO", row["schema"], references)
        assert parsed.canonical == row["canonical"]
        assert parsed.formatted("resolved") == row["resolved"]


@pytest.mark.parametrize("row", [row for row in SCHEMAS if "canonical" in row], ids=lambda row: row["schema"][:60])
def test_canonical_and_normalized_texts_are_their_own(row):
    references = [resolved(text) for text in row.get("refs", ())]
    parsed = parse("AVRO", row["schema"], references)
    assert parse("AVRO", parsed.canonical, references).canonical == parsed.canonical
    normalized = parsed.normalized()
    assert normalized.normalized().canonical == normalized.canonical


def test_schema_type_defaults_to_avro():
    assert parse(None, '"int"').schema_type == "AVRO"


def test_an_unknown_schema_type_is_refused():
    with pytest.raises(InvalidSchema, match="Invalid schema type THRIFT"):
        parse("THRIFT", "x")


def test_canonical_keeps_doc_aliases_defaults_order_and_custom_attributes():
    value = record(
        {"name": "a", "type": "int", "default": 1, "doc": "x", "order": "ignore", "aliases": ["b"], "pii": True},
        namespace="n",
        doc="d",
        aliases=["m.S"],
        owner={"team": "t"},
    )
    assert json.loads(avro(value).canonical) == value


def test_a_refused_schema_names_its_place():
    with pytest.raises(InvalidSchema) as refused:
        avro(
            record({"name": "a", "type": {"type": "array", "items": record({"name": "x-y", "type": "int"}, name="S")}})
        )
    assert refused.value.path == "/fields/0/type/items/fields/0/name"
    assert refused.value.error_code == 42201


@pytest.mark.parametrize(
    "value",
    [
        record(name="1R"),
        record({"name": "a", "type": "int", "default": "x"}),
        record({"name": "a", "type": ["null", "int"], "default": "x"}),
    ],
)
def test_what_an_older_registry_let_in_is_still_read(value):
    with pytest.raises(InvalidSchema):
        avro(value)
    assert json.loads(avro(value, validate_new=False).canonical) == value


def test_normalized_ignores_the_order_of_attributes_and_aliases():
    one = record(
        {"name": "a", "type": {"type": "int", "b": 1, "a": 2}, "y": 1, "x": {"d": 1, "c": 2}}, aliases=["B", "A"]
    )
    other = record(
        {"x": {"c": 2, "d": 1}, "y": 1, "type": {"a": 2, "type": "int", "b": 1}, "name": "a"}, aliases=["A", "B"]
    )
    assert avro(one).canonical != avro(other).canonical
    assert avro(one).normalized().canonical == avro(other).normalized().canonical


def test_normalized_puts_the_logical_type_first():
    value = {"type": "bytes", "z": 1, "scale": 2, "a": 0, "precision": 9, "logicalType": "decimal"}
    assert avro(value).normalized().canonical == (
        '{"type":"bytes","logicalType":"decimal","precision":9,"scale":2,"a":0,"z":1}'
    )


def test_normalized_sorts_references_and_drops_doubles():
    references = [resolved('"int"', "z", 2), resolved('"int"', "a"), resolved('"int"', "z", 2)]
    assert [one.name for one in avro('"int"', references=references).normalized().references] == ["a", "z"]


def test_only_direct_references_are_the_schemas_own():
    inner = ResolvedReference(Reference("n.I", "i", 1), json.dumps(record(name="n.I")), is_direct=False)
    outer = resolved(json.dumps(record({"name": "i", "type": "n.I"}, name="n.O")), "n.O")
    parsed = avro(record({"name": "o", "type": "n.O"}), references=[inner, outer])
    assert [reference.name for reference in parsed.references] == ["n.O"]
    assert parsed.canonical == '{"type":"record","name":"R","fields":[{"name":"o","type":"n.O"}]}'
    assert '"name":"I"' in parsed.formatted("resolved")


def test_a_broken_reference_is_named():
    with pytest.raises(InvalidSchema, match="reference 'r'"):
        avro('"int"', references=[resolved('{"type":"record"}')])


def test_a_missing_reference_is_refused():
    with pytest.raises(InvalidSchema, match=r"Undefined name: n\.S"):
        avro(record({"name": "a", "type": "n.S"}))


def test_an_unknown_format_gives_the_canonical_text():
    assert avro('{"type":"int"}').formatted("pretty") == '"int"'


def test_names_lists_all_named_types():
    parsed = avro(record({"name": "a", "type": record(name="S")}, {"name": "b", "type": "R"}, namespace="n"))
    assert parsed.name == "n.R"
    assert parsed.names == ("n.R", "n.S")
