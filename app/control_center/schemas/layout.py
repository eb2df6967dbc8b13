"""Schema texts as people read them: laid out one field to a line, coloured, and with the line of every place.

Lines are counted from 1. Nothing here judges a schema: a text that is none comes out as it went in.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WIDTH = 80  # of what is put on one line
INDENT = "  "
PROTOBUF = "PROTOBUF"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a line; kind is '', 'key', 'string', 'number', 'word' or 'comment'."""

    kind: str
    text: str


class _Raw(str):
    """A number or literal of a JSON text, as it was written."""

    __slots__ = ()


def lay_out(schema_type: str, text: str) -> str:
    """JSON with one member to a line where a line is too short for all; .proto files come laid out already."""
    if schema_type == PROTOBUF:
        return text.rstrip("\n")
    try:
        value = json.loads(text, parse_int=_Raw, parse_float=_Raw, parse_constant=_Raw, object_pairs_hook=_Members)
        return "\n".join(_outermost(value))
    except (ValueError, RecursionError):
        return text.rstrip("\n")


class _Members(list[tuple[str, Any]]):
    """An object of a JSON text: its members in order, those of one name too."""


def _outermost(value: Any) -> list[str]:
    """The whole is spread however short it is: a schema's members are what one comes to see."""
    if isinstance(value, _Members) and value:
        return _wrapped("{", [_member(key, item, WIDTH) for key, item in value], "}", " ", 0)
    return _lines(value, WIDTH)


def _lines(value: Any, room: int) -> list[str]:
    """room: how wide a line may be; whatever does not fit is spread over several."""
    if isinstance(value, _Members):
        inner = [_member(key, item, room - len(INDENT)) for key, item in value]
        return _wrapped("{", inner, "}", " ", room)
    if isinstance(value, list):
        # A record's fields stand on lines of their own even when there is one, so that a second is one line more.
        room_here = 0 if any(isinstance(item, _Members) for item in value) else room
        return _wrapped("[", [_lines(item, room - len(INDENT)) for item in value], "]", "", room_here)
    if isinstance(value, _Raw):
        return [str(value)]
    return [_string(value) if isinstance(value, str) else json.dumps(value)]


def _member(key: str, item: Any, room: int) -> list[str]:
    name = f"{_string(key)}: "
    lines = _lines(item, room - len(name))
    return [name + lines[0], *lines[1:]]


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _wrapped(opening: str, inner: list[list[str]], closing: str, padding: str, room: int) -> list[str]:
    if not inner:
        return [opening + closing]
    if all(len(one) == 1 for one in inner) and sum(len(one[0]) + 2 for one in inner) + 2 <= room:
        return [opening + padding + ", ".join(one[0] for one in inner) + padding + closing]
    lines = [opening]
    for at, one in enumerate(inner):
        lines += [INDENT + line for line in one[:-1]]
        lines.append(INDENT + one[-1] + ("," if at < len(inner) - 1 else ""))
    return [*lines, closing]


# --- colours ----------------------------------------------------------------------------------------------------------

_JSON_TOKEN = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[\d.eE+-]*)|(?P<word>\b(?:true|false|null)\b)')  # fmt: skip  # noqa: E501
_PROTO_TOKEN = re.compile(
    r'(?P<comment>//.*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>\b\d[\w.]*)|(?P<word>\b(?:syntax|edition|package|import|'
    r"public|weak|option|message|enum|oneof|map|repeated|optional|required|reserved|extensions|extend|service|rpc|returns|"
    r"stream|to|max|true|false|double|float|int32|int64|uint32|uint64|sint32|sint64|fixed32|fixed64|sfixed32|sfixed64|bool|"
    r"string|bytes|group)\b)"
)


