"""The rewritten segment of a compaction while it is written: its `.cleaned` files, then their `.swap` names.

All names are relative to an open folder, so that whoever deletes the partition and makes it anew meanwhile never finds
records of the old one in the new one.
"""

import os
from typing import Final

from broker.log.offset_index import OffsetIndex
from broker.log.segment import INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX
from broker.log.segment_swap import CLEANED_SUFFIX, INDEXES_THEN_LOG, SWAP_END_SUFFIX, SWAP_SUFFIX, stem
from broker.log.time_index import TimeIndex
from broker.protocol.record_batch import BatchHeader

_BUFFER_BYTES: Final = 1 << 20
_SYNC_EVERY_BYTES: Final = 16 << 20  # so that the disk is never asked for much at once, and appends never wait for it


class CleanedSegment:
    """A segment that is written batch by batch.

    Nothing is written as long as all batches are those of the `source`, the one old segment that it may equal.
    """

    def __init__(self, folder_fd: int, base_offset: int, *, index_interval_bytes: int, source_fd: int | None) -> None:
        self._folder_fd = folder_fd
        self._stem = stem(base_offset)
        self._interval = index_interval_bytes
        self._source_fd = source_fd
        self._fd: int | None = None
        self.is_begun = False
        """Whether the segment differs from its source."""
        self._index, self._time_index = OffsetIndex(base_offset), TimeIndex(base_offset)
        self._bytes_since_entry = self._unsynced_bytes = 0
        self._max_timestamp_ms = self._max_timestamp_offset = -1
        self._pending: list[bytes | memoryview] = []
        self._pending_bytes = 0
        self.size = 0
        self._suffixes: list[str] = []
        if source_fd is None:
            self.begin()

    def keep(self, batch: memoryview, header: BatchHeader) -> None:
        """Add a batch as it is, the next one of the source."""
        if self.is_begun:
            self._put(batch)
        self._account(len(batch), header.base_offset, header.last_offset, header.max_timestamp)

    def add(self, batch: bytes, header: BatchHeader, max_timestamp_ms: int) -> None:
        """Add what is left of a batch."""
        self.begin()
        self._put(batch)
        self._account(len(batch), header.base_offset, header.last_offset, max_timestamp_ms)

    def begin(self) -> None:
        """The next batch of the source is dropped or changed."""
        if self.is_begun:
            return
        self._fd = self._create(LOG_SUFFIX)
        self.is_begun = True
        left, at = self.size, 0
        while left:
            assert self._source_fd is not None
            piece = os.pread(self._source_fd, min(_BUFFER_BYTES, left), at)
            if not piece:
                raise OSError("a segment became shorter while it was compacted")
            self._put(piece)
            at += len(piece)
            left -= len(piece)

    def finish(self, *, end_offset: int, modified_ns: int, aborted: bytes | None) -> None:
        """Force the files to disk and rename them to `.swap`. `aborted` is the content of the `.txnindex`."""
        assert self._fd is not None
        self._write_out()
        if self._max_timestamp_ms >= 0:
            self._time_index.maybe_add(self._max_timestamp_ms, self._max_timestamp_offset)
        os.utime(self._fd, ns=(modified_ns, modified_ns))
        self._close()
        self._write_file(INDEX_SUFFIX, self._index.take_pending()[1])
        self._write_file(TIME_INDEX_SUFFIX, self._time_index.take_pending()[1])
        if aborted is not None:
            self._write_file(TXN_INDEX_SUFFIX, aborted)
        self._write_file(SWAP_END_SUFFIX, str(end_offset).encode(), is_final_name=True)
        os.fsync(self._folder_fd)
        for suffix in INDEXES_THEN_LOG:
            if suffix in self._suffixes:
                name = self._stem + suffix
                folder_fd = self._folder_fd
                os.rename(name + CLEANED_SUFFIX, name + SWAP_SUFFIX, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
        os.fsync(self._folder_fd)

    def discard(self) -> None:
        """Remove what was written."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        for suffix in self._suffixes:
            self._unlink(self._stem + suffix + CLEANED_SUFFIX)

    def _account(self, size: int, base_offset: int, last_offset: int, max_timestamp_ms: int) -> None:
        """As `Segment.account`: the indexes are those that appending would have made."""
        if max_timestamp_ms > self._max_timestamp_ms:
            self._max_timestamp_ms, self._max_timestamp_offset = max_timestamp_ms, last_offset
        if self._bytes_since_entry > self._interval:
            self._index.add(base_offset, last_offset, self.size)
            self._time_index.maybe_add(self._max_timestamp_ms, self._max_timestamp_offset)
            self._bytes_since_entry = size
        else:
            self._bytes_since_entry += size
        self.size += size

    def _put(self, data: bytes | memoryview) -> None:
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= _BUFFER_BYTES:
            self._write_out()

    def _write_out(self) -> None:
        assert self._fd is not None
        data = memoryview(b"".join(self._pending))
        self._pending, self._pending_bytes = [], 0
        self._unsynced_bytes += len(data)
        while data:
            data = data[os.write(self._fd, data) :]
        if self._unsynced_bytes >= _SYNC_EVERY_BYTES:
            os.fdatasync(self._fd)
            self._unsynced_bytes = 0

    def _close(self) -> None:
        assert self._fd is not None
        os.fsync(self._fd)
        os.close(self._fd)
        self._fd = None

    def _write_file(self, suffix: str, content: bytes, *, is_final_name: bool = False) -> None:
        fd = self._create(suffix, "" if is_final_name else CLEANED_SUFFIX)
        try:
            while content:
                content = content[os.write(fd, content) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def _create(self, suffix: str, state: str = CLEANED_SUFFIX) -> int:
        """A new file: a process that a crash of the broker left behind keeps writing to the one it made itself."""
        name = self._stem + suffix + state
        self._unlink(name)
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=self._folder_fd)
        if state:
            self._suffixes.append(suffix)
        return fd

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._folder_fd)
        except FileNotFoundError:
            pass
