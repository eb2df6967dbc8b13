"""Schema texts as people read them: laid out one field to a line, and coloured.

Nothing here judges a schema: a text that is none comes out as it went in.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

WIDTH = 80  # of what is put on one line
INDENT = "  "
COLOURED_CHARS_MAX = 2_000  # of a line: longer ones are no text to read
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
        return _spread("{", [_member(key, item, WIDTH) for key, item in value], "}")
    return _lines(value, WIDTH)


def _lines(value: Any, room: int, used: int = 0) -> list[str]:
    """room: how wide a line may be where the value begins; used: what stands before it on its first line."""
    if isinstance(value, _Members):
        inner = [_member(key, item, room - len(INDENT)) for key, item in value]
        # The properties of a JSON Schema stand on lines of their own, as a record's fields do below.
        is_spread = all(isinstance(item, _Members) and item for _, item in value)
        return _wrapped("{", inner, "}", " ", 0 if is_spread else room - used)
    if isinstance(value, list):
        # Even when there is one, so that a second is one line more.
        is_spread = any(isinstance(item, _Members) for item in value)
        inner = [_lines(item, room - len(INDENT)) for item in value]
        return _wrapped("[", inner, "]", "", 0 if is_spread else room - used)
    if isinstance(value, _Raw):
        return [str(value)]
    return [_string(value) if isinstance(value, str) else json.dumps(value)]


def _member(key: str, item: Any, room: int) -> list[str]:
    name = f"{_string(key)}: "
    lines = _lines(item, room, len(name))
    return [name + lines[0], *lines[1:]]


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _wrapped(opening: str, inner: list[list[str]], closing: str, padding: str, room: int) -> list[str]:
    """On one line where that fits into room."""
    if not inner:
        return [opening + closing]
    if all(len(one) == 1 for one in inner) and sum(len(one[0]) + 2 for one in inner) + 2 <= room:
        return [opening + padding + ", ".join(one[0] for one in inner) + padding + closing]
    return _spread(opening, inner, closing)


def _spread(opening: str, inner: list[list[str]], closing: str) -> list[str]:
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
    if len(line) > COLOURED_CHARS_MAX:
        return (Token("", line),)
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
