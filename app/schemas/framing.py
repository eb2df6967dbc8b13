"""Where a record says which schema it was written by: a prefix of its bytes, or a header.

Confluent's wire format: byte 0, the schema id as int32, the payload; since 8.0 also byte 1 and the 16 bytes of the
guid, in the record header `__key_schema_id` or `__value_schema_id`. A header is looked at first. What follows the guid
in a header (Protobuf's message indexes) belongs in front of the payload.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

KEY_HEADER = "__key_schema_id"
VALUE_HEADER = "__value_schema_id"
ID_PREFIX_BYTES = 5
GUID_HEADER_BYTES = 17


def write_id(schema_id: int) -> bytes:
    """The classic prefix: byte 0 and the id."""
    return b"\x00" + schema_id.to_bytes(4, "big")


def read_id(data: bytes) -> tuple[int, int] | None:
    """The schema id and where the payload starts; None if data does not start with the classic prefix."""
    if len(data) < ID_PREFIX_BYTES or data[0] != 0:
        return None
    return int.from_bytes(data[1:ID_PREFIX_BYTES], "big"), ID_PREFIX_BYTES


def write_guid(guid: UUID) -> bytes:
    """The value of the record header that names a schema by its guid."""
    return b"\x01" + guid.bytes


def read_guid(header: bytes) -> UUID | None:
    """The guid in a record header; None if it holds none."""
    return UUID(bytes=bytes(header[1:])) if len(header) == 17 and header[0] == 1 else None


@dataclass(frozen=True, slots=True)
class Framed:
    """A payload and the schema that is named for it: by the id of a registry, or by guid."""

    schema: int | UUID
    payload: bytes


def unframe(data: bytes, headers: Iterable[tuple[str, bytes | None]], *, is_key: bool) -> Framed | None:
    """None for bytes that name no schema."""
    wanted = KEY_HEADER if is_key else VALUE_HEADER
    for name, header in headers:
        if name == wanted and header:
            framed = _unframe_header(header, data)
            if framed is not None:
                return framed
    found = read_id(data)
    return None if found is None else Framed(found[0], data[found[1] :])


def _unframe_header(header: bytes, data: bytes) -> Framed | None:
    guid = read_guid(header[:GUID_HEADER_BYTES])
    if guid is not None:
        return Framed(guid, header[GUID_HEADER_BYTES:] + data)
    found = read_id(header)
    return None if found is None else Framed(found[0], header[found[1] :] + data)
