"""One connection of the HTTP server: HTTP/1.1 over httptools for uvicorn's server, with the limits that face strangers.

Ours instead of uvicorn's own, because that one writes each answer twice and has no limit on how long the head of a
request may take and how large it may be, on a client that asks and never reads, on the connections of one address.
Errors are `{"error_code", "message"}`, and a TLS client is known by its certificate.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Scope
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from app.http.cycle import Cycle
from app.http.exchange import STOPPING
from broker.security.tls import distinguished_name

HEAD_BYTES_MAX: Final = 65_536
BODY_BYTES_AHEAD: Final = 65_536
"""So much of a body is read before the application asks for it."""

TLS_SUBJECT = "tls_subject"
"""Key in a scope's `state`: the distinguished name in the client's verified certificate, '' without one."""

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


@dataclass(slots=True)
class ConnectionLimits:
    """What one connection and one address may take; shared by all connections of a server."""

    head_timeout_s: float = 30.0
    """From the first byte (or from connecting) to the end of the request's headers."""

    unread_timeout_s: float = 30.0
    """How long an answer may wait for a client that reads nothing of it."""

    per_address_max: int = 0
    """Connections of one address; 0 is no limit."""

    by_address: Counter[str] = field(default_factory=Counter)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server stops; answers that have no end of their own listen to it."""


def protocol_class(limits: ConnectionLimits) -> type["HttpConnection"]:
    """The class that a server makes its connections of: `uvicorn.Config(http=…)`."""

    class LimitedConnection(HttpConnection):
        __slots__ = ()
        shared_limits = limits

    return LimitedConnection


class HttpConnection(asyncio.Protocol):
    """Made, asked to shut down and counted by uvicorn's server; the parser calls its on_… methods."""

    shared_limits: ConnectionLimits

    __slots__ = (
        "__weakref__",
        "_address",
        "_app",
        "_client",
        "_cycle",
        "_expects_continue",
        "_head_bytes",
        "_head_timer",
        "_headers",
        "_idle_since",
        "_idle_timer",
        "_is_in_head",
        "_is_read_paused",
        "_keep_alive_s",
        "_limits",
        "_loop",
        "_parser",
        "_queue",
        "_refusal",
        "_running",
        "_scheme",
        "_server",
        "_server_state",
        "_state",
        "_target",
        "_unread_timer",
        "_writable",
        "is_write_paused",
        "transport",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = _loop or asyncio.get_running_loop()
        self._app = cast(ASGIApp, config.loaded_app)
        self._server_state = server_state
        self._keep_alive_s = config.timeout_keep_alive
        self._limits = self.shared_limits
        self._state = {**app_state, STOPPING: self._limits.stopping}
        self._parser = httptools.HttpRequestParser(self)
        # What follows a request that said `connection: close` is not read; it is no error of that request.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

        self._client: tuple[str, int] | None = None
        self._server: tuple[str, int | None] | None = None
        self._scheme = "http"
        self._address = ""  # counted under this one

        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects_continue = False
        self._is_in_head = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

        self._cycle: Cycle | None = None  # the one that the parser is at
        self._running: Cycle | None = None  # the one that is being answered
        self._queue: deque[tuple[Cycle, Scope]] = deque()  # those asked for before that
        self._idle_since = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None

        self._refusal = b""  # said when those that were asked before, as a whole, have their answers
        self._is_read_paused = False
        self.is_write_paused = False
        self._writable: asyncio.Event | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    @property
    def default_headers(self) -> Iterable[tuple[bytes, bytes]]:
        return self._server_state.default_headers

    # --- asyncio's side --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server_state.connections.add(cast(Any, self))
        self._server, self._client = get_local_addr(self.transport), get_remote_addr(self.transport)
        if self._client is not None and self._limits.per_address_max and not self._is_counted(self._client[0]):
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "Too many connections of one client", retry_after_s=1)
            return
        if is_ssl(self.transport):
            self._scheme = "https"
            certificate = transport.get_extra_info("ssl_object").getpeercert()
            self._state[TLS_SUBJECT] = distinguished_name(certificate) if certificate else ""
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(cast(Any, self))
        if self._address:
            self._limits.by_address[self._address] -= 1
            if not self._limits.by_address[self._address]:
                del self._limits.by_address[self._address]
        for timer in (self._head_timer, self._unread_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        for cycle in self._open_cycles():
            cycle.disconnect()
        self._queue.clear()
        if self._writable is not None:
            self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._refusal or self.transport.is_closing():
            return  # refused; what the client still says is of no interest
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Nothing to upgrade to: the request is answered as it is, and what follows it is the next one.
            self.data_received(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.")
            return
        if not self._is_in_head:
            return
        # A head that came in one piece, as nearly all do, never gets here.
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The headers exceed {HEAD_BYTES_MAX} bytes")
        elif self._head_timer is None:
            self._await_head()

    def pause_writing(self) -> None:
        self.is_write_paused = True
        if self._writable is not None:
            self._writable.clear()
        self._watch_unread()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        if self._writable is not None:
            self._writable.set()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    # --- the server's side -----------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Close as soon as what was asked is answered."""
        self._limits.stopping.set()
        cycles = self._open_cycles()
        for cycle in cycles:
            cycle.keep_alive = False
        if not cycles:
            self.transport.close()

    # --- the parser's side -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self._expects_continue = False
        self._is_in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects_continue = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        parser = self._parser
        http_version = parser.get_http_version()
        raw_path, query = _split(self._target)
        path = raw_path.decode("ascii")
        scope: Scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": http_version,
            "server": self._server,
            "client": self._client,
            "scheme": self._scheme,
            "method": parser.get_method().decode("ascii"),
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self._headers,
            "state": self._state.copy(),
        }
        keep_alive = http_version != "1.0" and parser.should_keep_alive()
        cycle = self._cycle = Cycle(self, scope, keep_alive=keep_alive, expects_continue=self._expects_continue)
        if self._running is None:
            self._run(cycle, scope)
        else:
            self._pause_reading()
            self._queue.append((cycle, scope))

    def on_body(self, body: bytes) -> None:
        cycle = self._cycle
        if cycle is None or cycle.is_complete:
            return  # answered already; the rest of what was sent is of no interest
        cycle.feed(body)
        if cycle.waiting_bytes > BODY_BYTES_AHEAD:
            self._pause_reading()

    def on_message_complete(self) -> None:
        if self._cycle is not None and not self._cycle.is_complete:
            self._cycle.end_of_body()

    # --- its cycles' side ------------------------------------------------------------------------------------------

    def cycle_is_complete(self) -> None:
        """The running cycle's answer has been written: its successor begins, or the wait for one."""
        self._server_state.total_requests += 1
        former, self._running = self._running, None
        if former is not None and not former.keep_alive:
            self._queue.clear()
            self.transport.close()
        elif not self.transport.is_closing():
            self.resume_reading()
            if self._queue:
                self._run(*self._queue.popleft())
            elif self._refusal:
                self._end()
            else:
                self._await_next()

    def resume_reading(self) -> None:
        if self._is_read_paused:
            self._is_read_paused = False
            self.transport.resume_reading()

    async def drain(self) -> None:
        """Returns when the client has read, or has gone."""
        if self._writable is None:
            self._writable = asyncio.Event()
        await self._writable.wait()

    # --- within ----------------------------------------------------------------------------------------------------

    def _run(self, cycle: Cycle, scope: Scope) -> None:
        self._running = cycle
        task = self._loop.create_task(cycle.run(self._app, scope))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def _open_cycles(self) -> list[Cycle]:
        running = [] if self._running is None else [self._running]
        return running + [cycle for cycle, _ in self._queue]

    def _pause_reading(self) -> None:
        if not self._is_read_paused:
            self._is_read_paused = True
            self.transport.pause_reading()

    def _is_counted(self, address: str) -> bool:
        """Whether this address may have one more connection."""
        by_address = self._limits.by_address
        if by_address[address] >= self._limits.per_address_max:
            return False
        by_address[address] += 1
        self._address = address
        return True

    def _await_head(self) -> None:
        self._head_timer = self._loop.call_later(self._limits.head_timeout_s, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request's headers did not arrive in time")
        else:
            self.transport.close()  # said nothing at all

    def _await_next(self) -> None:
        """One timer for as long as the connection is used, set anew only when it fires: not one for each request."""
        self._idle_since = self._loop.time()
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(self._keep_alive_s, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._idle_timer = None
        if self._running is not None or self._is_in_head:
            return
        left_s = self._idle_since + self._keep_alive_s - self._loop.time()
        if left_s <= 0:
            self.transport.close()
        else:
            self._idle_timer = self._loop.call_later(left_s, self._close_if_idle)

    def _watch_unread(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._unread_timer = self._loop.call_later(self._limits.unread_timeout_s, self._abort_unless_read, unread)

    def _abort_unless_read(self, unread: int) -> None:
        if self.transport.get_write_buffer_size() >= unread:
            self.transport.abort()
        else:
            self._watch_unread()

    def _refuse(self, status: HTTPStatus, message: str, *, retry_after_s: int = 0) -> None:
        """Answer what no application is asked for, and close."""
        running = self._running
        if self.transport.is_closing():
            return
        if running is not None and running.more_body and running.is_started:
            self.transport.close()  # the answer has begun, and the request cannot be read to its end
            return
        body = json.dumps({"error_code": int(status), "message": message}).encode()
        retry_after = f"retry-after: {retry_after_s}\r\n" if retry_after_s else ""
        head = (
            f"HTTP/1.1 {int(status)} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{retry_after}connection: close\r\n\r\n"
        )
        self._refusal = head.encode() + body
        if self._queue and self._queue[-1][0].more_body:
            self._queue.pop()  # what cannot be read is the rest of this one
        if running is None or running.more_body:
            self._end()

    def _end(self) -> None:
        self.transport.write(self._refusal)
        self.transport.close()


def _split(target: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request's target, as sent. Raises an HttpParserError for what is none."""
    if not target.startswith(b"/") or b"#" in target:
        url = httptools.parse_url(target)  # of absolute form, for a proxy
        return url.path or b"/", url.query or b""
    path, _, query = target.partition(b"?")
    return path, query
