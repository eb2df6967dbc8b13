"""Log compaction: of each key only the last record stays, in the closed segments of a log.

A run reads the log twice. First the part that was never compacted, to learn at which offset each key was written last;
then all of it, to write it again without what is superseded. Offsets never change. What a run may drop, as in Kafka:

- records with a later record of the same key, records without a key, and records of aborted transactions;
- tombstones, once their batch has carried a delete horizon (KIP-534) and that time has come;
- transaction markers likewise, once no batch of their transaction is left.

The last batch of a producer that is still known stays, if need be without records. A batch that stays whole is copied
as it is; the others are written again in their own codec. It all happens on files that do not change, so it may run in
any thread or process (`compaction_worker`); taking the result into use is `PartitionLog.replace_segments`.
"""

import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from broker.log.batch_keys import RecordKeys, read_keys, without_others, without_records
from broker.log.cleaned_segment import CleanedSegment
from broker.log.header_walk import looks_like_batch
from broker.log.segment import INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX
from broker.log.segment_swap import stem
from broker.log.time_index import ENTRY_BYTES as TIME_ENTRY_BYTES
from broker.log.transaction_outcomes import (
    AbortedTransaction,
    LogFile,
    Outcome,
    TransactionOutcomes,
    aborted_content,
    read_aborted,
)
from broker.protocol.primitives import DecodeError
from broker.protocol.record_batch import (
    DELETE_HORIZON,
    LOG_OVERHEAD_BYTES,
    RECORD_BATCH_HEADER_BYTES,
    BatchHeader,
    check_crc,
    read_header,
)

KEY_MAP_BYTES_MAX: Final = 128 << 20
KEY_BYTES: Final = 160
"""About what a key takes in the key map, most of it Python's own."""

_CHUNK_BYTES: Final = 2 << 20
_OFFSETS_MAX: Final = 2**31 - 1  # a segment's offsets fit an int32

Throttle = Callable[[int], None]
"""Told how many bytes were read or written; may wait."""


class DamagedSegment(Exception):
    """A segment is not what it must be, so nothing of it may be dropped."""

    def __init__(self, base_offset: int) -> None:
        super().__init__(f"the segment at offset {base_offset} is damaged")
        self.base_offset = base_offset


class ClosedSegment(Struct, frozen=True, gc=False):
    """A segment that is no longer appended to."""

    base_offset: int
    end_offset: int
    """Where the next segment begins."""
    size: int


class LastOfProducer(Struct, frozen=True, gc=False):
    """What a producer that is still known wrote last."""

    last_offset: int
    """Of its last batch of records; -1 if it wrote a marker only."""
    epoch: int


class CompactionPlan(Struct, frozen=True):
    """All that a run has to know of a log."""

    folder: str
    folder_inode: int
    segments: list[ClosedSegment]
    """Those that may be compacted, from the first of the log on."""
    first_dirty_offset: int
    """Everything before was compacted already."""
    later_segments: list[ClosedSegment]
    """The rest of the log: markers in there decide about transactions."""
    producers: dict[int, LastOfProducer]
    now_ms: int
    delete_retention_ms: int
    segment_bytes: int
    segment_index_bytes: int
    index_interval_bytes: int
    key_map_bytes_max: int = KEY_MAP_BYTES_MAX

    @property
    def end_offset(self) -> int:
        """Where the segments that may be compacted end."""
        return self.segments[-1].end_offset


class ReplacedSegments(Struct, frozen=True, tag="replaced"):
    """A group of old segments whose successor lies there as `.swap` files."""

    base_offsets: list[int]
    end_offset: int
    size: int


class Compacted(Struct, frozen=True, tag="compacted"):
    """A run is over; the log is now compacted up to `end_offset`."""

    end_offset: int
    bytes_before: int
    bytes_after: int
    key_count: int


@dataclass(slots=True)
class _KeyMap:
    """What the first reading has found."""

    offsets: dict[bytes | None, int]
    """The last offset of each key in the dirty part."""
    end_offset: int
    """Records from here on were not looked at, and stay."""
    survivors: "array[int]"
    """The same offsets, in order."""
    with_tombstones: set[int]
    """Base offsets of batches that have records without a value."""
    unreadable: set[int]
    """Base offsets of batches whose records are not what the header says."""


