"""Sockets: listeners, one protocol object per connection, answers in request order, back-pressure, clean stop.

A request that need not wait is answered inside `buffer_updated`, without a task: bytes land in a buffer, are handled as
slices of it, and the answer is written. What has to wait holds up the later requests of its own connection only.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import resource
import socket
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from time import perf_counter_ns
from typing import Any, Final, cast

from broker.config import BrokerConfig, ConfigError, Listener
from broker.connection import Chunks, Connection, FrameReader, Pending, ReceiveBuffers, Route, Routes
from broker.connection_limits import limits_of
from broker.counters import ListenerStats
from broker.dispatch import BadRequest, DelayedResponse, RequestContext
from broker.log.file_span import FileSpan
from broker.request_memory import RequestMemory
from broker.security.client_quotas import ClientQuotas
from broker.security.tls import TlsContexts

log = logging.getLogger("broker.server")

UNSENT_BYTES_MAX: Final = 1024 * 1024
"""Answers that a client has not read yet; beyond this its next request is not looked at."""

HELD_BYTES_MAX: Final = 64 * 1024
"""Requests kept while an earlier one waits; beyond this the connection is not read."""

JOINED_BYTES_MAX: Final = 16 * 1024
"""Small answers are joined to one piece, which is cheaper than handing over several."""

TOGETHER_BYTES_MAX: Final = 64 * 1024
"""Answers to requests that arrived together leave together, with one system call, up to this many bytes."""

SWEEPS_PER_IDLE_TIME: Final = 10
OTHER_FILES: Final = 32
"""File descriptors that are neither connections nor segments (of which the log takes a quarter of all)."""

TLS_HANDSHAKE_SECONDS: Final = 10.0
HURRY_SECONDS: Final = 0.5
STOP_SECONDS: Final = 5.0


class Server:
    """Listens, and knows every connection.

    `new_context` makes what a connection's handlers are given, for the listener it came in by.
    """

    def __init__(self, config: BrokerConfig, new_context: Callable[[Listener, str], RequestContext]) -> None:
        self.config = config
        self.new_context = new_context
        self.limits = limits_of(config)
        self.tls_of: Callable[[Listener], TlsContexts | None] = _no_tls
        self.listeners: tuple[Listener, ...] = ()
        """With the ports that were really bound."""
        self.buffers = ReceiveBuffers()
        self.request_memory = RequestMemory(config.queued_max_request_bytes)
        self.routes = Routes()
        self.listener_stats: defaultdict[str, ListenerStats] = defaultdict(ListenerStats)
        """By the listener's name."""
        self.connections: set[ClientProtocol] = set()
        self.connections_by_host: dict[str, int] = {}
        self.sweep = 0
        self._sockets: list[tuple[Listener, socket.socket]] = []
        self._accepting: list[asyncio.Server] = []
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._is_full = False
        self._files_max = connection_files_max()

    def bind(self) -> None:
        """Take every configured address; nothing is answered yet. Raises ConfigError for one that cannot be had."""
        bound = []
        try:
            for listener in self.config.listeners:
                sockets = bind_listener(listener)
                port = sockets[0].getsockname()[1]
                advertised_port = listener.advertised_port or port
                listener = replace(listener, port=port, advertised_port=advertised_port)
                bound.append(listener)
                self.listener_stats[listener.name] = ListenerStats()  # so that it shows from the start
                self._sockets += [(listener, sock) for sock in sockets]
        except ConfigError:
            self._close_sockets()
            raise
        self.listeners = tuple(bound)

    async def start(self) -> None:
        """Accept connections on the bound addresses."""
        loop = asyncio.get_running_loop()
        for listener, sock in self._sockets:
            tls = self.tls_of(listener)
            if tls is not None:
                tls.on_handshake_failed = self.listener_stats[listener.name].handshake_failed
            server = await loop.create_server(
                functools.partial(_protocol_class(listener), self, listener),
                sock=sock,
                backlog=self.config.socket_listen_backlog_size,
                ssl=None if tls is None else tls.context,
                ssl_handshake_timeout=None if tls is None else TLS_HANDSHAKE_SECONDS,
            )
            self._accepting.append(server)
        self._sockets.clear()
        self._schedule_sweep()

    async def stop(self) -> None:
        """Refuse new connections, answer requests that wait, send what is unsent, close."""
        for server in self._accepting:
            server.close()
        self._close_sockets()
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for connection in tuple(self.connections):
            connection.hurry()
        await self._until(lambda: not any(connection.is_waiting for connection in self.connections), HURRY_SECONDS)
        for connection in tuple(self.connections):
            connection.close()
        await self._until(lambda: not self.connections, STOP_SECONDS)
        for connection in tuple(self.connections):
            connection.abort()

    async def _until(self, claim: Callable[[], bool], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not claim() and loop.time() < deadline:
            await asyncio.sleep(0.005)

    def may_connect(self, host: str, listener: str) -> bool:
        """Whether one more connection from that host is within the limits; says so once when it is not."""
        count = len(self.connections)
        limit = self.limits.exceeded(
            host,
            listener,
            count=count,
            host_count=self.connections_by_host.get(host, 0),
            listener_count=self.listener_stats[listener].connections,
        )
        if not limit and count >= self._files_max:
            limit = "open files (ulimit -n)"
        if not limit:
            self._is_full = False
            return True
        if not self._is_full:
            self._is_full = True
            log.warning("connection refused host=%s connections=%d limit=%s", host, count, limit)
        return False

    def _close_sockets(self) -> None:
        for _, sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def _schedule_sweep(self) -> None:
        seconds = max(self.config.connections_max_idle_ms / 1000 / SWEEPS_PER_IDLE_TIME, 0.01)
        self._sweep_timer = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        """Close connections that said nothing for `connections.max.idle.ms`.

        Time is counted in sweeps, so that a request costs no look at the clock.
        """
        self.sweep += 1
        idle = [
            connection
            for connection in self.connections
            if self.sweep - connection.active_sweep > SWEEPS_PER_IDLE_TIME and not connection.is_waiting
        ]
        for connection in idle:
            connection.stats.idle_closed += 1
            connection.close()
        if idle:
            log.info("idle connections closed count=%d", len(idle))
        self._schedule_sweep()


class ClientProtocol(asyncio.BufferedProtocol):
    """One connection: hands bytes to the sans-IO Connection and sends its answers, strictly in request order."""

    __slots__ = (
        "_connection",
        "_held",
        "_held_bytes",
        "_host",
        "_is_closing",
        "_is_reading",
        "_is_writable",
        "_lacks_memory",
        "_listener",
        "_pause_timer",
        "_pending",
        "_reader",
        "_server",
        "_task",
        "_together",
        "_together_bytes",
        "_transport",
        "_unsent",
        "active_sweep",
        "stats",
    )

    def __init__(self, server: Server, listener: Listener) -> None:
        self._server = server
        self._listener = listener
        self._reader = FrameReader(server.buffers, server.config.socket_request_max_bytes)
        self._lacks_memory = False
        if server.request_memory.is_limited:
            self._reader.share(server.request_memory, self._wait_for_memory)
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._host = ""
        self._held: deque[bytearray] = deque()
        self._held_bytes = 0
        self._pending: Pending | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_writable = True
        self._is_reading = True
        self._is_closing = False
        self._pause_timer: asyncio.TimerHandle | None = None
        self._unsent: deque[bytes | memoryview | FileSpan] = deque()
        self._together: list[bytes] | None = None
        self._together_bytes = 0
        self.active_sweep = server.sweep
        self.stats = server.listener_stats[listener.name]

    @property
    def waits_for(self) -> Route | None:
        """The API of the request that is in work, if any is."""
        return None if self._pending is None else self._pending.route

    @property
    def is_waiting(self) -> bool:
        """Whether a request is in work whose answer comes later."""
        return self._pending is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._host = peer[0] if peer else ""
        if not self._server.may_connect(self._host, self._listener.name):
            self.stats.refused += 1
            self._is_closing = True
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=UNSENT_BYTES_MAX)
        by_host = self._server.connections_by_host
        by_host[self._host] = by_host.get(self._host, 0) + 1
        self._server.connections.add(self)
        self.stats.connections += 1
        self.stats.created += 1
        context = self._server.new_context(reached_by(self._listener, transport), self._host)
        if self._listener.has_tls and (tls := self._server.tls_of(self._listener)) is not None:
            context.principal = tls.principal(transport.get_extra_info("ssl_object"))
        context.pause = self.pause
        self._connection = self._converse(context)
        quotas = None if context.security is None else context.security.quotas
        if self._server.limits.has_rates or (quotas is not None and quotas.limits_connections):
            self._wait_after_connecting(quotas)

    def _wait_after_connecting(self, quotas: ClientQuotas | None) -> None:
        loop = asyncio.get_running_loop()
        wait_s = self._server.limits.wait_s(self._listener.name, loop.time())
        if quotas is not None and quotas.limits_connections:
            wait_s = max(wait_s, quotas.connection_wait_s(self._host, loop.time()))
        if wait_s > 0:  # What it asks is held meanwhile: a pause at this moment would come after the first read.
            if quotas is not None:
                quotas.note_throttled("connection", int(wait_s * 1000))
            self._pending = Pending(cast(Route, None), 0, DelayedResponse(_nothing, _nothing), 0, 0)
            loop.call_later(wait_s, self._deliver, None)

    def _converse(self, context: RequestContext) -> Connection:
        return Connection(context, self._server.routes)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        if self in self._server.connections:
            self._server.connections.discard(self)
            self.stats.connections -= 1
            by_host = self._server.connections_by_host
            by_host[self._host] -= 1
            if not by_host[self._host]:
                del by_host[self._host]
        self._reader.release()
        self._held.clear()
        self._unsent.clear()
        if self._pause_timer is not None:
            self._pause_timer.cancel()
        if self._task is not None:
            self._task.cancel()
        elif self._pending is not None and isinstance(self._pending.response, DelayedResponse):
            self._pending.response.on_abandon()
        self._pending = None
        if self._connection is not None:
            self._connection.closed()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._reader.space()

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_closing:
            return
        self.active_sweep = self._server.sweep
        try:
            frames = self._reader.received(nbytes)
            if len(frames) == 1 and self._pending is None and self._is_writable and not self._held:
                self._answer(frames[0])
            elif frames:
                self._answer_together(frames)
        except BadRequest as bad:
            self._refuse(bad)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._is_writable = False
        self._read(False)

    def resume_writing(self) -> None:
        self._is_writable = True
        self.active_sweep = self._server.sweep
        self._send_unsent()
        self._answer_held()

    def close(self) -> None:
        """Send what is unsent, then close."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; what is unsent is lost."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()

    def hurry(self) -> None:
        """The server stops: answer what waits, take no more requests."""
        self._held.clear()
        self._read(False)
        self._is_closing = True
        if self._pending is not None and isinstance(self._pending.response, DelayedResponse):
            self._pending.response.on_hurry()

    def pause(self, wait_ms: int) -> None:
        """Read nothing for so long: the client used up a quota."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_ms / 1000
        if self._pause_timer is not None:
            if self._pause_timer.when() >= until_s:
                return
            self._pause_timer.cancel()
        self._read(False)
        self._pause_timer = loop.call_at(until_s, self._end_pause)

    def _wait_for_memory(self) -> None:
        """The frame that has begun must wait until others are through."""
        self._lacks_memory = True
        self._read(False)
        self._server.request_memory.when_free(self._has_memory)

    def _has_memory(self) -> None:
        self._lacks_memory = False
        if self._is_closing:
            return
        self._reader.reserve()
        self.active_sweep = self._server.sweep
        if self._is_writable and self._held_bytes <= HELD_BYTES_MAX:
            self._read(True)

    def _end_pause(self) -> None:
        self._pause_timer = None
        self.active_sweep = self._server.sweep
        if self._is_writable and self._held_bytes <= HELD_BYTES_MAX:
            self._read(True)

    def _answer_together(self, frames: list[memoryview]) -> None:
        self._together = []
        try:
            for frame in frames:
                self._answer_or_hold(frame)
        finally:
            self._send_together()
            self._together = None

    def _answer_or_hold(self, frame: memoryview) -> None:
        if self._pending is None and self._is_writable and not self._held:
            self._answer(frame)
        elif not self._is_closing:
            self._hold(frame)

    def _answer(self, frame: memoryview) -> None:
        assert self._connection is not None
        answer = self._connection.answer(frame)
        if type(answer) is list:
            self._send(answer)
        elif answer is not None:
            self._wait_for(cast(Pending, answer))

    def _wait_for(self, pending: Pending) -> None:
        self._pending = pending
        if isinstance(pending.response, DelayedResponse):
            pending.response.when_answered(self._deliver)
        else:
            self._task = asyncio.get_running_loop().create_task(self._complete(pending.response))

    async def _complete(self, response: Coroutine[Any, Any, Any]) -> None:
        try:
            result = await response
        except Exception as error:
            result = error
        self._task = None
        self._deliver(result)

    def _deliver(self, response: Any) -> None:
        """Send the answer that was waited for, then go on with the requests behind it."""
        pending, self._pending = self._pending, None
        if pending is None or self._transport is None or self._transport.is_closing():
            return
        assert self._connection is not None
        if response is not None:
            route = pending.route
            if pending.pending_ns:
                route.stats.remote_ns += perf_counter_ns() - pending.pending_ns
            try:
                self._send(self._connection.encode(route, pending.correlation_id, response, pending.started_ns))
            except BadRequest as bad:
                self._refuse(bad)
                return
        self.active_sweep = self._server.sweep
        self._answer_held()

    def _send(self, chunks: Chunks) -> None:
        assert self._transport is not None
        if len(chunks) == 2 and len(chunks[1]) <= JOINED_BYTES_MAX:
            joined = b"".join(chunks)  # type: ignore[arg-type]  # a cast would be a call
            if self._together is None:
                self._transport.write(joined)
                return
            self._together.append(joined)
            self._together_bytes += len(joined)
            if self._together_bytes > TOGETHER_BYTES_MAX:
                self._send_together()
            return
        self._send_together()
        if any(type(chunk) is FileSpan for chunk in chunks):
            self._unsent.extend(chunks)
            self._send_unsent()
        else:
            self._transport.writelines(cast(list[bytes], chunks))

    def _send_together(self) -> None:
        if self._together and self._transport is not None:
            self._transport.writelines(self._together)
            self._together = []
            self._together_bytes = 0

    def _send_unsent(self) -> None:
        """Read from files and send, piece by piece, as long as the client takes it."""
        assert self._transport is not None
        unsent = self._unsent
        while unsent and self._is_writable:
            chunk = unsent[0]
            if isinstance(chunk, FileSpan) and len(chunk):
                try:
                    self._transport.write(chunk.read_piece())
                except OSError as error:
                    log.error("answer cut short client=%s error=%s", self._host, error)
                    self.abort()
                    return
                continue
            unsent.popleft()
            if not isinstance(chunk, FileSpan):
                self._transport.write(chunk)

    def _hold(self, frame: memoryview) -> None:
        self._held.append(bytearray(frame))
        self._held_bytes += len(frame)
        if self._held_bytes > HELD_BYTES_MAX:
            self._read(False)

    def _answer_held(self) -> None:
        try:
            while self._held and self._pending is None and self._is_writable and not self._is_closing:
                frame = self._held.popleft()
                self._held_bytes -= len(frame)
                self._answer(memoryview(frame))
        except BadRequest as bad:
            self._refuse(bad)
        if self._is_writable and self._held_bytes <= HELD_BYTES_MAX:
            self._read(True)

    def _read(self, wanted: bool) -> None:
        if wanted == self._is_reading or self._is_closing or self._transport is None:
            return
        if wanted and (self._pause_timer is not None or self._lacks_memory):
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _refuse(self, bad: BadRequest) -> None:
        self.stats.bad_requests += 1
        log.warning("connection closed client=%s reason=%s", self._host, bad)
        self._held.clear()
        self.close()


