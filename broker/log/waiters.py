"""Who waits for a log: fetches for bytes, producers for the disk."""

from collections.abc import Callable

from broker.errors import KafkaError

Waiter = Callable[[], None]
DurabilityWaiter = Callable[[KafkaError | None], None]


class Waiters:
    """Callbacks of fetches that wait for more bytes; each is called once, then forgotten."""

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: dict[Waiter, None] = {}

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Waiter) -> None:
        """Remember the callback until it is woken or removed."""
        self._callbacks[callback] = None

    def remove(self, callback: Waiter) -> None:
        """Forget the callback; one that was already woken is no error."""
        self._callbacks.pop(callback, None)

    def wake(self) -> None:
        """Call everyone who waits now; a callback may wait again."""
        callbacks, self._callbacks = self._callbacks, {}
        for callback in callbacks:
            callback()


class DurabilityWaiters:
    """Callbacks of producers that wait until everything before an offset is on disk."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[int, DurabilityWaiter]] = []

    def add(self, end_offset: int, callback: DurabilityWaiter) -> None:
        """Remember the callback until `wake` reaches its end offset (exclusive)."""
        self._waiting.append((end_offset, callback))

    def wake(self, flushed_offset: int) -> None:
        """Tell those whose batches are now on disk."""
        waiting, self._waiting = self._waiting, []
        for end_offset, callback in waiting:
            if end_offset <= flushed_offset:
                callback(None)
            else:
                self._waiting.append((end_offset, callback))

    def fail(self, error: KafkaError) -> None:
        """Tell everyone that their batches may not survive."""
        waiting, self._waiting = self._waiting, []
        for _, callback in waiting:
            callback(error)
