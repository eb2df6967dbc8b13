"""Messages of a .proto that may be followed are read by what follows: dynamic messages of the protobuf library."""

import base64

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.registry.compatibility import check
from app.registry.formats import parse

VALUES = {
    "int32": st.integers(0, 2**31 - 1), "int64": st.integers(0, 2**31 - 1), "uint64": st.integers(0, 2**31 - 1),
    "bool": st.booleans(), "string": st.text(st.characters(codec="ascii"), max_size=5), "bytes": st.binary(max_size=5),
    "float": st.floats(width=32, allow_nan=False), "double": st.floats(allow_nan=False),
    "fixed32": st.integers(0, 2**31), "sint32": st.integers(-5, 5), "N": st.just(None), "E": st.integers(0, 1),
}  # fmt: skip


@st.composite
def protos(draw):
    """Fields by number: their kind and label, some of them in one oneof."""
    kinds = st.tuples(st.sampled_from(sorted(VALUES)), st.sampled_from(["", "repeated "]))
    fields = draw(st.dictionaries(st.integers(1, 5), kinds))
    inside = {number for number in fields if not fields[number][1] and draw(st.booleans())}
    return fields, inside


def text_of(fields, inside):
    def line(number):
        kind, label = fields[number]
        return f"{label}{kind} f{number} = {number};"

    outside = " ".join(line(number) for number in fields if number not in inside)
    oneof = f"oneof o {{ {' '.join(line(number) for number in sorted(inside))} }}" if inside else ""
    return (
        f'syntax = "proto3"; message M {{ {outside} {oneof} message N {{ int32 x = 1; }} enum E {{ A = 0; B = 1; }} }}'
    )


def class_of(parsed):
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(parsed.serialized)))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("M"))


@settings(max_examples=80, deadline=None)
@given(old=protos(), new=protos(), data=st.data())
def test_an_accepted_evolution_reads_old_messages(old, new, data):
    before, after = (parse("PROTOBUF", text_of(*one)) for one in (old, new))
    assume(check("BACKWARD", after, [before]) == [])
    message = class_of(before)()
    for number, (kind, label) in old[0].items():
        if kind == "N":
            (getattr(message, f"f{number}").add() if label else getattr(message, f"f{number}")).x = 7
        else:
            value = data.draw(VALUES[kind])
            if label:
                getattr(message, f"f{number}").append(value)
            else:
                setattr(message, f"f{number}", value)
    try:
        read = class_of(after).FromString(message.SerializeToString())
    except DecodeError:  # bytes that are no text do not become a string
        assert any(kind == "bytes" and new[0].get(number, ("",))[0] == "string" for number, (kind, _) in old[0].items())
        return
    for number, (kind, label) in old[0].items():
        if new[0].get(number) == (kind, label) and (number in old[1]) == (number in new[1]) and number not in old[1]:
            assert getattr(read, f"f{number}") == getattr(message, f"f{number}") or kind == "N"


@settings(max_examples=40, deadline=None)
@given(one=protos())
def test_the_canonical_text_is_its_own_and_says_the_same(one):
    parsed = parse("PROTOBUF", text_of(*one))
    assert parse("PROTOBUF", parsed.canonical).canonical == parsed.canonical
    assert check("FULL", parsed, [parsed.normalized()]) == []
    assert parse("PROTOBUF", parsed.serialized).normalized().canonical == parsed.normalized().canonical
