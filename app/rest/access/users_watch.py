"""The users file as it is now."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.rest.access.users_file import Users, UsersFileError, read_users

log = logging.getLogger("caudal.rest")

LOOK_AT_FILE_MS: Final = 1_000


class UsersFile:
    """The users of the moment: the file is read anew when it has changed; one that is not usable changes nothing."""

    def __init__(self, path: Path, monotonic_ms: Callable[[], int]) -> None:
        """Raises UsersFileError."""
        self._path = path
        self._monotonic_ms = monotonic_ms
        self._users = read_users(path)
        self._state = self._file_state()
        self._look_at_ms = 0

    def current(self) -> Users:
        now_ms = self._monotonic_ms()
        if now_ms >= self._look_at_ms:
            self._look_at_ms = now_ms + LOOK_AT_FILE_MS
            state = self._file_state()
            if state != self._state:
                self._state = state
                self._read()
        return self._users

    def _read(self) -> None:
        try:
            self._users = read_users(self._path)
        except UsersFileError as error:
            log.error("users not reloaded: %s", error)
        else:
            log.info("users reloaded file=%s", self._path)

    def _file_state(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
