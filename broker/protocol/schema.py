"""The `SCHEMA` rows of a message class, read for one version. Used when a codec is compiled, not when it runs."""

import sys
from dataclasses import dataclass, replace

from broker.protocol.primitives import Fields, Schema

FIXED_FORMATS = {
    "bool": "?",
    "float64": "d",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint16": "H",
    "uint32": "I",
    "uuid": "16s",
}
"""Types of fixed width, and what `struct` calls them."""


@dataclass(frozen=True, slots=True)
class WireField:
    """A field as it looks on the wire in one version."""

    name: str
    wire_type: str  # of the items, if it is an array
    is_array: bool
    is_nullable: bool
    tag: int | None
    struct: type[Fields] | None  # the class, if that is one

    def item(self) -> "WireField":
        """The field that one item of this array is."""
        return replace(self, is_array=False, is_nullable=False, tag=None)


def fields_of(struct: type[Fields], version: int) -> list[WireField]:
    """The fields that `version` has, in wire order, tagged ones last by rising tag."""
    rows: Schema = struct.SCHEMA
    fields = [_wire_field(struct, row, version) for row in rows if _covers(str(row[2]), version)]
    return sorted(fields, key=lambda field: -1 if field.tag is None else field.tag)


def default_source(struct: type[Fields], name: str) -> str:
    """The default of a field as a Python expression; structs are called by their class name."""
    default = getattr(struct(), name)
    return f"{type(default).__name__}()" if isinstance(default, Fields) else repr(default)


def _wire_field(struct: type[Fields], row: tuple[str | int, ...], version: int) -> WireField:
    name, type_ = str(row[0]), str(row[1])
    nullable = str(row[3]) if len(row) > 3 else ""
    tag = int(row[4]) if len(row) > 4 else None
    bare = type_.removeprefix("[]")
    nested = getattr(sys.modules[struct.__module__], bare) if bare[0].isupper() else None
    return WireField(name, bare, type_ != bare, bool(nullable) and _covers(nullable, version), tag, nested)


def _covers(versions: str, version: int) -> bool:
    """Whether `3+`, `0-2` or `4` includes the version."""
    if versions.endswith("+"):
        return version >= int(versions[:-1])
    first, _, last = versions.partition("-")
    return int(first) <= version <= int(last or first)
