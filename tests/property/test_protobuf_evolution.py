"""Messages of a .proto that may be followed are read by what follows, those of one that may not are lost by it.

Judged by dynamic messages of the protobuf library: bytes of one descriptor read with the other.
"""

import base64
from collections.abc import Iterator
from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.registry.compatibility import Incompatibility, check
from app.registry.formats import parse
from app.registry.schema import ParsedSchema

TELLING: dict[str, Any] = {
    "int32": 1, "int64": 1, "uint32": 1, "uint64": 1, "bool": True, "E": 1, "sint32": -3, "sint64": -3, "string": "ab",
    "bytes": b"ab", "fixed32": 9, "sfixed32": 9, "fixed64": 9, "sfixed64": 9, "float": 1.5, "double": 2.5, "N": 7,
}  # fmt: skip
"""A value of each kind that no reader of an incompatible kind takes for the same. That of N is the field inside."""
LOST_ON_THE_WIRE = {"FIELD_SCALAR_KIND_CHANGED", "FIELD_KIND_CHANGED", "FIELD_NUMERIC_LABEL_CHANGED"}
"""The rules that protect bytes. The others protect names and oneofs: what code made from the file relies on."""
OTHER_RULES = {
    "ONEOF_FIELD_REMOVED", "MULTIPLE_FIELDS_MOVED_TO_ONEOF", "FIELD_MOVED_TO_EXISTING_ONEOF", "MESSAGE_REMOVED",
    "FIELD_NAMED_TYPE_CHANGED", "PACKAGE_CHANGED",
}  # fmt: skip
Proto: TypeAlias = tuple[dict[int, tuple[str, str]], set[int]]
"""Fields by number, kind and label; and those of them that are in the oneof."""

KINDS = st.tuples(st.sampled_from(sorted(TELLING)), st.sampled_from(["", "", "repeated "]))


@st.composite
def protos(draw: st.DrawFn) -> Proto:
    fields = draw(st.dictionaries(st.integers(1, 5), KINDS))
    return fields, {number for number in fields if not fields[number][1] and draw(st.booleans())}


@st.composite
def evolutions(draw: st.DrawFn) -> tuple[Proto, Proto]:
    """A message type and one a step or two away."""
    fields, inside = draw(protos())
    changed, moved = dict(fields), set(inside)
    for number in draw(st.lists(st.integers(1, 5), min_size=1, max_size=2)):
        what = draw(st.sampled_from(["kind", "kind", "label", "remove", "oneof"]))
        kind, label = changed.get(number, draw(KINDS))
        if what == "remove":
            changed.pop(number, None)
        elif what == "label":
            changed[number] = kind, "" if label else "repeated "
        else:
            changed[number] = draw(KINDS)[0] if what == "kind" else kind, label
        if what == "oneof":
            moved ^= {number}
    moved = {number for number in moved if number in changed and not changed[number][1]}
    return (fields, inside), (changed, moved)


def text_of(proto: Proto) -> str:
    fields, inside = proto

    def line(number: int) -> str:
        kind, label = fields[number]
        return f"{label}{kind} f{number} = {number};"

    outside = " ".join(line(number) for number in fields if number not in inside)
    oneof = f"oneof o {{ {' '.join(line(number) for number in sorted(inside))} }}" if inside else ""
    return (
        f'syntax = "proto3"; message M {{ {outside} {oneof} message N {{ int32 x = 1; }} enum E {{ A = 0; B = 1; }} }}'
    )


def class_of(parsed: ParsedSchema) -> type[Message]:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(parsed.formatted("serialized"))))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("M"))


def telling_message(of: type[Message], proto: Proto, number: int) -> Message:
    """A message with this field alone, which says something."""
    kind, label = proto[0][number]
    message = of()
    field: Any = getattr(message, f"f{number}")
    if kind == "N":
        (field.add() if label else field).x = TELLING[kind]
    elif label:
        field.append(TELLING[kind])
    else:
        setattr(message, f"f{number}", TELLING[kind])
    return message


