"""What a share group has done with one partition: which offsets are free, held by a member, or done with (KIP-932).

Nothing here knows records: offsets are kept as ranges in one state, cut where members acknowledge a part of them. From
the start offset up to the end offset every offset belongs to exactly one range; what comes after was never given out.
Plain synchronous methods; the caller writes what changed to the log before anybody is told, or takes it back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

from broker.errors import InvalidRecordState, InvalidRequest

NOT_STARTED: Final = -1
"""The start offset of a group that has yet to look where the partition's log begins or ends."""

THROTTLE_COUNT_MIN: Final = 2


class RecordState(IntEnum):
    """As the log spells them; ACQUIRED is never written."""

    AVAILABLE = 0
    ACQUIRED = 1
    ACKNOWLEDGED = 2
    ARCHIVED = 4


class AcknowledgeType(IntEnum):
    """What a member says of the offsets that it holds."""

    GAP = 0
    """There is no record."""
    ACCEPT = 1
    RELEASE = 2
    """Deliver it again."""
    REJECT = 3
    RENEW = 4
    """It still works on it (KIP-1222)."""


class OffsetRange(NamedTuple):
    """Offsets that are in the same state; both ends belong to it."""

    first_offset: int
    last_offset: int
    state: RecordState
    delivery_count: int
    member_id: str = ""
    lock_until_ms: int = 0
    """Monotonic, of those that are acquired."""

    @property
    def offset_count(self) -> int:
        return self.last_offset - self.first_offset + 1

    @property
    def is_done(self) -> bool:
        """Whether it is never delivered again."""
        return self.state is RecordState.ACKNOWLEDGED or self.state is RecordState.ARCHIVED


class FetchedBatch(NamedTuple):
    """The offsets of a record batch as its header says them; a log that was compacted has holes between them."""

    base_offset: int
    last_offset: int


class Acknowledgement(NamedTuple):
    """What a member says of a range: one type for all of it, or one for each offset."""

    first_offset: int
    last_offset: int
    types: Sequence[int]


class Limits(NamedTuple):
    """The group's configs that a share partition obeys."""

    delivery_count_max: int
    in_flight_max: int
    """How far the end offset may be from the start offset."""
    may_renew: bool = True
    """Whether members may prolong their locks (KIP-1222)."""


class Asked(NamedTuple):
    """How much a fetch may acquire."""

    member_id: str
    records_max: int
    batch_size: int
    """About how many offsets one acquired range should have."""
    is_exact: bool
    """Whether `records_max` may cut a record batch (KIP-1206)."""
    lock_until_ms: int


Saved: TypeAlias = "tuple[int, int, list[OffsetRange]]"


