import json

import pytest

from app.registry.errors import InvalidSchema, SchemaTooLarge
from app.registry.formats import parse
from app.registry.references import resolve_references
from app.registry.schema import Reference


def ref(name, version=1):
    return Reference(name, f"{name}-subject", version)


def registry(**schemas):
    """name -> (text, names it refers to); looked up as a store would."""
    return lambda reference: (schemas[reference.name][0], [ref(name) for name in schemas[reference.name][1]])


def record(name, *types):
    fields = [{"name": f"f{index}", "type": kind} for index, kind in enumerate(types)]
    return json.dumps({"type": "record", "name": name, "fields": fields})


def test_dependencies_come_first_and_once():
    lookup = registry(
        A=(record("A", "B", "C"), "BC"), B=(record("B", "D"), "D"), C=(record("C", "D"), "D"), D=(record("D"), "")
    )
    resolved = resolve_references([ref("A"), ref("C")], lookup)
    assert [one.reference.name for one in resolved] == ["D", "B", "C", "A"]
    assert [one.reference.name for one in resolved if one.is_direct] == ["C", "A"]
    parsed = parse("AVRO", record("R", "A", "C"), resolved)
    assert [one.name for one in parsed.references] == ["A", "C"]


def test_a_circle_is_refused():
    with pytest.raises(InvalidSchema, match="'A' refers to itself"):
        resolve_references([ref("A")], registry(A=("", "B"), B=("", "A")))


def test_a_chain_of_many_is_refused():
    with pytest.raises(SchemaTooLarge):
        resolve_references([ref("0")], lambda reference: ("", [ref(str(int(reference.name) + 1))]))


def test_much_text_is_refused():
    with pytest.raises(SchemaTooLarge):
        resolve_references([ref(str(number)) for number in range(10)], lambda reference: (" " * 900_000, []))


def test_the_stores_own_error_comes_through():
    with pytest.raises(KeyError):
        resolve_references([ref("gone")], registry())
