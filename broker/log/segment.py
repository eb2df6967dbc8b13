"""One segment: a `.log` file of record batches back to back, its `.index` and its `.timeindex`.

Only the last segment of a log, the active one, is appended to. Its indexes live in memory and are written when it is
closed for appending and at checkpoints: they can always be rebuilt from the batches. Files are opened when touched and
may be closed at any time between calls (see `open_files`).
"""

import logging
import os
import struct
import sys
from collections.abc import Iterator
from typing import Final

from broker.errors import KafkaStorageError
from broker.log.file_span import PIECE_BYTES, FileSpan
from broker.log.header_walk import BATCH_LENGTH_MIN, read_batch_header, walk_batches
from broker.log.offset_index import OffsetIndex
from broker.log.open_files import CLOSED, OpenFiles
from broker.log.quarantine import Quarantine
from broker.log.read_check import BatchDamaged, StreamCheck, check_batches
from broker.log.time_index import ENTRY_BYTES as TIME_ENTRY_BYTES
from broker.log.time_index import NO_TIMESTAMP, TimeEntry, TimeIndex, unpack_entry
from broker.protocol.record_batch import LOG_OVERHEAD_BYTES, MAGIC, RECORD_BATCH_HEADER_BYTES, BatchHeader

log = logging.getLogger(__name__)

LOG_SUFFIX: Final = ".log"
INDEX_SUFFIX: Final = ".index"
TIME_INDEX_SUFFIX: Final = ".timeindex"
TXN_INDEX_SUFFIX: Final = ".txnindex"
DELETED_SUFFIX: Final = ".deleted"

POSITION_MAX: Final = 2**31 - 1  # index entries have an int32 for positions and relative offsets

_STRIDE: Final = struct.Struct(">qi4xb6xi")  # base offset, batch length, magic, last offset delta
_READ_AHEAD_BYTES: Final = 4_096  # so that walking an index interval does not shorten the answer
_UNKNOWN: Final = -2  # a timestamp that was not looked up yet; -1 is Kafka's "none"
EVERYTHING: Final = sys.maxsize

_UNINDEXED_BYTES_MAX: Final = 1 << 20  # a larger segment without any entry has lost its index


class DamageFound(Exception):
    """A batch or index entry is not what it must be: the segment has to be scanned."""


