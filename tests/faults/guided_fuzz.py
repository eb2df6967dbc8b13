"""A fuzzer that is led by what the broker's code does: a frame that reaches a new line is kept, and changed further.

The broker runs in this very process, so that its lines can be watched, and is spoken to over real connections. With
Python 3.12 and above a line costs something only the first time (`sys.monitoring`), before that `sys.settrace` is used.
"""

import asyncio
import contextlib
import logging
import random
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from crc32c import crc32c

import broker
from tests.faults import malformed
from tests.faults.malformed import sized

ANSWER_SECONDS = 0.03
FRAME_BYTES_MAX = 20_000
_BROKER_FOLDER = str(Path(broker.__file__).parent)
_TOOL_ID = 3
_NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    256,
    32_767,
    -32_768,
    65_535,
    2**31 - 1,
    -(2**31),
    2**31,
    2**63 - 1,
    -(2**63),
)
_BATCH_CRC_AT, _BATCH_CRC_FROM, _BATCH_MAGIC_AT, _BATCH_HEADER_BYTES = 17, 21, 16, 61


class LineWatch:
    """Which lines of the broker have run in this thread since `with` began."""

    def __init__(self) -> None:
        self.lines: set[tuple[str, int]] = set()

    def __enter__(self) -> "LineWatch":
        if sys.version_info >= (3, 12):
            monitoring = sys.monitoring
            monitoring.use_tool_id(_TOOL_ID, "guided_fuzz")
            monitoring.register_callback(_TOOL_ID, monitoring.events.LINE, self._on_line)
            monitoring.set_events(_TOOL_ID, monitoring.events.LINE)
        else:
            sys.settrace(self._on_call)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(_TOOL_ID, 0)
            sys.monitoring.free_tool_id(_TOOL_ID)
        else:
            sys.settrace(None)

    def _on_line(self, code: CodeType, line: int) -> Any:
        if code.co_filename.startswith(_BROKER_FOLDER):
            self.lines.add((code.co_filename, line))
        return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]

    def _on_call(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(_BROKER_FOLDER):
            return None
        name, lines = frame.f_code.co_filename, self.lines

        def on_event(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line":
                lines.add((name, frame.f_lineno))
            return on_event

        return on_event


class Corpus:
    """Frames worth changing; those of a folder from earlier runs, if there is one."""

    def __init__(self, chance: random.Random, folder: Path | None) -> None:
        self._chance = chance
        self._folder = folder
        self.frames = [frame.data for frame in malformed.valid_requests(chance)]
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self.frames += [path.read_bytes() for path in sorted(folder.iterdir())]
        self.found = 0
        """How many of them were found by this run."""

    def keep(self, data: bytes) -> None:
        """This one has reached something new."""
        self.frames.append(data)
        self.found += 1
        if self._folder is not None:
            (self._folder / f"{crc32c(data):08x}-{len(data)}").write_bytes(data)

    def next(self) -> bytes:
        """A changed frame; what was found last is chosen more often."""
        chance, frames = self._chance, self.frames
        recent = self.found and chance.random() < 0.4
        body = bytearray(chance.choice(frames[-min(self.found, 200) :] if recent else frames)[4:])
        for _ in range(chance.choice((1, 1, 2, 3, 6))):
            _change(body, chance, chance.choice(frames)[4:])
        if chance.random() < 0.8:
            _mend_batches(body)
        data = sized(bytes(body[:FRAME_BYTES_MAX]))
        return data if chance.random() < 0.98 else data[: chance.randrange(len(data) + 1)]


def _change(body: bytearray, chance: random.Random, other: bytes) -> None:
    kind = chance.randrange(7)
    at = chance.randrange(len(body)) if body else 0
    if kind == 0 and body:
        body[at] ^= 1 << chance.randrange(8)
    elif kind == 1 and body:
        body[at] = chance.randrange(256)
    elif kind == 2:
        size = chance.choice((1, 2, 4, 8))
        number = chance.choice(_NUMBERS) & (1 << 8 * size) - 1
        body[at : at + size] = number.to_bytes(size, "big")
    elif kind == 3:
        del body[at : at + chance.randrange(1, 9)]
    elif kind == 4:
        body[at:at] = body[at : at + chance.randrange(1, 40)]
    elif kind == 5:
        start = chance.randrange(len(other)) if other else 0
        body[at:] = other[start:]
    elif len(body) >= 4:  # the same bytes as another version
        body[2:4] = struct.pack(">h", chance.randrange(18))


def _mend_batches(body: bytearray) -> None:
    """Give record batches their right checksum, or the broker would never look inside."""
    magic_at = body.find(2, _BATCH_MAGIC_AT)
    while magic_at >= 0 and magic_at - _BATCH_MAGIC_AT + _BATCH_HEADER_BYTES <= len(body):
        at = magic_at - _BATCH_MAGIC_AT
        end = at + 12 + int.from_bytes(body[at + 8 : at + 12], "big", signed=True)
        if at + _BATCH_HEADER_BYTES <= end <= len(body):
            struct.pack_into(">I", body, at + _BATCH_CRC_AT, crc32c(bytes(body[at + _BATCH_CRC_FROM : end])))
            return
        magic_at = body.find(2, magic_at + 1)


class Complaints(logging.Handler):
    """Everything that the broker logs with an exception, and what the event loop finds unhandled."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the broker alone: pytest would keep a line in memory for every frame that is refused."""
        loggers = [logging.getLogger(name) for name in ("broker", "asyncio")]
        for logger in loggers:
            logger.addHandler(self)
            logger.propagate = False
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeHandler(self)
                logger.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or "failed" in record.getMessage():
            self.texts.append(self.format(record))

    def on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.texts.append(f"event loop: {context}")


class Sender:
    """Sends one frame after the other, on the same connection as long as the broker keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.connections = 0

    async def send(self, data: bytes) -> None:
        """Send a frame and wait for what comes of it, if it comes soon."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            self.connections += 1
        reader, writer = self._streams
        try:
            writer.write(data)
            async with asyncio.timeout(ANSWER_SECONDS):
                size = int.from_bytes(await reader.readexactly(4), "big")
                await reader.readexactly(size)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            self.close()

    def close(self) -> None:
        """Give up the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def frames_for(seconds: float, corpus: Corpus) -> Iterator[bytes]:
    """The corpus as it is, then changed frames for so many seconds."""
    yield from list(corpus.frames)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield corpus.next()