class SharePartition:
    """One partition of one group."""

    __slots__ = ("_ranges", "end_offset", "start_offset")

    def __init__(self, start_offset: int, ranges: Iterable[OffsetRange] = ()) -> None:
        """As the log remembers it: offsets between the ranges have not been delivered as far as it knows."""
        self.start_offset = self.end_offset = start_offset
        self._ranges: list[OffsetRange] = []
        for each in sorted(ranges):
            if each.last_offset < self.end_offset:
                continue
            first_offset = max(each.first_offset, start_offset)
            if first_offset > self.end_offset:
                self._ranges.append(OffsetRange(self.end_offset, first_offset - 1, RecordState.AVAILABLE, 0))
            self._ranges.append(each._replace(first_offset=first_offset))
            self.end_offset = each.last_offset + 1
        self._settle()

    @property
    def ranges(self) -> Sequence[OffsetRange]:
        """From the start offset to the end offset, in order; a live view."""
        return self._ranges

    @property
    def done_count(self) -> int:
        """How many offsets after the start offset are done with."""
        return sum(each.offset_count for each in self._ranges if each.is_done)

    @property
    def next_lock_ms(self) -> int | None:
        """When the first lock expires (monotonic); None when nothing is acquired."""
        return min((each.lock_until_ms for each in self._ranges if each.state is RecordState.ACQUIRED), default=None)

    def next_fetch_offset(self, limits: Limits) -> int | None:
        """The first offset that can be given out; None when too many are in flight."""
        for each in self._ranges:
            if each.state is RecordState.AVAILABLE:
                return each.first_offset
        return self.end_offset if self.end_offset - self.start_offset < limits.in_flight_max else None

    def save(self) -> Saved:
        """All of it, for `restore`."""
        return self.start_offset, self.end_offset, self._ranges.copy()

    def restore(self, saved: Saved) -> None:
        """Be as it was: what has happened since could not be written."""
        self.start_offset, self.end_offset, self._ranges = saved

    def follow_log_start(self, log_start_offset: int) -> bool:
        """Forget what the log does not hold any more; whether there was anything."""
        if log_start_offset <= self.start_offset:
            return False
        self.start_offset = log_start_offset
        self.end_offset = max(self.end_offset, log_start_offset)
        self._ranges = [
            each._replace(first_offset=max(each.first_offset, log_start_offset))
            for each in self._ranges
            if each.last_offset >= log_start_offset
        ]
        self._settle()
        return True

    # Giving out.

    def acquire(self, fetched: Sequence[FetchedBatch], asked: Asked, limits: Limits) -> list[OffsetRange]:
        """Give the member what is free of the fetched batches, which were read from `next_fetch_offset` on.

        Whole record batches, unless `is_exact`. Offsets that are often delivered come in smaller and smaller parts, so
        that one bad record does not archive its neighbours.
        """
        if not fetched or asked.records_max <= 0:
            return []
        self._archive_before(fetched[0].base_offset)
        last_offset = fetched[-1].last_offset
        ends = [batch.last_offset for batch in fetched]
        acquired: list[OffsetRange] = []
        kept: list[OffsetRange] = []
        left = asked.records_max
        at = 0
        for at, each in enumerate(self._ranges):  # noqa: B007
            if left <= 0 or each.first_offset > last_offset:
                break
            if each.state is not RecordState.AVAILABLE:
                kept.append(each)
                continue
            throttled = _throttled_count(each, limits)
            if throttled is not None and acquired:
                break
            end = self._end_of(each.first_offset, min(each.last_offset, last_offset), left, ends, asked)
            if throttled is not None:
                end = min(end, each.first_offset + throttled - 1)
            taken = _acquired(each.first_offset, end, each.delivery_count + 1, ends, asked)
            acquired += taken
            kept += taken
            left = left - (end - each.first_offset + 1) if throttled is None else 0
            if end < each.last_offset:
                kept.append(each._replace(first_offset=end + 1))
        else:
            at = len(self._ranges)
        self._ranges = kept + self._ranges[at:]
        if left > 0 and last_offset >= self.end_offset:
            acquired += self._acquire_new(last_offset, left, ends, fetched, asked, limits)
        return acquired

    def archive_acquired(self, first_offset: int, last_offset: int, member_id: str) -> None:
        """Nobody is to see these offsets of the member's: a transaction that was aborted."""
        self._change(
            [_Run(first_offset, last_offset)],
            lambda each, run: (
                _done(each, RecordState.ARCHIVED)
                if each.state is RecordState.ACQUIRED and each.member_id == member_id
                else each
            ),
        )
        self._settle()

    def _acquire_new(
        self,
        last_offset: int,
        left: int,
        ends: Sequence[int],
        fetched: Sequence[FetchedBatch],
        asked: Asked,
        limits: Limits,
    ) -> list[OffsetRange]:
        """Give out offsets that nobody has had."""
        first_offset = self.end_offset
        base_offset = fetched[bisect_left(ends, first_offset)].base_offset
        if base_offset > first_offset:  # compaction has left a hole
            self._ranges.append(OffsetRange(first_offset, base_offset - 1, RecordState.ARCHIVED, 0))
            self.end_offset = first_offset = base_offset
            self._settle()
        room = limits.in_flight_max - (first_offset - self.start_offset)
        if room <= 0:
            return []
        end = self._end_of(first_offset, last_offset, min(left, room), ends, asked)
        taken = _acquired(first_offset, end, 1, ends, asked)
        self._ranges += taken
        self.end_offset = end + 1
        self._settle()
        return taken

    def _end_of(self, first_offset: int, last_offset: int, left: int, ends: Sequence[int], asked: Asked) -> int:
        """Where to stop so that about `left` offsets are given out."""
        end = first_offset + left - 1
        if end >= last_offset:
            return last_offset
        return end if asked.is_exact else min(ends[bisect_left(ends, end)], last_offset)

    def _archive_before(self, base_offset: int) -> None:
        """Free offsets before the first batch that is left are none: compaction has removed them."""
        if any(each.state is RecordState.AVAILABLE and each.first_offset < base_offset for each in self._ranges):
            self._change(
                [_Run(self.start_offset, min(base_offset, self.end_offset) - 1)],
                lambda each, run: _done(each, RecordState.ARCHIVED) if each.state is RecordState.AVAILABLE else each,
            )
            self._settle()

    # Taking back.

    def acknowledge(
        self, member_id: str, acknowledgements: Iterable[Acknowledgement], limits: Limits, lock_until_ms: int
    ) -> list[OffsetRange]:
        """Take in what a member says; return the ranges whose state has to be written. All of it counts, or nothing.

        Raises InvalidRequest for offsets that were never given out and InvalidRecordState for those that the member
        does not hold, or may not renew. Offsets before the start offset are passed over: they are done with, whatever
        it says.
        """
        before = self.save()
        changed: list[OffsetRange] = []

        def step(held: OffsetRange, run: _Run) -> OffsetRange:
            _check_held(held, member_id, is_part=run.is_part)
            after = _after(run.kind, held, limits, lock_until_ms)
            if run.kind != AcknowledgeType.RENEW:
                changed.append(after)
            return after

        try:
            runs: list[_Run] = []
            for each in acknowledgements:
                if each.last_offset < self.start_offset:
                    continue
                self._check_given_out(each)
                for run in _runs(each, self.start_offset):
                    if runs and run.first_offset <= runs[-1].last_offset:  # said twice
                        self._change(runs, step)
                        runs = []
                    runs.append(run)
            self._change(runs, step)
        except Exception:
            self.restore(before)
            raise
        self._settle()
        return self._still_kept(changed)

    def release(self, is_lost: Callable[[OffsetRange], bool], limits: Limits) -> list[OffsetRange]:
        """Take back the acquired ranges that `is_lost` names; return those whose state has to be written."""
        changed: list[OffsetRange] = []
        for at, each in enumerate(self._ranges):
            if each.state is RecordState.ACQUIRED and is_lost(each):
                self._ranges[at] = _released(each, limits)
                changed.append(self._ranges[at])
        if changed:
            self._settle()
        return self._still_kept(changed)

    def _check_given_out(self, asked: Acknowledgement) -> None:
        if not self._ranges:
            raise InvalidRecordState("Batch record not found. No records are in flight.")
        if asked.first_offset >= self.end_offset:
            raise InvalidRequest("Batch record not found. The first offset in request is past acquired records.")
        if asked.last_offset >= self.end_offset:
            raise InvalidRequest("Batch record not found. The last offset in request is past acquired records.")

    def _still_kept(self, changed: list[OffsetRange]) -> list[OffsetRange]:
        return [each for each in changed if each.last_offset >= self.start_offset]

    # Ranges.

    def _change(self, runs: Sequence[_Run], step: Callable[[OffsetRange, _Run], OffsetRange]) -> None:
        """Put `step` of them in the place of what the runs cover, which ascend; ranges are cut where runs end.

        One pass, because a batch of very many records may be acknowledged record by record.
        """
        if not runs:
            return
        begin = end = bisect_left(self._ranges, runs[0].first_offset, key=_last_offset)
        at = 0
        replaced: list[OffsetRange] = []
        while end < len(self._ranges) and at < len(runs):
            each = self._ranges[end]
            end += 1
            first_offset = each.first_offset
            while at < len(runs) and runs[at].first_offset <= each.last_offset:
                run = runs[at]
                if first_offset < run.first_offset:
                    replaced.append(each._replace(first_offset=first_offset, last_offset=run.first_offset - 1))
                    first_offset = run.first_offset
                last_offset = min(run.last_offset, each.last_offset)
                replaced.append(step(OffsetRange(first_offset, last_offset, *each[2:]), run))
                first_offset = last_offset + 1
                if run.last_offset > each.last_offset:
                    break
                at += 1
            if first_offset <= each.last_offset:
                replaced.append(each._replace(first_offset=first_offset))
        self._ranges[begin:end] = replaced

    def _settle(self) -> None:
        """Join neighbours in the same state, and move the start offset over what is done with."""
        joined: list[OffsetRange] = []
        for each in self._ranges:
            if each.is_done and not joined:
                self.start_offset = each.last_offset + 1
            elif joined and each.state is not RecordState.ACQUIRED and joined[-1][2:] == each[2:]:
                joined[-1] = joined[-1]._replace(last_offset=each.last_offset)
            else:
                joined.append(each)
        self._ranges = joined
        self.end_offset = max(self.end_offset, self.start_offset)


