"""What goes on beside a test in a thread of its own."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class InBackground(ABC):
    """Works until the block ends. What goes wrong in the thread is raised there."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=type(self).__name__)
        self._failure: BaseException | None = None

    @abstractmethod
    def run(self) -> None:
        """The work; it ends soon after _stop is set."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), self._thread.name
        assert self._failure is None, (self._thread.name, self._failure)

    def _work(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self._failure = error