def coloured(schema_type: str, line: str) -> tuple[Token, ...]:
    pattern = _PROTO_TOKEN if schema_type == PROTOBUF else _JSON_TOKEN
    tokens, at = [], 0
    for match in pattern.finditer(line):
        if match.start() > at:
            tokens.append(Token("", line[at : match.start()]))
        tokens.append(Token(match.lastgroup or "", match[0]))
        at = match.end()
    if at < len(line) or not tokens:
        tokens.append(Token("", line[at:]))
    return tuple(tokens)


# --- places -----------------------------------------------------------------------------------------------------------


def line_of(schema_type: str, text: str, path: str) -> int | None:
    """The line that a reason's path leads to, or the nearest place around it; None when nothing of it is there."""
    return line_among(places(schema_type, text), path)


def line_among(known: Mapping[str, int], path: str) -> int | None:
    pointer = path.removeprefix("#").rstrip("/")
    is_found = pointer in known
    while not is_found and "/" in pointer:
        pointer = pointer.rpartition("/")[0]
        is_found = pointer in known and pointer != ""
    return known.get(pointer) if is_found else None


def holds(known: Mapping[str, int], path: str) -> bool:
    """Whether the exact place is in the text."""
    return path.removeprefix("#").rstrip("/") in known


def places(schema_type: str, text: str) -> dict[str, int]:
    """Line by path: JSON pointers, and `/Message/3` for the field of that number in a .proto file."""
    return dict(_proto_places(text) if schema_type == PROTOBUF else _json_places(text))


_JSON_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|\n|/\*.*?\*/|//[^\n]*|[^\s{}\[\],:"/]+|/', re.DOTALL)


def _json_places(text: str) -> Iterator[tuple[str, int]]:
    """By one pass over the tokens, so that half-written texts have places too."""
    line = 1
    stack: list[tuple[str, str, int]] = []  # opening, pointer, index
    key: str | None = None
    key_line = 0
    for match in _JSON_PART.finditer(text):
        part = match[0]
        if part == "\n" or part[:2] in ("/*", "//"):
            line += part.count("\n")
            continue
        opening, pointer, index = stack[-1] if stack else ("", "", 0)
        if part in ("}", "]"):
            if stack:
                stack.pop()
            key = None
        elif part == ",":
            if stack:
                stack[-1] = (opening, pointer, index + 1)
            key = None
        elif part != ":":
            if opening == "{" and key is None:
                key, key_line = _unquoted(part), line
                continue
            here = pointer
            if stack:
                segment = key if opening == "{" and key is not None else str(index)
                here = f"{pointer}/{segment.replace('~', '~0').replace('/', '~1')}"
            yield here, key_line if opening == "{" else line
            if part in ("{", "["):
                stack.append((part, here, 0))
                key = None
            elif part[0] == '"':
                line += part.count("\n")


def _unquoted(part: str) -> str:
    try:
        return str(json.loads(part))
    except ValueError:
        return part.strip('"')


_PROTO_PART = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|[\w.]+|\n|\S', re.DOTALL)
_PROTO_BLOCKS = frozenset({"message", "enum", "oneof", "group"})


def _proto_places(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    stack: list[str | None] = []  # paths of the open blocks; None for those without one (options, services)
    before: list[str] = []
    for match in _PROTO_PART.finditer(text):
        part = match[0]
        if part == "\n" or part[:2] in ("/*", "//"):
            line += part.count("\n")
            continue
        path = stack[-1] if stack else ""
        if part == "{":
            name = before[-1] if len(before) > 1 and before[-2] in _PROTO_BLOCKS else None
            inner = None if name is None or path is None else f"{path}/{name}"
            if inner is not None:
                yield inner, line
            stack.append(inner)
            before = []
        elif part == "}":
            if stack:
                stack.pop()
            before = []
        elif part == ";":
            before = []
        else:
            if before and before[-1] == "=" and path and part.isdigit():
                yield f"{path}/{part}", line
                yield f"{path}/{before[-2]}" if len(before) > 1 else path, line
            before.append(part)
