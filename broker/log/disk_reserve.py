"""A few MiB kept back on the data folder's disk, so that a full one still takes commits, deletions and clean stops.

They are a file that holds nothing. When the disk is full the file is emptied, producers are refused, and what must go
on uses the room. Once somebody has made more room the file is filled again and producers are welcome.
"""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

RESERVE_FILE: Final = ".reserve"
RESERVE_BYTES: Final = 8 * 1024 * 1024
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class DiskReserve:
    """The reserve of one data folder. `is_spent` says that the disk is full: only what is essential may write."""

    __slots__ = ("_path", "_size", "is_spent")

    def __init__(self, folder: Path, size: int = RESERVE_BYTES) -> None:
        self._path = folder / RESERVE_FILE
        self._size = size
        self.is_spent = False

    def open(self) -> None:
        """Fill the file; without room for it the disk counts as full from the start."""
        if not self._is_filled() and not self.refill():
            self.is_spent = True
            log.error("disk is full, producers are refused until there is room folder=%s", self._path.parent)

    def spend(self, error: BaseException | None) -> bool:
        """Make room if it was for want of it that a write failed; whether trying that again is worth it."""
        if not isinstance(error, OSError) or error.errno not in _FULL or self.is_spent:
            return False
        self.is_spent = True
        log.error("disk is full, producers are refused until there is room folder=%s", self._path.parent)
        try:
            os.truncate(self._path, 0)
        except OSError:
            return False
        return True

    def with_room(self, write: Callable[[], None]) -> None:
        """Write what is essential; if the disk is full, once more in the room that was kept. Raises OSError."""
        try:
            write()
        except OSError as error:
            if not self.spend(error):
                raise
            write()

    def refill(self) -> bool:
        """Whether there is room again; then the file is filled and the disk no longer counts as full."""
        try:
            stats = os.statvfs(self._path.parent)
            if stats.f_bavail * stats.f_frsize < 2 * self._size:
                return False
            self._fill()
        except OSError as error:
            if error.errno in _FULL:
                return False
            # A file system that cannot keep room back is not a full one.
            log.warning("no room is kept back folder=%s error=%s", self._path.parent, error)
        if self.is_spent:
            self.is_spent = False
            log.info("disk has room folder=%s", self._path.parent)
        return True

    def _is_filled(self) -> bool:
        try:
            return self._path.stat().st_size == self._size
        except OSError:
            return False

    def _fill(self) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, self._size)
            else:  # macOS
                os.write(fd, bytes(self._size))
        finally:
            os.close(fd)
