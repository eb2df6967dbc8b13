"""How many segment files are open at once, and how much of their indexes is in memory.

A broker has many more segments than the process may have file descriptors, and more index entries than it should keep
in memory. Segments open their file and load their index when they are touched; when a limit is reached, the ones that
were not touched for longest are closed. A segment that is touched again just opens its file again.
"""

import errno
import os
import resource
from collections import deque
from typing import Final, Protocol

INDEX_BYTES_MAX: Final = 64 << 20
CLOSED: Final = -1
"""The `fd` of a segment whose file is not open."""


class HasFile(Protocol):
    """What can be opened and closed here: a segment."""

    path: str
    fd: int
    was_used: bool
    cached_bytes: int

    def release(self) -> None:
        """The file was closed to make room for another."""


class OpenFiles:
    """The open segment files, closed in about the order they were last used (the "clock" form of LRU).

    Reading and appending only set `was_used`, which costs nothing; the order is sorted out when a file must go.
    """

    __slots__ = ("_cached_bytes", "_files", "_lent_count", "index_bytes_max", "open_max")

    def __init__(self, open_max: int | None = None, index_bytes_max: int = INDEX_BYTES_MAX) -> None:
        self.open_max = open_max if open_max is not None else default_open_max()
        self.index_bytes_max = index_bytes_max
        self._cached_bytes = 0
        self._lent_count = 0
        self._files: deque[HasFile] = deque()

    def __len__(self) -> int:
        return len(self._files)

    def open(self, file: HasFile) -> int:
        """Open `file.path` for reading and writing, set and return `file.fd`; may close others.

        Raises OSError: the file is gone, or the process has no descriptors left although all of ours are closed.
        """
        while self._files and len(self._files) + self._lent_count >= self.open_max:
            self._close_least_used()
        file.fd = self.open_path(file.path, os.O_RDWR)
        file.was_used = True
        self._files.append(file)
        return file.fd

    def open_path(self, path: str, flags: int) -> int:
        """`os.open`, which makes room by closing segment files when the process or system has no descriptor left."""
        while True:
            try:
                return os.open(path, flags | os.O_CLOEXEC, 0o644)
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._files:
                    raise
                self._close_least_used()

    def lend(self, fd: int) -> int:
        """Another descriptor of a file, for someone who may need it for long; it counts until `take_back`.

        Raises OSError: half of what may be open is lent.
        """
        if self._lent_count >= self.open_max // 2:
            raise OSError(errno.EMFILE, "too many descriptors are lent")
        lent_fd = os.dup(fd)
        self._lent_count += 1
        while len(self._files) > 1 and len(self._files) + self._lent_count > self.open_max:
            self._close_least_used()
        return lent_fd

    def take_back(self, fd: int) -> None:
        """Close a descriptor that was lent."""
        os.close(fd)
        self._lent_count -= 1

    def charge(self, file: HasFile, cached_bytes: int) -> None:
        """An open file's index was loaded: others may have to go for it."""
        file.cached_bytes += cached_bytes
        self._cached_bytes += cached_bytes
        while self._cached_bytes > self.index_bytes_max and len(self._files) > 1:
            self._close_least_used()

    def close(self, file: HasFile) -> None:
        """Close the file if it is open."""
        if file.fd != CLOSED:
            self._files.remove(file)
            self._close(file)

    def _close_least_used(self) -> None:
        file = self._files.popleft()
        while file.was_used:
            file.was_used = False
            self._files.append(file)
            file = self._files.popleft()
        self._close(file)
        file.release()

    def _close(self, file: HasFile) -> None:
        os.close(file.fd)
        file.fd = CLOSED
        self._cached_bytes -= file.cached_bytes
        file.cached_bytes = 0


def default_open_max() -> int:
    """A quarter of the process's descriptors: the rest is for connections."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 16_384 if soft == resource.RLIM_INFINITY else max(16, min(16_384, soft // 4))
