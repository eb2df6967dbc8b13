"""One HTTP exchange over ASGI: the request as endpoints read it, and the answer as they give it.

Plain ASGI, no framework: the produce and consume routes spend a few microseconds here.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from app.http.cycle import whole_body
from app.http.errors import BadRequest, PayloadTooLarge, RequestTimeout, UnsupportedMediaType

GZIP_WINDOW_BITS = 31  # zlib's way to say gzip, header and trailer included
GZIP_LEVEL = 1
GZIP_SLICE_BYTES = 1 << 14
INFLATED_CHUNK_BYTES = 1 << 20  # the loop gets its turn after this much
COMPRESS_IN_THREAD_MIN_BYTES = 1 << 18
STOPPING = "stopping"
"""Key in a scope's `state`: an asyncio.Event that is set when the server stops."""
BODY_IDLE_SECONDS = 30.0  # idle time of the original's connections
BODY_BYTES_PER_S_MIN = 1_024  # of a body that is sent in drops, after its first BODY_IDLE_SECONDS


class ExchangeSettings(Protocol):
    """Limits of a surface: its public URL ('' takes it from the request), body bytes, from where on to compress."""

    def advertised_url_for(self, scheme: str) -> str: ...
    @property
    def request_max_bytes(self) -> int: ...
    @property
    def response_gzip_min_bytes(self) -> int: ...


class ExchangeContext(Protocol):
    """What a surface's endpoints may ask for; the exchange itself needs only the limits."""

    @property
    def settings(self) -> ExchangeSettings: ...


C = TypeVar("C", bound=ExchangeContext)


class ClientDisconnected(Exception):
    """The client went away before its request was whole; nobody is left to answer."""


