"""Deadlines that are moved far more often than they are met: a member's session is prolonged by every heartbeat.

Moving a deadline later costs one assignment. The heap learns of it only when the old moment comes up, so a heartbeat
never touches the heap and a group's size does not slow its heartbeats.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from broker.clock import Clock


class Now(NamedTuple):
    """The moment of a request or a tick, on both clocks."""

    monotonic_ms: int
    """What sessions and rebalances are measured with; never goes back."""
    wall_ms: int
    """What commits are dated with: milliseconds since 1970."""

    @classmethod
    def by(cls, clock: Clock) -> Now:
        """What the clock says."""
        return cls(monotonic_ms=clock.monotonic_ms(), wall_ms=clock.now_ms())


class Deadline:
    """A moment (monotonic ms) at which `action` is due; not set until `set`."""

    __slots__ = ("_queue", "_queued_ms", "action", "at_ms")

    def __init__(self, queue: DeadlineQueue, action: Callable[[Now], None]) -> None:
        self.action = action
        self.at_ms: int | None = None
        self._queue = queue
        self._queued_ms: int | None = None

    def set(self, at_ms: int) -> None:
        """Make it due at `at_ms`, whatever it was before."""
        self.at_ms = at_ms
        if self._queued_ms is None or at_ms < self._queued_ms:
            self.queued_at(at_ms)

    def cancel(self) -> None:
        """Make it never due."""
        self.at_ms = None

    def queued_at(self, at_ms: int | None) -> None:
        """Put it into the queue at `at_ms`; None when its last entry has just left the queue."""
        self._queued_ms = at_ms
        if at_ms is not None:
            self._queue.push(at_ms, self)

    def is_queued_at(self, at_ms: int) -> bool:
        """Whether the queue's entry at `at_ms` is the one that counts; an earlier one may have replaced it."""
        return self._queued_ms == at_ms


class DeadlineQueue:
    """All deadlines of a coordinator, soonest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Deadline]] = []
        self._order = count()

    def deadline(self, action: Callable[[Now], None]) -> Deadline:
        """A new deadline of this queue, not set."""
        return Deadline(self, action)

    def next_ms(self) -> int | None:
        """When the soonest deadline is due, monotonic; None when none is set."""
        while self._heap:
            at_ms, _, deadline = self._heap[0]
            if deadline.at_ms == at_ms and deadline.is_queued_at(at_ms):
                return at_ms
            heapq.heappop(self._heap)
            self._requeue(deadline, at_ms)
        return None

    def run_due(self, now: Now) -> None:
        """Run the actions that are due, in the order in which they became due; each at most once a call."""
        due = []
        while (at_ms := self.next_ms()) is not None and at_ms <= now.monotonic_ms:
            deadline = heapq.heappop(self._heap)[2]
            deadline.queued_at(None)
            due.append(deadline)
        for deadline in due:
            # An earlier action may have moved or cancelled this one.
            if deadline.at_ms is not None and deadline.at_ms <= now.monotonic_ms:
                deadline.cancel()
                deadline.action(now)

    def push(self, at_ms: int, deadline: Deadline) -> None:
        """Add an entry; called by the deadline itself."""
        heapq.heappush(self._heap, (at_ms, next(self._order), deadline))

    def _requeue(self, deadline: Deadline, left_ms: int) -> None:
        """Follow a deadline that was moved later, or forget one that was cancelled or is queued earlier already."""
        if deadline.is_queued_at(left_ms):
            deadline.queued_at(deadline.at_ms)
