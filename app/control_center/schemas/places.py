"""The line of a place in a schema's text: where the path of an error or of a reason leads.

Texts are taken as they were typed, half-written too, in one pass: whatever is asked for, a text of a megabyte takes no
more than a second or two and no memory beyond the nesting. Lines are counted from 1.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.control_center.schemas.layout import PROTOBUF

DEPTH_MAX = 400  # more than any schema may be nested


@dataclass(frozen=True, slots=True)
class Place:
    """line: of the place, or of the nearest around it; None when nothing of the path is there."""

    line: int | None
    is_exact: bool


@dataclass(slots=True)
class _Wanted:
    """A step of the paths that are looked for, and where it was met."""

    line: int | None = None
    inside: "dict[str, _Wanted]" = field(default_factory=dict)

    def meet(self, segment: str, line: int) -> "_Wanted | None":
        found = self.inside.get(segment)
        if found is not None and found.line is None:
            found.line = line
        return found


def line_of(schema_type: str, text: str, path: str) -> int | None:
    return locate(schema_type, text, [path])[path].line


def locate(schema_type: str, text: str, paths: Iterable[str]) -> dict[str, Place]:
    """The places of JSON pointers (`/fields/0`, `#/a/b`), and of `/Message/3`: the field of that number of a .proto."""
    root = _Wanted()
    ends = {path: _steps(root, path) for path in paths}
    (_meet_proto if schema_type == PROTOBUF else _meet_json)(text, root)
    return {path: _place(steps) for path, steps in ends.items()}


def _steps(root: _Wanted, path: str) -> list[_Wanted]:
    steps = [root]
    for segment in path.removeprefix("#").rstrip("/").split("/")[1:]:
        steps.append(steps[-1].inside.setdefault(segment.replace("~1", "/").replace("~0", "~"), _Wanted()))
    return steps


def _place(steps: list[_Wanted]) -> Place:
    if steps[-1].line is not None:
        return Place(steps[-1].line, is_exact=True)
    met = [one.line for one in steps[1:] if one.line is not None]  # the whole text is no place
    return Place(met[-1] if met else None, is_exact=False)


# --- JSON -------------------------------------------------------------------------------------------------------------

# Linear on any text: what is not closed reaches to the end, once.
_JSON_PART = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|\n|/\*.*?(?:\*/|\Z)|//[^\n]*|[^\s{}\[\],:"/]+|/', re.DOTALL)


@dataclass(slots=True)
class _Open:
    """An object or list that is open: what is looked for in it, and which member or item comes."""

    opening: str
    wanted: _Wanted | None
    index: int = 0
    key: str | None = None
    key_line: int = 0


def _meet_json(text: str, root: _Wanted) -> None:
    stack: list[_Open] = []
    for part, line in _numbered(_JSON_PART, text):
        here = stack[-1] if stack else None
        if part in ("}", "]"):
            if stack:
                stack.pop()
        elif part == ",":
            if here is not None:
                here.index, here.key = here.index + 1, None
        elif part == ":":
            continue
        elif here is not None and here.opening == "{" and here.key is None:
            here.key, here.key_line = _unquoted(part), line
        else:
            wanted = _meet_value(root, here, line)
            if part in ("{", "["):
                if len(stack) == DEPTH_MAX:
                    return
                stack.append(_Open(part, wanted))


def _meet_value(root: _Wanted, here: _Open | None, line: int) -> _Wanted | None:
    if here is None:
        root.line = root.line or line
        return root
    if here.wanted is None:
        return None
    if here.opening == "{":
        return here.wanted.meet(here.key or "", here.key_line)
    return here.wanted.meet(str(here.index), line)


def _unquoted(part: str) -> str:
    try:
        return str(json.loads(part))
    except ValueError:
        return part.strip('"')


def _numbered(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, int]]:
    """The parts with the line each begins on, without comments and line ends."""
    line = 1
    for match in pattern.finditer(text):
        part = match[0]
        if part != "\n" and part[:2] not in ("/*", "//"):
            yield part, line
        line += part.count("\n")


# --- Protobuf ---------------------------------------------------------------------------------------------------------

_PROTO_PART = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|[\w.]+|\n|\S", re.DOTALL
)
_PROTO_BLOCKS = frozenset({"message", "enum", "oneof", "group"})
WORDS_KEPT = 3


def _meet_proto(text: str, root: _Wanted) -> None:
    stack: list[_Wanted | None] = [root]
    before: list[str] = []  # the last words since the last end of a statement
    for part, line in _numbered(_PROTO_PART, text):
        wanted = stack[-1]
        if part == "{":
            if len(stack) == DEPTH_MAX:
                return
            is_block = len(before) > 1 and before[-2] in _PROTO_BLOCKS and wanted is not None
            stack.append(wanted.meet(before[-1], line) if is_block and wanted is not None else None)
            before = []
        elif part == "}":
            if len(stack) > 1:
                stack.pop()
            before = []
        elif part == ";":
            before = []
        else:
            if wanted is not None and len(before) > 1 and before[-1] == "=" and part.isdigit():
                wanted.meet(part, line)
                wanted.meet(before[-2], line)
            before = [*before[-WORDS_KEPT:], part]