def without(each: OffsetRange, first_offset: int, last_offset: int) -> list[OffsetRange]:
    """What is left of a range, in up to two parts, when these offsets are taken out."""
    parts = (
        each._replace(last_offset=min(each.last_offset, first_offset - 1)),
        each._replace(first_offset=max(each.first_offset, last_offset + 1)),
    )
    return [part for part in parts if part.first_offset <= part.last_offset]


def _last_offset(each: OffsetRange) -> int:
    return each.last_offset


def _throttled_count(each: OffsetRange, limits: Limits) -> int | None:
    """How many offsets of a range that failed often are given out at once; None for all of them."""
    limit = limits.delivery_count_max
    threshold = max(THROTTLE_COUNT_MIN, (limit + 1) // 2)
    if each.delivery_count < threshold:
        return None
    if each.delivery_count >= limit - 1:
        return 1
    return max(1, each.offset_count >> (each.delivery_count - threshold + 1))


def _acquired(
    first_offset: int, last_offset: int, delivery_count: int, ends: Sequence[int], asked: Asked
) -> list[OffsetRange]:
    """The ranges that the member gets: one, or as many as record batches allow if it wants smaller ones."""
    held = OffsetRange(
        first_offset, last_offset, RecordState.ACQUIRED, delivery_count, asked.member_id, asked.lock_until_ms
    )
    if asked.is_exact or asked.batch_size <= 0 or held.offset_count <= asked.batch_size:
        return [held]
    cut: list[OffsetRange] = []
    for end in ends[bisect_left(ends, first_offset) :]:
        if end >= last_offset:
            break
        if end - first_offset + 1 >= asked.batch_size:
            cut.append(held._replace(first_offset=first_offset, last_offset=end))
            first_offset = end + 1
    return [*cut, held._replace(first_offset=first_offset)]


class _Run(NamedTuple):
    """Neighbouring offsets of which the same is said."""

    first_offset: int
    last_offset: int
    kind: int = AcknowledgeType.GAP
    is_part: bool = False
    """Whether something else is said of others in the same range."""


def _runs(asked: Acknowledgement, start_offset: int) -> Iterator[_Run]:
    """What is said, from the start offset on."""
    if len(asked.types) == 1:
        yield _Run(max(asked.first_offset, start_offset), asked.last_offset, asked.types[0])
        return
    skipped = max(0, start_offset - asked.first_offset)
    first_offset = asked.first_offset + skipped
    for kind, run in groupby(asked.types[skipped:]):
        last_offset = first_offset + len(list(run)) - 1
        yield _Run(first_offset, last_offset, kind, is_part=True)
        first_offset = last_offset + 1


def _check_held(each: OffsetRange, member_id: str, *, is_part: bool) -> None:
    if each.state is not RecordState.ACQUIRED:
        if is_part:
            raise InvalidRecordState("The offset cannot be acknowledged. The offset is not acquired.")
        raise InvalidRecordState("The batch cannot be acknowledged. The batch is not in the acquired state.")
    if each.member_id != member_id:
        raise InvalidRecordState("Member is not the owner of batch record")


def _after(kind: int, held: OffsetRange, limits: Limits, lock_until_ms: int) -> OffsetRange:
    if kind == AcknowledgeType.ACCEPT:
        return _done(held, RecordState.ACKNOWLEDGED)
    if kind == AcknowledgeType.RELEASE:
        return _released(held, limits)
    if kind == AcknowledgeType.RENEW:
        if not limits.may_renew:
            raise InvalidRecordState("Renewing acquisition locks is not enabled for the group.")
        return held._replace(lock_until_ms=lock_until_ms)
    return _done(held, RecordState.ARCHIVED)


def _done(each: OffsetRange, state: RecordState) -> OffsetRange:
    return OffsetRange(each.first_offset, each.last_offset, state, each.delivery_count)


def _released(held: OffsetRange, limits: Limits) -> OffsetRange:
    is_spent = held.delivery_count >= limits.delivery_count_max
    return _done(held, RecordState.ARCHIVED if is_spent else RecordState.AVAILABLE)
