"""Protobuf schemas: what is taken and refused, the canonical layout, names, indexes, the serialized form."""

import base64

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2, type_pb2

from app.registry.compatibility import check
from app.registry.errors import InvalidSchema, SchemaTooLarge
from app.registry.formats import parse
from app.registry.formats.proto_builtin import BUILT_IN
from app.registry.formats.proto_parser import parse_proto
from app.registry.formats.proto_text import print_proto
from app.registry.formats.protobuf import ProtobufSchema
from app.registry.schema import Reference, ResolvedReference

WRITTEN = (
    """// A comment
syntax = 'proto3';;
option java_package="com.example"; package shop . v1;
""".replace(" . ", ".")
    + """
import public "other.proto"; import "google/protobuf/timestamp.proto";
enum Z { option allow_alias = true; A = 0; B = -1; C = 0x0; }
message Order { /* a
  block */ oneof choice { string a = 5; int32 b = 6; }
  enum State { NEW = 0; }
  reserved 9, 12 to 14, 100 to max; reserved "x", 'y';
  string id = 1 [deprecated=true, json_name = "ID"]; repeated Item items = 3;
  map < string , int32 > counts = 4;
  optional google.protobuf.Timestamp at = 8 [(confluent.field_meta) = { doc: "when" tags: ["A", "B"] }];
  message Item { string sku = 1; message Deep {} }
  .shop.v1.Order.State state = 7;
  message Other {}
}
service Orders { option deprecated = true; rpc Get(Order) returns (stream Order);
  rpc Put(stream Order) returns(Order) { option idempotency_level = IDEMPOTENT; } }
extend google.protobuf.FieldOptions { string note = 50000; }
"""
)
CANONICAL = """syntax = "proto3";
package shop.v1;

import "google/protobuf/timestamp.proto";
import "google/protobuf/descriptor.proto";
import public "other.proto";

option java_package = "com.example";

message Order {
  reserved 9, 12 to 14, 100 to max;
  reserved "x", "y";

  string id = 1 [
    deprecated = true,
    json_name = "ID"
  ];
  repeated Item items = 3;
  map<string, int32> counts = 4;
  optional google.protobuf.Timestamp at = 8 [(confluent.field_meta) = {
    doc: "when",
    tags: [
      "A",
      "B"
    ]
  }];
  .shop.v1.Order.State state = 7;

  oneof choice {
    string a = 5;
    int32 b = 6;
  }

  message Item {
    string sku = 1;
INDENT
    message Deep {}
  }
  message Other {}
  enum State {
    NEW = 0;
  }
}

enum Z {
  option allow_alias = true;
  A = 0;
  B = -1;
  C = 0;
}

extend google.protobuf.FieldOptions {
  string note = 50000;
}

service Orders {
  option deprecated = true;

  rpc Get (Order) returns (stream Order);
  rpc Put (stream Order) returns (Order) {
    option idempotency_level = IDEMPOTENT;
  }
}
""".replace("INDENT", "  ")  # the original's printer indents blank lines of nested messages
WRITTEN = WRITTEN.replace('timestamp.proto";', 'timestamp.proto"; import "google/protobuf/descriptor.proto";')


def proto(text, *references):
    parsed = parse("PROTOBUF", text, references)
    assert isinstance(parsed, ProtobufSchema)
    return parsed


def proto3(text):
    return proto(f'syntax = "proto3"; {text}')


def resolved(name, text):
    return ResolvedReference(Reference(name, name, 1), text)


OTHER = resolved("other.proto", 'syntax = "proto3"; package other; message Thing { int32 id = 1; }')


def test_canonical_text_has_one_layout():
    assert proto(WRITTEN, OTHER).canonical == CANONICAL
    assert proto(CANONICAL, OTHER).canonical == CANONICAL


def test_canonical_text_of_a_file_without_syntax_or_package():
    assert proto("message A { optional int32 x = 1; }").canonical == "message A {\n  optional int32 x = 1;\n}\n"


