"""Names of fields that a config with validateFields looks at."""

import pytest

from app.registry.compatibility.reserved import refuse_restricted_names, reserved_differences
from app.registry.contracts import Metadata
from app.registry.errors import InvalidSchema
from app.registry.formats import parse


def contract(reserved):
    return None if reserved is None else Metadata(properties={"confluent:reserved": reserved})


def closed(names, reserved):
    properties = ",".join(f'"{name}":{{"type":"string"}}' for name in names)
    text = f'{{"type":"object","properties":{{{properties}}},"additionalProperties":false}}'
    return parse("JSON", text, metadata=contract(reserved))


def proto(names, reserved):
    fields = " ".join(f"string {name} = {number};" for number, name in enumerate(names, 1))
    return parse("PROTOBUF", f'syntax = "proto3"; message M {{ {fields} }}', metadata=contract(reserved))


def avro(names, reserved):
    fields = ",".join(f'{{"name":"{name}","type":"int"}}' for name in names)
    return parse("AVRO", f'{{"type":"record","name":"R","fields":[{fields}]}}', metadata=contract(reserved))


def found(old, new):
    return [(one.error_type, one.path) for one in reserved_differences(new, old)]


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


@pytest.mark.parametrize("written", [proto, avro])
def test_fields_of_the_other_formats_are_held_to_it_too(written):
    assert found(written("a", "b"), written("ab", "b")) == [("FIELD_CONFLICTS_WITH_RESERVED_FIELD", "b")]
    assert found(written("a", "b"), written("a", "")) == [("RESERVED_FIELD_REMOVED", "b")]


def test_the_first_version_may_not_use_what_it_reserves():
    assert found(None, closed("ab", "b")) == [("RESERVED_PROPERTY_CONFLICTS_WITH_PROPERTY", "#/properties/b")]
    assert found(None, avro("a", "b")) == []


def test_a_schema_without_fields_uses_nothing():
    assert found(None, parse("AVRO", '"int"', metadata=contract("b"))) == []
    assert found(None, parse("JSON", "true", metadata=contract("b"))) == []


def test_names_with_two_dollars_are_refused():
    with pytest.raises(InvalidSchema, match="'\\$\\$b'"):
        refuse_restricted_names(closed(["a", "$$b"], None))
    refuse_restricted_names(closed(["a", "$b", "b$$"], None))
    assert found(None, closed(["$b"], None)) == []
