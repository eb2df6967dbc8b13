"""A broker that an earlier Caudal left behind: it went on serving when the web process was killed, and is replaced now.

Who holds the lock of the broker's folder, the kernel knows. Only a broker that a Caudal started on this data folder
itself is ended; one that somebody runs there by hand is not ours, and the new one is refused as ever.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import struct
import sys
import time
from pathlib import Path

from app.errors import StartError

log = logging.getLogger("caudal.runtime")

STOP_TIMEOUT_S = 12.0
POLL_S = 0.02
RECORD_FILE = "broker.pid"
LOCK_FILE = ".lock"

# struct flock: type, whence, start, length, process; macOS has its fields in another order.
_FLOCK = struct.Struct("@qqihh") if sys.platform == "darwin" else struct.Struct("@hhqqi")


def note_broker(data_dir: Path, pid: int) -> None:
    """Remember the broker that was just started, for the case that we are killed. Raises StartError."""
    try:
        (data_dir / RECORD_FILE).write_text(str(pid), "ascii")
    except OSError as error:
        raise StartError(f"cannot write to the data folder {data_dir}: {error.strerror}.") from error


async def replace_left_broker(data_dir: Path, broker_dir: Path) -> None:
    """End the broker that an earlier Caudal has left on this folder, if there is one: cleanly, so it loses nothing."""
    pid = _lock_holder(broker_dir / LOCK_FILE)
    if pid is None or pid != _noted_broker(data_dir):
        return
    log.warning("a Caudal that was killed has left its broker serving, it is stopped and replaced pid=%d", pid)
    if not await _end(pid, signal.SIGTERM, broker_dir):
        log.warning("broker did not stop in time, killed pid=%d timeout_s=%.0f", pid, STOP_TIMEOUT_S)
        await _end(pid, signal.SIGKILL, broker_dir)


async def _end(pid: int, number: signal.Signals, broker_dir: Path) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _lock_holder(broker_dir / LOCK_FILE) == pid:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


def _noted_broker(data_dir: Path) -> int | None:
    try:
        return int((data_dir / RECORD_FILE).read_text("ascii"))
    except (OSError, ValueError):
        return None


def _lock_holder(path: Path) -> int | None:
    """The process that holds the POSIX lock of the file; None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        asked = (
            _FLOCK.pack(0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
            if sys.platform == "darwin"
            else _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        )
        answer = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    kind, pid = (answer[3], answer[2]) if sys.platform == "darwin" else (answer[0], answer[4])
    return pid if kind != fcntl.F_UNLCK else None
