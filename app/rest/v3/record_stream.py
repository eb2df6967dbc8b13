"""The two directions of a stream of records: what is read of the request, and the receipts written meanwhile.

Which records there are and what becomes of them is records.py's business; here it is only when to read and to write.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import msgspec
from starlette.types import Send

from app.http.json_body import charset_of
from app.rest.access.checks import STILL_ALLOWED, Forbidden, until_refused
from app.rest.context import RestContext
from app.rest.errors import BadRequest, RequestTimeout, RestError
from app.rest.http import ClientDisconnected, Request
from app.rest.v3.json_stream import DecodedObjects

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

STREAM_TOO_LONG = "Streaming connection open for longer than allowed"
PIECE_BYTES_MAX = 32_768  # looked at in one go: a piece of `{}` after `{}` is 16,000 records
CHUNK_RECORDS_MAX = 200  # handed on in one go; then the loop gets its turn
GRACE_S = 0.5  # for what is on its way when the time of a stream is over
_encoder = msgspec.json.Encoder()


class Chunk(Protocol):
    """Records that arrived together, on their way."""

    @property
    def size_bytes(self) -> int: ...
    @property
    def is_done(self) -> bool:
        """True when receipts() will not wait."""

    async def receipts(self) -> Sequence[msgspec.Struct]:
        """One per record, in order, when all are known."""


class Target(Protocol[T_contra]):
    """Where the records go."""

    @property
    def context(self) -> RestContext: ...
    async def start(self, records: Sequence[T_contra | BadRequest]) -> Chunk: ...
    def failed(self, error: RestError, *, count: int) -> Chunk:
        """Receipts of that many records that cannot be taken."""


@dataclass(slots=True)
class _Pending:
    """Chunks whose receipts are not written yet, in order. When there are too many, or too large ones, put waits.

    One task puts, another takes.
    """

    count_max: int
    bytes_max: int
    _chunks: deque[Chunk | None] = field(default_factory=deque)
    _unwritten_count: int = 0
    _unwritten_bytes: int = 0
    _has_chunk: asyncio.Event = field(default_factory=asyncio.Event)
    _has_room: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._unwritten_count += 1
        self._unwritten_bytes += chunk.size_bytes
        self._has_chunk.set()
        while self._unwritten_count >= self.count_max or self._unwritten_bytes >= self.bytes_max:
            self._has_room.clear()
            await self._has_room.wait()

    def close(self) -> None:
        """Nothing more will be put."""
        self._chunks.append(None)
        self._has_chunk.set()

    async def take(self) -> list[Chunk]:
        """The next chunk, and those behind it that need no waiting; none when all were taken and it is closed."""
        while not self._chunks:
            self._has_chunk.clear()
            await self._has_chunk.wait()
        first = self._chunks.popleft()
        if first is None:
            return []
        await first.receipts()
        taken = [first]
        while self._chunks and (following := self._chunks[0]) is not None and following.is_done:
            self._chunks.popleft()
            taken.append(following)
        return taken

    def written(self, chunks: Sequence[Chunk]) -> None:
        self._unwritten_count -= len(chunks)
        self._unwritten_bytes -= sum(chunk.size_bytes for chunk in chunks)
        self._has_room.set()


class RecordStream(Generic[T]):
    """The answer to a stream of records: reads the rest of the request while it writes receipts.

    Reading waits while too many records have no receipts yet, so a client that sends faster than Kafka takes, or never
    reads, costs no growing memory. A stream may be silent between two records until its time is over; inside of one,
    for produce_stream_idle_ms.
    """

    def __init__(
        self, target: Target[T], decoder: msgspec.json.Decoder[T], first: bytes, rest: AsyncIterator[bytes]
    ) -> None:
        self._target = target
        self._first = first
        self._rest = rest
        settings = target.context.settings
        self._settings = settings
        self._objects = DecodedObjects(decoder, settings.request_max_bytes)
        self._deadline_ms = target.context.clock.monotonic_ms() + settings.produce_stream_duration_ms
        self._is_refused = False
        self._pending = _Pending(settings.produce_stream_pending_max, settings.produce_stream_pending_max_bytes)

    async def send_to(self, send: Send, request: Request) -> None:
        headers = [(b"content-type", request.media_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        self._target.context.produce_streams += 1
        try:
            await self._write(send, request)
        finally:
            self._target.context.produce_streams -= 1
        await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send, request: Request) -> None:
        """Receipts, while the rest of the request is read."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(request))
            watching = tasks.create_task(self._watch(request)) if STILL_ALLOWED in request.scope else None
            while chunks := await self._pending.take():
                lines = b"".join([_lines(await chunk.receipts()) for chunk in chunks])
                await send({"type": "http.response.body", "body": lines, "more_body": True})
                self._pending.written(chunks)
            if watching is not None:
                watching.cancel()

    async def _watch(self, request: Request) -> None:
        await until_refused(request)
        self._is_refused = True

    async def _read(self, request: Request) -> None:
        """Start a chunk for all that arrives, until the request ends or cannot be read on."""
        try:
            is_latin = charset_of(request.headers) != "utf-8"
            data: bytes | None = self._first
            while data is not None:
                if not await self._take(data.decode("latin-1").encode() if is_latin else data):
                    break
                data = await self._next()
            else:
                self._objects.finish()
                if self._objects.error is not None:
                    await self._fail(self._objects.error)
        except ClientDisconnected:
            pass
        except RestError as error:  # the body's encoding is broken, or its time is over
            await self._fail(error)
        self._pending.close()

    async def _next(self) -> bytes | None:
        """What comes next of the body; None at its end, or at that of the stream's time. Raises RequestTimeout."""
        left_s = GRACE_S + max(0, self._deadline_ms - self._target.context.clock.monotonic_ms()) / 1000
        idle_s = self._settings.produce_stream_idle_ms / 1000
        try:
            async with asyncio.timeout(idle_s if self._objects.is_inside else left_s):
                return await anext(self._rest, None)
        except TimeoutError:
            if self._objects.is_inside:
                raise RequestTimeout("The rest of a record did not arrive in time") from None
            return None

    async def _take(self, data: bytes) -> bool:
        """Start the records that data completes; False when nothing after them can be read."""
        for at in range(0, len(data), PIECE_BYTES_MAX):
            if not await self._take_piece(data[at : at + PIECE_BYTES_MAX]):
                return False
        return True

    async def _take_piece(self, data: bytes) -> bool:
        records = self._objects.feed(data)
        if records and self._is_over_time:
            await self._fail(RequestTimeout(STREAM_TOO_LONG), count=len(records))
            return False
        if records and self._is_refused:
            await self._fail(Forbidden("The user may not produce to the topic any more"), count=len(records))
            return False
        for at in range(0, len(records), CHUNK_RECORDS_MAX):
            await self._pending.put(await self._target.start(records[at : at + CHUNK_RECORDS_MAX]))
            await asyncio.sleep(0)
        if self._objects.error is not None:
            await self._fail(self._objects.error)
            return False
        return True

    async def _fail(self, error: RestError, *, count: int = 1) -> None:
        await self._pending.put(self._target.failed(error, count=count))

    @property
    def _is_over_time(self) -> bool:
        return self._target.context.clock.monotonic_ms() >= self._deadline_ms


def _lines(receipts: Sequence[msgspec.Struct]) -> bytes:
    """The receipts as JSON, each with the line end that the original writes; JSON itself has no line ends."""
    return _encoder.encode_lines(receipts).replace(b"\n", b"\r\n")
