"""Small state kept in one file: written whole, replaced atomically, and readable after a damaged byte.

The file holds the same JSON line twice, each behind its own CRC-32C.
"""

import os
from pathlib import Path
from typing import TypeVar

import msgspec
from crc32c import crc32c

_State = TypeVar("_State")


def write_state(path: Path, state: object) -> None:
    """Replace the file by this state; on return it survives a crash of the machine. Raises OSError."""
    line = msgspec.json.encode(state)
    line = b"%08x %s\n" % (crc32c(line), line)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(line + line)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_state(path: Path, type_: type[_State]) -> _State | None:
    """The state of the file, or None when there is no file. Raises ValueError when no line of it is whole."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    for line in lines:
        checksum, _, content = line.partition(b" ")
        if checksum == b"%08x" % crc32c(content):
            return msgspec.json.decode(content, type=type_)
    raise ValueError(f"{path} is damaged: no line fits its checksum")
