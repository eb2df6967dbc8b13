"""How much memory requests may take that have not arrived whole: `queued.max.request.bytes` (KIP-72).

A request is let in while any memory is left, so the limit may be passed by one request; the next ones wait in their
sockets until there is room. Those let in have all they need, so they always end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class RequestMemory:
    """What is reserved, and who waits for room. A limit of 0 or less is none."""

    def __init__(self, bytes_max: int) -> None:
        self.reserved_bytes = 0
        self._bytes_max = bytes_max
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._bytes_max > 0

    @property
    def is_full(self) -> bool:
        """Whether the next request must wait."""
        return 0 < self._bytes_max <= self.reserved_bytes

    def reserve(self, byte_count: int) -> None:
        """Let a request of that size in."""
        self.reserved_bytes += byte_count

    def release(self, byte_count: int) -> None:
        """The request has been read or its client is gone: those that wait come in, in their order."""
        self.reserved_bytes -= byte_count
        while self._waiting and not self.is_full:
            self._waiting.popleft()()

    def when_free(self, callback: Callable[[], None]) -> None:
        """Call once when there is room."""
        self._waiting.append(callback)
