"""Who waits for a log: fetches for bytes, producers for the disk."""

from collections.abc import Callable

from broker.errors import KafkaError

Waiter = Callable[[], None]
DurabilityWaiter = Callable[[KafkaError | None], None]


class Waiters(dict[Waiter, None]):
    """Callbacks of fetches that wait for more bytes; each is called once, then forgotten.

    A dict, so that every append can ask without a call whether there are any.
    """

    __slots__ = ()

    def add(self, callback: Waiter) -> None:
        """Remember the callback until it is woken or removed."""
        self[callback] = None

    def remove(self, callback: Waiter) -> None:
        """Forget the callback; one that was already woken is no error."""
        self.pop(callback, None)

    def wake(self) -> None:
        """Call everyone who waits now; a callback may wait again."""
        callbacks = list(self)
        self.clear()
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
