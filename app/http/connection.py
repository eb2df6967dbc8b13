"""One connection of the HTTP server, with the limits that a server in front of strangers needs.

uvicorn's own protocol bounds idle keep-alive and what is read ahead. Missing there, and here: how long the head of a
request may take and how large it may be, a client that asks and never reads, connections of one address, errors as
`{"error_code", "message"}`, and who a TLS client is by its certificate.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.http.exchange import STOPPING
from broker.security.tls import distinguished_name

HEAD_BYTES_MAX = 65_536
TLS_SUBJECT = "tls_subject"
"""Key in a scope's `state`: the distinguished name in the client's verified certificate, '' without one."""


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


def protocol_class(limits: ConnectionLimits) -> type[HttpToolsProtocol]:
    """The class that a server makes its connections of."""

    class LimitedProtocol(_Protocol):
        shared_limits = limits

    return LimitedProtocol


class _Protocol(HttpToolsProtocol):
    shared_limits: ConnectionLimits

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = self.shared_limits
        self.app_state = {**app_state, STOPPING: self._limits.stopping}
        self._address = ""
        self._is_in_head = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        limits = self._limits
        if self.client is not None and limits.per_address_max:
            address = self.client[0]
            if limits.by_address[address] >= limits.per_address_max:
                self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "Too many connections of one client", retry_after_s=1)
                return
            limits.by_address[address] += 1
            self._address = address
        if self.scheme == "https":
            certificate = transport.get_extra_info("ssl_object").getpeercert()
            self.app_state = {**self.app_state, TLS_SUBJECT: distinguished_name(certificate) if certificate else ""}
        self._head_timer = self.loop.call_later(limits.head_timeout_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._address:
            self._limits.by_address[self._address] -= 1
            if not self._limits.by_address[self._address]:
                del self._limits.by_address[self._address]
        for timer in (self._head_timer, self._unread_timer):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # refused; what the client still says is of no interest
        super().data_received(data)
        if not self._is_in_head:
            return
        # A head that came in one piece, as nearly all do, never gets here.
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The headers exceed {HEAD_BYTES_MAX} bytes")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.head_timeout_s, self._head_is_late)

    def on_message_begin(self) -> None:
        self._is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_unread()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def shutdown(self) -> None:
        self._limits.stopping.set()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request's headers did not arrive in time")
        else:
            self.transport.close()  # said nothing at all

    def _watch_unread(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._unread_timer = self.loop.call_later(self._limits.unread_timeout_s, self._abort_unless_read, unread)

    def _abort_unless_read(self, unread: int) -> None:
        if self.transport.get_write_buffer_size() >= unread:
            self.transport.abort()
        else:
            self._watch_unread()

    def _refuse(self, status: HTTPStatus, message: str, *, retry_after_s: int = 0) -> None:
        """Answer what no application is asked for, and close."""
        if self.transport.is_closing():
            return
        body = json.dumps({"error_code": int(status), "message": message}).encode()
        retry_after = f"retry-after: {retry_after_s}\r\n" if retry_after_s else ""
        head = (
            f"HTTP/1.1 {int(status)} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{retry_after}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
