"""The wire format's own vocabulary: message base classes, errors, variable-length integers.

Source: the Kafka protocol guide and KIP-482 (compact forms, tagged fields). Everything fixed-width is big-endian.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias

from msgspec import Struct

NULL_UUID: Final = bytes(16)
"""A UUID is 16 raw bytes; all zero is Kafka's null."""

UVARINT_BYTES_MAX: Final = 5
"""An unsigned varint holds at most 32 bits, 7 a byte."""

Schema: TypeAlias = tuple[tuple[str | int, ...], ...]
"""One row a field, in wire order: name, type, versions[, nullable versions[, tag]].

Types are Kafka's (`int32`, `string`, `records`, `[]int32`, `[]FetchTopic`, `Cursor`); versions are `3+`, `0-2`, `4`,
or empty for none.
"""


class DecodeError(ValueError):
    """The bytes are not a message of the type and version they were read as: cut short, or a length that cannot be."""


class EncodeError(ValueError):
    """The message cannot be written in this version: null where null is not allowed, or a value out of range."""


class Fields(Struct, gc=False):
    """A part of a message. `SCHEMA` says how its fields look on the wire, version by version.

    Untracked by the cycle collector, as messages never refer back to themselves.
    """

    SCHEMA: ClassVar[Schema] = ()


class Message(Fields):
    """A whole message body; one class serves all its versions.

    Fields that a version does not have are left out when encoding and keep their defaults when decoding.
    """

    API_KEY: ClassVar[int] = -1
    VERSIONS: ClassVar[range] = range(0)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    DECODERS: ClassVar[dict[int, Callable[[memoryview, int], Any]]]
    ENCODERS: ClassVar[dict[int, Callable[[Any, list[bytes | memoryview]], None]]]
    """Compiled codecs by version, put here by `codec` on first use."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.DECODERS, cls.ENCODERS = {}, {}


def encode_uvarint(value: int) -> bytes:
    """Unsigned LEB128 of a value from 0 to 2^32-1."""
    if value < 0x80:
        return _ONE_BYTE[value]
    if value < 1 << 14:
        return (value & 0x7F | 0x80 | value >> 7 << 8).to_bytes(2, "little")
    if value < 1 << 21:
        return (value & 0x7F | 0x80 | (value >> 7 & 0x7F | 0x80) << 8 | value >> 14 << 16).to_bytes(3, "little")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_uvarint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The unsigned varint at `at` and where it ends. Raises DecodeError beyond 32 bits or the end of the data."""
    value = shift = 0
    for end in range(at, min(at + UVARINT_BYTES_MAX, len(data))):
        byte = data[end]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFF_FFFF:
                break
            return value, end + 1
        shift += 7
    raise DecodeError(f"unsigned varint at {at} is cut short or too long")


def long_uvarint(data: bytes | memoryview, at: int, first: int) -> tuple[int, int]:
    """The rest of an unsigned varint whose first byte, above 127, was read just before `at`."""
    second = data[at]
    if second < 0x80:
        return first & 0x7F | second << 7, at + 1
    return decode_uvarint(data, at - 1)


def skip_tags(data: bytes | memoryview, at: int, count: int) -> int:
    """Where the tag section ends whose count, or the first byte of it, was read just before `at`."""
    if count > 0x7F:
        count, at = long_uvarint(data, at, count)
    for _ in range(count):
        _, at = decode_uvarint(data, at)
        size, at = decode_uvarint(data, at)
        at += size
    return at


def encode_varint(value: int) -> bytes:
    """Signed varint or varlong: zigzag, then LEB128. Records are made of these."""
    value = value << 1 ^ value >> 63
    if value < 0x80:
        return _ONE_BYTE[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_ONE_BYTE: Final = [bytes((value,)) for value in range(0x80)]
