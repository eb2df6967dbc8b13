"""Points of one series at one resolution, kept only where the value changed.

A thousand idle topics are a thousand series that never change; kept densely they would cost hundreds of MiB. A bucket
without a point of its own has the value of the one before, provided that something was sampled in it at all: which
buckets were sampled is a series too, the only dense one.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

KEYFRAME_BUCKETS = 360
GONE = math.nan
"""Recorded when a series ends (its topic was deleted): from there on there is no value."""


class Bucket(NamedTuple):
    """One bucket: its start divided by the step, and the lowest, highest and last value in it."""

    number: int
    low: float
    high: float
    last: float


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of the history: how wide its buckets are and how long they are kept."""

    step_ms: int
    kept_ms: int

    @property
    def step_s(self) -> int:
        return self.step_ms // 1000

    @property
    def points_max(self) -> int:
        return self.kept_ms // self.step_ms


class Ring:
    """The newest points of one series at one level."""

    __slots__ = ("_high", "_is_dense", "_last", "_low", "_numbers", "_open", "_points_max")

    def __init__(self, points_max: int, *, is_dense: bool = False) -> None:
        self._points_max = points_max
        self._is_dense = is_dense
        self._numbers = array("q")
        self._low, self._high, self._last = array("d"), array("d"), array("d")
        self._open: Bucket | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    def record(self, bucket: Bucket) -> tuple[Bucket | None, bool]:
        """Take a value in; returns the bucket that this closed, if any, and whether it became a point."""
        current = self._open
        if current is None:
            self._open = bucket
            return None, False
        if bucket.number <= current.number:
            self._open = _joined(current, bucket)
            return None, False
        self._open = bucket
        return current, self._keep(current)

    def close(self) -> Bucket | None:
        """End the open bucket early and return it: the process stops."""
        current, self._open = self._open, None
        if current is not None:
            self._keep(current)
        return current

    def prepend(self, buckets: Sequence[Bucket]) -> None:
        """Put older points in front, as read from the DB; those not older than what is here are left out."""
        if self._open is not None and not self._numbers and buckets and buckets[-1].number == self._open.number:
            self._open = _joined(buckets[-1], self._open)  # a restart within this bucket
        first = self._numbers[0] if self._numbers else self._open.number if self._open else None
        older = [one for one in buckets if first is None or one.number < first]
        self._numbers = array("q", (one.number for one in older)) + self._numbers
        self._low = array("d", (one.low for one in older)) + self._low
        self._high = array("d", (one.high for one in older)) + self._high
        self._last = array("d", (one.last for one in older)) + self._last
        self._trim()

    def resize(self, points_max: int) -> None:
        self._points_max = points_max
        self._trim()

    def read(self, first: int, count: int, sampled: frozenset[int]) -> list[Bucket | None]:
        """count buckets from number first on; None where nothing was sampled or the series had no value."""
        numbers, at = self._numbers, bisect_left(self._numbers, first)
        carried = self._last[at - 1] if at else GONE
        found: list[Bucket | None] = []
        for number in range(first, first + count):
            if at < len(numbers) and numbers[at] == number:
                bucket = Bucket(number, self._low[at], self._high[at], self._last[at])
                at += 1
            elif self._open is not None and self._open.number == number:
                bucket = self._open
            elif number in sampled:
                bucket = Bucket(number, carried, carried, carried)
            else:
                found.append(None)
                continue
            carried = bucket.last
            found.append(None if carried != carried else bucket)  # NaN differs from itself
        return found

    def numbers(self) -> frozenset[int]:
        """Numbers of all buckets that have a point, the open one included."""
        return frozenset(self._numbers) | ({self._open.number} if self._open else set())

    def _keep(self, bucket: Bucket) -> bool:
        before = self._last[-1] if self._last else GONE
        is_flat = bucket.low == bucket.high == bucket.last == before or (
            bucket.last != bucket.last and before != before
        )
        if is_flat and not self._is_dense and bucket.number % KEYFRAME_BUCKETS and self._numbers:
            return False
        self._numbers.append(bucket.number)
        self._low.append(bucket.low)
        self._high.append(bucket.high)
        self._last.append(bucket.last)
        self._trim()
        return True

    def _trim(self) -> None:
        excess = len(self._numbers) - self._points_max
        if excess > self._points_max // 8:  # in one go now and then, as each cut moves all that stays
            for values in (self._numbers, self._low, self._high, self._last):
                del values[:excess]


def _joined(bucket: Bucket, later: Bucket) -> Bucket:
    """One bucket of what was seen in two; a value that is GONE has no part in lowest and highest."""
    if bucket.last != bucket.last:
        return later._replace(number=bucket.number)
    if later.last != later.last:
        return bucket._replace(last=later.last)
    return Bucket(bucket.number, min(bucket.low, later.low), max(bucket.high, later.high), later.last)