def test_canonical_text_of_proto2():
    text = (
        'syntax = "proto2"; message M { required string s = 1 [default = "a\\n\\"b\\x41"]; repeated group G = 3 '
        "{ optional int32 z = 1; } extensions 100 to 199, 300 to max; extend M { optional int32 e = 100; } }"
    )
    canonical = proto(text).canonical
    assert canonical == (
        'syntax = "proto2";\n\nmessage M {\n  required string s = 1 [default = "a\\n\\"bA"];\n\n'
        "  repeated group G = 3 {\n    optional int32 z = 1;\n  }\n\n  extensions 100 to 199, 300 to max;\n\n"
        "  extend M {\n    optional int32 e = 100;\n  }\n}\n"
    )
    assert proto(canonical).canonical == canonical


def test_editions_are_read():
    assert proto('edition = "2023"; message A { int32 x = 1; }').canonical.startswith('edition = "2023";\n')


def test_keywords_may_name_fields_and_types():
    fields = "  message option = 1;\n  message reserved = 2;\n  message oneof = 3;\n"
    text = f'syntax = "proto3";\n\nmessage message {{\n{fields}}}\n'
    assert proto(text).canonical == text


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_imports_are_known(name):
    assert proto3(f'import "{name}"; message A {{}}').canonical
    assert proto(BUILT_IN[name]).canonical


def test_names_of_built_in_types_resolve():
    text = (
        'import "google/type/money.proto"; import "confluent/type/decimal.proto"; import "confluent/meta.proto";'
        "message A { google.type.Money m = 1; confluent.type.Decimal d = 2; .confluent.Meta x = 3; }"
    )
    assert proto3(text).canonical


def test_public_imports_are_seen_through_and_others_are_not():
    inner = resolved("inner.proto", 'syntax = "proto3"; message Inner {}')
    through = resolved("outer.proto", 'syntax = "proto3"; import public "inner.proto";')
    assert proto('syntax = "proto3"; import "outer.proto"; message A { Inner i = 1; }', inner, through).canonical
    behind = resolved("outer.proto", 'syntax = "proto3"; import "inner.proto"; message O {}')
    with pytest.raises(InvalidSchema, match="'Inner' is not defined"):
        proto('syntax = "proto3"; import "outer.proto"; message A { Inner i = 1; }', inner, behind)


@pytest.mark.parametrize(
    "kind", ["Item", "Order.Item", "v1.Order.Item", "shop.v1.Order.Item", ".shop.v1.Order.Item", "Z"]
)
def test_names_are_looked_for_from_the_inside_out(kind):
    text = (
        f'syntax = "proto3"; package shop.v1; message Order {{ {kind} x = 1; message Item {{}} }} enum Z {{ A = 0; }}'
    )
    assert proto(text).canonical


