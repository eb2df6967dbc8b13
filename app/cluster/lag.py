"""What lag is: how far a committed offset stands behind the log, in records and in time.

Pure arithmetic over offsets that were seen; who sees them is app.metrics.sampler.
"""

from array import array
from bisect import bisect_right
from typing import NamedTuple

RING_POINTS_MAX = 128


class Lag(NamedTuple):
    """Distances of a committed offset. records is None where it cannot be known; see PartitionLag for the rest."""

    records: int | None
    lost_count: int
    is_beyond_end: bool
    lead: int | None


def lag_of(*, committed_offset: int | None, log_start_offset: int | None, high_watermark: int | None) -> Lag:
    """Lag of one partition; None for anything that is not known (no commit yet, no leader to ask).

    A committed offset below the log start means that records were deleted unread: they are counted as lost, and the
    lag is what is left to read. One above the high watermark means that the topic was recreated or cut short.
    """
    if committed_offset is None or log_start_offset is None or high_watermark is None:
        return Lag(records=None, lost_count=0, is_beyond_end=False, lead=None)
    return Lag(
        records=max(0, high_watermark - max(committed_offset, log_start_offset)),
        lost_count=max(0, log_start_offset - committed_offset),
        is_beyond_end=committed_offset > high_watermark,
        lead=max(0, committed_offset - log_start_offset),
    )


class EndOffsets:
    """The end offsets of one partition over time: each distinct value with the first and the last time it was seen.

    Both times are kept, because with one an hour without traffic would count as an hour of lag as soon as one record
    arrives. At most RING_POINTS_MAX values: when full, every second one of the older half goes, as old lag needs no
    fine scale. Times are wall clock in ms.
    """

    __slots__ = ("_first_ms", "_last_ms", "_offsets")

    def __init__(self) -> None:
        self._offsets = array("q")
        self._first_ms = array("q")
        self._last_ms = array("q")

    def see(self, end_offset: int, at_ms: int) -> int:
        """Note what the end of the log is now; returns how far it moved. A step back empties the history."""
        offsets = self._offsets
        moved = end_offset - offsets[-1] if offsets else 0
        if offsets and moved == 0:
            self._last_ms[-1] = at_ms
            return 0
        if moved < 0:
            self.clear()
            moved = 0
        elif len(offsets) >= RING_POINTS_MAX:
            self._thin()
        self._offsets.append(end_offset)
        self._first_ms.append(at_ms)
        self._last_ms.append(at_ms)
        return moved

    def reached_ms(self, offset: int) -> float | None:
        """When the end of the log was at offset, by linear interpolation; None when that is not covered.

        The record at an offset between two known ends was written after the last sight of the lower end and not later
        than the first sight of the higher one.
        """
        at = bisect_right(self._offsets, offset) - 1
        if at < 0 or at + 1 >= len(self._offsets):
            return None
        lower, upper = self._offsets[at], self._offsets[at + 1]
        left_ms, right_ms = self._last_ms[at], self._first_ms[at + 1]
        return left_ms + (offset - lower) / (upper - lower) * (right_ms - left_ms)

    def end_at(self, at_ms: int) -> int | None:
        """The earliest end offset that was still seen at or after a time; None when nothing was."""
        at = bisect_right(self._last_ms, at_ms - 1)
        return self._offsets[at] if at < len(self._offsets) else None

    def end_near(self, at_ms: int) -> int | None:
        """The end offset at a time, by linear interpolation; None for times before the first sight."""
        at = bisect_right(self._first_ms, at_ms) - 1
        if at < 0:
            return None
        if at_ms <= self._last_ms[at] or at + 1 >= len(self._offsets):
            return self._offsets[at]
        left_ms, right_ms = self._last_ms[at], self._first_ms[at + 1]
        grown = (self._offsets[at + 1] - self._offsets[at]) * (at_ms - left_ms) / (right_ms - left_ms)
        return self._offsets[at] + int(grown)

    def clear(self) -> None:
        """Forget everything: the log was cut short, or the topic is another one of the same name."""
        del self._offsets[:], self._first_ms[:], self._last_ms[:]

    def _thin(self) -> None:
        middle = len(self._offsets) // 2
        for values in (self._offsets, self._first_ms, self._last_ms):
            del values[1:middle:2]


def time_lag_s(
    ends: EndOffsets | None, *, committed_offset: int, lag: int, now_ms: int, record_ms: int | None = None
) -> float | None:
    """Seconds since the committed offset was the end of the log; 0 without lag, None when not known.

    record_ms: timestamp of the record at the committed offset, used where the history does not reach back that far.
    """
    if lag == 0:
        return 0.0
    reached_ms = ends.reached_ms(committed_offset) if ends is not None else None
    if reached_ms is None:
        reached_ms = record_ms
    return None if reached_ms is None else max(0.0, (now_ms - reached_ms) / 1000)
