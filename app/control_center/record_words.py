"""Bytes of a record as people can read them: JSON, text, or hex. What is shown is the text itself, never a number
that passed through a float."""

import json
import re
from dataclasses import dataclass

PREVIEW_CHARS = 240
FULL_CHARS_MAX = 64 * 1024
HEX_BYTES_MAX = 4 * 1024
JSON_BYTES_MAX = 256 * 1024
SCHEMA_HEADER_BYTES = 5  # magic 0, then a 4-byte schema id

_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class ShownBytes:
    """kind: 'null' (no value at all), 'empty' (a value of no bytes), 'json', 'text' or 'binary'.

    note says what else is known: the size, a schema id, the number that 4 or 8 bytes make, what was cut.
    """

    kind: str
    preview: str
    full: str
    note: str


def show(data: bytes | None) -> ShownBytes:
    if data is None:
        return ShownBytes("null", "", "", "")
    if not data:
        return ShownBytes("empty", "", "", "0 bytes")
    text = _text(data)
    if text is None:
        return _binary(data)
    kind, full = ("json", indented(text)) if is_json(text) else ("text", text[: FULL_CHARS_MAX + 1])
    cut = f", first {FULL_CHARS_MAX:,} characters" if len(full) > FULL_CHARS_MAX else ""
    preview = " ".join(text[: PREVIEW_CHARS * 2].split())[:PREVIEW_CHARS]
    return ShownBytes(kind, preview, full[:FULL_CHARS_MAX], f"{len(data):,} bytes{cut}")


def _text(data: bytes) -> str | None:
    """The bytes as UTF-8, or None when they are not text: bad encoding or control characters."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    is_odd = any((char < " " and char not in "\t\n\r") or char == "\x7f" for char in text)
    return None if is_odd else text


def is_json(text: str) -> bool:
    """True for objects and arrays: a bare number or word is shown as text."""
    if len(text) > JSON_BYTES_MAX or not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


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
            follows = _SPACE.match(text, at + 1)
            is_empty = follows is not None and text[follows.end() : follows.end() + 1] in ("}", "]")
            out.append(char if is_empty else char + "\n" + "  " * depth)
        elif char in "}]":
            depth -= 1
            out.append(char if out and out[-1] in ("{", "[") else "\n" + "  " * depth + char)
        elif char == ",":
            out.append(",\n" + "  " * depth)
        elif char == ":":
            out.append(": ")
        elif not char.isspace():
            out.append(char)
    return "".join(out)


def _binary(data: bytes) -> ShownBytes:
    notes = [f"{len(data):,} bytes"]
    if len(data) > SCHEMA_HEADER_BYTES and data[0] == 0:
        notes.append(f"perhaps schema id {int.from_bytes(data[1:5], 'big')}")
    if len(data) in (4, 8):
        notes.append(f"as an integer {int.from_bytes(data, 'big', signed=True)}")
    if len(data) > HEX_BYTES_MAX:
        notes.append(f"first {HEX_BYTES_MAX:,} bytes")
    return ShownBytes("binary", data[:48].hex(" "), hex_dump(data[:HEX_BYTES_MAX]), ", ".join(notes))


def hex_dump(data: bytes) -> str:
    """Sixteen bytes a line: where, hex, and the printable characters."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:06x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)
