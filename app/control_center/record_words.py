"""Keys, values and headers on the page: a line to scan, and the whole of it laid out to read.

What is shown is the text that was stored, never a number that passed through a float.
"""

import re
from dataclasses import dataclass

from app.cluster.messages import show
from app.cluster.words import plural

PREVIEW_CHARS = 240
SHOWN_BYTES_MAX = 64 * 1024
HEX_BYTES_MAX = 4 * 1024
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class RecordBytes:
    """kind: 'null' (no value at all), 'empty' (a value of no bytes), 'json', 'text' or 'binary'.

    note says what else is known: the size, a schema id, the number that 4 or 8 bytes make, what was cut. schema and
    schema_href name the schema it was, or should have been, read by; problem says why it was not.
    """

    kind: str
    preview: str
    full: str
    note: str
    schema: str = ""
    schema_href: str = ""
    problem: str = ""


def lay_out(data: bytes | None) -> RecordBytes:
    shown = show(data, bytes_max=SHOWN_BYTES_MAX)
    if data is None or not data:
        return RecordBytes(shown.kind, "", "", "")
    note = ", ".join(part for part in (plural(len(data), "byte"), shown.note, _number_note(data, shown.kind)) if part)
    if shown.kind == "binary":
        return RecordBytes("binary", data[:48].hex(" "), hex_dump(data[:HEX_BYTES_MAX]), note)
    preview = " ".join(shown.text[: 2 * PREVIEW_CHARS].split())[:PREVIEW_CHARS]
    return RecordBytes(shown.kind, preview, indented(shown.text) if shown.kind == "json" else shown.text, note)


def _number_note(data: bytes, kind: str) -> str:
    """Keys are often written by Kafka's own integer serialisers: big-endian, 4 or 8 bytes."""
    if kind != "binary" or len(data) not in (4, 8):
        return ""
    return f"as an integer {int.from_bytes(data, 'big', signed=True)}"


def indented(text: str) -> str:
    """Valid JSON spread over lines without touching any of its tokens: numbers keep every digit, keys their order."""
    out: list[str] = []
    depth, in_string, is_escaped = 0, False, False
    for at, char in enumerate(text):
        if in_string:
            out.append(char)
            in_string = is_escaped or char != '"'
            is_escaped = char == "\\" and not is_escaped
        elif char == '"':
            in_string = True
            out.append(char)
        elif char in "{[":
            depth += 1
            out.append(char if _closes_next(text, at + 1) else char + "\n" + "  " * depth)
        elif char in "}]":
            depth -= 1
            out.append(char if out[-1] in ("{", "[") else "\n" + "  " * depth + char)
        elif char == ",":
            out.append(",\n" + "  " * depth)
        elif char == ":":
            out.append(": ")
        elif not char.isspace():
            out.append(char)
    return "".join(out)


def _closes_next(text: str, at: int) -> bool:
    space = _SPACE.match(text, at)
    return space is not None and text[space.end() : space.end() + 1] in ("}", "]")


def hex_dump(data: bytes) -> str:
    """Sixteen bytes a line: where, hex, and the printable characters."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:06x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)
