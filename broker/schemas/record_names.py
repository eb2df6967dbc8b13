"""The full name of what a schema describes, which RecordNameStrategy and TopicRecordNameStrategy make a subject of.

Avro: the name with its namespace, or the name of the type where it has no name of its own. JSON Schema: the title.
Protobuf: the message that the indexes in front of a payload stand for, with its package. Only names are read here:
whether the schema is right was the registry's affair.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

INDEXES_MAX: Final = 100  # messages nested in messages

_NAMED_TYPES: Final = ("record", "error", "enum", "fixed")
_TOKEN: Final = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | [A-Za-z_][\w.]* | \d[\w.]* | \S""",
    re.DOTALL | re.VERBOSE,
)


class NoName(Exception):
    """A schema whose record has no name; the message says why."""


@dataclass(slots=True)
class Message:
    """A Protobuf message and those declared in it, in order."""

    name: str
    is_made: bool = False
    """The entry of a map or a group: a message in a descriptor, but not among the messages of the text."""
    inner: "list[Message]" = field(default_factory=list)


Messages: TypeAlias = tuple[str, list[Message]]
"""The package of a .proto file ('' for none) and its messages."""


def avro_name(text: str) -> str:
    """The full name of an Avro schema. Raises NoName."""
    schema = _json(text)
    while isinstance(schema, dict):
        kind = schema.get("type")
        if kind in _NAMED_TYPES:
            name, namespace = schema.get("name"), schema.get("namespace")
            if not isinstance(name, str):
                raise NoName("its Avro schema has no name")
            return name if "." in name or not isinstance(namespace, str) or not namespace else f"{namespace}.{name}"
        schema = kind
    if isinstance(schema, list):
        return "union"
    if not isinstance(schema, str):
        raise NoName("its Avro schema has no type")
    return schema


def json_schema_name(text: str) -> str:
    """The title of a JSON Schema. Raises NoName."""
    schema = _json(text)
    title = schema.get("title") if isinstance(schema, dict) else None
    if not isinstance(title, str) or not title:
        raise NoName("its JSON Schema has no title")
    return title


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise NoName(f"it is no JSON: {error}") from error


def read_messages(text: str) -> Messages:
    """The messages of a .proto text."""
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith(("//", "/*"))]
    package, top = "", Message("")
    scopes: list[Message] = [top]
    """The innermost message around each open brace: other blocks (enums, oneofs, options) count to their message."""
    opened: Message | None = None
    for at, token in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        if token == "{":
            scopes.append(opened or scopes[-1])
            opened = None
        elif token == "}":
            if len(scopes) > 1:
                scopes.pop()
        elif token == "package" and len(scopes) == 1:
            package = after
        elif token == "message" and tokens[at + 2 : at + 3] == ["{"]:
            opened = Message(after)
            scopes[-1].inner.append(opened)
        elif token == "group" and tokens[at + 2 : at + 3] == ["="]:
            opened = Message(after, is_made=True)
            scopes[-1].inner.append(opened)
        elif token == "map" and after == "<":
            scopes[-1].inner.append(Message("", is_made=True))
    return package, top.inner


def message_names(messages: Messages, indexes: Sequence[int]) -> list[str]:
    """The full names that indexes can stand for; none if there is no such message.

    Java counts the messages of the text; clients that count by descriptor count the entries of maps and groups too.
    So one path may have two meanings, and both are given.
    """
    package, top = messages
    found = []
    for counts_made in (False, True):
        path, level = [package] if package else [], top
        for index in indexes:
            level = [one for one in level if counts_made or not one.is_made]
            if not 0 <= index < len(level):
                break
            path.append(level[index].name)
            level = level[index].inner
        else:
            found.append(".".join(path))
    return list(dict.fromkeys(found))


def read_indexes(data: bytes, at: int) -> tuple[int, ...] | None:
    """Protobuf's message indexes: zig-zag varints, their count first; one byte 0 is (0,). None: there are none.

    Source: Confluent's wire format.
    """
    numbers: list[int] = []
    count = None
    while count is None or len(numbers) < count:
        number = shift = 0
        while True:
            if at >= len(data) or shift > 28:
                return None
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        number = number >> 1 ^ -(number & 1)
        if count is not None:
            numbers.append(number)
        elif number == 0:
            return (0,)
        elif not 0 < number <= INDEXES_MAX:
            return None
        else:
            count = number
    return tuple(numbers)
