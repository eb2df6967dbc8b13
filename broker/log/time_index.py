"""Which offset a point in time has: Kafka's `.timeindex`.

12 bytes per entry: int64 largest timestamp so far in the segment, int32 last offset (relative to the base offset) of
the batch that brought it. An entry is added together with an offset index entry, if the largest timestamp has grown,
and when the segment is closed; so the last entry of a closed segment is its largest timestamp.
"""

import struct
from array import array
from bisect import bisect_right
from typing import Final, NamedTuple

ENTRY_BYTES: Final = 12
_ENTRY: Final = struct.Struct(">qi")


class TimeEntry(NamedTuple):
    """A largest timestamp so far and the last offset of the batch that has it."""

    timestamp_ms: int
    last_offset: int


NO_TIMESTAMP: Final = TimeEntry(-1, -1)


def unpack_entry(data: bytes, base_offset: int) -> TimeEntry:
    """One entry of the file of the segment that begins at `base_offset`."""
    timestamp_ms, relative_offset = _ENTRY.unpack(data)
    return TimeEntry(timestamp_ms, base_offset + relative_offset)


class TimeIndex:
    """The entries of one segment, in two parallel arrays; both rise."""

    __slots__ = ("_base_offset", "_offsets", "_pending", "_persisted_count", "_timestamps", "is_dirty")

    def __init__(self, base_offset: int) -> None:
        self._base_offset = base_offset
        self._timestamps = array("q")
        self._offsets = array("q")
        self._pending = bytearray()
        self._persisted_count = 0
        self.is_dirty = False
        """Whether the file has other entries than these."""

    def __len__(self) -> int:
        return len(self._timestamps)

    @property
    def memory_bytes(self) -> int:
        """About what the entries take in memory."""
        return 16 * len(self._timestamps)

    @property
    def last(self) -> TimeEntry:
        """The newest entry, or NO_TIMESTAMP."""
        return TimeEntry(self._timestamps[-1], self._offsets[-1]) if self._timestamps else NO_TIMESTAMP

    def maybe_add(self, timestamp_ms: int, last_offset: int) -> None:
        """Add an entry if the timestamp is larger than that of the last one."""
        if timestamp_ms > (self._timestamps[-1] if self._timestamps else -1):
            self._timestamps.append(timestamp_ms)
            self._offsets.append(last_offset)
            self._pending += _ENTRY.pack(timestamp_ms, last_offset - self._base_offset)
            self.is_dirty = True

    def floor(self, timestamp_ms: int) -> TimeEntry:
        """The last entry at or before `timestamp_ms`: no batch before the entry's has that timestamp or a later one."""
        at = bisect_right(self._timestamps, timestamp_ms) - 1
        return TimeEntry(self._timestamps[at], self._offsets[at]) if at >= 0 else NO_TIMESTAMP

    def truncate(self, end_offset: int) -> None:
        """Drop the entries of batches that end at or after `end_offset`."""
        keep = bisect_right(self._offsets, end_offset - 1)
        self.is_dirty |= keep < len(self._timestamps)
        del self._timestamps[keep:], self._offsets[keep:]
        if keep < self._persisted_count:
            self._pending.clear()
            self._persisted_count = keep
        else:
            del self._pending[(keep - self._persisted_count) * ENTRY_BYTES :]

    def take_pending(self) -> tuple[int, bytes]:
        """(position in the file, bytes to write there); the file ends after them."""
        at = self._persisted_count * ENTRY_BYTES
        pending = bytes(self._pending)
        self._pending.clear()
        self._persisted_count = len(self._timestamps)
        self.is_dirty = False
        return at, pending

    def load(self, data: bytes, end_offset: int) -> bool:
        """Take the content of the file; False, and nothing taken, if it cannot be that of this segment."""
        if len(data) % ENTRY_BYTES:
            return False
        timestamps, offsets = array("q"), array("q")
        for timestamp_ms, relative in _ENTRY.iter_unpack(data):
            offset = self._base_offset + relative
            if timestamp_ms == 0 and relative == 0:  # what Kafka preallocated and never filled
                break
            if timestamps and (timestamp_ms <= timestamps[-1] or offset < offsets[-1]):
                return False
            if relative < 0 or timestamp_ms < 0 or offset >= end_offset:
                return False
            timestamps.append(timestamp_ms)
            offsets.append(offset)
        self._timestamps, self._offsets = timestamps, offsets
        self._pending.clear()
        self._persisted_count = len(timestamps)
        self.is_dirty = len(data) != len(timestamps) * ENTRY_BYTES
        return True
