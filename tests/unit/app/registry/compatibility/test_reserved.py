"""Reserved names of a data contract."""

import pytest

from app.registry.compatibility import check
from app.registry.contracts import Metadata
from app.registry.formats import parse


def closed(names, reserved):
    properties = ",".join(f'"{name}":{{"type":"string"}}' for name in names)
    text = f'{{"type":"object","properties":{{{properties}}},"additionalProperties":false}}'
    return parse(
        "JSON", text, metadata=None if reserved is None else Metadata(properties={"confluent:reserved": reserved})
    )


def proto(names, reserved):
    fields = " ".join(f"string {name} = {number};" for number, name in enumerate(names, 1))
    text = f'syntax = "proto3"; message M {{ {fields} }}'
    return parse("PROTOBUF", text, metadata=Metadata(properties={"confluent:reserved": reserved}))


def found(old, new, level="BACKWARD"):
    return [(one.error_type, one.path) for one in check(level, new, [old])]


@pytest.mark.parametrize("reserved", ["", None])
def test_a_reserved_name_stays_reserved(reserved):
    assert found(closed("a", "status"), closed("a", reserved)) == [("RESERVED_PROPERTY_REMOVED", "status")]
    assert found(closed("a", "status"), closed("a", "cost, status")) == []


def test_a_reserved_name_is_not_used():
    assert found(closed("a", "b,c"), closed("abc", "b,c")) == [
        ("RESERVED_PROPERTY_CONFLICTS_WITH_PROPERTY", "#/properties/b"),
        ("RESERVED_PROPERTY_CONFLICTS_WITH_PROPERTY", "#/properties/c"),
    ]
    assert found(closed("a", "b"), closed("ac", "b")) == []


def test_protobuf_fields_are_held_to_it_too():
    assert found(proto("a", "b"), proto("ab", "b")) == [("FIELD_CONFLICTS_WITH_RESERVED_FIELD", "b")]
    assert found(proto("a", "b"), proto("a", "")) == [("RESERVED_FIELD_REMOVED", "b")]


def test_nothing_is_reserved_at_level_none():
    assert found(proto("a", "b"), proto("ab", ""), level="NONE") == []
