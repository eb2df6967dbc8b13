"""Which writes may run side by side: registrations of different subjects and contents; everything else is alone."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _KeyLock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class WriteGate:
    """The order of writes in one node. Waiting is first come, first served."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, _KeyLock] = {}
        self._turn = asyncio.Lock()
        self._running = 0
        self._idle = asyncio.Event()

    @asynccontextmanager
    async def beside(self, *keys: Hashable) -> AsyncIterator[None]:
        """Run beside others that have none of these keys. Every caller gives its kinds of keys in the same order."""
        async with self._turn:
            self._running += 1
        try:
            async with AsyncExitStack() as stack:
                for key in keys:
                    await stack.enter_async_context(self.locked(key))
                yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Run while no other write does."""
        async with self._turn:
            while self._running:
                self._idle.clear()
                await self._idle.wait()
            yield

    @asynccontextmanager
    async def locked(self, key: Hashable) -> AsyncIterator[None]:
        """One more key, for a caller that is inside beside()."""
        one = self._locks.setdefault(key, _KeyLock())
        one.users += 1
        try:
            async with one.lock:
                yield
        finally:
            one.users -= 1
            if not one.users:
                self._locks.pop(key, None)
