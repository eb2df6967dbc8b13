"""One commit of a group and topic at a time in this process: comparing and committing are two requests to Kafka."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Commits:
    def __init__(self) -> None:
        self._turns: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, group: str, topic: str) -> AsyncIterator[None]:
        key = (group, topic)
        lock, count = self._turns.get(key, (asyncio.Lock(), 0))
        self._turns[key] = (lock, count + 1)
        try:
            async with lock:
                yield
        finally:
            lock, count = self._turns[key]
            if count == 1:
                del self._turns[key]
            else:
                self._turns[key] = (lock, count - 1)