class Segment:
    """A contiguous range of a partition's offsets, in one file.

    `size` is what was written, `visible_size` what may be read: they differ while a strict log waits for the disk.
    What lies before `cold_size` is checked whenever it is read: it is on disk, or was when this process began.
    """

    __slots__ = (
        "_bytes_since_entry",
        "_files",
        "_first_timestamp_ms",
        "_index",
        "_max_timestamp_ms",
        "_max_timestamp_offset",
        "_needs_truncation",
        "_time_index",
        "base_offset",
        "cached_bytes",
        "cold_size",
        "created_ms",
        "fd",
        "index_entry_count",
        "is_sealed",
        "next_offset",
        "path",
        "quarantines",
        "size",
        "visible_size",
        "was_used",
    )

    def __init__(
        self,
        folder: str,
        base_offset: int,
        files: OpenFiles,
        *,
        created_ms: int,
        size: int = 0,
        next_offset: int | None = None,
    ) -> None:
        self.path = f"{folder}/{base_offset:020d}{LOG_SUFFIX}"
        self.base_offset = base_offset
        self.next_offset = base_offset if next_offset is None else next_offset
        self.size = self.visible_size = size
        self.cold_size = EVERYTHING
        self.created_ms = created_ms
        self.fd = CLOSED
        self.was_used = False
        self.cached_bytes = 0
        self.is_sealed = next_offset is not None
        """Whether appending is over, so that the indexes on disk are complete."""
        self.index_entry_count = 0
        """Entries of the `.index` while it grows; there are never more in the `.timeindex`."""
        self.quarantines: tuple[Quarantine, ...] = ()
        self._files = files
        self._needs_truncation = False
        self._bytes_since_entry = 0
        self._first_timestamp_ms = self._max_timestamp_ms = self._max_timestamp_offset = _UNKNOWN
        self._index: OffsetIndex | None = None
        self._time_index: TimeIndex | None = None

    @classmethod
    def create(cls, folder: str, base_offset: int, files: OpenFiles, *, created_ms: int) -> "Segment":
        """A new, empty segment to append to, with its `.log` file. Raises OSError."""
        segment = cls(folder, base_offset, files, created_ms=created_ms)
        os.close(files.open_path(segment.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC))
        segment.start_over()
        segment.cold_size = 0
        return segment

    def open(self) -> int:
        """The file's descriptor; valid until another segment is touched. Raises OSError."""
        self.was_used = True
        return self.fd if self.fd != CLOSED else self._files.open(self)

    def release(self) -> None:
        """The file was closed to make room: forget what can be read again."""
        if self.is_sealed:
            self._index = self._time_index = None

    # -- append

    def append(
        self,
        batch: memoryview | bytearray | bytes,
        base_offset: int,
        last_offset: int,
        max_timestamp_ms: int,
        interval: int,
    ) -> None:
        """Write one batch at the end with one system call; `interval` is `index.interval.bytes`.

        Raises KafkaStorageError: the disk refused, nothing of the batch remains and the segment can be used again.
        """
        position = self.size
        size = len(batch)
        try:
            fd = self.fd
            if fd == CLOSED:
                fd = self._open_for_append()
            self.was_used = True
            written = os.pwrite(fd, batch, position)
            while written < size:  # a nearly full disk takes a part; what is left names the error
                written += os.pwrite(fd, memoryview(batch)[written:], position + written)
        except OSError as error:
            self._undo_write()
            raise KafkaStorageError(f"cannot append to {self.path}: {error.strerror or error}") from error
        self.account(position, size, base_offset, last_offset, max_timestamp_ms, interval)

    def account(
        self, position: int, size: int, base_offset: int, last_offset: int, max_timestamp_ms: int, interval: int
    ) -> None:
        """Take the batch that lies at `position`, the end, into size, offsets and indexes."""
        index, time_index = self._index, self._time_index
        assert index is not None, "only unsealed segments grow"
        assert time_index is not None
        if max_timestamp_ms > self._max_timestamp_ms:
            self._max_timestamp_ms = max_timestamp_ms
            self._max_timestamp_offset = last_offset
        if self._bytes_since_entry > interval:
            index.add(base_offset, last_offset, position)
            time_index.maybe_add(self._max_timestamp_ms, self._max_timestamp_offset)
            self._bytes_since_entry = size
            self.index_entry_count += 1
        else:
            index.note(base_offset, position)
            self._bytes_since_entry += size
        if position == 0:
            self._first_timestamp_ms = max_timestamp_ms
        self.size = position + size
        self.next_offset = last_offset + 1

    def _open_for_append(self) -> int:
        fd = self._files.open(self)
        if self._needs_truncation:
            os.ftruncate(fd, self.size)
            self._needs_truncation = False
        return fd

    def _undo_write(self) -> None:
        try:
            os.ftruncate(self.fd, self.size)
        except OSError:
            # Nobody reads beyond `size`; the rest is cut when the file is opened again, before the next append.
            self._needs_truncation = True
            self._files.close(self)

    # -- read

    def read(self, offset: int, bytes_max: int, *, at_least_one_batch: bool) -> bytes | memoryview | None:
        """Bytes from the batch that holds `offset`, or else the next one, up to about `bytes_max`.

        The first batch comes whole even if it is larger than `bytes_max`; without `at_least_one_batch` the answer is
        then empty. None: this segment has no batch at or after the offset. Raises CorruptMessage through the caller:
        DamageFound means that the segment must be scanned first.
        """
        limit = self.visible_size
        position = self.locate(offset)
        if self.quarantines:
            position, limit = self._readable_range(offset, position)
        fd = self.fd
        if fd == CLOSED:
            fd = self._files.open(self)
        self.was_used = True
        data, at = b"", 0
        start, offset_min = position, self.base_offset
        while True:  # from the index entry to the batch; usually no step, at most an index interval
            if at + RECORD_BATCH_HEADER_BYTES > len(data):
                position, at = position + at, 0
                if position >= limit:
                    return None
                data = os.pread(fd, min(bytes_max + _READ_AHEAD_BYTES, limit - position), position)
                if len(data) < RECORD_BATCH_HEADER_BYTES:
                    raise DamageFound(f"{self.path}: {len(data)} bytes at {position}")
            base_offset, length, magic, last_offset_delta = _STRIDE.unpack_from(data, at)
            if (
                magic != MAGIC
                or length < BATCH_LENGTH_MIN
                or position + at + LOG_OVERHEAD_BYTES + length > limit
                or base_offset < offset_min
            ):
                raise DamageFound(f"{self.path}: no batch at {position + at}")
            if base_offset + last_offset_delta >= offset:
                break
            offset_min = base_offset + last_offset_delta + 1
            at += LOG_OVERHEAD_BYTES + length
        if base_offset > offset:
            self._check_gap(offset, start, position + at + LOG_OVERHEAD_BYTES + length, base_offset + last_offset_delta)
        size = LOG_OVERHEAD_BYTES + length
        if size > bytes_max:
            if not at_least_one_batch:
                return b""
            end = at + size
        else:
            end = min(at + bytes_max, len(data))
        if at + size > len(data):
            data = os.pread(fd, min(max(size, bytes_max), limit - position - at), position + at)
            at, end = 0, len(data)
            if end < size:
                raise DamageFound(f"{self.path}: {end} of {size} bytes at {position}")
        if position < self.cold_size:
            self._check(data, at, end, position)
        return data if at == 0 and end == len(data) else memoryview(data)[at:end]

    def span(self, offset: int, bytes_max: int) -> FileSpan | None:
        """As `read`, left in the file; None if that is not worth it, or not simple. Raises DamageFound, OSError."""
        if self.quarantines or min(bytes_max, self.visible_size - self.locate(offset)) <= PIECE_BYTES:
            return None
        first = next(self.batches_from(offset), None)
        if first is None or first[1].size_bytes > bytes_max:
            return None
        position = first[0]
        size = min(bytes_max, self.visible_size - position)
        if size <= PIECE_BYTES:
            return None
        lent_fd = self._files.lend(self.open())
        return FileSpan(
            lent_fd,
            position,
            size,
            on_close=self._files.take_back,
            check=StreamCheck(self.next_offset) if position < self.cold_size else None,
        )

    def _check(self, data: bytes, at: int, end: int, position: int) -> None:
        """Check the batches in `data[at:end]`, which begins at `position`, before they are given away."""
        try:
            checked = check_batches(data, at, end)
        except BatchDamaged as damage:
            raise DamageFound(f"{self.path}: {damage}") from damage
        if checked.is_after_gap:
            self._check_following(position + checked.end, checked.last_offset)

    def _check_gap(self, offset: int, walked_from: int, end_position: int, last_offset: int) -> None:
        """No batch holds `offset`: compaction leaves such gaps, but so does a damaged base offset.

        The checksum does not cover it. So the batch at the index entry must be the one that the entry was made for,
        and the batch that is given instead, which ends at `end_position`, must fit before the next one.
        """
        index = self._index
        assert index is not None, "located"
        at = index.floor(offset)
        if at >= 0 and index.entry(at)[1] == walked_from:
            header = read_batch_header(self.open(), walked_from, self.size, offset_min=0, check_crc=False)
            if header is None or header.base_offset != index.entry(at)[0]:
                raise DamageFound(f"{self.path}: the batch at {walked_from} has another base offset than in the index")
        self._check_following(end_position, last_offset)

    def _check_following(self, position: int, last_offset: int) -> None:
        next_offset = self.next_offset
        if position < self.size:
            header = read_batch_header(self.open(), position, self.size, offset_min=0, check_crc=False)
            if header is not None:
                next_offset = header.base_offset
        if last_offset >= next_offset:
            raise DamageFound(f"{self.path}: the base offset of the batch before {position} is damaged")

    def locate(self, offset: int) -> int:
        """Position from which a walk finds the batch that holds `offset` within an index interval.

        Raises DamageFound: an index entry does not point to a batch.
        """
        index = self._index
        if index is None:
            index = self._load_index()
        if not index.loaded_count:
            return index.find(offset)
        at = index.floor(offset)
        if index.is_unchecked(at + 1) and self._check_entry(index, at + 1) <= offset:
            at += 1
        if at < 0:
            return 0
        if index.is_unchecked(at):
            self._check_entry(index, at)
        return index.entry(at)[1]

    def _check_entry(self, index: OffsetIndex, at: int) -> int:
        """Look at the batch of an entry that came from the file; return its base offset."""
        last_offset, position = index.entry(at)
        header = read_batch_header(self.open(), position, self.size, offset_min=self.base_offset, check_crc=False)
        if header is None or header.base_offset > last_offset:
            raise DamageFound(f"{self.path}: index entry {at} points to no batch")
        index.set_checked(at, header.base_offset)
        return header.base_offset

    def _readable_range(self, offset: int, position: int) -> tuple[int, int]:
        """Start and end for a walk to `offset` that keeps clear of damaged ranges."""
        limit = self.visible_size
        for quarantine in self.quarantines:
            if quarantine.end_offset <= offset:
                position = max(position, quarantine.end_position)
            elif quarantine.start_offset > offset:
                limit = min(limit, quarantine.start_position)
        return position, limit

    def batches_from(self, offset: int) -> Iterator[tuple[int, BatchHeader]]:
        """(position, header) of the readable batches from the one that holds `offset` on. Raises DamageFound."""
        if self.size == 0:
            return
        position, offset_min = self.locate(offset), self.base_offset
        damaged = [(quarantine.start_position, quarantine.end_position) for quarantine in self.quarantines]
        for start, end in [*damaged, (self.size, self.size)]:
            if position < start:
                walk = walk_batches(self.open(), position, start, offset_min=offset_min, check_crc=False)
                for batch_at, header in walk:
                    offset_min, position = header.last_offset + 1, batch_at + header.size_bytes
                    if header.last_offset >= offset:
                        yield batch_at, header
                if position < start:
                    raise DamageFound(f"{self.path}: no batch at {position}")
            position = max(position, end)

    def read_at(self, position: int, size: int) -> bytes:
        """Exactly these bytes. Raises DamageFound: the file is shorter."""
        data = os.pread(self.open(), size, position)
        if len(data) < size:
            raise DamageFound(f"{self.path}: {len(data)} of {size} bytes at {position}")
        return data

    # -- time

    def largest(self) -> TimeEntry:
        """The largest timestamp in the segment and the last offset of its batch. Raises DamageFound."""
        if self._max_timestamp_ms == _UNKNOWN:
            self._max_timestamp_ms, self._max_timestamp_offset = self._read_last_time_entry()
        return TimeEntry(self._max_timestamp_ms, self._max_timestamp_offset)

    def _read_last_time_entry(self) -> TimeEntry:
        """The end of the time index file, checked against the batch that it names."""
        if self.size == 0:
            return NO_TIMESTAMP
        data = self._read_beside(TIME_INDEX_SUFFIX, last_bytes=TIME_ENTRY_BYTES) or b""
        if len(data) != TIME_ENTRY_BYTES:
            raise DamageFound(f"{self.path}: no usable time index")
        entry = unpack_entry(data, self.base_offset)
        header = next((header for _, header in self.batches_from(entry.last_offset)), None)
        if header is None or entry.timestamp_ms != header.max_timestamp or entry.last_offset < header.base_offset:
            raise DamageFound(f"{self.path}: the time index ends with a batch that is not there")
        return entry

    def age_timestamp_ms(self) -> int:
        """What retention by time compares: the largest timestamp, or the file's age when the records have none."""
        timestamp_ms = self.largest().timestamp_ms
        return timestamp_ms if timestamp_ms >= 0 else int(os.stat(self.path).st_mtime * 1000)

    def first_timestamp_ms(self) -> int:
        """The first batch's largest timestamp, from which `segment.ms` counts; -1 if it has none."""
        if self._first_timestamp_ms == _UNKNOWN:
            header = None
            if self.size:
                header = read_batch_header(self.open(), 0, self.size, offset_min=self.base_offset, check_crc=False)
            self._first_timestamp_ms = header.max_timestamp if header else -1
        return self._first_timestamp_ms

    def time_floor(self, timestamp_ms: int) -> TimeEntry:
        """From which batch to search for a timestamp. Raises DamageFound."""
        time_index = self._time_index
        if time_index is None:
            time_index = self._load_time_index()
        return time_index.floor(timestamp_ms)

    # -- the index files

    def start_over(self) -> None:
        """Forget the batches, so that they can be counted again from the start of the file."""
        self._index, self._time_index = OffsetIndex(self.base_offset), TimeIndex(self.base_offset)
        self._index.is_dirty = self._time_index.is_dirty = True
        self._bytes_since_entry = self.size = self.visible_size = self.index_entry_count = 0
        self.next_offset = self.base_offset
        self._first_timestamp_ms = self._max_timestamp_ms = self._max_timestamp_offset = -1
        self.is_sealed = False

    def adopt(self, counted: "Segment") -> None:
        """Take over what another count of this closed file has found: indexes, which are written, and damage."""
        self._index, self._time_index = counted._index, counted._time_index
        self.index_entry_count = counted.index_entry_count
        self._first_timestamp_ms = counted._first_timestamp_ms
        self._max_timestamp_ms, self._max_timestamp_offset = counted._max_timestamp_ms, counted._max_timestamp_offset
        self.quarantines = counted.quarantines
        self.seal()

    def let_go(self) -> None:
        """Close the file and write nothing: somebody else has the segment."""
        self._files.close(self)

    def resume(self, log_bytes: int, trusted_offset: int | None) -> None:
        """Take over what the index files know of the batches below `trusted_offset` (None: all of them).

        Size and next offset then say from where the batches have to be counted; that is the start of the file if the
        index files are missing or wrong.
        """
        self.start_over()
        index, time_index = OffsetIndex(self.base_offset), TimeIndex(self.base_offset)
        data = self._read_beside(INDEX_SUFFIX)
        if data is None or not index.load(data, log_bytes):
            return
        count = index.entry_count
        if trusted_offset is not None:
            count = index.floor(trusted_offset - 1) + 1
            index.truncate(count)
        if count == 0:
            self._index = index
            return
        last_offset, position = index.entry(count - 1)
        # All that follows is counted from this batch on: were its own offsets wrong, the good ones would be cut off.
        header = read_batch_header(self.open(), position, log_bytes, offset_min=self.base_offset, check_crc=True)
        if header is None or header.last_offset != last_offset:
            return
        if not time_index.load(self._read_beside(TIME_INDEX_SUFFIX) or b"", self.base_offset + POSITION_MAX):
            return
        if not len(time_index) and header.max_timestamp >= 0:
            return
        index.set_checked(count - 1, header.base_offset)
        time_index.truncate(header.last_offset + 1)
        self._index, self._time_index = index, time_index
        self.index_entry_count = count
        self._max_timestamp_ms, self._max_timestamp_offset = time_index.last
        if header.max_timestamp > self._max_timestamp_ms:
            self._max_timestamp_ms, self._max_timestamp_offset = header.max_timestamp, header.last_offset
        self._first_timestamp_ms = _UNKNOWN
        self._bytes_since_entry = header.size_bytes
        self.size = position + header.size_bytes
        self.next_offset = header.last_offset + 1

    def seal(self) -> None:
        """End appending: the time index gets its last entry and both indexes are written."""
        self._add_last_time_entry()
        self._write_indexes()
        self.is_sealed = True

    @property
    def is_tiny(self) -> bool:
        """Whether it is still so small that reading it is cheaper than keeping indexes of it in files.

        Differs from Kafka: such an active segment has no index files, because thousands of them made a stop slow.
        """
        return not self.is_sealed and not self.index_entry_count

    def persist_indexes(self) -> None:
        """Write the entries that the index files do not have yet; a tiny segment has none, and no such files."""
        if not self.is_tiny:
            self._write_indexes()
            return
        for index, suffix in ((self._index, INDEX_SUFFIX), (self._time_index, TIME_INDEX_SUFFIX)):
            if index is not None and index.is_dirty:
                index.take_pending()
                _remove(self.beside(suffix))

    def _write_indexes(self) -> None:
        """Make the index files complete. A refusing disk costs a rebuild later, no more."""
        for index, suffix in ((self._index, INDEX_SUFFIX), (self._time_index, TIME_INDEX_SUFFIX)):
            if index is None or not index.is_dirty:
                continue
            path = self.beside(suffix)
            position, entries = index.take_pending()
            try:
                fd = self._files.open_path(path, os.O_RDWR | os.O_CREAT)
                try:
                    os.ftruncate(fd, position)
                    os.pwrite(fd, entries, position)
                finally:
                    os.close(fd)
            except OSError as error:
                log.warning("index not written, it will be rebuilt path=%s error=%s", path, error)
                _remove(path)

    def close(self) -> None:
        """Write the indexes and close the file."""
        if not self.is_sealed and not self.is_tiny:
            self._add_last_time_entry()
        self.persist_indexes()
        self._files.close(self)

    def beside(self, suffix: str) -> str:
        """Path of the file of this segment with another suffix."""
        return self.path.removesuffix(LOG_SUFFIX) + suffix

    def truncate(self, size: int) -> None:
        """Cut the file; whoever calls counts the batches again. Raises OSError."""
        os.ftruncate(self.open(), size)

    def retire(self) -> list[str]:
        """Close the file and give all files of this segment their `.deleted` names; return these."""
        self._files.close(self)
        retired = []
        for suffix in (LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX):
            path = self.beside(suffix)
            try:
                os.rename(path, path + DELETED_SUFFIX)
            except FileNotFoundError:
                continue
            retired.append(path + DELETED_SUFFIX)
        return retired

    def _add_last_time_entry(self) -> None:
        if self._time_index is not None and self._max_timestamp_ms >= 0:
            self._time_index.maybe_add(self._max_timestamp_ms, self._max_timestamp_offset)

    def _load_index(self) -> OffsetIndex:
        data = self._read_beside(INDEX_SUFFIX)
        index = OffsetIndex(self.base_offset)
        if data is None or not index.load(data, self.size):
            raise DamageFound(f"{self.path}: no usable index")
        if index.entry_count == 0 and self.size > _UNINDEXED_BYTES_MAX:
            raise DamageFound(f"{self.path}: empty index")
        self._index = index
        self.open()
        self._files.charge(self, index.memory_bytes)
        return index

    def _load_time_index(self) -> TimeIndex:
        data = self._read_beside(TIME_INDEX_SUFFIX)
        time_index = TimeIndex(self.base_offset)
        if data is None or not time_index.load(data, self.next_offset):
            raise DamageFound(f"{self.path}: no usable time index")
        self._time_index = time_index
        self.open()
        self._files.charge(self, time_index.memory_bytes)
        return time_index

    def _read_beside(self, suffix: str, *, last_bytes: int | None = None) -> bytes | None:
        """Content of an index file, or its end if its size is a multiple of that; None if it does not exist."""
        try:
            fd = self._files.open_path(self.beside(suffix), os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            size = os.fstat(fd).st_size
            if last_bytes is None:
                return os.pread(fd, size, 0)
            return os.pread(fd, last_bytes, size - last_bytes) if size and size % last_bytes == 0 else b""
        finally:
            os.close(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it may never have been made