def compact(plan: CompactionPlan, throttle: Throttle | None = None) -> Iterator[ReplacedSegments | Compacted]:
    """Run; after each answer the `.swap` files of a group of segments are there, to be taken into use.

    Raises DamagedSegment, OSError.
    """
    folder_fd = os.open(plan.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.fstat(folder_fd).st_ino != plan.folder_inode:
            raise FileNotFoundError(f"{plan.folder} is another folder now")
        yield from _Run(plan, folder_fd, throttle or (lambda _: None)).run()
    finally:
        os.close(folder_fd)


class _Run:
    def __init__(self, plan: CompactionPlan, folder_fd: int, throttle: Throttle) -> None:
        self._plan = plan
        self._folder_fd = folder_fd
        self._throttle = throttle
        files = [LogFile(_log_name(segment), segment.size) for segment in [*plan.segments, *plan.later_segments]]
        self._outcomes = TransactionOutcomes(folder_fd, files)
        self._unmarked: set[int] = set()
        """Producers of whose current transaction a batch was met, but no marker yet."""
        self._met_aborts: set[tuple[int, int]] = set()
        """(producer id, offset) of the abort markers that still have a batch before them."""

    def run(self) -> Iterator[ReplacedSegments | Compacted]:
        self._map = self._map_keys()
        segments = [segment for segment in self._plan.segments if segment.base_offset < self._map.end_offset]
        after = 0
        for group in self._grouped(segments):
            replaced = self._clean(group)
            after += replaced.size if replaced else sum(segment.size for segment in group)
            if replaced is not None:
                yield replaced
        before = sum(segment.size for segment in segments)
        yield Compacted(self._map.end_offset, before, after, len(self._map.offsets))

    # -- the first reading

    def _map_keys(self) -> _KeyMap:
        plan = self._plan
        offsets: dict[bytes | None, int] = {}
        key_map = _KeyMap(offsets, plan.end_offset, array("q"), set(), set())
        keys_max = max(1, plan.key_map_bytes_max // KEY_BYTES)
        for segment in plan.segments:
            if segment.end_offset <= plan.first_dirty_offset:
                continue
            for batch, header in self._batches(segment):
                if header.last_offset < plan.first_dirty_offset:
                    continue
                if len(offsets) >= keys_max or not self._map_batch(batch, header, key_map, segment):
                    key_map.end_offset = header.base_offset
                    break
            else:
                continue
            break
        offsets.pop(None, None)
        key_map.survivors = array("q", sorted(offsets.values()))
        return key_map

    def _map_batch(self, batch: memoryview, header: BatchHeader, key_map: _KeyMap, segment: ClosedSegment) -> bool:
        """Take in the keys of a batch; False if it may not be compacted yet.

        Differs from Kafka: a batch whose records cannot be read is kept as it is, because Kafka then never compacts the
        partition again.
        """
        if not check_crc(batch, header):
            raise DamagedSegment(segment.base_offset)
        if header.is_control:
            return True
        if header.is_transactional:
            outcome = self._outcomes.of(header)
            if outcome is not Outcome.COMMITTED:
                return outcome is Outcome.ABORTED
        try:
            records = read_keys(batch, header)
        except DecodeError:
            key_map.unreadable.add(header.base_offset)
            return True
        key_map.offsets.update(zip(records.keys, map(header.base_offset.__add__, records.deltas), strict=True))
        if records.tombstones:
            key_map.with_tombstones.add(header.base_offset)
        return True

    # -- the second reading

    def _grouped(self, segments: Sequence[ClosedSegment]) -> Iterator[list[ClosedSegment]]:
        """Neighbours that fit into one segment even if nothing of them is dropped, as Kafka groups them."""
        plan, group = self._plan, list[ClosedSegment]()
        log_bytes = index_bytes = time_index_bytes = 0
        for segment in segments:
            index, time_index = (self._size_of(segment, suffix) for suffix in (INDEX_SUFFIX, TIME_INDEX_SUFFIX))
            if group and (
                log_bytes + segment.size > plan.segment_bytes
                or index_bytes + index > plan.segment_index_bytes
                or time_index_bytes + time_index > plan.segment_index_bytes - TIME_ENTRY_BYTES
                or segment.end_offset - group[0].base_offset > _OFFSETS_MAX
            ):
                yield group
                group, log_bytes, index_bytes, time_index_bytes = [], 0, 0, 0
            group.append(segment)
            log_bytes += segment.size
            index_bytes += index
            time_index_bytes += time_index
        if group:
            yield group

    def _clean(self, group: Sequence[ClosedSegment]) -> ReplacedSegments | None:
        """Write a group again; None if that would change nothing."""
        source_fd = self._open(group[0]) if len(group) == 1 else None
        cleaned = CleanedSegment(
            self._folder_fd,
            group[0].base_offset,
            index_interval_bytes=self._plan.index_interval_bytes,
            source_fd=source_fd,
        )
        try:
            for segment in group:
                self._clean_into(cleaned, segment)
            if not cleaned.is_begun:
                return None
            cleaned.finish(
                end_offset=group[-1].end_offset,
                modified_ns=os.stat(_log_name(group[-1]), dir_fd=self._folder_fd).st_mtime_ns,
                aborted=self._aborted_of(group),
            )
        except BaseException:
            cleaned.discard()
            raise
        finally:
            if source_fd is not None:
                os.close(source_fd)
        return ReplacedSegments([segment.base_offset for segment in group], group[-1].end_offset, cleaned.size)

    def _clean_into(self, cleaned: CleanedSegment, segment: ClosedSegment) -> None:
        for batch, header in self._batches(segment):
            kept = self._kept_of_marker(batch, header) if header.is_control else self._kept_of(batch, header, segment)
            if kept is batch:
                cleaned.keep(batch, header)
            elif kept is None:
                cleaned.begin()
            else:
                assert isinstance(kept, bytes)
                cleaned.add(kept, header, read_header(kept).max_timestamp)

    def _kept_of(self, batch: memoryview, header: BatchHeader, segment: ClosedSegment) -> bytes | memoryview | None:
        """What stays of a batch of records; the same object when all of it does."""
        key_map, base_offset = self._map, header.base_offset
        if header.is_transactional:
            self._unmarked.add(header.producer_id)
        if base_offset >= key_map.end_offset or base_offset in key_map.unreadable:
            return batch
        if header.last_offset >= self._plan.first_dirty_offset:
            first = bisect_left(key_map.survivors, base_offset)
            survivors = key_map.survivors[first : bisect_left(key_map.survivors, header.last_offset + 1, first)]
            if not survivors:
                return self._nothing_of(batch, header)
            if len(survivors) == header.record_count and base_offset not in key_map.with_tombstones:
                return batch
            records = self._records(batch, header, segment)
            wanted = set(survivors)
            kept = [place for place, delta in enumerate(records.deltas) if base_offset + delta in wanted]
        else:
            if not header.record_count:
                return self._nothing_of(batch, header)
            try:
                records = self._records(batch, header, segment)
            except DecodeError:
                return batch
            later = key_map.offsets
            kept = [place for place, key in enumerate(records.keys) if key not in later and key is not None]
        return self._with_tombstones(batch, header, records, kept)

    def _with_tombstones(
        self, batch: memoryview, header: BatchHeader, records: RecordKeys, kept: list[int]
    ) -> bytes | memoryview | None:
        """The kept records, of which tombstones get a delete horizon, or go when it has come."""
        delete_horizon_ms = None
        if records.tombstones and not set(records.tombstones).isdisjoint(kept):
            if not header.attributes & DELETE_HORIZON:
                delete_horizon_ms = self._plan.now_ms + self._plan.delete_retention_ms
            elif header.base_timestamp <= self._plan.now_ms:
                gone = set(records.tombstones)
                kept = [place for place in kept if place not in gone]
        if not kept:
            return self._nothing_of(batch, header)
        if len(kept) == header.record_count and delete_horizon_ms is None:
            return batch
        return without_others(header, records, kept, delete_horizon_ms=delete_horizon_ms)

    def _kept_of_marker(self, batch: memoryview, header: BatchHeader) -> bytes | memoryview | None:
        """A marker stays while there are batches of its transaction, and then until its delete horizon."""
        is_needed = header.producer_id in self._unmarked
        self._unmarked.discard(header.producer_id)
        if is_needed:
            self._met_aborts.add((header.producer_id, header.base_offset))
        if is_needed or header.base_offset >= self._map.end_offset:
            return batch
        if not header.record_count:
            return self._nothing_of(batch, header)
        if not header.attributes & DELETE_HORIZON and check_crc(batch, header):
            try:
                records = read_keys(batch, header)
            except DecodeError:
                return batch
            horizon_ms = self._plan.now_ms + self._plan.delete_retention_ms
            return without_others(header, records, [0], delete_horizon_ms=horizon_ms)
        is_due = header.attributes & DELETE_HORIZON and header.base_timestamp <= self._plan.now_ms
        return self._nothing_of(batch, header) if is_due else batch

    def _nothing_of(self, batch: memoryview, header: BatchHeader) -> bytes | memoryview | None:
        """Nothing, or the header alone if it tells what a producer that is still known wrote last."""
        last = self._plan.producers.get(header.producer_id)
        if last is None:
            return None
        if last.last_offset >= 0:
            is_last = header.last_offset == last.last_offset
        else:
            is_last = header.is_control and header.producer_epoch == last.epoch
        if not is_last:
            return None
        return without_records(header) if header.record_count else batch

    def _records(self, batch: memoryview, header: BatchHeader, segment: ClosedSegment) -> RecordKeys:
        if not check_crc(batch, header):
            raise DamagedSegment(segment.base_offset)
        return read_keys(batch, header)

    def _aborted_of(self, group: Sequence[ClosedSegment]) -> bytes | None:
        """The `.txnindex` for the group: the entries whose transaction still has batches. None: there is none."""
        found: list[AbortedTransaction] = []
        is_indexed = False
        for segment in group:
            try:
                fd = os.open(stem(segment.base_offset) + TXN_INDEX_SUFFIX, os.O_RDONLY, dir_fd=self._folder_fd)
            except FileNotFoundError:
                continue
            is_indexed = True
            with open(fd, "rb") as file:
                found += read_aborted(file.read())
        if not is_indexed:
            return None
        end_offset, met = self._map.end_offset, self._met_aborts
        return aborted_content(
            transaction
            for transaction in found
            if transaction.last_offset >= end_offset or (transaction.producer_id, transaction.last_offset) in met
        )

    # -- reading

    def _batches(self, segment: ClosedSegment) -> Iterator[tuple[memoryview, BatchHeader]]:
        """Every batch of a segment, whole, with its header. Raises DamagedSegment."""
        fd = self._open(segment)
        try:
            position, offset_min = 0, segment.base_offset
            while position < segment.size:
                chunk = memoryview(os.pread(fd, min(_CHUNK_BYTES, segment.size - position), position))
                at, size = 0, RECORD_BATCH_HEADER_BYTES
                while at + RECORD_BATCH_HEADER_BYTES <= len(chunk):
                    header = read_header(chunk, at)
                    size = LOG_OVERHEAD_BYTES + header.batch_length
                    if (
                        not looks_like_batch(header, offset_min)
                        or position + at + size > segment.size
                        or header.last_offset >= segment.end_offset
                    ):
                        raise DamagedSegment(segment.base_offset)
                    if at + size > len(chunk):
                        break
                    yield chunk[at : at + size], header
                    at += size
                    offset_min = header.last_offset + 1
                if at == 0:
                    if position + RECORD_BATCH_HEADER_BYTES > segment.size:
                        raise DamagedSegment(segment.base_offset)
                    chunk = memoryview(os.pread(fd, size, position))  # larger than a chunk
                    if len(chunk) < size:
                        raise DamagedSegment(segment.base_offset)
                    header = read_header(chunk)
                    yield chunk, header
                    at, offset_min = size, header.last_offset + 1
                position += at
                self._throttle(at)
        finally:
            os.close(fd)

    def _open(self, segment: ClosedSegment) -> int:
        return os.open(_log_name(segment), os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder_fd)

    def _size_of(self, segment: ClosedSegment, suffix: str) -> int:
        try:
            return os.stat(stem(segment.base_offset) + suffix, dir_fd=self._folder_fd).st_size
        except FileNotFoundError:
            return 0


def _log_name(segment: ClosedSegment) -> str:
    return stem(segment.base_offset) + LOG_SUFFIX
