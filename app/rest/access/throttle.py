"""Requests per second of one client: a token bucket each, a second's worth deep."""

import math
from collections.abc import Callable
from typing import Final

CLIENTS_MAX: Final = 100_000


class Throttle:
    """Counts requests by client: a user's name, or an address where nobody logs in."""

    def __init__(self, per_second: float, monotonic_ms: Callable[[], int]) -> None:
        self._ms_each = 1_000 / per_second
        self._monotonic_ms = monotonic_ms
        self._free_at_ms: dict[str, float] = {}
        """When the bucket of a client will be full again; missing is full."""

    def take(self, client: str) -> int:
        """Take one request; 0, or after how many whole seconds to come again."""
        now_ms = self._monotonic_ms()
        free_at_ms = max(self._free_at_ms.get(client, 0.0), now_ms) + self._ms_each
        over_ms = free_at_ms - now_ms - max(1_000.0, self._ms_each)
        if over_ms > 0:
            return math.ceil(over_ms / 1_000)
        if client not in self._free_at_ms and len(self._free_at_ms) >= CLIENTS_MAX:
            self._forget(now_ms)
        self._free_at_ms[client] = free_at_ms
        return 0

    def _forget(self, now_ms: int) -> None:
        """Drop the full buckets; were all of them in use, drop all: a limit that forgets beats one that grows."""
        self._free_at_ms = {client: at for client, at in self._free_at_ms.items() if at > now_ms}
        if len(self._free_at_ms) >= CLIENTS_MAX:
            self._free_at_ms.clear()
