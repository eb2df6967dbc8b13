"""A .proto file as it is written: declarations and options, names not yet resolved."""

from collections.abc import Iterator
from dataclasses import dataclass, field

SCALARS = frozenset(
    {
        "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
        "sfixed64", "bool", "string", "bytes",
    }
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Value:
    """The value of an option: a word or number as written, a string, a list, or an aggregate of named values."""

    kind: str  # word, string, list, map
    text: str = ""
    items: "list[tuple[str, Value]]" = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Option:
    """name as written, with the parentheses of an extension: `(confluent.field_meta).tags`."""

    name: str
    value: Value


@dataclass(slots=True, eq=False)
class Field:
    """type is a scalar or a name; of a map field it is the type of its values, and map_key that of its keys."""

    label: str  # "", optional, required, repeated
    type: str
    name: str
    number: int
    options: list[Option] = field(default_factory=list)
    map_key: str = ""
    group: "Message | None" = None


@dataclass(slots=True, eq=False)
class OneOf:
    name: str
    fields: list[Field] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Reserved:
    """Numbers as inclusive ranges, or names."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class EnumValue:
    name: str
    number: int
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Enum:
    name: str
    values: list[EnumValue] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    reserved: list[Reserved] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Extensions:
    """`extensions 100 to max;` in a message."""

    ranges: list[tuple[int, int]]
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Extend:
    """Fields that are added to another message."""

    type: str
    fields: list[Field] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Message:
    name: str
    fields: list[Field] = field(default_factory=list)
    oneofs: list[OneOf] = field(default_factory=list)
    messages: "list[Message]" = field(default_factory=list)
    enums: list[Enum] = field(default_factory=list)
    reserved: list[Reserved] = field(default_factory=list)
    extensions: list[Extensions] = field(default_factory=list)
    extends: list[Extend] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)

    def all_fields(self) -> Iterator[Field]:
        """Those of its oneofs too."""
        yield from self.fields
        for oneof in self.oneofs:
            yield from oneof.fields


@dataclass(slots=True, eq=False)
class Rpc:
    name: str
    request: str
    response: str
    is_request_stream: bool = False
    is_response_stream: bool = False
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Service:
    name: str
    rpcs: list[Rpc] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class File:
    """syntax is proto2, proto3, or "" when not said, which means proto2; edition is set instead of it."""

    syntax: str = ""
    edition: str = ""
    package: str = ""
    imports: list[str] = field(default_factory=list)
    public_imports: list[str] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    enums: list[Enum] = field(default_factory=list)
    extends: list[Extend] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)


def walk_messages(file: File) -> Iterator[tuple[str, Message]]:
    """All messages with their names inside the package, outer ones first, in order of appearance."""
    stack = [(message.name, message) for message in reversed(file.messages)]
    while stack:
        name, message = stack.pop()
        yield name, message
        inner = [*message.messages, *(one.group for one in message.all_fields() if one.group is not None)]
        stack += ((f"{name}.{one.name}", one) for one in reversed(inner))
