"""A connection of a listener where clients log in by SASL.

Before login only ApiVersions and the SASL requests are answered and frames are short; a refused login closes the
connection, and so does a session that was not renewed in time.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from broker.config import Listener
from broker.connection import Chunks, Connection, Pending, Routes
from broker.dispatch import BadRequest, RequestContext
from broker.protocol.api_keys import ApiKey
from broker.security.login import Login
from broker.security.sasl import LoginRefused, LoginWaits
from broker.server import ClientProtocol, Server

_BEFORE_LOGIN: Final = (ApiKey.SASL_HANDSHAKE, ApiKey.API_VERSIONS)


class SaslConnection(Connection):
    """Answers requests of a client once it is logged in."""

    __slots__ = ("_clock", "_login")

    def __init__(self, context: RequestContext, routes: Routes, login: Login) -> None:
        super().__init__(context, routes)
        self._login = login
        self._clock = context.clock

    def answer(self, frame: memoryview) -> Chunks | Pending | None:
        """As of any connection, but first the login. Raises BadRequest for what may not be asked now."""
        login = self._login
        if login.deadline_ms is None and login.is_complete:
            return super().answer(frame)
        if login.has_failed:
            raise BadRequest("login was refused")
        if login.is_raw:
            return self._answer_raw(bytes(frame))
        if len(frame) < 10:
            raise BadRequest("frame too short for a request")
        key = int.from_bytes(frame[:2], "big")
        if login.is_under_way:
            allowed = key == ApiKey.SASL_AUTHENTICATE
        elif login.principal is None:
            allowed = key in _BEFORE_LOGIN
        else:
            allowed = key == ApiKey.SASL_HANDSHAKE or not login.has_expired(self._clock.monotonic_ms())
        if not allowed:
            if login.is_complete:
                self._context.stats.expired += 1
            raise BadRequest(f"API key {key} is not allowed before login (or the session has ended)")
        return super().answer(frame)

    def _answer_raw(self, token: bytes) -> Chunks:
        """A token without a request around it, after SaslHandshake v0, is answered by a bare token."""
        login, context = self._login, self._context
        now_ms, wall_ms = self._clock.monotonic_ms(), context.clock.now_ms()
        try:
            try:
                answer = login.respond(token, now_ms=now_ms, wall_ms=wall_ms)
            except LoginWaits:  # Clients of that time get what can be said at once.
                answer = login.respond(token, now_ms=now_ms, wall_ms=wall_ms)
        except LoginRefused as refused:
            context.stats.count_login(login.asked_mechanism, "failure")
            raise BadRequest(refused.reason) from None
        if login.is_complete and login.principal is not None:
            context.principal = login.principal
            context.stats.count_login(login.mechanism, "success")
        return [len(answer).to_bytes(4, "big"), answer]


class SaslProtocol(ClientProtocol):
    """The socket of such a connection."""

    __slots__ = ("_context", "_is_limited", "_login")

    def __init__(self, server: Server, listener: Listener) -> None:
        super().__init__(server, listener)
        self._reader.limit(min(server.config.sasl_server_max_receive_size, server.config.socket_request_max_bytes), 0)
        self._login: Login | None = None
        self._context: RequestContext | None = None
        self._is_limited = True

    def _converse(self, context: RequestContext) -> Connection:
        self._context = context
        login = self._login = context.login
        assert login is not None, "a listener with SASL gives its context a login"
        return SaslConnection(context, self._server.routes, login)

    def _answer(self, frame: memoryview) -> None:
        super()._answer(frame)
        if self._is_limited:
            self._after_login_message()

    def _deliver(self, response: Any) -> None:
        super()._deliver(response)
        if self._login is not None and self._login.has_failed:
            self.close()
        elif self._is_limited:
            self._after_login_message()

    def _after_login_message(self) -> None:
        login = self._login
        if login is None:
            return
        if login.is_complete:
            self._is_limited = False
            self._reader.limit(self._server.config.socket_request_max_bytes)
            if login.deadline_ms is None and self._context is not None:
                # Logged in for as long as it lasts: from here on a request costs what it costs without login.
                self._connection = Connection(self._context, self._server.routes)
        elif login.has_failed and not self.is_waiting:
            # SaslHandshake named a mechanism that is not served: its answer goes out, the close takes its time.
            self._read(False)
            seconds = self._server.config.connection_failed_authentication_delay_ms / 1000
            asyncio.get_running_loop().call_later(seconds, self.close)
