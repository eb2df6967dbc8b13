"""Avro's binary encoding into values of its JSON encoding: one function per type of a schema, made once.

Every function takes the bytes and where its value starts, and returns the value and where the next one starts.
"""

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from app.registry.formats.avro_types import Array, AvroType, Enum, Fixed, Map, Record, Union, name_of
from app.schemas.ports import InvalidPayload

ReadValue: TypeAlias = Callable[[bytes, int], tuple[Any, int]]

EMPTY_ITEMS_MAX = 100_000  # of one payload: items of no bytes (nulls), of which a few bytes could claim any number

_unpack_double = struct.Struct("<d").unpack_from
_unpack_float = struct.Struct("<f").unpack_from
_pack_float = struct.Struct("<f").pack


class Reader:
    """Reads the values of one schema."""

    def __init__(self, root: AvroType) -> None:
        self._empty_items = 0
        self._records: dict[int, ReadValue] = {}
        self._read = self._reader(root)

    def read(self, payload: bytes) -> Any:
        """The value in its JSON encoding; bytes that follow it are not looked at, as by Java's. Raises InvalidPayload,
        RecursionError."""
        self._empty_items = 0
        try:
            return self._read(payload, 0)[0]
        except (IndexError, struct.error):
            raise InvalidPayload("the payload ends too early") from None

    def _reader(self, node: AvroType) -> ReadValue:
        match node:
            case Record():
                return self._record(node)
            case Union():
                return _union_reader([(name_of(branch), self._reader(branch)) for branch in node.branches])
            case Array():
                return self._array(node)
            case Map():
                return _map_reader(self._reader(node.values))
            case Enum():
                return _enum_reader(node)
            case Fixed():
                return _fixed_reader(node.size)
            case _:
                return _PRIMITIVES[node.kind]

    def _record(self, node: Record) -> ReadValue:
        known = self._records.get(id(node))
        if known is not None:
            return known
        fields: list[tuple[str, ReadValue]] = []

        def read_record(data: bytes, at: int) -> tuple[Any, int]:
            value = {}
            for name, read in fields:
                value[name], at = read(data, at)
            return value, at

        # Known before its fields are: they may hold the record itself.
        self._records[id(node)] = read_record
        fields += [(child.name, self._reader(child.type)) for child in node.fields]
        return read_record

    def _array(self, node: Array) -> ReadValue:
        read = self._reader(node.items)

        def read_array(data: bytes, at: int) -> tuple[Any, int]:
            items: list[Any] = []
            while True:
                count, at = _read_block(data, at)
                if count == 0:
                    return items, at
                before = at
                for done in range(1, count + 1):
                    item, at = read(data, at)
                    items.append(item)
                    if at == before:  # no item has had a byte yet
                        self._count_empty(done)

        return read_array

    def _count_empty(self, done: int) -> None:
        self._empty_items += 1
        if self._empty_items > EMPTY_ITEMS_MAX:
            raise InvalidPayload(f"the payload claims more than {EMPTY_ITEMS_MAX} items of no bytes")


def compile_reader(root: AvroType) -> Reader:
    return Reader(root)


def _union_reader(branches: list[tuple[str, ReadValue]]) -> ReadValue:
    def read_union(data: bytes, at: int) -> tuple[Any, int]:
        index, at = _read_long(data, at)
        if not 0 <= index < len(branches):
            raise InvalidPayload(f"a union has no type {index}")
        name, read = branches[index]
        if name == "null":
            return None, at
        value, at = read(data, at)
        return {name: value}, at

    return read_union


def _map_reader(read: ReadValue) -> ReadValue:
    def read_map(data: bytes, at: int) -> tuple[Any, int]:
        items: dict[str, Any] = {}
        while True:
            count, at = _read_block(data, at)
            if count == 0:
                return items, at
            for _ in range(count):
                key, at = _read_string(data, at)
                items[key], at = read(data, at)

    return read_map


def _read_block(data: bytes, at: int) -> tuple[int, int]:
    """How many items follow, 0 at the end; a negative count is followed by their size in bytes."""
    count, at = _read_long(data, at)
    if count < 0:
        _, at = _read_long(data, at)
        count = -count
    return count, at


def _enum_reader(node: Enum) -> ReadValue:
    symbols = tuple(node.symbols)

    def read_enum(data: bytes, at: int) -> tuple[Any, int]:
        index, at = _read_long(data, at)
        if not 0 <= index < len(symbols):
            raise InvalidPayload(f"{node.full_name} has no symbol {index}")
        return symbols[index], at

    return read_enum


def _fixed_reader(size: int) -> ReadValue:
    def read_fixed(data: bytes, at: int) -> tuple[Any, int]:
        end = at + size
        if end > len(data):
            raise IndexError
        return data[at:end].decode("latin-1"), end

    return read_fixed


def _read_null(data: bytes, at: int) -> tuple[Any, int]:
    del data
    return None, at


def _read_boolean(data: bytes, at: int) -> tuple[Any, int]:
    byte = data[at]
    if byte > 1:
        raise InvalidPayload(f"a boolean is the byte 0 or 1, not {byte}")
    return byte == 1, at + 1


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    number, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise InvalidPayload("a number is longer than ten bytes")
    number &= 0xFFFFFFFFFFFFFFFF
    return (number >> 1) ^ -(number & 1), at


def _read_int(data: bytes, at: int) -> tuple[int, int]:
    number, at = _read_long(data, at)
    if not -0x80000000 <= number <= 0x7FFFFFFF:
        raise InvalidPayload(f"{number} is no int")
    return number, at


def _read_float(data: bytes, at: int) -> tuple[Any, int]:
    (number,) = _unpack_float(data, at)
    if number - number != 0:
        return _special(number), at + 4
    for digits in (6, 7, 8):  # the shortest that means the same, as Java prints it
        short = float(f"{number:.{digits}g}")
        if abs(short) <= 3.4028234663852886e38 and _pack_float(short) == data[at : at + 4]:
            return short, at + 4
    return float(f"{number:.9g}"), at + 4


def _read_double(data: bytes, at: int) -> tuple[Any, int]:
    (number,) = _unpack_double(data, at)
    return (number if number - number == 0 else _special(number)), at + 8


def _special(number: float) -> str:
    """What JSON numbers cannot say is a string."""
    if number != number:
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _read_bytes(data: bytes, at: int) -> tuple[Any, int]:
    size, at = _read_long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise InvalidPayload(f"{size} bytes are announced where {len(data) - at} are left")
    return data[at:end].decode("latin-1"), end


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    size, at = _read_long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise InvalidPayload(f"a string of {size} bytes is announced where {len(data) - at} are left")
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        raise InvalidPayload("a string is no UTF-8") from None


_PRIMITIVES: dict[str, ReadValue] = {
    "null": _read_null, "boolean": _read_boolean, "int": _read_int, "long": _read_long, "float": _read_float,
    "double": _read_double, "bytes": _read_bytes, "string": _read_string,
}  # fmt: skip