def _protocol_class(listener: Listener) -> type[ClientProtocol]:
    if not listener.has_sasl:
        return ClientProtocol
    from broker.sasl_protocol import SaslProtocol  # It builds on this module.

    return SaslProtocol


def _nothing() -> None:
    """A new connection that waits has nothing to answer or to let go of."""


def _no_tls(listener: Listener) -> TlsContexts | None:
    return None


def connection_files_max() -> int:
    """How many connections leave enough of the process's file descriptors to the log and to everything else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(soft * 3 // 4 - OTHER_FILES, 1)


def bind_listener(listener: Listener) -> list[socket.socket]:
    """Sockets bound to a listener's address, the first one's port being the listener's.

    A loopback name or address is bound in IPv4 and, where it can be had, in IPv6 too: some clients try `::1` first. A
    wildcard is bound in both likewise. Raises ConfigError when the address cannot be had.
    """
    if listener.host in ("localhost", "127.0.0.1"):
        hosts = ["127.0.0.1", "::1"]
    elif listener.host in ("", "0.0.0.0", "::"):
        hosts = ["0.0.0.0", "::"]
    else:
        hosts = [listener.host]
    try:
        sockets = [_bind(hosts[0], listener.port)]
    except OSError as error:
        raise ConfigError(_why_not_bound(listener, error)) from None
    for host in hosts[1:]:
        with contextlib.suppress(OSError):
            sockets.append(_bind(host, sockets[0].getsockname()[1]))
    return sockets


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _why_not_bound(listener: Listener, error: OSError) -> str:
    where = f"{listener.host or '0.0.0.0'}:{listener.port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is taken by another program; stop it or listen on another port (port 0 takes any free one)"
    if error.errno == errno.EACCES:
        return f"{where} needs root; listen on a port from 1024 up"
    return f"cannot listen on {where}: {error.strerror or error}; name an address of this machine"


def reached_by(listener: Listener, transport: asyncio.BaseTransport) -> Listener:
    """The listener as a client that came in by it must be told: without an advertised host, the one it dialled."""
    if listener.advertised_host:
        return listener
    local = transport.get_extra_info("sockname")
    return replace(listener, advertised_host=local[0] if local else "127.0.0.1")
