"""The data folder of one running Caudal: made when missing, held by a lock, shared with whatever else lies in it."""

import fcntl
import os
from pathlib import Path

from app.errors import StartError


class DataDirectory:
    """A folder that one Caudal at a time may use.

    path holds `kafka/` (the embedded broker's logs), `caudal.db` (the metadata DB), `caudal.lock` and `broker.pid`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def kafka(self) -> Path:
        return self.path / "kafka"

    @property
    def database(self) -> Path:
        return self.path / "caudal.db"

    def open(self) -> None:
        """Make the folder if need be and take its lock; raises StartError with the remedy."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / "caudal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StartError(
                f"cannot use the data folder {self.path}: {error.strerror}. Choose another with --data-dir."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            owner = f" (process {holder})" if holder.isdigit() else ""
            raise StartError(
                f"the data folder {self.path} is in use by another Caudal{owner}. "
                "Stop that one, or choose another folder with --data-dir."
            ) from error
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._lock = descriptor

    def close(self) -> None:
        """Give the lock back; the file stays, so that two starters never race over its removal."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
