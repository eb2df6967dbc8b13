"""Walk over the batches of a segment file, header by header, without opening them."""

import os
from collections.abc import Iterator
from typing import Final

from crc32c import crc32c

from broker.protocol.record_batch import (
    CRC_FROM,
    LOG_OVERHEAD_BYTES,
    MAGIC,
    RECORD_BATCH_HEADER_BYTES,
    BatchHeader,
    read_header,
)

BATCH_LENGTH_MIN: Final = RECORD_BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES

# Without checksums only the headers are wanted, and a large chunk would read the batches too.
_CHECKED_CHUNK_BYTES: Final = 1 << 20
_UNCHECKED_CHUNK_BYTES: Final = 1 << 14


def walk_batches(
    fd: int, start: int, end: int, *, offset_min: int, check_crc: bool
) -> Iterator[tuple[int, BatchHeader]]:
    """Yield (position, header) of each batch from `start` on.

    It ends where the file or `end` does, or before the first batch that cannot be one: wrong magic or length, cut off
    by `end`, offsets that go back below `offset_min` or, if asked for, a wrong checksum. So whoever wants to know
    compares the end of the last batch with `end`.
    """
    chunk_bytes = _CHECKED_CHUNK_BYTES if check_crc else _UNCHECKED_CHUNK_BYTES
    chunk, chunk_at = b"", start
    position = start
    while position + RECORD_BATCH_HEADER_BYTES <= end:
        if position - chunk_at + RECORD_BATCH_HEADER_BYTES > len(chunk):
            chunk, chunk_at = os.pread(fd, min(chunk_bytes, end - position), position), position
            if len(chunk) < RECORD_BATCH_HEADER_BYTES:
                return
        header = read_header(chunk, position - chunk_at)
        if not looks_like_batch(header, offset_min):
            return
        size = LOG_OVERHEAD_BYTES + header.batch_length
        if position + size > end:
            return
        if check_crc:
            if position - chunk_at + size > len(chunk) and size <= chunk_bytes:
                chunk, chunk_at = os.pread(fd, min(chunk_bytes, end - position), position), position
            at = position - chunk_at
            if at + size <= len(chunk):
                crc = crc32c(memoryview(chunk)[at + CRC_FROM : at + size])
            else:
                crc = crc_of_range(fd, position + CRC_FROM, position + size)
            if crc != header.crc:
                return
        yield position, header
        position += size
        offset_min = header.base_offset + header.last_offset_delta + 1


def looks_like_batch(header: BatchHeader, offset_min: int) -> bool:
    """Whether the header's own numbers are possible; the checksum is another matter."""
    return (
        header.magic == MAGIC
        and header.batch_length >= BATCH_LENGTH_MIN
        and header.last_offset_delta >= 0
        and header.base_offset >= offset_min
    )


def crc_of_range(fd: int, start: int, end: int) -> int:
    """CRC-32C of a range of the file, read in pieces: a damaged length may claim a gigabyte."""
    crc = 0
    while start < end:
        piece = os.pread(fd, min(_CHECKED_CHUNK_BYTES, end - start), start)
        if not piece:
            return -1
        crc = crc32c(piece, crc)
        start += len(piece)
    return crc


def read_batch_header(fd: int, position: int, end: int, *, offset_min: int, check_crc: bool) -> BatchHeader | None:
    """The header of the batch at `position`; None unless a whole, possible batch lies there."""
    for _, header in walk_batches(fd, position, end, offset_min=offset_min, check_crc=check_crc):
        return header
    return None
