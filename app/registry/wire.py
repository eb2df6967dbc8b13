"""What stands before a payload that a schema-aware client wrote: an id, or a guid in a header, and Protobuf's indexes.

Confluent's wire format: byte 0, the schema id as int32, the payload; since 8.0 also byte 1 and the 16 bytes of the
guid, in the record header `__key_schema_id` or `__value_schema_id`. Of Protobuf, the indexes of the message in its file
follow: zig-zag varints, their count first; the first message, [0], is one byte 0.
"""

from collections.abc import Sequence

from app.registry.errors import InvalidPayload
from app.schemas.framing import ID_PREFIX_BYTES, KEY_HEADER, VALUE_HEADER, read_guid, read_id, write_guid, write_id

__all__ = [
    "ID_PREFIX_BYTES",
    "KEY_HEADER",
    "VALUE_HEADER",
    "read_guid",
    "read_id",
    "read_indexes",
    "write_guid",
    "write_id",
    "write_indexes",
]

INDEXES_MAX = 100  # messages nested in messages: as many as a schema may nest


def write_indexes(indexes: Sequence[int]) -> bytes:
    """Protobuf's message indexes."""
    if tuple(indexes) == (0,):
        return b"\x00"
    return b"".join(_write_varint(number) for number in (len(indexes), *indexes))


def read_indexes(data: bytes, at: int = 0) -> tuple[tuple[int, ...], int]:
    """Protobuf's message indexes from an offset, and where the message starts. Raises InvalidPayload."""
    count, at = _read_varint(data, at)
    if count == 0:
        return (0,), at
    if not 0 < count <= INDEXES_MAX:
        raise InvalidPayload(f"{count} message indexes")
    indexes = []
    for _ in range(count):
        index, at = _read_varint(data, at)
        if index < 0:
            raise InvalidPayload(f"message index {index}")
        indexes.append(index)
    return tuple(indexes), at


def _write_varint(number: int) -> bytes:
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    written = bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            raise InvalidPayload("the message indexes end too early")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise InvalidPayload("a message index is longer than five bytes")
