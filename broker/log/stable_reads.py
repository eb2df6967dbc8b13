"""Cut what was read to what a read_committed consumer may see: nothing at or after the last stable offset."""

import struct
from typing import Final

from broker.protocol.record_batch import LOG_OVERHEAD_BYTES

_OFFSET_AND_LENGTH: Final = struct.Struct(">qi")
_LAST_OFFSET_DELTA: Final = struct.Struct(">i")
_LAST_OFFSET_DELTA_AT: Final = 23


def before_offset(records: bytes | memoryview, end_offset: int) -> bytes | memoryview:
    """The batches that begin before `end_offset`; the last one may be cut off, as it came."""
    at = 0
    while at + LOG_OVERHEAD_BYTES <= len(records):
        base_offset, length = _OFFSET_AND_LENGTH.unpack_from(records, at)
        if base_offset >= end_offset:
            return memoryview(records)[:at] if at else b""
        at += LOG_OVERHEAD_BYTES + length
    return records


def end_offset_of(records: bytes | memoryview) -> int:
    """The offset after the last batch, which may be cut off; 0 if there is none."""
    at = end_offset = 0
    while at + _LAST_OFFSET_DELTA_AT + _LAST_OFFSET_DELTA.size <= len(records):
        base_offset, length = _OFFSET_AND_LENGTH.unpack_from(records, at)
        end_offset = base_offset + _LAST_OFFSET_DELTA.unpack_from(records, at + _LAST_OFFSET_DELTA_AT)[0] + 1
        at += LOG_OVERHEAD_BYTES + length
    return end_offset
