"""A schema that may follow reads what was written before it: fastavro writes with the old one, reads with the new."""

import io
import json

import fastavro
import pytest
from fastavro.schema import parse_schema
from fastavro.utils import generate_one
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.registry.compatibility import check
from app.registry.formats import parse

PRIMITIVES = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "string"])
DEFAULTS = {"null": None, "boolean": True, "int": 1, "long": 2, "float": 0.5, "double": 1.5, "string": "s"}


@st.composite
def kinds(draw, depth=2):
    choice = draw(st.integers(0, 7)) if depth else 0
    if choice == 5:
        return {"type": "array", "items": draw(kinds(depth - 1))}
    if choice == 6:
        return {"type": "map", "values": draw(kinds(depth - 1))}
    if choice == 7:
        return draw(st.lists(PRIMITIVES, min_size=1, max_size=3, unique=True))
    return draw(PRIMITIVES)


@st.composite
def records(draw):
    fields = []
    for name in draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=4)):
        kind = draw(kinds())
        item = {"name": name, "type": kind}
        if isinstance(kind, str) and draw(st.booleans()):
            item["default"] = DEFAULTS[kind]
        fields.append(item)
    return {"type": "record", "name": "R", "fields": fields}


def read(written, old, new):
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, parse_schema(old), written)
    buffer.seek(0)
    return fastavro.schemaless_reader(buffer, parse_schema(old), parse_schema(new))


@settings(max_examples=150, deadline=None)
@given(old=records(), new=records())
def test_an_accepted_evolution_reads_old_data(old, new):
    accepted = check("BACKWARD", parse("AVRO", json.dumps(new)), [parse("AVRO", json.dumps(old))]) == []
    assume(accepted)
    for _ in range(3):
        assert read(generate_one(old), old, new).keys() == {item["name"] for item in new["fields"]}


@settings(max_examples=150, deadline=None)
@given(old=records(), new=records())
def test_a_field_without_default_that_was_not_written_cannot_be_read(old, new):
    found = check("BACKWARD", parse("AVRO", json.dumps(new)), [parse("AVRO", json.dumps(old))])
    assume(any(one.error_type == "READER_FIELD_MISSING_DEFAULT_VALUE" for one in found))
    with pytest.raises(fastavro.read.SchemaResolutionError):
        read(generate_one(old), old, new)


@settings(max_examples=150, deadline=None)
@given(schema=records())
def test_the_canonical_text_is_its_own_and_means_the_same(schema):
    parsed = parse("AVRO", json.dumps(schema))
    assert parse("AVRO", parsed.canonical).canonical == parsed.canonical
    assert json.loads(parsed.canonical) == schema
    assert check("FULL", parsed, [parsed.normalized()]) == []
