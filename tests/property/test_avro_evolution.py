"""What may follow at a level reads what it must, and what may not fails on something: fastavro writes and reads.

BACKWARD: the new schema reads old data; FORWARD: the old one reads new data; FULL: both.
"""

import io
import json
from typing import Any

import fastavro
import pytest
from fastavro.schema import parse_schema
from hypothesis import HealthCheck, assume, given, settings

from app.registry.compatibility import Incompatibility, check
from app.registry.formats import parse
from tests.property.avro_cases import evolutions, kept_fields, records, samples

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def reasons(level: str, new: Any, old: Any) -> list[Incompatibility]:
    return check(level, parse("AVRO", json.dumps(new)), [parse("AVRO", json.dumps(old))])


def read(value: Any, writer: Any, reader: Any) -> Any:
    """A value written with one schema and read with another. Raises what fastavro does when it cannot."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, parse_schema(writer), value)
    buffer.seek(0)
    return fastavro.schemaless_reader(buffer, parse_schema(writer), parse_schema(reader))


def plain(value: Any) -> Any:
    """Without the names of unions' branches, which are not read; text and bytes may stand for one another."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, tuple):
        return plain(value[1])
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def assert_reads(writer: Any, reader: Any) -> None:
    for value in samples(writer):
        got = read(value, writer, reader)
        assert got.keys() == {field["name"] for field in reader["fields"]}
        for name, new_name in kept_fields(writer, reader):
            assert plain(got[new_name]) == plain(value[name])


def first_failure(writer: Any, reader: Any) -> Exception | None:
    for value in samples(writer):
        try:
            read(value, writer, reader)
        except Exception as error:  # of many kinds
            return error
    return None


@quick
@given(pair=evolutions())
def test_what_is_accepted_reads_what_it_must(pair: tuple[Any, Any]) -> None:
    old, new = pair
    backward, forward, full = (reasons(level, new, old) == [] for level in ("BACKWARD", "FORWARD", "FULL"))
    assert full == (backward and forward)
    assume(backward or forward)
    if backward:
        assert_reads(writer=old, reader=new)
    if forward:
        assert_reads(writer=new, reader=old)


STRICTER = {"NAME_MISMATCH"}
"""Rules of Java's library that fastavro does not look at."""


@quick
@given(pair=evolutions())
def test_what_is_refused_fails_on_some_data(pair: tuple[Any, Any]) -> None:
    old, new = pair
    found = reasons("BACKWARD", new, old)
    assume(found)
    if not {one.error_type for one in found} & STRICTER:
        assert first_failure(writer=old, reader=new) is not None
    assert all(one.path and one.description for one in found)
    assert sorted(map(str, reasons("FULL", new, old)))  # what is refused one way is refused both ways


@settings(max_examples=60, deadline=None)
@given(schema=records())
def test_the_canonical_text_is_its_own_and_means_the_same(schema: Any) -> None:
    parsed = parse("AVRO", json.dumps(schema))
    assert parse("AVRO", parsed.canonical).canonical == parsed.canonical
    assert json.loads(parsed.canonical) == schema
    assert check("FULL", parsed, [parsed.normalized()]) == []


def test_a_level_that_looks_at_all_versions_reads_what_any_of_them_wrote() -> None:
    def order(*fields: dict[str, Any]) -> dict[str, Any]:
        return {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}, *fields]}

    first = order({"name": "note", "type": "string"})
    second = order()
    third = order({"name": "note", "type": "bytes"})
    fourth = order({"name": "note", "type": ["null", "int"], "default": None})
    older = [parse("AVRO", json.dumps(one)) for one in (first, second)]
    new = parse("AVRO", json.dumps(fourth))
    assert check("BACKWARD", new, older) == []
    assert check("BACKWARD_TRANSITIVE", new, older) != []
    with pytest.raises(fastavro.read.SchemaResolutionError):
        read({"id": 1, "note": "x"}, first, fourth)
    assert read({"id": 1}, second, fourth) == {"id": 1, "note": None}
    assert read({"id": 1, "note": "x"}, first, third) == {"id": 1, "note": b"x"}
