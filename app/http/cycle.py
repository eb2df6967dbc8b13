"""One request and its answer on a connection, as ASGI's scope, receive and send.

An answer whose length is known leaves in one write, head and body together: a system call and a packet less for each
request. What need not wait does not wait: send() makes no coroutine, and whole_body() takes a body that came with its
head, as nearly all do, without one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Generator, Iterable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope

log = logging.getLogger(__name__)

_STATUS_LINES: Final = {int(one): b"HTTP/1.1 %d %s\r\n" % (one, one.phrase.encode()) for one in HTTPStatus}
_WITHOUT_BODY: Final = frozenset({204, 304})
_JOINED_BYTES_MAX: Final = 1 << 16
"""A body below this is joined to its head; a larger one is handed to the transport beside it."""
_FAILURE: Final = b'{"error_code":500,"message":"Internal Server Error"}'


class _Framing(Enum):
    """How a client knows where the body ends."""

    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()
    """HTTP/1.0 knows no chunks."""


class _Done:
    """Awaited, it has ended."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


_DONE: Final = _Done()


class CycleOwner(Protocol):
    """The connection, as its cycles see it."""

    transport: asyncio.Transport
    is_write_paused: bool

    @property
    def default_headers(self) -> Iterable[tuple[bytes, bytes]]: ...
    async def drain(self) -> None: ...
    def resume_reading(self) -> None: ...
    def cycle_is_complete(self) -> None: ...


class Cycle:
    """The connection feeds it and runs it, the application asks it."""

    __slots__ = (
        "_expects_continue",
        "_framing",
        "_has_news",
        "_head",
        "_is_http_1_0",
        "_is_method_head",
        "_news",
        "_owner",
        "_parts",
        "_to_send",
        "is_complete",
        "is_disconnected",
        "is_started",
        "keep_alive",
        "more_body",
        "waiting_bytes",
    )

    def __init__(self, owner: CycleOwner, scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        self._owner = owner
        self._is_method_head = scope["method"] == "HEAD"
        self._is_http_1_0 = scope["http_version"] == "1.0"
        self.keep_alive = keep_alive
        self.is_disconnected = False
        self._expects_continue = expects_continue

        self.more_body = True
        self.waiting_bytes = 0
        self._parts: list[bytes] = []
        self._has_news = False
        self._news: asyncio.Event | None = None

        self.is_started = False
        self.is_complete = False
        self._head = b""  # what is kept back until the body comes
        self._framing = _Framing.LENGTH
        self._to_send = 0  # bytes of the body, when its length is known

    # --- the connection's side -------------------------------------------------------------------------------------

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Call the application; whatever it leaves undone is answered or cut off here."""
        try:
            await app(scope, self.receive, self.send)
        except Exception as error:
            log.error("request failed method=%s path=%s", scope["method"], scope["path"], exc_info=error)
        except asyncio.CancelledError:
            self._owner.transport.close()
            raise
        if not self.is_complete and not self.is_disconnected:
            await self._end_for_it()

    def feed(self, body: bytes) -> None:
        """More of the body has come."""
        self._parts.append(body)
        self.waiting_bytes += len(body)
        self.tell()

    def end_of_body(self) -> None:
        self.more_body = False
        self.tell()

    def disconnect(self) -> None:
        self.is_disconnected = True
        self.tell()

    def tell(self) -> None:
        """Wake who waits in receive()."""
        self._has_news = True
        if self._news is not None:
            self._news.set()

    # --- the application's side ------------------------------------------------------------------------------------

    def take_whole_body(self) -> bytes | None:
        if self.more_body or self.is_disconnected:
            return None
        self._has_news = False
        return self._taken()

    async def receive(self) -> Message:
        if self._expects_continue and not self._owner.transport.is_closing():
            self._expects_continue = False
            self._owner.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not (self._has_news or self.is_disconnected or self.is_complete):
            self._owner.resume_reading()
            if self._news is None:
                self._news = asyncio.Event()
            self._news.clear()
            await self._news.wait()
        self._has_news = False
        if self.is_disconnected or self.is_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    def send(self, message: Message) -> Awaitable[None]:
        """Raises RuntimeError for what breaks the rules of ASGI or HTTP."""
        if self._owner.is_write_paused and not self.is_disconnected:
            return self._send_later(message)
        self._send(message)
        return _DONE

    def _taken(self) -> bytes:
        body = b"".join(self._parts)  # of one part it is that part, not a copy
        self._parts.clear()
        self.waiting_bytes = 0
        return body

    async def _send_later(self, message: Message) -> None:
        await self._owner.drain()
        self._send(message)

    def _send(self, message: Message) -> None:
        if self.is_disconnected:
            return
        kind = message["type"]
        if not self.is_started:
            if kind != "http.response.start":
                raise RuntimeError(f"'{kind}' before 'http.response.start'")
            self._start(message["status"], message.get("headers", ()))
        elif self.is_complete or kind != "http.response.body":
            raise RuntimeError(f"'{kind}' {'after the end of' if self.is_complete else 'within'} an answer")
        else:
            self._continue(message.get("body", b""), more=message.get("more_body", False))

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        lines += [b"%b: %b\r\n" % header for header in self._owner.default_headers]
        length = -1
        closes = False
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                continue  # ours to say
            elif name == b"connection" and b"close" in value.lower():
                closes = True
                self.keep_alive = False
            lines.append(b"%b: %b\r\n" % (name, value))
        if not (self.keep_alive or closes):
            lines.append(b"connection: close\r\n")
        is_bodyless = self._is_method_head or status in _WITHOUT_BODY
        if length < 0 and not is_bodyless:
            self._framing = _Framing.CLOSE if self._is_http_1_0 else _Framing.CHUNKED
            if self._framing is _Framing.CHUNKED:
                lines.append(b"transfer-encoding: chunked\r\n")
        head = b"".join((*lines, b"\r\n"))
        if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
            raise RuntimeError("a header of the answer holds a line break")
        self.is_started = True
        self._expects_continue = False
        if self._framing is _Framing.LENGTH:
            self._head = head
            self._to_send = 0 if is_bodyless else length
        else:
            self._owner.transport.write(head)  # who streams may have nothing to say for long

    def _continue(self, body: bytes, *, more: bool) -> None:
        if self._framing is _Framing.LENGTH:
            self._write_of_length(b"" if self._is_method_head else body, more=more)
        elif self._framing is _Framing.CHUNKED:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if chunk or not more:
                self._owner.transport.write(chunk if more else chunk + b"0\r\n\r\n")
        elif body:
            self._owner.transport.write(body)
        if not more:
            self.is_complete = True
            self.tell()
            self._owner.cycle_is_complete()

    def _write_of_length(self, body: bytes, *, more: bool) -> None:
        self._to_send -= len(body)
        if self._to_send < 0 or (self._to_send and not more):
            raise RuntimeError("the body of an answer is not as long as its content-length")
        head, self._head = self._head, b""
        if len(body) < _JOINED_BYTES_MAX:
            if head or body:
                self._owner.transport.write(head + body)
        else:
            self._owner.transport.writelines((head, body))

    async def _end_for_it(self) -> None:
        """The application has ended without ending its answer."""
        if self.is_started:
            self._owner.transport.close()
            return
        self.keep_alive = False
        headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(_FAILURE)))
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": _FAILURE})


def whole_body(receive: Receive) -> bytes | None:
    """Take the whole body, if all of it is there and receive is a cycle's own; None: it must be received."""
    cycle = getattr(receive, "__self__", None)
    return cycle.take_whole_body() if type(cycle) is Cycle else None
