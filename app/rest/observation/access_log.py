"""One JSON line per request: who, what, how it ended. Never what was said: no bodies, no query, no headers.

Lines are gathered and written by a thread, so a slow disk holds up no request. A file that was moved away is opened
anew with the next lines; one that was cut to nothing is written on from its start (logrotate, both ways).
"""

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec
from starlette.types import Scope

from app.errors import StartError
from app.rest.access.checks import PRINCIPAL

log = logging.getLogger("caudal.access_log")

FLUSH_S: Final = 0.5
"""How long lines wait for others, so that there are few writes."""

WAITING_BYTES_MAX: Final = 4 << 20
"""Lines that wait for the disk; more of them are dropped, and counted."""

PATH_CHARS_MAX: Final = 1_024
MODE: Final = 0o640
STDERR: Final = "-"

_encoder: Final = msgspec.json.Encoder()


class Line(msgspec.Struct):
    """The fields, in the order in which they are written."""

    time: str
    client: str
    user: str
    method: str
    path: str
    endpoint: str
    status: int | None
    request_bytes: int | None
    response_bytes: int
    duration_ms: float


class Clock(Protocol):
    def now_ms(self) -> int: ...


class AccessLog:
    """Opened when made: raises StartError for a file that cannot be written. start(), then stop()."""

    def __init__(self, path: str, clock: Clock) -> None:
        self.dropped_count = 0
        self._clock = clock
        self._file = _Stderr() if path == STDERR else _File(Path(path))
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._has_lines = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_failing = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._write_all(), name="access-log")

    async def stop(self) -> None:
        """Write what waits, and close."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()
        self._file.close()

    def write(self, scope: Scope, *, endpoint: str, status: int, response_bytes: int, elapsed_ns: int) -> None:
        """One line about a request that has ended; status 0 is one without an answer."""
        line = _encoder.encode(self._line(scope, endpoint, status, response_bytes, elapsed_ns)) + b"\n"
        if self._waiting_bytes + len(line) > WAITING_BYTES_MAX:
            self.dropped_count += 1
            return
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        self._has_lines.set()

    def _line(self, scope: Scope, endpoint: str, status: int, response_bytes: int, elapsed_ns: int) -> Line:
        principal = scope.get(PRINCIPAL)
        client = scope.get("client")
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        return Line(
            time=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            client=client[0] if client else "",
            user=principal.name if principal else "",
            method=scope["method"],
            path=path.partition(b"?")[0].decode("latin-1")[:PATH_CHARS_MAX],
            endpoint=endpoint,
            status=status or None,
            request_bytes=_content_length(scope),
            response_bytes=response_bytes,
            duration_ms=round(elapsed_ns / 1e6, 3),
        )

    async def _write_all(self) -> None:
        while True:
            await self._has_lines.wait()
            await asyncio.sleep(FLUSH_S)
            await self._flush()

    async def _flush(self) -> None:
        taken = self._waiting
        self._waiting, self._waiting_bytes = [], 0
        self._has_lines.clear()
        if not taken:
            return
        writing = asyncio.ensure_future(asyncio.to_thread(self._file.write, b"".join(taken)))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:  # the thread goes on all the same; what comes after it must not overtake it
            await asyncio.wait({writing})
            self._tell(writing.exception(), len(taken))
            raise
        except OSError as error:
            self._tell(error, len(taken))
        else:
            self._is_failing = False

    def _tell(self, error: BaseException | None, line_count: int) -> None:
        """A disk that is full is told once, not with every write."""
        if error is None:
            return
        self.dropped_count += line_count
        if not self._is_failing:
            log.error("access log cannot be written error=%s", error)
        self._is_failing = True


class _Stderr:
    def write(self, lines: bytes) -> None:
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()

    def close(self) -> None:
        return None


class _File:
    """Appends, wherever the path leads at the time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = self._open()
        except OSError as error:
            raise StartError(
                f"cannot write the access log {path}: {error.strerror}. Check the setting rest.access_log."
            ) from error

    def write(self, lines: bytes) -> None:
        if self._was_moved():
            opened = self._open()
            os.close(self._fd)
            self._fd = opened
        view = memoryview(lines)
        while view:
            view = view[os.write(self._fd, view) :]

    def close(self) -> None:
        os.close(self._fd)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)

    def _was_moved(self) -> bool:
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(self._fd))


def _content_length(scope: Scope) -> int | None:
    """Bytes of the body as sent; None where the client did not say beforehand."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    sent: int | None = 0
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
        if name == b"transfer-encoding":
            sent = None
    return sent