class Request(Generic[C]):
    """A request and what was negotiated for its answer (`media_type`, set before the endpoint is called)."""

    def __init__(self, scope: Scope, receive: Receive, context: C) -> None:
        self.scope = scope
        self.context = context
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.media_type = ""
        # As sent, percent-encoding and all, below where the application is mounted.
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.path = raw_path.decode("latin-1").partition("?")[0].removeprefix(scope.get("root_path", ""))
        self._receive = receive

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Query parameters; the last of a repeated one."""
        return dict(self.query_pairs)

    @cached_property
    def query_pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)

    @property
    def base_url(self) -> str:
        """Scheme, authority and mount path, for absolute URLs in answers: the advertised one, else as it was called."""
        advertised = self.context.settings.advertised_url_for(self.scope["scheme"])
        if advertised:
            return advertised.rstrip("/")
        host = self.headers.get(b"host", b"").decode("latin-1")
        if not host:
            host, port = self.scope.get("server") or ("localhost", None)
            host = f"{host}:{port}" if port else host
        return f"{self.scope['scheme']}://{host}{self.scope.get('root_path', '')}"

    @property
    def has_body(self) -> bool:
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers

    async def body(self) -> bytes:
        """The whole body, decompressed.

        Raises PayloadTooLarge, BadRequest, ClientDisconnected, and RequestTimeout when nothing more of it comes.
        """
        bytes_max = self.context.settings.request_max_bytes
        if int(self.headers.get(b"content-length", b"0")) > bytes_max:
            raise _too_large(bytes_max)
        if b"content-encoding" not in self.headers:
            whole = whole_body(self._receive)
            if whole is not None:
                if len(whole) > bytes_max:
                    raise _too_large(bytes_max)
                return whole
        loop = asyncio.get_running_loop()
        parts, size = [], 0
        begun = loop.time()
        try:
            async with asyncio.timeout(BODY_IDLE_SECONDS) as idle:
                async for chunk in self.chunks():
                    size += len(chunk)
                    idle.reschedule(min(loop.time(), begun + size / BODY_BYTES_PER_S_MIN) + BODY_IDLE_SECONDS)
                    if size > bytes_max:
                        raise _too_large(bytes_max)
                    parts.append(chunk)
        except TimeoutError:
            raise RequestTimeout("The rest of the request's body did not arrive in time") from None
        return b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, decompressed; no chunk is empty."""
        inflate = self._inflater()
        more = True
        while more:
            message = await self._receive()
            data = _body_of(message)
            more = message.get("more_body", False)
            if inflate is None:
                if data:
                    yield data
                continue
            for piece in inflate.feed(data):
                yield piece
                await asyncio.sleep(0)
        if inflate is not None:
            inflate.finish()

    async def gone(self) -> None:
        """Returns when the client has gone; for a request whose body was read, or that has none."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def stopping(self) -> None:
        """Returns when the server stops, so that an answer without an end does not hold it up."""
        event: asyncio.Event = self.scope.get("state", {}).get(STOPPING) or asyncio.Event()
        await event.wait()

    def _inflater(self) -> "_Inflater | None":
        encoding = self.headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding in (b"gzip", b"x-gzip"):
            return _Inflater()
        if encoding in (b"identity", b""):
            return None
        raise UnsupportedMediaType(f"Content-Encoding {encoding.decode('latin-1')} is not supported; gzip is")


class _Inflater:
    """gzip in, at most INFLATED_CHUNK_BYTES at a time out: a small bomb cannot fill the memory.

    A body may be several members, one after the other (RFC 1952); whatever else comes after the first is refused.
    """

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(GZIP_WINDOW_BITS)

    def feed(self, data: bytes) -> Iterator[bytes]:
        # In slices, since zlib copies what is behind a member, and a member may be twenty bytes.
        for at in range(0, len(data), GZIP_SLICE_BYTES):
            yield from self._feed_slice(data[at : at + GZIP_SLICE_BYTES])

    def _feed_slice(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._zlib.eof:
                self._zlib = zlib.decompressobj(GZIP_WINDOW_BITS)
            try:
                piece = self._zlib.decompress(data, INFLATED_CHUNK_BYTES)
            except zlib.error as error:
                raise BadRequest(f"The gzip body is broken: {error}") from error
            data = self._zlib.unconsumed_tail or self._zlib.unused_data
            if piece:
                yield piece

    def finish(self) -> None:
        if not self._zlib.eof:
            raise BadRequest("The gzip body ends too early")


def _body_of(message: Mapping[str, Any]) -> bytes:
    if message["type"] != "http.request":
        raise ClientDisconnected
    body: bytes = message.get("body", b"")
    return body


def _too_large(bytes_max: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request body is larger than {bytes_max} bytes")


@dataclass(slots=True)
class Response:
    """An answer that is known as a whole; body None is an answer without one (204)."""

    status: int
    body: bytes | None = None
    media_type: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send_to(self, send: Send, request: Request[Any]) -> None:
        headers: list[tuple[bytes, bytes]] = [*self.headers]
        body = self.body
        if body is not None:
            headers.append((b"content-type", self.media_type.encode()))
            if len(body) >= request.context.settings.response_gzip_min_bytes and _accepts_gzip(request.headers):
                body = await _compress(body)
                headers += ((b"content-encoding", b"gzip"), (b"vary", b"accept-encoding"))
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body or b""})


class StreamedResponse(Protocol):
    """An answer that is written while it becomes known."""

    async def send_to(self, send: Send, request: Request[Any]) -> None: ...


Answer: TypeAlias = Response | StreamedResponse


def _accepts_gzip(headers: Mapping[bytes, bytes]) -> bool:
    for element in headers.get(b"accept-encoding", b"").lower().split(b","):
        coding, _, parameters = element.partition(b";")
        if coding.strip() in (b"gzip", b"x-gzip"):
            return parameters.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


async def _compress(body: bytes) -> bytes:
    if len(body) >= COMPRESS_IN_THREAD_MIN_BYTES:
        return await asyncio.to_thread(_gzip, body)
    return _gzip(body)


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW_BITS)
    return compressor.compress(body) + compressor.flush()