REFUSED = {
    "no proto": '{"type": "record"}', "empty message name": "message { }", "unclosed": "message A {",
    "no semicolon": "message A { int32 a = 1 }", "bad character": "message A { int32 a = 1; ` }",
    "unknown syntax": 'syntax = "proto4"; message A {}', "unknown edition": 'edition = "1999"; message A {}',
    "unknown type": "message A { optional B b = 1; }", "unknown import": 'import "x.proto"; message A {}',
    "number twice": "message A { optional int32 a = 1; optional int32 b = 1; }",
    "name twice": "message A { optional int32 a = 1; optional int32 a = 2; }",
    "number in a oneof twice": "message A { optional int32 a = 1; oneof o { int32 b = 1; } }",
    "oneof called as a field": "message A { optional int32 o = 1; oneof o { int32 b = 2; } }",
    "number 0": "message A { optional int32 a = 0; }", "negative number": "message A { optional int32 a = -1; }",
    "number too high": "message A { optional int32 a = 536870912; }",
    "number of Protobuf's own": "message A { optional int32 a = 19000; }",
    "reserved number": "message A { reserved 1 to 3; optional int32 a = 2; }",
    "reserved name": 'message A { reserved "a"; optional int32 a = 2; }',
    "message twice": "message A {} message A {}", "message and enum": "message A {} enum A { B = 0; }",
    "no label in proto2": "message A { int32 a = 1; }",
    "label in a oneof": "message A { oneof o { optional int32 a = 1; } }",
    "empty oneof": "message A { oneof o {} }",
    "required in proto3": 'syntax = "proto3"; message A { required int32 a = 1; }',
    "map key": "message A { map<double, string> m = 1; }",
    "label of a map": "message A { optional map<int32, string> m = 1; }",
    "enum without 0 in proto3": 'syntax = "proto3"; enum E { A = 1; }', "empty enum": "enum E {}",
    "enum name twice": "enum E { A = 0; A = 1; }", "enum number twice": "enum E { A = 0; B = 0; }",
    "enum reserved": "enum E { reserved 1; A = 1; }", "unknown rpc type": "service S { rpc A(B) returns (B); }",
    "two packages": "package a; package b; message A {}", "string without end": 'import "a',
    "option without value": "option a = ;", "extend unknown": "extend X { optional int32 a = 1; }",
    "base64 of nothing": "AAAA",
    "base64 of another thing": base64.b64encode(b"hello world, this is no descriptor").decode(),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises(InvalidSchema):
        proto(REFUSED[name])


def test_an_old_file_that_breaks_a_rule_is_still_read():
    text = "message A { optional int32 a = 1; optional Gone b = 1; }"
    old = parse("PROTOBUF", text, validate_new=False)
    assert old.canonical == "message A {\n  optional int32 a = 1;\n  optional Gone b = 1;\n}\n"
    assert check("FULL", old, [old]) == []


def test_a_refused_text_names_its_line():
    with pytest.raises(InvalidSchema) as refused:
        proto('syntax = "proto3";\nmessage A {\n  int32 a 1;\n}')
    assert refused.value.path == "line 3"
    assert "expected '='" in refused.value.message


DEPTH = 10_000
HOSTILE = {
    "deep messages": "message A {" * DEPTH + "}" * DEPTH,
    "deep options": "option a = " + "{ a: " * DEPTH + "1" + "}" * DEPTH + ";",
    "deep lists": "option a = " + "[" * DEPTH + "]" * DEPTH + ";",
    "a long number": f"message A {{ optional int32 a = {'9' * 100_000}; }}",
    "a comment without end": "/*" * 300_000,
    "a string without end": '"' + "\\" * 99_999,
    "nothing but quotes": '"' * 99_999,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused(name):
    with pytest.raises(InvalidSchema):
        proto(HOSTILE[name])


def test_many_reserved_numbers_are_looked_up_quickly():
    numbers = ", ".join(str(number) for number in range(100_000, 160_000, 2))
    fields = " ".join(f"int32 f{number} = {number};" for number in range(1, 10_000))
    assert proto3(f"message M {{ reserved {numbers}; {fields} }}").names == ("M",)
    with pytest.raises(InvalidSchema, match="field number 8 is reserved"):
        proto3("message M { reserved 5 to 7, 6 to 9; int32 a = 4; int32 b = 8; }")


def test_a_large_text_is_refused():
    with pytest.raises(SchemaTooLarge):
        proto("message A {} " * 100_000)


def test_imports_in_a_circle_are_taken():
    one = resolved("a.proto", 'syntax = "proto3"; import public "b.proto"; message A {}')
    other = resolved("b.proto", 'syntax = "proto3"; import public "a.proto"; message B {}')
    assert proto('syntax = "proto3"; import "a.proto"; message C { A a = 1; B b = 2; }', one, other).canonical


def test_normalized_forgets_order_and_spelling():
    one = proto(
        'syntax = "proto3"; package p; import "google/type/date.proto"; import "google/protobuf/any.proto";'
        "option b = 1; option a = 2; message M { string y = 2; N x = 1 [b = 1, a = 2]; "
        'reserved "z", "w"; message N {} }'
    )
    other = proto(
        'syntax = "proto3"; package p; import "google/protobuf/any.proto"; import "google/type/date.proto";'
        "option a = 2; option b = 1; message M { .p.M.N x = 1 [a = 2, b = 1]; string y = 2; "
        'reserved "w"; reserved "z"; message N {} }'
    )
    assert one.canonical != other.canonical
    assert one.normalized().canonical == other.normalized().canonical
    assert one.normalized().normalized().canonical == one.normalized().canonical
    assert ".p.M.N x = 1" in one.normalized().canonical


def test_names_and_indexes_lead_to_one_another():
    parsed = proto(WRITTEN, OTHER)
    assert parsed.names == ("shop.v1.Order", "shop.v1.Order.Item", "shop.v1.Order.Item.Deep", "shop.v1.Order.Other")
    assert parsed.name == "shop.v1.Order"
    for name in parsed.names:
        assert parsed.message_name(parsed.message_indexes(name)) == name
    assert parsed.message_indexes("Order.Other") == (0, 1)
    for wrong in ("Nope", "Order.Nope"):
        with pytest.raises(KeyError):
            parsed.message_indexes(wrong)
    for indexes in ((), (1,), (0, 2), (-1,)):
        with pytest.raises(KeyError):
            parsed.message_name(indexes)


def test_serialized_is_a_descriptor_the_library_takes():
    parsed = proto(
        'syntax = "proto3"; package p; import "google/protobuf/timestamp.proto"; option java_package = "x";'
        "message A { optional int32 a = 1; map<string, B> m = 2; oneof o { B b = 3; E e = 4; } "
        "google.protobuf.Timestamp t = 5; message B { A up = 1; } enum E { X = 0; Y = 1 [deprecated = true]; } "
        "repeated bytes long_name = 6 [packed = false]; }"
    )
    described = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(parsed.formatted("serialized")))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(described)
    message = pool.FindMessageTypeByName("p.A")
    assert [(one.name, one.number) for one in message.fields] == [
        ("a", 1), ("m", 2), ("t", 5), ("long_name", 6), ("b", 3), ("e", 4),
    ]  # fmt: skip
    assert message.fields_by_name["long_name"].json_name == "longName"
    assert message.fields_by_name["m"].message_type.GetOptions().map_entry
    assert described.options.java_package == "x"


@pytest.mark.parametrize("library_file", [timestamp_pb2.DESCRIPTOR, type_pb2.DESCRIPTOR, descriptor_pb2.DESCRIPTOR])
def test_a_descriptor_in_base64_is_a_schema(library_file):
    parsed = proto(base64.b64encode(library_file.serialized_pb).decode())
    assert proto(parsed.canonical).canonical == parsed.canonical
    assert proto(parsed.serialized).normalized().canonical == parsed.normalized().canonical
    assert set(parsed.names) >= {f"google.protobuf.{name}" for name in library_file.message_types_by_name}


def test_what_extensions_say_can_be_left_out():
    parsed = proto("""syntax = "proto2"; package p; import "google/protobuf/descriptor.proto";
        import "confluent/meta.proto";
        option java_package = "p"; option (note) = "file";
        message M { extensions 100 to 200; option (note_m) = true; option (confluent.message_meta).doc = "kept";
          optional string a = 1 [deprecated = true, (note_f) = 7, (.confluent.field_meta) = { tags: "PII" }];
          oneof choice { option (note_o) = "x"; string b = 2 [(note_f) = 8]; }
          message Inner { extend M { optional string more = 150; } optional int32 c = 1; }
          enum E { option (note_e) = "x"; A = 0 [(note_v) = "y"]; } }
        extend google.protobuf.FileOptions { optional string note = 50000; }
        service S { option (note_s) = 1; rpc Get(M) returns (M) { option (note_r) = 2; } }""")
    assert (
        parsed.formatted("ignore_extensions")
        == """syntax = "proto2";
package p;

import "google/protobuf/descriptor.proto";
import "confluent/meta.proto";

option java_package = "p";

message M {
  option (confluent.message_meta).doc = "kept";

  optional string a = 1 [
    deprecated = true,
    (.confluent.field_meta) = {
      tags: "PII"
    }
  ];

  oneof choice {
    string b = 2;
  }

  message Inner {
    optional int32 c = 1;
  }
  enum E {
    A = 0;
  }
}

service S {
  rpc Get (M) returns (M);
}
"""
    )
    assert parsed.formatted("unheard_of") == parsed.formatted(None) == parsed.canonical


def test_what_serialized_says_is_read_back():
    parsed = proto(WRITTEN, OTHER)
    again = proto(parsed.serialized, OTHER)
    assert again.normalized().canonical == parsed.normalized().canonical


def test_any_file_reads_its_own_print():
    for text in BUILT_IN.values():
        printed = print_proto(parse_proto(text))
        assert print_proto(parse_proto(printed)) == printed
