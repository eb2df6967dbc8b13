"""One partition's log: append, read, find by time, roll, retain, delete records, truncate.

All methods run to completion on one thread. Time comes in as an argument; what must happen elsewhere (flushing,
removing files, checkpoints) is left to the owner, the `LogDirectory`.
"""

import bisect
import contextlib
import functools
import logging
import os
import random
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple, Protocol, TypeVar

from crc32c import crc32c

from broker.errors import (
    CorruptMessage,
    InvalidTimestamp,
    KafkaStorageError,
    NotLeaderOrFollower,
    OffsetOutOfRange,
    RecordListTooLarge,
)
from broker.log.disk_reserve import DiskReserve
from broker.log.file_span import FileSpan
from broker.log.flush import FlushTarget
from broker.log.loading import load_log, load_producer_state, report_new, rescan_and_report
from broker.log.log_config import NEVER_MS, FlushMode, LogConfig
from broker.log.offset_index import ENTRY_BYTES as INDEX_ENTRY_BYTES
from broker.log.open_files import OpenFiles
from broker.log.producer_state import snapshot_path
from broker.log.quarantine import Quarantine
from broker.log.recovery import count_batches
from broker.log.retention import count_deletable
from broker.log.segment import (
    EVERYTHING,
    INDEX_SUFFIX,
    POSITION_MAX,
    TIME_INDEX_SUFFIX,
    DamageFound,
    Segment,
)
from broker.log.segment_scan import SCANNED_AT_ONCE_BYTES, SegmentScan
from broker.log.segment_swap import complete_swap
from broker.log.time_index import ENTRY_BYTES as TIME_ENTRY_BYTES
from broker.log.waiters import DurabilityWaiter, DurabilityWaiters, Waiter, Waiters
from broker.protocol.record_batch import (
    CRC_FROM,
    LOG_APPEND_TIME,
    LOG_OVERHEAD_BYTES,
    NO_PRODUCER_ID,
    NO_TIMESTAMP,
    BatchHeader,
    build_marker,
    check_crc,
    iter_records,
    read_header,
    stamp_log_append_time,
)

log = logging.getLogger(__name__)

DELETE_TO_HIGH_WATERMARK: Final = -1

_ASSIGNED: Final = Struct(">qii")  # base offset, batch length, leader epoch: the bytes before the checksum
_CRC: Final = Struct(">I")
_T = TypeVar("_T")
_by_base_offset = attrgetter("base_offset")
_new_tuple = tuple.__new__


class Appended(NamedTuple):
    """Where a batch went."""

    base_offset: int
    log_append_time_ms: int
    """-1 if the producer's timestamps stand."""
    end_offset: int
    """After the batch: wait for this offset with `when_durable`."""
    is_duplicate: bool = False
    """It was there already, and this is where."""


class TimestampedOffset(NamedTuple):
    """A record found by its timestamp."""

    timestamp_ms: int
    offset: int
    leader_epoch: int


class LogOwner(Protocol):
    """What a log leaves to the data root."""

    reserve: DiskReserve
    on_scan_wanted: Callable[[SegmentScan], None] | None
    """Takes the scans that are to be run in a thread; None: there is nobody who would."""

    def mark_dirty(self, partition_log: "PartitionLog", *, is_urgent: bool = True) -> None:
        """The log has bytes that should be forced to disk; unless urgent, with the next round."""

    def remove_later(self, paths: list[str], delay_ms: int) -> None:
        """These files are no longer used; remove them after the delay."""

    def save_log_start_offsets(self) -> None:
        """The log start offset moved and must be on disk now. Raises OSError."""


