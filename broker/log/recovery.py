"""Bring a segment back to what its file really holds, after a crash or when damage was met.

The batches are walked with their checksums, and the indexes follow. What is not a batch is one of two things:

- a torn end, where no valid batch follows: the last write of a crash. It is cut off.
- a damaged range with valid batches behind it. It stays, and is quarantined: see `quarantine`.
"""

import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from broker.log.header_walk import BATCH_LENGTH_MIN, crc_of_range, read_batch_header, walk_batches
from broker.log.quarantine import Quarantine
from broker.log.segment import Segment
from broker.protocol.record_batch import (
    CRC_FROM,
    LOG_OVERHEAD_BYTES,
    MAGIC,
    RECORD_BATCH_HEADER_BYTES,
    BatchHeader,
    read_header,
)

_MAGIC_AT: Final = 16
_MAGIC_BYTE: Final = bytes([MAGIC])
_OFFSET_AND_LENGTH: Final = struct.Struct(">qi")
_SEARCH_CHUNK_BYTES: Final = 1 << 20
_OFFSET_JUMP_MAX: Final = 2**31 - 1  # a segment's offsets fit an int32


class Recovered(NamedTuple):
    """What a scan of a segment found."""

    quarantines: list[Quarantine]
    """Damaged ranges in the scanned part."""
    torn_bytes: int
    """Bytes at the end of the file that are no batch; for an active segment to be cut off."""


class _Next(NamedTuple):
    position: int
    base_offset: int


def count_batches(segment: Segment, *, file_bytes: int, end_offset: int | None, index_interval_bytes: int) -> Recovered:
    """Walk from the segment's `size` to the end of its file; size, offsets and indexes follow. Raises OSError.

    `end_offset` is where the following segment begins. None: the log ends in this segment, and its end may be torn.
    """
    fd = segment.open()
    quarantines: list[Quarantine] = []
    while segment.size < file_bytes:
        _walk_good_batches(segment, fd, file_bytes, end_offset, index_interval_bytes)
        position, offset = segment.size, segment.next_offset
        if position == file_bytes:
            break
        following = find_next_batch(fd, position, file_bytes, offset)
        if following is None:
            break
        quarantines.append(Quarantine(segment.base_offset, offset, following.base_offset, position, following.position))
        segment.size, segment.next_offset = following
    torn_bytes = file_bytes - segment.size
    if end_offset is not None:
        if torn_bytes and segment.next_offset < end_offset:
            quarantines.append(
                Quarantine(segment.base_offset, segment.next_offset, end_offset, segment.size, file_bytes)
            )
        segment.size, segment.next_offset = file_bytes, end_offset
        torn_bytes = 0
    segment.visible_size = segment.size
    return Recovered(quarantines, torn_bytes)


def rescan(segment: Segment, *, index_interval_bytes: int) -> list[Quarantine]:
    """Count all batches of a segment in use again, because it is not what its indexes said; return the damaged ranges.

    Its size and its offsets stay what they were: nothing is cut off. Raises OSError.
    """
    was_sealed, size, visible_size, end_offset = (
        segment.is_sealed,
        segment.size,
        segment.visible_size,
        segment.next_offset,
    )
    segment.start_over()
    found = count_batches(segment, file_bytes=size, end_offset=end_offset, index_interval_bytes=index_interval_bytes)
    segment.quarantines = tuple(found.quarantines)
    segment.visible_size = visible_size
    if was_sealed:
        segment.seal()
    return found.quarantines


def _walk_good_batches(
    segment: Segment, fd: int, file_bytes: int, end_offset: int | None, index_interval_bytes: int
) -> None:
    start, expected_offset = segment.size, segment.next_offset
    for position, header in walk_batches(fd, start, file_bytes, offset_min=expected_offset, check_crc=True):
        if header.base_offset != expected_offset and _is_displaced(
            header, fd, position, file_bytes, expected_offset, end_offset
        ):
            return
        expected_offset = header.last_offset + 1
        segment.account(
            position,
            header.size_bytes,
            header.base_offset,
            header.last_offset,
            header.max_timestamp,
            index_interval_bytes,
        )


def _is_displaced(
    header: BatchHeader, fd: int, position: int, file_bytes: int, expected_offset: int, end_offset: int | None
) -> bool:
    """Whether a batch's base offset is damaged rather than after a gap, as compaction leaves them.

    The checksum does not cover the base offset, so the following batch must tell: it may not go on from where this one
    should have been. The last batch of the log is never compacted, so a gap before it is damage.
    """
    following = read_batch_header(
        fd, position + header.size_bytes, file_bytes, offset_min=expected_offset, check_crc=False
    )
    if following is not None:
        return following.base_offset <= header.last_offset
    return end_offset is None or header.last_offset >= end_offset


def find_next_batch(fd: int, position: int, end: int, offset: int) -> _Next | None:
    """The first valid batch behind the damage at `position`, where a batch with base offset `offset` should be.

    A record may itself contain bytes that are a valid batch (a copied segment, say). So as long as the damaged header
    is plausible we believe its length, or else its checksum, and do not look inside.
    """
    if end - position < RECORD_BATCH_HEADER_BYTES:
        return None
    header = read_header(os.pread(fd, RECORD_BATCH_HEADER_BYTES, position))
    offset_max = offset + _OFFSET_JUMP_MAX
    claimed_end = position + LOG_OVERHEAD_BYTES + header.batch_length
    is_followed = header.batch_length >= BATCH_LENGTH_MIN and claimed_end < end
    if is_followed:
        following = read_batch_header(fd, claimed_end, end, offset_min=offset + 1, check_crc=True)
        if following is not None and following.base_offset <= offset_max:
            return _Next(claimed_end, following.base_offset)
    is_plausible = (
        header.magic == MAGIC
        and header.base_offset == offset
        and header.last_offset_delta >= 0
        and header.record_count == header.last_offset_delta + 1
    )
    if not is_plausible:
        return _search(fd, position + 1, end, offset + 1, offset_max)
    # The checksum does not cover the length: if that alone is damaged, the checksum says where the batch ends.
    for found in _candidates(fd, position + 1, end, header.last_offset + 1, header.last_offset + 1):
        if crc_of_range(fd, position + CRC_FROM, found.position) == header.crc:
            return found
    return _search(fd, claimed_end, end, offset + 1, offset_max) if is_followed else None


def _search(fd: int, start: int, end: int, offset_min: int, offset_max: int) -> _Next | None:
    return next(_candidates(fd, start, end, offset_min, offset_max), None)


def _candidates(fd: int, start: int, end: int, offset_min: int, offset_max: int) -> Iterator[_Next]:
    """Every place at or after `start` with a valid batch whose base offset is in the (inclusive) range."""
    while start + RECORD_BATCH_HEADER_BYTES <= end:
        chunk = os.pread(fd, min(_SEARCH_CHUNK_BYTES, end - start), start)
        magic_at = chunk.find(_MAGIC_BYTE, _MAGIC_AT)
        while magic_at >= 0:
            at = magic_at - _MAGIC_AT
            base_offset, length = _OFFSET_AND_LENGTH.unpack_from(chunk, at)
            position = start + at
            if (
                offset_min <= base_offset <= offset_max
                and BATCH_LENGTH_MIN <= length <= end - position - LOG_OVERHEAD_BYTES
                and read_batch_header(fd, position, end, offset_min=offset_min, check_crc=True) is not None
            ):
                yield _Next(position, base_offset)
            magic_at = chunk.find(_MAGIC_BYTE, magic_at + 1)
        start += max(1, len(chunk) - _MAGIC_AT)
