"""Long work on the event loop, cut into slices so that other connections get their turn."""

import asyncio
from collections.abc import Iterable

from broker.clock import Clock


async def in_slices(steps: Iterable[object], clock: Clock, *, slice_ms: int = 5, pause_ms: int = 0) -> None:
    """Take all steps; after each slice of that length everything else that waits is served, and the pause is made.

    A step is never interrupted, so it must be short. Raises what a step raises.
    """
    until_ms = clock.monotonic_ms() + slice_ms
    for _ in steps:
        if clock.monotonic_ms() >= until_ms:
            await asyncio.sleep(pause_ms / 1000)
            until_ms = clock.monotonic_ms() + slice_ms
