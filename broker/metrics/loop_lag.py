"""How punctual the event loop is: a timer that should fire once a second, and how late it did."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

INTERVAL_S: Final = 1.0
REMEMBERED: Final = 60


class LoopLag:
    """Counts from `run` on."""

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self._last: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def longest_s(self) -> float:
        """The worst of the last minute."""
        return max(self._last, default=0.0)

    def note(self, late_s: float) -> None:
        """The timer fired so much later than asked."""
        self.count += 1
        self.total_s += late_s
        self._last.append(late_s)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self.note(max(loop.time() - due_s, 0.0))
