"""Protobuf's changes, one by one: the name and place of each, and whether old messages can be read."""

import pytest

from app.registry.compatibility import check
from app.registry.compatibility.protobuf import protobuf_changes
from app.registry.errors import SchemaTooLarge
from app.registry.formats import parse
from app.registry.formats.protobuf import ProtobufSchema
from app.registry.limits import Budget
from app.registry.schema import Reference, ResolvedReference


def schema(text, syntax="proto3", **references):
    others = [ResolvedReference(Reference(f"{name}.proto", name, 1), other) for name, other in references.items()]
    parsed = parse("PROTOBUF", f'syntax = "{syntax}"; {text}', others)
    assert isinstance(parsed, ProtobufSchema)
    return parsed


def message(body, rest=""):
    return f"message M {{ {body} }} {rest}"


def changes(old, new):
    return sorted(" ".join(one) for one in protobuf_changes(new, old, Budget()))


ACCEPTED = {
    "nothing": ("", "", []),
    "field added": ("string a = 1;", "string a = 1; string b = 2;", ["FIELD_ADDED #/M/2"]),
    "field removed": ("string a = 1; string b = 2;", "string a = 1;", ["FIELD_REMOVED #/M/2"]),
    "field renamed": ("string a = 1;", "string b = 1;", ["FIELD_NAME_CHANGED #/M/1"]),
    "field renumbered": ("string a = 1;", "string a = 2;", ["FIELD_ADDED #/M/2", "FIELD_REMOVED #/M/1"]),
    "fields reordered": ("string a = 1; int32 b = 2;", "int32 b = 2; string a = 1;", []),
    "field of a nested message added": (
        "message N {}", "message N { int32 a = 1; }", ["FIELD_ADDED #/M/N/1"],
    ),
    "nested message added": ("", "message N {}", ["MESSAGE_ADDED #/M/N"]),
    "string to bytes": ("string a = 1;", "bytes a = 1;", []),
    "integer to enum": ("int32 a = 1;", "E a = 1; enum E { X = 0; }", ["ENUM_ADDED #/M/E"]),
    "enum to integer": ("E a = 1; enum E { X = 0; }", "int32 a = 1;", ["ENUM_REMOVED #/M/E"]),
    "enum value added": ("enum E { X = 0; }", "enum E { X = 0; Y = 1; }", ["ENUM_CONST_ADDED #/M/E/1"]),
    "enum value removed": ("enum E { X = 0; Y = 1; }", "enum E { X = 0; }", ["ENUM_CONST_REMOVED #/M/E/1"]),
    "enum value renamed": ("enum E { X = 0; }", "enum E { Z = 0; }", ["ENUM_CONST_CHANGED #/M/E/0"]),
    "label of a string": ("string a = 1;", "repeated string a = 1;", ["FIELD_STRING_OR_BYTES_LABEL_CHANGED #/M/1"]),
    "label of bytes": ("repeated bytes a = 1;", "bytes a = 1;", ["FIELD_STRING_OR_BYTES_LABEL_CHANGED #/M/1"]),
    "label of a message": ("N a = 1; message N {}", "repeated N a = 1; message N {}", []),
    "optional said": ("int32 a = 1;", "optional int32 a = 1;", []),
    "oneof added": ("", "oneof o { int32 a = 1; }", ["ONEOF_ADDED #/M/o"]),
    "oneof removed": ("oneof o { int32 a = 1; }", "", ["ONEOF_REMOVED #/M/o"]),
    "field added to a oneof": (
        "oneof o { int32 a = 1; }", "oneof o { int32 a = 1; int32 b = 2; }", ["ONEOF_FIELD_ADDED #/M/o/2"],
    ),
    "one field moved to a new oneof": ("int32 a = 1;", "oneof o { int32 a = 1; int32 b = 2; }", ["ONEOF_ADDED #/M/o"]),
    "field moved out of a oneof": (
        "oneof o { int32 a = 1; int32 b = 2; }",
        "int32 b = 2; oneof o { int32 a = 1; }",
        ["ONEOF_FIELD_MOVED_TO_TOP_LEVEL #/M/o/2"],
    ),
    "name in full": ("N a = 1; message N {}", ".M.N a = 1; message N {}", []),
    "map values named in full": (
        "map<string, N> a = 1; message N {}", "map<string, M.N> a = 1; message N {}", [],
    ),
    "map of wider integers": ("map<int32, int32> a = 1;", "map<int64, uint64> a = 1;", []),
    "reserved": ("int32 a = 1;", "reserved 1;", ["FIELD_REMOVED #/M/1"]),
}  # fmt: skip
REFUSED = {
    "nested message removed": ("message N {}", "", ["MESSAGE_REMOVED #/M/N"]),
    "scalar to message": (
        "int32 a = 1; message N {}", "N a = 1; message N {}", ["FIELD_KIND_CHANGED #/M/1"],
    ),
    "message to scalar": ("N a = 1; message N {}", "bytes a = 1; message N {}", ["FIELD_KIND_CHANGED #/M/1"]),
    "scalar to map": ("int32 a = 1;", "map<string, int32> a = 1;", ["FIELD_KIND_CHANGED #/M/1"]),
    "scalar of another kind": ("int32 a = 1;", "string a = 1;", ["FIELD_SCALAR_KIND_CHANGED #/M/1"]),
    "map value of another kind": (
        "map<string, int32> a = 1;", "map<string, string> a = 1;", ["FIELD_SCALAR_KIND_CHANGED #/M/1"],
    ),
    "map key of another kind": (
        "map<string, int32> a = 1;", "map<int32, int32> a = 1;", ["FIELD_SCALAR_KIND_CHANGED #/M/1"],
    ),
    "another message": (
        "N a = 1; message N {} message O {}", "O a = 1; message N {} message O {}", ["FIELD_NAMED_TYPE_CHANGED #/M/1"],
    ),
    "label of a number": ("int32 a = 1;", "repeated int32 a = 1;", ["FIELD_NUMERIC_LABEL_CHANGED #/M/1"]),
    "label of an enum": (
        "repeated E a = 1; enum E { X = 0; }", "E a = 1; enum E { X = 0; }", ["FIELD_NUMERIC_LABEL_CHANGED #/M/1"],
    ),
    "field removed from a oneof": (
        "oneof o { int32 a = 1; int32 b = 2; }", "oneof o { int32 a = 1; }", ["ONEOF_FIELD_REMOVED #/M/o/2"],
    ),
    "several fields moved to a oneof": (
        "int32 a = 1; int32 b = 2;",
        "oneof o { int32 a = 1; int32 b = 2; }",
        ["MULTIPLE_FIELDS_MOVED_TO_ONEOF #/M/o", "ONEOF_ADDED #/M/o"],
    ),
    "field moved to a oneof that was there": (
        "int32 a = 1; oneof o { int32 b = 2; }",
        "oneof o { int32 a = 1; int32 b = 2; }",
        ["FIELD_MOVED_TO_EXISTING_ONEOF #/M/o/1"],
    ),
    "kind changed on the way into a oneof": (
        "int32 a = 1;", "oneof o { string a = 1; }", ["FIELD_SCALAR_KIND_CHANGED #/M/1", "ONEOF_ADDED #/M/o"],
    ),
    "kind changed on the way out of a oneof": (
        "oneof o { int32 a = 1; }",
        "string a = 1;",
        ["FIELD_SCALAR_KIND_CHANGED #/M/1", "ONEOF_FIELD_MOVED_TO_TOP_LEVEL #/M/o/1", "ONEOF_REMOVED #/M/o"],
    ),
    "kind changed under a oneof's new name": (
        "oneof o { int32 a = 1; }",
        "oneof p { string a = 1; }",
        ["FIELD_SCALAR_KIND_CHANGED #/M/p/1", "ONEOF_ADDED #/M/p", "ONEOF_REMOVED #/M/o"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    old, new, expected = ACCEPTED[name]
    assert changes(schema(message(old)), schema(message(new))) == expected
    assert check("BACKWARD", schema(message(new)), [schema(message(old))]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    old, new, expected = REFUSED[name]
    assert changes(schema(message(old)), schema(message(new))) == expected
    assert check("BACKWARD", schema(message(new)), [schema(message(old))]) != []


GROUPS = [
    ("int32", "int64", "uint32", "uint64", "bool"), ("sint32", "sint64"), ("string", "bytes"), ("fixed32", "sfixed32"),
    ("fixed64", "sfixed64"), ("float",), ("double",),
]  # fmt: skip
KINDS = [(kind, group) for group, kinds in enumerate(GROUPS) for kind in kinds]


@pytest.mark.parametrize(("old", "old_group"), KINDS)
@pytest.mark.parametrize(("new", "new_group"), KINDS)
def test_scalars_change_inside_their_group_only(old, old_group, new, new_group):
    expected = [] if old_group == new_group else ["FIELD_SCALAR_KIND_CHANGED #/M/1"]
    assert changes(schema(message(f"{old} a = 1;")), schema(message(f"{new} a = 1;"))) == expected


def test_required_fields_neither_come_nor_go():
    none, required, optional = (
        schema(message(body), "proto2") for body in ("", "required int32 a = 1;", "optional int32 a = 1;")
    )
    assert changes(none, required) == ["REQUIRED_FIELD_ADDED #/M/1"]
    assert changes(required, none) == ["REQUIRED_FIELD_REMOVED #/M/1"]
    assert changes(optional, required) == ["REQUIRED_FIELD_ADDED #/M/1"]
    assert changes(required, optional) == []
    assert check("FULL", required, [none]) != []


def test_the_package_is_part_of_the_names():
    found = check("BACKWARD", schema("package b; message M {}"), [schema("package a; message M {}")])
    assert [(one.error_type, one.path) for one in found] == [("PACKAGE_CHANGED", "#/")]


def test_messages_may_come_and_move_and_not_go():
    one, two = schema("message A {} message B {}"), schema("message C {} message A {} message B {}")
    assert changes(one, two) == ["MESSAGE_ADDED #/C", "MESSAGE_MOVED #/A", "MESSAGE_MOVED #/B"]
    assert changes(two, one) == ["MESSAGE_MOVED #/A", "MESSAGE_MOVED #/B", "MESSAGE_REMOVED #/C"]


def test_a_message_is_no_enum_of_its_name():
    old, new = schema("message A {}"), schema("enum A { X = 0; }")
    assert changes(old, new) == ["ENUM_ADDED #/A", "MESSAGE_REMOVED #/A"]
    assert changes(new, old) == ["ENUM_REMOVED #/A", "MESSAGE_ADDED #/A"]


def imported(package, kind):
    return f'syntax = "proto3"; package {package}; message Home {{ {kind} id = 1; }}'


def uses(package):
    return f'import "home.proto"; message M {{ .{package}.Home home = 1; }}'


def test_imported_messages_are_looked_into():
    old = schema(uses("a"), home=imported("a", "int32"))
    assert changes(old, schema(uses("b"), home=imported("b", "int64"))) == []
    assert changes(old, schema(uses("a"), home=imported("a", "string"))) == [
        "FIELD_NAMED_TYPE_CHANGED #/M/1",
        "FIELD_SCALAR_KIND_CHANGED #/Home/1",
    ]


def test_a_message_may_come_from_an_import_and_not_go_to_one():
    inside = schema("message M { Home home = 1; } message Home { int32 id = 1; }")
    outside = schema(uses("a"), home=imported("a", "int32"))
    assert changes(outside, inside) == ["MESSAGE_ADDED #/Home"]
    assert changes(inside, outside) == ["MESSAGE_REMOVED #/Home"]


def test_imports_that_name_one_another_are_compared():
    one = 'syntax = "proto3"; package a; import "b.proto"; message A { .b.B b = 1; A a = 2; }'
    other = 'syntax = "proto3"; package b; import "a.proto"; message B { .a.A a = 1; %s x = 2; }'
    old, new = (
        schema('import "a.proto"; message M { .a.A a = 1; }', a=one, b=other % kind) for kind in ("int32", "string")
    )
    assert check("FULL", old, [old]) == []
    assert "FIELD_SCALAR_KIND_CHANGED #/B/2" in changes(old, new)


def test_a_comparison_beyond_the_limit_is_refused():
    body = " ".join(f"int32 f{i} = {i};" for i in range(1, 10_001))
    old = schema("".join(f"message M{i} {{ int32 a = 1; }}" for i in range(20)) + message(body))
    with pytest.raises(SchemaTooLarge):
        list(protobuf_changes(old, old, Budget(100)))
    assert check("FULL", old, [old]) == []


def test_messages_chained_by_the_thousand_are_compared():
    def chain(kind):
        links = "".join(f"message L{i} {{ L{i + 1} next = 1; }}" for i in range(3_000))
        return f'syntax = "proto3"; package a; {links} message L3000 {{ {kind} x = 1; }}'

    old, new = (schema('import "a.proto"; message M { .a.L0 a = 1; }', a=chain(kind)) for kind in ("int32", "string"))
    found = check("BACKWARD", new, [old])
    assert any(one.path == "#/L3000/1" for one in found)
