"""What goes on beside a test in threads of its own."""

import threading
from abc import ABC, abstractmethod
from typing import Self

END_SECONDS_MAX = 60


class InBackground(ABC):
    """Works in so many threads until the block ends. What goes wrong in one is raised there."""

    def __init__(self, workers: int = 1) -> None:
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        name = type(self).__name__
        self._threads = [threading.Thread(target=self._work, args=(one,), name=name) for one in range(workers)]

    @abstractmethod
    def run(self, worker: int) -> None:
        """The work of thread 0, 1, 2, …; it ends soon after _stop is set."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(END_SECONDS_MAX)
            assert not thread.is_alive(), thread.name
        if self._failures:
            raise self._failures[0]

    def _work(self, worker: int) -> None:
        try:
            self.run(worker)
        except BaseException as error:
            self._failures.append(error)
