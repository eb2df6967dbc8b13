"""Small true things that stand in for the world in tests."""

from broker.clock import Clock


class ManualClock(Clock):
    """A clock that only moves when a test turns it."""

    __slots__ = ("_monotonic_ms", "_now_ms")

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic_ms = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_ms(self) -> int:
        return self._monotonic_ms

    def advance(self, ms: int) -> None:
        """Let time pass, on both clocks."""
        self._now_ms += ms
        self._monotonic_ms += ms

    def set_wall_clock(self, now_ms: int) -> None:
        """Set the date, as an administrator might; no time passes."""
        self._now_ms = now_ms