def value_of(message: Message, proto: Proto, number: int) -> Any:
    """What a field holds, in a form in which text and bytes, and the integers of all kinds, are alike."""
    kind, label = proto[0][number]
    values = list(getattr(message, f"f{number}")) if label else [getattr(message, f"f{number}")]
    values = [value.x if kind == "N" else value for value in values]
    return kind == "N", [value.decode("latin-1") if isinstance(value, bytes) else value for value in values]


def lost_fields(writer: ParsedSchema, writers: Proto, reader: ParsedSchema, readers: Proto) -> Iterator[int]:
    """The fields of which the reader does not get what was written, or does not pass it on."""
    write, read = class_of(writer), class_of(reader)
    for number in writers[0]:
        message = telling_message(write, writers, number)
        try:
            got = read.FromString(message.SerializeToString())
            known = number not in readers[0] or value_of(got, readers, number) == value_of(message, writers, number)
            if not known or write.FromString(got.SerializeToString()) != message:
                yield number
        except DecodeError:
            yield number


def reasons(level: str, new: ParsedSchema, old: ParsedSchema) -> list[Incompatibility]:
    return check(level, new, [old])


@settings(max_examples=120, deadline=None)
@given(pair=evolutions())
def test_what_is_accepted_reads_what_it_must(pair: tuple[Proto, Proto]) -> None:
    old, new = pair
    before, after = (parse("PROTOBUF", text_of(one)) for one in pair)
    backward, forward = reasons("BACKWARD", after, before) == [], reasons("FORWARD", after, before) == []
    assert (reasons("FULL", after, before) == []) == (backward and forward)
    assume(backward or forward)
    if backward:
        assert list(lost_fields(before, old, after, new)) == []
    if forward:
        assert list(lost_fields(after, new, before, old)) == []


@settings(max_examples=120, deadline=None)
@given(pair=evolutions())
def test_what_is_refused_loses_a_field_or_breaks_a_name(pair: tuple[Proto, Proto]) -> None:
    old, new = pair
    before, after = (parse("PROTOBUF", text_of(one)) for one in pair)
    found = reasons("BACKWARD", after, before)
    assume(found)
    lost = set(lost_fields(before, old, after, new))
    for one in found:
        number = int(one.path.rpartition("/")[2]) if one.path[-1].isdigit() else 0
        assert number in lost if one.error_type in LOST_ON_THE_WIRE else one.error_type in OTHER_RULES


@settings(max_examples=40, deadline=None)
@given(one=protos())
def test_the_canonical_text_is_its_own_and_says_the_same(one: Proto) -> None:
    parsed = parse("PROTOBUF", text_of(one))
    assert parse("PROTOBUF", parsed.canonical).canonical == parsed.canonical
    assert check("FULL", parsed, [parsed.normalized()]) == []
    assert parse("PROTOBUF", parsed.formatted("serialized")).normalized().canonical == parsed.normalized().canonical


def test_a_level_that_looks_at_all_versions_reads_the_messages_of_any_of_them() -> None:
    first, second, third = ({1: (kind, "")} for kind in ("string", "bytes", "int32"))
    protos = [(one, set[int]()) for one in (first, {}, third)]
    parsed = [parse("PROTOBUF", text_of(one)) for one in protos]
    assert check("BACKWARD", parsed[2], parsed[:2]) == []
    assert check("BACKWARD_TRANSITIVE", parsed[2], parsed[:2]) != []
    assert list(lost_fields(parsed[0], protos[0], parsed[2], protos[2])) == [1]
    wider = parse("PROTOBUF", text_of((second, set())))
    assert check("FULL_TRANSITIVE", wider, parsed[:2]) == []
    assert list(lost_fields(parsed[0], protos[0], wider, (second, set()))) == []
