"""One client's conversation without its socket: bytes in, frames cut, requests answered, bytes out.

Nothing here waits or does I/O; `broker.server` moves the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from struct import Struct
from time import perf_counter_ns
from types import CoroutineType
from typing import Any, Final, NamedTuple, TypeAlias

from broker.counters import SAMPLE_MASK, ErrorCounter, RequestStats, error_counter
from broker.dispatch import (
    BadRequest,
    DelayedResponse,
    Handler,
    RequestContext,
    ServedApi,
    Shortcut,
    error_response,
    served_apis,
    shortcuts,
)
from broker.errors import UnsupportedVersion
from broker.log.file_span import FileSpan
from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import (
    DecodeError,
    decoder,
    encode,
    encoder,
    flexible,
    request_type,
    response_header_version,
    response_type,
)
from broker.protocol.frames import decode_request_header
from broker.protocol.messages.api_versions import ApiVersion, ApiVersionsResponse
from broker.request_log import logged
from broker.request_memory import RequestMemory

Chunks: TypeAlias = list[bytes | memoryview | FileSpan]
"""What to send, in order, uncopied; spans of files are read when it is their turn."""

SIZE_BYTES: Final = 4
REQUEST_HEADER_BYTES_MIN: Final = 10

_SIZE: Final = Struct(">i")
_REQUEST_HEADER: Final = Struct(">hhih")  # api key, version, correlation id, length of the client id (-1: null)
_RESPONSE_HEADER: Final = Struct(">ii")  # size, correlation id
_RESPONSE_HEADER_FLEXIBLE: Final = Struct(">iib")  # … and no tagged fields


class ReceiveBuffers:
    """The memory that requests arrive in, shared by all connections of a server.

    Every read lands in one common buffer, where whole frames are answered in place. A connection has memory of its own
    only while a frame is incomplete, so ten thousand idle connections have none. A few big buffers are kept for the
    next big frame, because fresh memory costs a page fault for every 4 KiB.
    """

    COMMON_BYTES: Final = 256 * 1024
    SPARE_BYTES_MAX: Final = 4 * 1024 * 1024
    SPARES_MAX: Final = 4

    def __init__(self) -> None:
        self.common = memoryview(bytearray(self.COMMON_BYTES))
        self._spares: list[bytearray] = []

    def take(self, bytes_min: int) -> bytearray:
        """Memory of at least that size."""
        if bytes_min > self.COMMON_BYTES // 4 and self._spares and len(self._spares[-1]) >= bytes_min:
            return self._spares.pop()
        return bytearray(bytes_min)

    def give_back(self, buffer: bytearray) -> None:
        """Memory no longer needed."""
        if self.COMMON_BYTES <= len(buffer) <= self.SPARE_BYTES_MAX and len(self._spares) < self.SPARES_MAX:
            self._spares.append(buffer)


class FrameReader:
    """Cut what a peer sends into Kafka frames: a big-endian int32 size, then that many bytes.

    Memory grows with the bytes that arrived, never with the size that was announced.
    """

    __slots__ = (
        "_buffers",
        "_filled",
        "_frame_bytes_max",
        "_frame_bytes_min",
        "_memory",
        "_on_lack",
        "_own",
        "_reserved",
        "_wanted",
    )

    GROWTH_BYTES_MIN: Final = 4 * 1024
    GROWTH_BYTES_MAX: Final = 1024 * 1024

    def __init__(self, buffers: ReceiveBuffers, frame_bytes_max: int) -> None:
        self._buffers = buffers
        self._frame_bytes_max = frame_bytes_max
        self._frame_bytes_min = REQUEST_HEADER_BYTES_MIN
        self._own: bytearray | None = None
        self._filled = 0
        self._wanted = 0
        self._memory: RequestMemory | None = None
        self._on_lack: Callable[[], None] | None = None
        self._reserved = 0

    def share(self, memory: RequestMemory, on_lack: Callable[[], None]) -> None:
        """Reserve memory for frames that do not arrive whole; `on_lack` is called when one must wait for it."""
        self._memory, self._on_lack = memory, on_lack

    def reserve(self) -> None:
        """Take the memory for the frame that has begun."""
        if self._memory is not None and self._own is not None:
            self._reserved = self._wanted
            self._memory.reserve(self._reserved)

    def release(self) -> None:
        """Give back what was reserved."""
        reserved, self._reserved = self._reserved, 0
        if reserved and self._memory is not None:
            self._memory.release(reserved)

    @property
    def is_inside_frame(self) -> bool:
        """Whether part of a frame has arrived and the rest has not."""
        return self._own is not None

    @property
    def memory_bytes(self) -> int:
        """What this connection alone occupies."""
        return len(self._own) if self._own is not None else 0

    def limit(self, frame_bytes_max: int, frame_bytes_min: int = REQUEST_HEADER_BYTES_MIN) -> None:
        """From the next frame on, allow these sizes."""
        self._frame_bytes_max = frame_bytes_max
        self._frame_bytes_min = frame_bytes_min

    def space(self) -> memoryview:
        """Where the next bytes of the peer go. Frames given out before are no longer valid."""
        own = self._own
        if own is None:
            return self._buffers.common
        if self._filled == len(own):
            growth = min(max(self._filled, self.GROWTH_BYTES_MIN), self.GROWTH_BYTES_MAX)
            more = bytes(min(growth, self._wanted - self._filled))
            try:
                own.extend(more)
            except BufferError:  # Someone still looks at it, so it cannot move; a copy can.
                own = self._own = own + more
        return memoryview(own)[self._filled : self._wanted]

    def received(self, byte_count: int) -> list[memoryview]:
        """Say how many bytes went into `space()`; return the frames that are now whole.

        They are slices of the buffer and may be changed in place; they are valid until the next `space()` of any
        connection. Raises BadRequest when a size is announced that cannot be.
        """
        if self._own is None:
            common = self._buffers.common
            if byte_count > SIZE_BYTES:
                size = _SIZE.unpack_from(common)[0]
                if size == byte_count - SIZE_BYTES and self._frame_bytes_min <= size <= self._frame_bytes_max:
                    return [common[SIZE_BYTES:byte_count]]  # one frame and nothing else, as nearly always
            return self._cut(common, byte_count)
        self._filled += byte_count
        if self._filled < self._wanted:
            return []
        own = self._own
        if self._wanted == SIZE_BYTES:
            self._wanted += self._size_at(own, 0)
            self._reserve_or_wait()
            return []
        frame = memoryview(own)[SIZE_BYTES : self._wanted]
        self._own = None
        self._buffers.give_back(own)
        if self._reserved:
            self.release()
        return [frame]

    def _cut(self, data: memoryview, end: int) -> list[memoryview]:
        frames: list[memoryview] = []
        at = 0
        while end - at >= SIZE_BYTES:
            frame_end = at + SIZE_BYTES + self._size_at(data, at)
            if frame_end > end:
                self._keep(data[at:end], frame_end - at)
                return frames
            frames.append(data[at + SIZE_BYTES : frame_end])
            at = frame_end
        if at < end:
            self._keep(data[at:end], SIZE_BYTES)
        return frames

    def _keep(self, start: memoryview, wanted: int) -> None:
        self._filled = len(start)
        self._wanted = wanted
        self._own = self._buffers.take(min(wanted, max(2 * self._filled, self.GROWTH_BYTES_MIN)))
        self._own[: self._filled] = start
        if wanted > SIZE_BYTES:
            self._reserve_or_wait()

    def _reserve_or_wait(self) -> None:
        if self._memory is None or self._on_lack is None:
            return
        if self._memory.is_full:
            self._on_lack()
        else:
            self.reserve()

    def _size_at(self, data: bytearray | memoryview, at: int) -> int:
        size: int = _SIZE.unpack_from(data, at)[0]
        if not self._frame_bytes_min <= size <= self._frame_bytes_max:
            raise BadRequest(f"frame of {size} bytes announced, allowed are up to {self._frame_bytes_max}")
        return size


class Route(NamedTuple):
    """All that is known before a request of one API and version arrives."""

    api: ServedApi
    version: int
    decode: Any
    encode: Any
    response_type: type
    has_flexible_request: bool
    has_flexible_response_header: bool
    handler: Handler
    shortcut: Shortcut | None
    stats: RequestStats
    count_errors: ErrorCounter
    counts_errors_always: bool
    """Else only when the handler says that there may be some."""


class Routes(dict[int, Route]):
    """The routes met so far, by API key and version. Clearing them forgets no counts."""

    def __init__(self) -> None:
        super().__init__()
        self.stats: dict[int, RequestStats] = {}


class Pending(NamedTuple):
    """A request whose response comes later."""

    route: Route
    correlation_id: int
    response: DelayedResponse | Coroutine[Any, Any, Any]
    started_ns: int
    pending_ns: int
    """From when on it has waited."""


class Connection:
    """Answers requests: finds the handler, decodes, asks it, encodes."""

    __slots__ = ("_client_id", "_context", "_routes")

    def __init__(self, context: RequestContext, routes: Routes) -> None:
        self._context = context
        self._routes = routes
        self._client_id = b""

    def answer(self, frame: memoryview) -> Chunks | Pending | None:
        """The bytes that answer one request, None when it expects no answer, or Pending.

        Of the frame only records of a produce request are looked at later than this call, and not after the handler.

        Raises BadRequest when the connection must be closed.
        """
        key, version, correlation_id, client_id_length = _REQUEST_HEADER.unpack_from(frame)
        route = self._routes.get(key << 16 | version) or self._find_route(key, version)
        if route is None:
            return _unsupported_api_versions(correlation_id)
        stats = route.stats
        stats.count = count = stats.count + 1
        started_ns = perf_counter_ns() if count & SAMPLE_MASK == 1 else 0
        at = REQUEST_HEADER_BYTES_MIN
        if client_id_length > 0:
            at += client_id_length
            client_id = frame[REQUEST_HEADER_BYTES_MIN:at].tobytes()
            if client_id != self._client_id:
                self._remember_client(client_id)
        elif self._client_id:
            self._remember_client(b"")
        context = self._context
        context.api_version = version
        response: Any = None
        shortcut = route.shortcut
        try:
            if route.has_flexible_request:
                at = at + 1 if frame[at] == 0 else decode_request_header(frame).body_at
            if shortcut is None:
                request = route.decode(frame, at)
        except (ValueError, IndexError) as error:
            raise _undecodable(route, error) from None
        if shortcut is not None:
            try:
                response = shortcut(frame, at, context)
                if response is None:
                    request = route.decode(frame, at)
            except DecodeError as error:
                raise _undecodable(route, error) from None
            except Exception as error:
                response = error
        if response is None:
            try:
                response = route.handler(request, context)
            except BadRequest:
                raise
            except Exception as error:
                response = error
        kind = type(response)
        if kind is not route.response_type:
            if kind is bytes:
                header = (
                    _RESPONSE_HEADER_FLEXIBLE.pack(len(response) + 5, correlation_id, 0)
                    if route.has_flexible_response_header
                    else _RESPONSE_HEADER.pack(len(response) + 4, correlation_id)
                )
                if started_ns:
                    stats.took(perf_counter_ns() - started_ns)
                return [header, response]
            if response is None:
                if started_ns:
                    stats.took(perf_counter_ns() - started_ns)
                return None
            if kind is DelayedResponse or kind is CoroutineType:
                pending_ns = perf_counter_ns() if started_ns else 0
                return Pending(route, correlation_id, response, started_ns, pending_ns)
        return self.encode(route, correlation_id, response, started_ns)

    def closed(self) -> None:
        """The peer has gone: let go of what was kept for this connection."""
        on_close, self._context.on_close = self._context.on_close, None
        if on_close is not None:
            on_close()

    def encode(self, route: Route, correlation_id: int, response: Any, started_ns: int) -> Chunks:
        """A response, or the exception that took its place, as bytes to send. Raises BadRequest when it has no form.

        `started_ns` is when the request was there, by `perf_counter_ns`, or 0: this one is not timed.
        """
        chunks: Chunks = [b""]
        kind = type(response)
        if kind is list:
            chunks += response
        else:
            context = self._context
            if kind is not route.response_type:
                response = _error_answer(route, response)
                context.may_have_errors = True
            route.encode(response, chunks)
            if route.counts_errors_always or context.may_have_errors:
                context.may_have_errors = False
                route.count_errors(response, route.stats.errors)
        size = SIZE_BYTES
        for chunk in chunks:
            size += len(chunk)
        if route.has_flexible_response_header:
            chunks[0] = _RESPONSE_HEADER_FLEXIBLE.pack(size + 1, correlation_id, 0)
        else:
            chunks[0] = _RESPONSE_HEADER.pack(size, correlation_id)
        if started_ns:
            route.stats.took(perf_counter_ns() - started_ns)
        return chunks

    def _find_route(self, key: int, version: int) -> Route | None:
        """The route of a request not met before, or None for ApiVersions in a version that nobody knows yet."""
        api = served_apis.get(key)  # type: ignore[call-overload]
        if api is None:
            raise BadRequest(f"unknown API key {key}")
        if version not in api.versions:
            if key == ApiKey.API_VERSIONS:
                return None
            raise BadRequest(f"{api.api_key.name} v{version} is not served")
        message_type = response_type(key)
        stats = self._routes.stats.setdefault(key << 16 | version, RequestStats(api.api_key.name, version))
        security = self._context.security
        handler = api.handler if security is None else security.handler(api)
        asked = logged(api, handler)
        may_shorten = asked is handler and (security is None or security.allows_shortcut(api))
        route = Route(
            api,
            version,
            decoder(request_type(key), version),
            encoder(message_type, version),
            message_type,
            flexible(key, version),
            response_header_version(key, version) == 1,
            asked,
            shortcuts.get(api.api_key) if may_shorten else None,
            stats,
            error_counter(message_type),
            key not in (ApiKey.PRODUCE, ApiKey.FETCH),
        )
        self._routes[key << 16 | version] = route
        return route

    def _remember_client(self, client_id: bytes) -> None:
        self._client_id = client_id
        try:
            self._context.client_id = client_id.decode()
        except UnicodeDecodeError:
            raise BadRequest("client id is not UTF-8") from None


def _undecodable(route: Route, error: Exception) -> BadRequest:
    return BadRequest(f"{route.api.api_key.name} v{route.version} cannot be decoded: {error}")


def _error_answer(route: Route, error: Exception) -> Any:
    if isinstance(error, BadRequest):
        raise error
    response = error_response(route.api, route.response_type, error)
    if response is None:
        raise BadRequest(f"{route.api.api_key.name} v{route.version} has no answer for the error: {error}")
    return response


def _unsupported_api_versions(correlation_id: int) -> Chunks:
    """The one answer that every client understands: version 0, error 35, and which versions it may ask instead."""
    served = served_apis[ApiKey.API_VERSIONS].versions
    entry = ApiVersion(api_key=ApiKey.API_VERSIONS, min_version=served[0], max_version=served[-1])
    body = encode(ApiVersionsResponse(error_code=UnsupportedVersion.code, api_keys=[entry]), 0)
    return [_RESPONSE_HEADER.pack(SIZE_BYTES + len(body), correlation_id), body]
