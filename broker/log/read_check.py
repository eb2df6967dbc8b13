"""Checksums of what is read back from a segment's file, so that a flipped bit is never served as good.

What was written a moment ago is passed on as it is; everything older is checked on its way out: in memory before the
answer, and in files piece by piece while it is sent.

Differs from Kafka: a batch with a wrong checksum is answered with CORRUPT_MESSAGE, because many consumers do not look.
"""

from struct import Struct
from typing import Final, NamedTuple

from crc32c import crc32c

from broker.log.header_walk import BATCH_LENGTH_MIN
from broker.protocol.record_batch import CRC_FROM, LOG_OVERHEAD_BYTES, MAGIC, RECORD_BATCH_HEADER_BYTES

_CHECKED: Final = Struct(">qi4xbI2xi")  # base offset, batch length, magic, checksum, last offset delta


class BatchDamaged(Exception):
    """A batch is not what its checksum says, or its offsets cannot be right."""


class Checked(NamedTuple):
    """The last whole batch of a range that is good; `end` is where in the data it ends."""

    end: int
    last_offset: int
    is_after_gap: bool
    """Whether there are offsets between it and the batch before: only the one behind tells if its own are right."""


def check_batches(data: bytes | memoryview, start: int, end: int) -> Checked:
    """Check every whole batch in `data[start:end]`; a last one that is cut off is left to the next read.

    The checksum does not cover the base offset: offsets must not go back from one batch to the next. Raises
    BatchDamaged.
    """
    view = memoryview(data)
    unpack = _CHECKED.unpack_from
    offset_min, at = 0, start
    is_after_gap = False
    while at + RECORD_BATCH_HEADER_BYTES <= end:
        base_offset, length, magic, crc, last_offset_delta = unpack(data, at)
        next_at = at + LOG_OVERHEAD_BYTES + length
        if magic != MAGIC or length < BATCH_LENGTH_MIN or base_offset < offset_min:
            raise BatchDamaged(f"no batch {at - start} bytes into the range")
        if next_at > end:
            break
        if crc32c(view[at + CRC_FROM : next_at]) != crc:
            raise BatchDamaged(f"wrong checksum of the batch with base offset {base_offset}")
        is_after_gap = base_offset != offset_min and at != start
        offset_min = base_offset + last_offset_delta + 1
        at = next_at
    return Checked(at, offset_min - 1, is_after_gap)


class StreamCheck:
    """As `check_batches`, for a range that is read piece by piece from the start of a batch on."""

    __slots__ = ("_crc", "_end_offset", "_expected_crc", "_header", "_left", "_offset_min")

    def __init__(self, end_offset: int) -> None:
        self._end_offset = end_offset
        """No batch goes beyond this offset."""
        self._header = b""
        """What was read of a header that is not whole yet."""
        self._left = 0
        """Bytes of the current batch behind its header that are still to come."""
        self._crc = self._expected_crc = self._offset_min = 0

    @property
    def is_amid_batch(self) -> bool:
        """Whether the last batch is not whole yet."""
        return bool(self._left or self._header)

    def feed(self, piece: bytes) -> None:
        """Check the batches that end in this piece. Raises BatchDamaged."""
        view = memoryview(piece)
        at, size = 0, len(piece)
        while at < size:
            if self._left:
                taken = view[at : at + self._left]
                self._crc = crc32c(taken, self._crc)
                self._left -= len(taken)
                at += len(taken)
            else:
                missing = RECORD_BATCH_HEADER_BYTES - len(self._header)
                self._header += view[at : at + missing]
                at += missing
                if len(self._header) < RECORD_BATCH_HEADER_BYTES:
                    return
                self._begin(self._header)
                self._header = b""
            if not self._left and self._crc != self._expected_crc:
                raise BatchDamaged(f"wrong checksum of the batch before offset {self._offset_min}")

    def _begin(self, header: bytes) -> None:
        base_offset, length, magic, self._expected_crc, last_offset_delta = _CHECKED.unpack_from(header)
        if magic != MAGIC or length < BATCH_LENGTH_MIN or base_offset < self._offset_min:
            raise BatchDamaged(f"no batch at offset {self._offset_min}")
        self._offset_min = base_offset + last_offset_delta + 1
        if self._offset_min > self._end_offset:
            raise BatchDamaged(f"the batch with base offset {base_offset} is beyond the end")
        self._left = length + LOG_OVERHEAD_BYTES - RECORD_BATCH_HEADER_BYTES
        self._crc = crc32c(header[CRC_FROM:])