class PartitionLog:
    """The records of one partition, as the segments of one folder.

    Offsets, all as of now: `log_start_offset` is the first that can be read, `high_watermark` the end of what consumers
    may see, `log_end_offset` the next to be given. The last two are equal, save under the strict flush policy, where
    the high watermark waits for the disk. `size_bytes` counts the `.log` files, `fetched_bytes`
    what was sent of them since the log was opened (by whoever sends it).
    """

    __slots__ = (
        "_active",
        "_durability_waiters",
        "_files",
        "_flush_due_ms",
        "_flushed_offset",
        "_found_bytes",
        "_found_end_offset",
        "_generation",
        "_index_entries_max",
        "_is_active_dated",
        "_is_essential",
        "_is_folder_new",
        "_is_log_append_time",
        "_is_strict",
        "_mode",
        "_owner",
        "_reserve",
        "_roll_above_ms",
        "_scans",
        "_segments",
        "_snapshot_offset",
        "_storage_error",
        "_unfinished_paths",
        "_unflushed_sealed",
        "_waiters",
        "_wants_flush",
        "aborted_transactions",
        "config",
        "fetched_bytes",
        "folder",
        "high_watermark",
        "is_being_compacted",
        "is_closed",
        "is_dirty",
        "leader_epoch",
        "leader_epochs",
        "log_end_offset",
        "log_start_offset",
        "partition",
        "producer_state",
        "size_bytes",
        "topic",
        "torn_bytes",
    )

    def __init__(
        self,
        folder: str,
        topic: str,
        partition: int,
        config: LogConfig,
        files: OpenFiles,
        owner: LogOwner,
        mode: FlushMode,
        *,
        is_clean: bool,
        recovery_point: int,
        log_start_offset: int,
        now_ms: int,
        is_essential: bool = False,
    ) -> None:
        """Open the folder's log; after an unclean stop it is recovered first. Raises OSError.

        An essential log is appended to even when the disk is full.
        """
        self.folder, self.topic, self.partition = folder, topic, partition
        self._files, self._owner, self._mode = files, owner, mode
        self._reserve, self._is_essential = owner.reserve, is_essential
        self._scans: dict[int, SegmentScan] = {}
        """Those that run or have failed, by the segment's base offset."""
        loaded = load_log(
            folder,
            files,
            config,
            is_clean=is_clean,
            recovery_point=recovery_point,
            log_start_offset=log_start_offset,
            now_ms=now_ms,
        )
        self._segments = loaded.segments
        self._active = loaded.segments[-1]
        self._active.cold_size = self._active.size
        self.log_start_offset = loaded.log_start_offset
        self.log_end_offset = self.high_watermark = self._active.next_offset
        self.size_bytes = sum(segment.size for segment in loaded.segments)
        self.producer_state = loaded.producer_state
        self.leader_epochs = loaded.leader_epochs
        self.leader_epoch = loaded.leader_epochs[-1][0]
        self.torn_bytes = loaded.torn_bytes
        self.fetched_bytes = 0
        self._found_bytes, self._found_end_offset = self.size_bytes, self.log_end_offset
        self.aborted_transactions = loaded.aborted_transactions
        self._snapshot_offset = loaded.snapshot_offset
        self._waiters = Waiters()
        self._durability_waiters = DurabilityWaiters()
        self._storage_error: str | None = None
        self._generation = 0
        self._unflushed_sealed: list[Segment] = []
        self._unfinished_paths: list[str] = []
        self._is_folder_new = False
        self.is_being_compacted = False
        self.is_closed = False
        self.is_dirty = False
        self._flush_due_ms = NEVER_MS
        self._flushed_offset = self.log_end_offset if is_clean else min(recovery_point, self.log_end_offset)
        self.config = config
        self.reconfigure(config)
        if self._flushed_offset < self.log_end_offset:
            if self._is_strict:
                self.flush()  # what a crash left in the kernel's cache is shown to consumers only from the disk
            else:
                self._mark_dirty(now_ms)

    def note_new_folder(self) -> None:
        """The folder was just made: the first flush must also put its name on disk."""
        self._is_folder_new = True

    def reconfigure(self, config: LogConfig) -> None:
        """Obey other topic configs from now on."""
        self.config = config
        self._is_log_append_time = config.is_log_append_time
        self._index_entries_max = min(
            config.segment_index_bytes // INDEX_ENTRY_BYTES, config.segment_index_bytes // TIME_ENTRY_BYTES - 1
        )
        self._is_strict = self._mode is FlushMode.ALWAYS or config.flush_messages == 1
        self._wants_flush = (
            self._is_strict
            or self._mode is not FlushMode.NEVER
            or config.flush_messages < NEVER_MS
            or config.flush_ms < NEVER_MS
        )
        if not self._is_strict:
            self._show_all()
        self._schedule_roll()

    # -- append

    def append(self, batch: memoryview | bytearray | bytes, header: BatchHeader, *, now_ms: int) -> Appended:
        """Give the batch its offsets and write it at the end of the log.

        The batch is whole and checked, `header` is its header; base offset and leader epoch (and the timestamp, if the
        topic has LogAppendTime) are patched in place, in a copy if it is read-only. `now_ms` is wall-clock time.
        A batch that an idempotent producer sent before is not written again: see `is_duplicate`.

        Raises InvalidTimestamp, RecordListTooLarge, InvalidProducerEpoch, OutOfOrderSequenceNumber; KafkaStorageError
        if the disk refuses. Then nothing has changed.
        """
        if self._storage_error is not None:
            raise KafkaStorageError(self._storage_error)
        if self._reserve.is_spent and not self._is_essential and not self._reserve.refill():
            raise KafkaStorageError("the disk is full: delete topics or records, or make room")
        config = self.config
        batch_length, producer_id = header.batch_length, header.producer_id
        max_timestamp_ms, base_timestamp_ms = header.max_timestamp, header.base_timestamp
        if self._is_log_append_time:
            max_timestamp_ms = now_ms
        elif max_timestamp_ms - now_ms > config.message_timestamp_after_max_ms or (
            now_ms - base_timestamp_ms > config.message_timestamp_before_max_ms and base_timestamp_ms != NO_TIMESTAMP
        ):
            raise self._out_of_range(header, now_ms)
        size = LOG_OVERHEAD_BYTES + batch_length
        if size > config.segment_bytes:
            raise RecordListTooLarge(f"a batch of {size} bytes does not fit segment.bytes={config.segment_bytes}")
        if producer_id > NO_PRODUCER_ID:
            sent = self.producer_state.check(header)
            if sent is not None:
                # Kafka, too, answers the batch's timestamp here, whatever the timestamp type of the topic is.
                return Appended(sent.base_offset, sent.timestamp_ms, sent.last_offset + 1, is_duplicate=True)

        base_offset = self.log_end_offset
        last_offset = base_offset + header.last_offset_delta
        segment = self._active
        position = segment.size
        if position and (
            position + size > config.segment_bytes
            or (max_timestamp_ms if self._is_active_dated else now_ms) > self._roll_above_ms
            or segment.index_entry_count >= self._index_entries_max
            or last_offset - segment.base_offset > POSITION_MAX
        ):
            segment = self._roll(now_ms)
            position = 0
        if isinstance(batch, bytes) or (type(batch) is memoryview and batch.readonly):
            batch = bytearray(batch)
        _ASSIGNED.pack_into(batch, 0, base_offset, batch_length, self.leader_epoch)
        if self._is_log_append_time:
            stamp_log_append_time(batch, now_ms)
        elif header.attributes & LOG_APPEND_TIME:
            _clear_log_append_time(batch)
        try:
            segment.append(batch, base_offset, last_offset, max_timestamp_ms, config.index_interval_bytes)
        except KafkaStorageError as error:
            if not self._reserve.spend(error.__cause__) or not self._is_essential:
                raise
            segment.append(batch, base_offset, last_offset, max_timestamp_ms, config.index_interval_bytes)

        self.size_bytes += size
        self.log_end_offset = end_offset = last_offset + 1
        if producer_id > NO_PRODUCER_ID:
            self.producer_state.record(header, base_offset, max_timestamp_ms)
        if not position:
            self._schedule_roll()
        if not self.is_dirty and self._wants_flush:
            self._mark_dirty(now_ms)
        if not self._is_strict:
            segment.visible_size = segment.size
            self.high_watermark = end_offset
            if self._waiters:
                self._waiters.wake()
        append_time_ms = now_ms if self._is_log_append_time else NO_TIMESTAMP
        return _new_tuple(Appended, (base_offset, append_time_ms, end_offset, False))

    def end_transaction(
        self, *, commit: bool, producer_id: int, producer_epoch: int, coordinator_epoch: int, now_ms: int
    ) -> Appended:
        """Write the marker that ends a producer's transaction here. Raises what `append` raises."""
        marker = bytearray(
            build_marker(
                commit=commit,
                producer_id=producer_id,
                producer_epoch=producer_epoch,
                coordinator_epoch=coordinator_epoch,
                timestamp_ms=now_ms,
            )
        )
        aborted = None if commit else self.producer_state.aborted_by(producer_id, self.log_end_offset)
        appended = self.append(marker, read_header(marker), now_ms=now_ms)
        self.producer_state.note_coordinator_epoch(producer_id, coordinator_epoch)
        if aborted is not None:
            self.aborted_transactions.add(self._active.base_offset, aborted)
        return appended

    def _out_of_range(self, header: BatchHeader, now_ms: int) -> InvalidTimestamp:
        """Why the timestamps that the producer gave are refused.

        Differs from Kafka: the first and the largest timestamp are checked, not each, because batches are not opened.
        """
        return InvalidTimestamp(
            f"timestamps {header.base_timestamp} to {header.max_timestamp} of {self.topic}-{self.partition} "
            f"are out of range: the broker's time is {now_ms}"
        )

    # -- read

    def read(self, *, offset: int, bytes_max: int, at_least_one_batch: bool = True) -> bytes | memoryview:
        """Batches from the one that holds `offset` on, about `bytes_max` bytes, none from the high watermark on.

        The first batch is whole, whatever its size; the last may be cut off. Empty at the high watermark, and without
        `at_least_one_batch` also if the first batch is larger than `bytes_max`.
        Raises OffsetOutOfRange; CorruptMessage if the offset lies in a damaged range; KafkaStorageError;
        NotLeaderOrFollower while a large segment is scanned for damage.
        """
        if self.is_closed:
            raise KafkaStorageError(self._storage_error)
        if offset >= self.high_watermark or offset < self.log_start_offset:
            if self.log_start_offset <= offset <= self.log_end_offset:
                return b""
            raise OffsetOutOfRange(
                f"offset {offset} of {self.topic}-{self.partition} is not between the log start offset "
                f"{self.log_start_offset} and the log end offset {self.log_end_offset}"
            )
        segment = self._active if offset >= self._active.base_offset else self._segment_of(offset)
        try:
            if not segment.quarantines:
                data = segment.read(offset, bytes_max, at_least_one_batch=at_least_one_batch)
                if data is not None:
                    return data
        except DamageFound as damage:
            self._rescan(segment, damage, may_wait=True)
        except OSError as error:
            raise self._unreadable(error) from error
        return self._read_around_gaps(offset, bytes_max, at_least_one_batch=at_least_one_batch)

    def span(self, *, offset: int, bytes_max: int) -> FileSpan | None:
        """What `read` would return, left in the file until it is sent: for answers too large for memory.

        None if there is less than a piece, no descriptor to spare, or anything that only `read` can deal with.
        """
        if not self.log_start_offset <= offset < self.high_watermark or self.is_closed:
            return None
        segment = self._active if offset >= self._active.base_offset else self._segment_of(offset)
        try:
            span = segment.span(offset, bytes_max)
        except (DamageFound, OSError):
            return None
        if span is not None:
            span.on_damage = functools.partial(self._damage_sent, segment)
        return span

    def _damage_sent(self, segment: Segment, damage: Exception) -> None:
        """Damage was met amid an answer: who asks again gets the good part of it, and then CORRUPT_MESSAGE."""
        if segment in self._segments:
            with contextlib.suppress(KafkaStorageError, NotLeaderOrFollower):
                self._rescan(segment, DamageFound(f"{segment.path}: {damage}"), may_wait=True)

    def _read_around_gaps(self, offset: int, bytes_max: int, *, at_least_one_batch: bool) -> bytes | memoryview:
        """The slow way: over the end of a segment whose last offsets were compacted away, and not into damage."""
        first = bisect.bisect_right(self._segments, offset, key=_by_base_offset) - 1
        try:
            for segment in self._segments[first:]:
                for quarantine in segment.quarantines:
                    if quarantine.start_offset <= offset < quarantine.end_offset:
                        raise CorruptMessage(
                            f"offsets {quarantine.start_offset} to {quarantine.end_offset - 1} of "
                            f"{self.topic}-{self.partition} are damaged"
                        )
                data = segment.read(offset, bytes_max, at_least_one_batch=at_least_one_batch)
                if data is not None:
                    return data
                offset = segment.next_offset
        except DamageFound as damage:
            raise CorruptMessage(str(damage)) from damage
        except OSError as error:
            raise self._unreadable(error) from error
        return b""

    def _segment_of(self, offset: int) -> Segment:
        return self._segments[bisect.bisect_right(self._segments, offset, key=_by_base_offset) - 1]

    def _rescan(self, segment: Segment, damage: DamageFound, *, may_wait: bool = False) -> None:
        """Scan a segment; with `may_wait` perhaps beside everything else, for which NotLeaderOrFollower is raised."""
        if may_wait and segment.is_sealed and segment.size > SCANNED_AT_ONCE_BYTES and not self._is_essential:
            self._scan_beside(segment, damage)
        log.error("segment is scanned: %s", damage)
        try:
            rescan_and_report(
                self.folder, self._segments, segment, index_interval_bytes=self.config.index_interval_bytes
            )
        except OSError as error:
            raise self._unreadable(error) from error

    def _scan_beside(self, segment: Segment, damage: DamageFound) -> None:
        """Have a large segment scanned in a thread, if the data root can. Who reads it meanwhile asks again.

        Raises NotLeaderOrFollower, which every client takes for a broker that is just taking over; KafkaStorageError
        when the scan has failed.
        """
        scan = self._scans.get(segment.base_offset)
        if scan is None:
            if self._owner.on_scan_wanted is None:
                return
            log.error("segment is scanned: %s", damage)
            scan = self._scans[segment.base_offset] = SegmentScan(
                self.folder,
                segment,
                index_interval_bytes=self.config.index_interval_bytes,
                when_finished=self._take_scan,
            )
            self._owner.on_scan_wanted(scan)
        elif scan.error is not None:
            del self._scans[segment.base_offset]
            raise self._unreadable(scan.error) from scan.error
        raise NotLeaderOrFollower(f"{segment.path} is scanned for damage")

    def _take_scan(self, scan: SegmentScan) -> None:
        segment = scan.segment
        if scan.error is not None:
            return  # who reads next is told
        del self._scans[segment.base_offset]
        if self.is_closed or segment not in self._segments:
            return
        known = set(segment.quarantines)
        segment.adopt(scan.counted)
        try:
            report_new(self.folder, self._segments, segment, known)
        except OSError as error:
            log.warning("damaged ranges not written, they will be found again folder=%s error=%s", self.folder, error)

    def _unreadable(self, error: OSError) -> KafkaStorageError:
        return KafkaStorageError(f"cannot read {self.folder}: {error.strerror or error}")

    @property
    def last_stable_offset(self) -> int:
        """The end of what read_committed consumers may see: the first open transaction, or the high watermark."""
        first_open = self.producer_state.first_open_transaction_offset
        if first_open is None or first_open > self.high_watermark:
            return self.high_watermark
        return max(first_open, self.log_start_offset)

    @property
    def quarantines(self) -> list[Quarantine]:
        """The damaged ranges of this log."""
        return [quarantine for segment in self._segments for quarantine in segment.quarantines]

    @property
    def recovery_point(self) -> int:
        """Everything before this offset is on disk."""
        return self._flushed_offset

    @property
    def first_segment_offset(self) -> int:
        """Where the oldest file begins; the log start offset may be later."""
        return self._segments[0].base_offset

    @property
    def segment_count(self) -> int:
        """How many segments there are, the active one included."""
        return len(self._segments)

    # -- waiting

    @property
    def is_offline(self) -> bool:
        """Whether the disk has failed it: nothing is appended any more."""
        return self._storage_error is not None

    @property
    def traffic(self) -> tuple[int, int, int]:
        """Records appended, bytes appended, bytes fetched since the log was opened."""
        return self.log_end_offset - self._found_end_offset, self.size_bytes - self._found_bytes, self.fetched_bytes

    def add_waiter(self, callback: Waiter) -> None:
        """Call back once, when there is more to read or the log is closed."""
        if self.is_closed:
            callback()
        else:
            self._waiters.add(callback)

    def remove_waiter(self, callback: Waiter) -> None:
        """Do not call back."""
        self._waiters.remove(callback)

    @property
    def is_strict(self) -> bool:
        """Whether an appended batch counts, and is seen, only from the disk: answer it through `when_durable`."""
        return self._is_strict

    def when_durable(self, end_offset: int, callback: DurabilityWaiter) -> None:
        """Call back with None when everything before `end_offset` is on disk, or with the error that prevents it."""
        if end_offset <= self._flushed_offset:
            callback(None)
        elif self._storage_error is not None:
            callback(KafkaStorageError(self._storage_error))
        else:
            self._durability_waiters.add(end_offset, callback)

    # -- finding by time

    def offset_for_timestamp(self, timestamp_ms: int) -> TimestampedOffset | None:
        """The first record that is not older than `timestamp_ms`; None if all visible ones are.

        Raises KafkaStorageError, CorruptMessage.
        """
        for segment in list(self._segments):
            if segment.next_offset > self.log_start_offset:
                found = self._ask(segment, lambda segment: self._search_time(segment, timestamp_ms))
                if found is not None:
                    return found
        return None

    def max_timestamp(self) -> TimestampedOffset | None:
        """The record with the largest timestamp, the first of them if there are several; None in an empty log.

        Raises KafkaStorageError, CorruptMessage.
        """
        readable = [segment for segment in self._segments if segment.next_offset > self.log_start_offset]
        largest_ms = max((self._ask(segment, Segment.largest).timestamp_ms for segment in readable), default=-1)
        return self.offset_for_timestamp(largest_ms) if largest_ms >= 0 else None

    def _search_time(self, segment: Segment, timestamp_ms: int) -> TimestampedOffset | None:
        if segment.largest().timestamp_ms < timestamp_ms:
            return None
        floor = segment.time_floor(timestamp_ms)
        start_offset = max(floor.last_offset, self.log_start_offset, segment.base_offset)
        for position, header in segment.batches_from(start_offset):
            if header.base_offset <= floor.last_offset <= header.last_offset and (
                header.max_timestamp != floor.timestamp_ms
            ):
                raise DamageFound(f"{segment.path}: time index disagrees with offset {floor.last_offset}")
            if header.base_offset >= self.high_watermark:
                return None
            if header.max_timestamp < timestamp_ms or header.last_offset < self.log_start_offset:
                continue
            batch = segment.read_at(position, header.size_bytes)
            if not check_crc(batch, header):
                raise DamageFound(f"{segment.path}: wrong checksum at {position}")
            for record in iter_records(batch):
                if record.timestamp_ms >= timestamp_ms and record.offset >= self.log_start_offset:
                    return TimestampedOffset(record.timestamp_ms, record.offset, self.leader_epoch)
        return None

    def _ask(self, segment: Segment, question: Callable[[Segment], _T]) -> _T:
        """Ask a segment; if its files turn out to be wrong, scan it and ask again."""
        try:
            try:
                return question(segment)
            except DamageFound as damage:
                self._rescan(segment, damage, may_wait=True)
                return question(segment)
        except DamageFound as damage:
            raise CorruptMessage(str(damage)) from damage
        except OSError as error:
            raise self._unreadable(error) from error

    # -- rolling, retention, deleting

    def _roll(self, now_ms: int) -> Segment:
        """Begin a new segment at the log end. Raises KafkaStorageError; then the old one stays active."""
        old = self._active
        try:
            segment = Segment.create(self.folder, self.log_end_offset, self._files, created_ms=now_ms)
        except OSError as error:
            self._reserve.spend(error)
            raise KafkaStorageError(f"cannot begin a segment in {self.folder}: {error.strerror or error}") from error
        old.seal()
        old.cold_size = EVERYTHING
        self._segments.append(segment)
        self._active = segment
        self._take_snapshot()
        self._unflushed_sealed.append(old)
        self._schedule_roll()
        self._mark_dirty(now_ms)
        log.info("segment rolled topic=%s partition=%d base_offset=%d", self.topic, self.partition, segment.base_offset)
        return segment

    def _schedule_roll(self) -> None:
        """Work out after which time the active segment is full: `segment.ms` counts in the records' own time."""
        active, config = self._active, self.config
        jitter_ms = random.randrange(config.segment_jitter_ms) if config.segment_jitter_ms > 0 else 0
        first_timestamp_ms = active.first_timestamp_ms() if active.size else -1
        self._is_active_dated = first_timestamp_ms >= 0
        since_ms = first_timestamp_ms if self._is_active_dated else active.created_ms
        self._roll_above_ms = since_ms + config.roll_ms - jitter_ms

    def _take_snapshot(self) -> None:
        """Write the producer state as of the log end, so that a start need not read it out of the whole log."""
        if max(self._snapshot_offset, 0) == self.log_end_offset:
            return
        path = snapshot_path(self.folder, self.log_end_offset)
        try:
            self.aborted_transactions.sync()
            path.write_bytes(self.producer_state.to_snapshot())
        except OSError as error:
            log.warning("producer snapshot not written path=%s error=%s", path, error)
            return
        self._snapshot_offset = self.log_end_offset

    def retain(self, now_ms: int, *, producer_id_expiration_ms: int | None = None) -> int:
        """Delete the oldest segments that retention no longer keeps; return how many. Raises KafkaStorageError.

        When all are expired, the active one too, a new empty segment takes its place.
        """
        if producer_id_expiration_ms is not None:
            self.producer_state.expire(now_ms, producer_id_expiration_ms)
        if self.is_being_compacted:  # a crash must not find a swap of segments that are gone; the next check is soon
            return 0
        count = count_deletable(
            self._segments,
            self.config,
            log_start_offset=self.log_start_offset,
            high_watermark=self.high_watermark,
            size_bytes=self.size_bytes,
            now_ms=now_ms,
            timestamp_ms=self._age_timestamp_ms,
        )
        if count == len(self._segments):
            self._roll(now_ms)
        if count:
            self._retire(self._segments[:count])
            del self._segments[:count]
            self.log_start_offset = max(self.log_start_offset, self._segments[0].base_offset)
            self.aborted_transactions.forget_before(self._segments[0].base_offset)
            log.info(
                "segments deleted topic=%s partition=%d count=%d log_start_offset=%d",
                self.topic, self.partition, count, self.log_start_offset,
            )  # fmt: skip
        return count

    def _age_timestamp_ms(self, segment: Segment) -> int:
        try:
            return self._ask(segment, Segment.age_timestamp_ms)
        except CorruptMessage:
            return NEVER_MS  # nobody can tell how old it is: keep it

    @property
    def segments(self) -> Sequence[Segment]:
        """All segments, the active one last; not to be changed."""
        return self._segments

    @property
    def generation(self) -> int:
        """How often the log was truncated."""
        return self._generation

    def rescan(self, base_offset: int) -> None:
        """Compaction met damage in this segment: find out what of it is readable. Raises KafkaStorageError."""
        segment = self._segment_of(base_offset)
        self._rescan(segment, DamageFound(f"{segment.path}: damage met by compaction"))

    def replace_segments(self, base_offsets: Sequence[int], size: int, *, now_ms: int) -> None:
        """Let the compacted segment that lies there as `.swap` files take the place of these; see `segment_swap`.

        Nobody may have taken one of them out of use since the compaction began. Raises OSError: the log is then as
        broken as the disk, and takes no more batches.
        """
        first = bisect.bisect_left(self._segments, base_offsets[0], key=_by_base_offset)
        old = self._segments[first : first + len(base_offsets)]
        assert [segment.base_offset for segment in old] == list(base_offsets)
        new = Segment(
            self.folder, old[0].base_offset, self._files, created_ms=now_ms, size=size, next_offset=old[-1].next_offset
        )
        try:
            self._retire(old[::-1])  # the first one last: its name is taken over
            complete_swap(self.folder, new.base_offset)
        except OSError as error:
            self._fail(error)
            raise
        self._segments[first : first + len(old)] = [new]
        self.size_bytes += size
        self._found_bytes += size

    def _retire(self, segments: list[Segment]) -> None:
        """Take the files of these segments, and the snapshots at their start, out of use."""
        paths: list[str] = []
        for segment in segments:
            paths += segment.retire()
            snapshot = snapshot_path(self.folder, segment.base_offset)
            snapshot.unlink(missing_ok=True)
            self.size_bytes -= segment.size
            self._found_bytes -= segment.size
        self._unflushed_sealed = [segment for segment in self._unflushed_sealed if segment not in segments]
        self._owner.remove_later(paths, self.config.file_delete_delay_ms)

    def delete_records(self, before_offset: int) -> int:
        """Let the log begin at `before_offset` (-1: the high watermark); return the log start offset.

        It never goes back. The new start is on disk on return; files go with the next `retain`.
        Raises OffsetOutOfRange beyond the high watermark; KafkaStorageError, and the log start offset stays.
        """
        before_offset = self.end_of_deletion(before_offset)
        if before_offset > self.log_start_offset:
            # A log start offset that power loss left beyond the log end could not be told from a damaged checkpoint.
            if before_offset > self._flushed_offset:
                self.flush()
            earlier, self.log_start_offset = self.log_start_offset, before_offset
            try:
                self._owner.save_log_start_offsets()
            except OSError as error:
                self.log_start_offset = earlier
                raise KafkaStorageError(f"cannot write the log start offset: {error.strerror or error}") from error
        return self.log_start_offset

    def end_of_deletion(self, before_offset: int) -> int:
        """Up to where `delete_records` would delete. Raises OffsetOutOfRange beyond the high watermark."""
        if before_offset == DELETE_TO_HIGH_WATERMARK:
            return self.high_watermark
        if not 0 <= before_offset <= self.high_watermark:
            raise OffsetOutOfRange(
                f"cannot delete records of {self.topic}-{self.partition} before offset {before_offset}: "
                f"the high watermark is {self.high_watermark}"
            )
        return before_offset

    def truncate_to(self, end_offset: int) -> None:
        """Forget everything from `end_offset` on, and the batch that holds it. Raises KafkaStorageError.

        Not for acknowledged records: it is how a log follows another one.
        """
        if end_offset >= self.log_end_offset:
            return
        if end_offset < self.log_start_offset:
            raise ValueError(f"cannot truncate to {end_offset}, the log starts at {self.log_start_offset}")
        try:
            self._truncate_segments(end_offset)
            if self._active.next_offset < self.log_start_offset:  # the batch that went held the first offset
                self.log_start_offset = self._active.next_offset
                self._owner.save_log_start_offsets()
        except (OSError, DamageFound) as error:
            raise KafkaStorageError(f"cannot truncate {self.folder}: {error}") from error
        self._generation += 1
        self._found_end_offset -= self.log_end_offset - self._active.next_offset
        self.log_end_offset = self._active.next_offset
        self.high_watermark = min(self.high_watermark, self.log_end_offset)
        self._flushed_offset = min(self._flushed_offset, self.log_end_offset)
        before_bytes, self.size_bytes = self.size_bytes, sum(segment.size for segment in self._segments)
        self._found_bytes -= before_bytes - self.size_bytes
        snapshots = [int(path.stem) for path in Path(self.folder).glob("*.snapshot")]
        self._snapshot_offset, self.producer_state, self.aborted_transactions = load_producer_state(
            self.folder, snapshots, self._segments, self.config.index_interval_bytes
        )
        self._schedule_roll()

    def _truncate_segments(self, end_offset: int) -> None:
        keep = max(1, bisect.bisect_left(self._segments, end_offset, key=_by_base_offset))
        self._retire(self._segments[keep:])
        del self._segments[keep:]
        self._active = active = self._segments[-1]
        self._unflushed_sealed = [segment for segment in self._unflushed_sealed if segment is not active]
        cut_at = next((position for position, _ in active.batches_from(end_offset)), active.size)
        active.truncate(cut_at)
        active.start_over()
        active.cold_size = cut_at
        active.quarantines = tuple(
            count_batches(
                active,
                file_bytes=cut_at,
                end_offset=None,
                index_interval_bytes=self.config.index_interval_bytes,
            ).quarantines
        )

    # -- flushing and closing

    def flush(self) -> None:
        """Force everything appended so far to disk, here and now. Raises KafkaStorageError."""
        target = self.flush_target(whole=True)
        target.run()
        self.flushed(target)
        if target.error is not None:
            raise KafkaStorageError(f"cannot flush {self.folder}: {target.error.strerror or target.error}")

    def is_flush_due(self, now_ms: int) -> bool:
        """Whether the flush policy wants the log's bytes on disk now.

        Differs from Kafka: flush.messages above 1 counts at the next round of flushing, because appending never waits.
        """
        return (
            self._is_strict
            or self._mode is not FlushMode.NEVER
            or bool(self._unflushed_sealed or self._unfinished_paths)
            or self.log_end_offset - self._flushed_offset >= self.config.flush_messages
            or now_ms >= self._flush_due_ms
        )

    def flush_target(self, *, whole: bool = False) -> FlushTarget:
        """What a flush that begins now has to force to disk; hand it back to `flushed`.

        In mode `never` these are the closed segments only, unless the `whole` log is asked for.
        """
        whole |= self._wants_flush
        paths, self._unfinished_paths = self._unfinished_paths, []
        for segment in self._unflushed_sealed:
            paths += [segment.path, segment.beside(INDEX_SUFFIX), segment.beside(TIME_INDEX_SUFFIX)]
        if whole:
            paths.append(self._active.path)
        if self._is_folder_new or self._unflushed_sealed:
            paths.append(self.folder)
        if self._is_folder_new:
            paths.append(os.path.dirname(self.folder))
        self.is_dirty = self._is_folder_new = False
        self._unflushed_sealed = []
        self._flush_due_ms = NEVER_MS
        return FlushTarget(
            self,
            paths,
            end_offset=self.log_end_offset if whole else self._active.base_offset,
            visible_size=self._active.size,
            generation=self._generation,
        )

    def flushed(self, target: FlushTarget) -> None:
        """A flush has ended: let consumers and producers that waited for it know."""
        if self.is_closed or target.generation != self._generation:
            return
        if target.error is not None:
            if target.is_to_be_tried_again:
                self._unfinished_paths = list(target.paths)
                self.is_dirty = True
                self._owner.mark_dirty(self, is_urgent=False)
            else:
                self._fail(target.error)
            return
        self._flushed_offset = max(self._flushed_offset, target.end_offset)
        if target.end_offset > self._active.base_offset:  # so it was the active one then
            self._active.cold_size = max(self._active.cold_size, target.visible_size)
        if self._is_strict and target.end_offset > self.high_watermark:
            self._show_until(target)
        self._durability_waiters.wake(self._flushed_offset)

    def _show_until(self, target: FlushTarget) -> None:
        for segment in reversed(self._segments):
            if segment.next_offset <= target.end_offset:
                if segment.visible_size == segment.size:
                    break
                segment.visible_size = segment.size
            elif segment.base_offset < target.end_offset:
                segment.visible_size = target.visible_size
        self.high_watermark = target.end_offset
        self._waiters.wake()

    def _show_all(self) -> None:
        for segment in self._segments:
            segment.visible_size = segment.size
        if self.high_watermark < self.log_end_offset:
            self.high_watermark = self.log_end_offset
            self._waiters.wake()

    def _fail(self, error: OSError) -> None:
        """Take no more batches: after a failed flush nobody knows what the kernel has dropped.

        Reading goes on; a restart checks every batch since the last good flush.
        """
        if self._storage_error is None:
            self._storage_error = f"cannot flush {self.folder}: {error.strerror or error}"
            log.error("flush failed topic=%s partition=%d error=%s", self.topic, self.partition, error)
        self._durability_waiters.fail(KafkaStorageError(self._storage_error))

    def _mark_dirty(self, now_ms: int) -> None:
        self._flush_due_ms = min(self._flush_due_ms, now_ms + self.config.flush_ms)
        if not self.is_dirty:
            self.is_dirty = True
            self._owner.mark_dirty(self)

    def persist_indexes(self) -> None:
        """Write the active segment's new index entries, so that a start after a crash has less to walk."""
        self._active.persist_indexes()
        if not self._wants_flush:
            self._active.cold_size = self._active.size

    def close(self) -> bool:
        """Flush, write indexes and producer state, close the files, wake all who wait; True if all of it succeeded."""
        if self.is_closed:
            return True
        if self._storage_error is None and (self.is_dirty or self._flushed_offset < self.log_end_offset):
            try:
                self.flush()
            except KafkaStorageError:
                pass  # logged; the next start is an unclean one
        is_clean = self._storage_error is None
        if not self._active.is_tiny or max(self._snapshot_offset, 0) < self._active.base_offset:
            self._take_snapshot()
        for segment in self._segments:
            segment.close()
        self._end(f"{self.topic}-{self.partition} is closed")
        return is_clean

    def abandon(self) -> None:
        """Close the files of a log that is being deleted, as they are."""
        for segment in self._segments:
            self._files.close(segment)
        self._end(f"{self.topic}-{self.partition} is deleted")

    def _end(self, reason: str) -> None:
        self.is_closed = True
        self._storage_error = self._storage_error or reason
        self._durability_waiters.fail(KafkaStorageError(reason))
        self._waiters.wake()


def _clear_log_append_time(batch: bytearray | memoryview) -> None:
    """A producer may not claim that the broker dated its batch; Kafka takes the claim back without a word."""
    batch[CRC_FROM + 1] &= ~LOG_APPEND_TIME & 0xFF
    _CRC.pack_into(batch, CRC_FROM - _CRC.size, crc32c(memoryview(batch)[CRC_FROM:]))
