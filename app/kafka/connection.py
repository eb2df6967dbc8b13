"""Requests to any node of a cluster: broker.protocol messages over our own asyncio connections.

Our own rather than aiokafka's connections: the messages, their versions and their encoding are broker.protocol's
anyway, and what remains of a client connection (frames, correlation ids, version negotiation, time limits, back-off) is
this file. aiokafka stays where its group membership and consumer are wanted (consumer.py).
"""

import asyncio
import itertools
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from app.kafka.ports import BrokerNode, ClusterUnreachable
from app.kafka.sasl import SaslLogin
from broker.errors import UnsupportedVersion, by_code
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from broker.protocol.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from broker.protocol.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from broker.protocol.primitives import DecodeError, Message

FRAME_BYTES_MAX = 128 * 1024 * 1024
BACK_OFF_FIRST_S = 0.1
BACK_OFF_MAX_S = 2.0

Address = tuple[str, int]


class NodeUnreachable(ClusterUnreachable):
    """One node did not take the connection, broke it, or did not answer in time; others may."""


class NodeUntrusted(NodeUnreachable):
    """A node showed a certificate that is not trusted here; waiting does not mend that."""


class ClusterUntrusted(ClusterUnreachable):
    """Every node that was tried showed a certificate that is not trusted here."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How to reach a cluster. tls: None for PLAINTEXT; login: None where nobody has to log in."""

    client_id: str = "caudal"
    connect_timeout_s: float = 3.0
    request_timeout_s: float = 10.0
    tls: ssl.SSLContext | None = None
    login: SaslLogin | None = None

    @property
    def security_protocol(self) -> str:
        """Kafka's name for it: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL."""
        transport = "PLAINTEXT" if self.tls is None else "SSL"
        return transport if self.login is None else f"SASL_{transport}"


class NodeConnection(asyncio.Protocol):
    """One connection to one node. Requests may overlap; the node answers them in order."""

    def __init__(self, address: Address, settings: ConnectionSettings) -> None:
        self.address = address
        self._settings = settings
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._correlation_ids = itertools.count(1)
        self._versions: dict[int, range] = {}
        self._loop = asyncio.get_running_loop()  # asked once: it costs a system call each time (getpid)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def negotiate(self) -> None:
        """Learn which versions the node serves. v0, as every broker answers it."""
        answer = await self._send(ApiVersionsRequest(), 0, self._settings.connect_timeout_s)
        served = cast(ApiVersionsResponse, answer).api_keys
        self._versions = {key.api_key: range(key.min_version, key.max_version + 1) for key in served}

    def version_for(self, request: type[Message], version_max: int | None = None) -> int:
        """The highest version that both sides know, at most version_max. Raises UnsupportedVersion."""
        ours, theirs = request.VERSIONS, self._versions.get(request.API_KEY, range(0))
        highest = min(ours[-1], theirs[-1], ours[-1] if version_max is None else version_max) if theirs else -1
        if highest < max(ours[0], theirs[0] if theirs else 0):
            raise UnsupportedVersion(f"{self.address[0]}:{self.address[1]} does not serve {request.__name__}")
        return highest

    async def request(
        self, message: Message, *, version_max: int | None = None, timeout_s: float | None = None
    ) -> Message:
        """Send and wait for the answer. Raises NodeUnreachable, UnsupportedVersion."""
        version = self.version_for(type(message), version_max)
        return await self._send(message, version, timeout_s or self._settings.request_timeout_s)

    async def _send(self, message: Message, version: int, timeout_s: float) -> Message:
        return self.read(message.API_KEY, version, await self.exchange(message, version, timeout_s))

    def read(self, api_key: int, version: int, frame: bytes) -> Message:
        """Decode an answer's frame; records stay slices of it. Raises NodeUnreachable for what is no answer."""
        try:
            return decode_response(api_key, version, memoryview(frame))[1]
        except DecodeError as error:
            self.close(f"sent an answer that cannot be read: {error}")
            raise NodeUnreachable(f"{self.address[0]}:{self.address[1]} sent an unreadable answer") from error

    async def exchange(self, message: Message, version: int, timeout_s: float) -> bytes:
        """Send and wait for the answer's frame, undecoded (correlation id first). Raises NodeUnreachable."""
        if self._transport is None or self._transport.is_closing():
            raise NodeUnreachable(f"the connection to {self.address[0]}:{self.address[1]} is closed")
        correlation_id = next(self._correlation_ids) & 0x7FFFFFFF
        frame = request_frame(message.API_KEY, version, correlation_id, self._settings.client_id, message)
        loop = self._loop
        answer: asyncio.Future[bytes] = loop.create_future()
        self._waiting[correlation_id] = answer
        self._transport.write(frame)
        timer = loop.call_later(timeout_s, self._is_late, answer, type(message).__name__, timeout_s)
        try:
            return await answer
        finally:
            timer.cancel()
            self._waiting.pop(correlation_id, None)

    def _is_late(self, answer: asyncio.Future[bytes], request_name: str, timeout_s: float) -> None:
        """Answers come in order: behind one that does not come nothing else will, so the connection is spent."""
        if not answer.done():
            where = f"{self.address[0]}:{self.address[1]}"
            answer.set_exception(NodeUnreachable(f"{where} did not answer {request_name} within {timeout_s:g} s"))
        self.close(f"no answer within {timeout_s:g} s")

    def close(self, reason: str = "closed") -> None:
        if self._transport is not None:
            self._transport.abort()
        self._fail_waiting(reason)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        start, end = 0, len(received)
        while end - start >= 4:
            size = int.from_bytes(received[start : start + 4], "big", signed=True)
            if not 4 <= size <= FRAME_BYTES_MAX:
                self.close(f"announced an answer of {size} bytes")
                return
            if end - start - 4 < size:
                break
            self._take(bytes(memoryview(received)[start + 4 : start + 4 + size]))
            start += 4 + size
        if start:
            del received[:start]

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._fail_waiting(f"connection lost: {error}" if error else "closed by the node")

    def _take(self, frame: bytes) -> None:
        answer = self._waiting.pop(int.from_bytes(frame[:4], "big"), None)
        if answer is not None and not answer.done():
            answer.set_result(frame)

    def _fail_waiting(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(NodeUnreachable(f"{self.address[0]}:{self.address[1]}: {reason}"))


class _BackOff(NamedTuple):
    """Until when (monotonic seconds) an address is left alone, how long that is, and why."""

    until: float
    wait_s: float
    reason: str
    failure: type[NodeUnreachable]


class ClusterConnections:
    """Connections to the nodes of one cluster, opened when first needed and again after they broke.

    A lane is a set of connections of its own: a node answers in order, so a long poll or a large produce would hold up
    everything behind it on the same connection. A node that did not take a connection is left alone for a while,
    doubling from 0.1 to 2 s.
    """

    def __init__(self, bootstrap_servers: str | Sequence[str], settings: ConnectionSettings | None = None) -> None:
        """bootstrap_servers: `host:port,…`, or a list of such. Raises ValueError for anything else."""
        self.settings = settings or ConnectionSettings()
        self.nodes: dict[int, BrokerNode] = {}
        servers = bootstrap_servers.split(",") if isinstance(bootstrap_servers, str) else bootstrap_servers
        self._bootstrap = tuple(_address(server) for server in servers)
        self._open: dict[tuple[Address, str], NodeConnection] = {}
        self._opening: dict[tuple[Address, str], asyncio.Lock] = {}
        self._back_off: dict[Address, _BackOff] = {}
        self._turn = itertools.count()

    def learn(self, nodes: Iterable[BrokerNode]) -> None:
        """Take over which nodes the cluster says it has; connections to addresses no longer named are closed."""
        self.nodes = {node.broker_id: node for node in nodes}
        addresses = {(node.host, node.port) for node in self.nodes.values()} | set(self._bootstrap)
        for key in [key for key in self._open if key[0] not in addresses]:
            self._open.pop(key).close()
            self._opening.pop(key, None)

    async def to_node(self, node_id: int, *, lane: str = "") -> NodeConnection:
        """An open connection to a node by its broker id. Raises NodeUnreachable, also for an id nobody named."""
        node = self.nodes.get(node_id)
        if node is None:
            raise NodeUnreachable(f"broker {node_id} is not among the brokers of the cluster")
        return await self._connection((node.host, node.port), lane)

    async def to_any(self, *, lane: str = "") -> NodeConnection:
        """An open connection to whichever node answers. Raises ClusterUnreachable naming all that were tried."""
        failures: list[NodeUnreachable] = []
        for address in self._candidates():
            try:
                return await self._connection(address, lane)
            except NodeUnreachable as error:
                failures.append(error)
        is_untrusted = all(isinstance(error, NodeUntrusted) for error in failures)
        raise (ClusterUntrusted if is_untrusted else ClusterUnreachable)(
            "no broker could be reached: " + "; ".join(map(str, failures))
        )

    async def request(self, message: Message, *, node_id: int | None = None, version_max: int | None = None) -> Message:
        """One request to one node, or to any. Raises ClusterUnreachable, UnsupportedVersion."""
        if node_id is not None:
            return await (await self.to_node(node_id)).request(message, version_max=version_max)
        failure: NodeUnreachable | None = None
        for _ in range(2):  # an idle connection may turn out to be gone: then another is opened, once
            try:
                return await (await self.to_any()).request(message, version_max=version_max)
            except NodeUnreachable as error:
                failure = error
        raise ClusterUnreachable(str(failure))

    async def close(self) -> None:
        connections, self._open = list(self._open.values()), {}
        for connection in connections:
            connection.close()
        await asyncio.sleep(0)

    async def _connection(self, address: Address, lane: str) -> NodeConnection:
        key = (address, lane)
        connection = self._open.get(key)
        if connection is not None and connection.is_open:
            return connection
        async with self._opening.setdefault(key, asyncio.Lock()):
            connection = self._open.get(key)
            if connection is None or not connection.is_open:
                connection = self._open[key] = await self._connect(address)
            return connection

    async def _connect(self, address: Address) -> NodeConnection:
        host, port = address
        back_off = self._back_off.get(address)
        if back_off is not None and time.monotonic() < back_off.until:
            raise back_off.failure(f"{host}:{port}: {back_off.reason}")
        try:
            connection = await open_connection(address, self.settings)
        except (OSError, TimeoutError, NodeUnreachable) as error:
            wait_s = BACK_OFF_FIRST_S if back_off is None else min(2 * back_off.wait_s, BACK_OFF_MAX_S)
            failure = NodeUntrusted if isinstance(error, ssl.SSLCertVerificationError) else NodeUnreachable
            self._back_off[address] = _BackOff(time.monotonic() + wait_s, wait_s, _reason(error), failure)
            raise failure(f"{host}:{port}: {_reason(error)}") from error
        self._back_off.pop(address, None)
        return connection

    def _candidates(self) -> list[Address]:
        """Addresses to try: taking turns, those that did not take a connection lately last."""
        named = [(node.host, node.port) for node in self.nodes.values()]
        addresses = list(dict.fromkeys([*named, *self._bootstrap]))
        turn = next(self._turn) % max(1, len(addresses))
        addresses = addresses[turn:] + addresses[:turn]
        return sorted(addresses, key=lambda address: address in self._back_off)


async def open_connection(address: Address, settings: ConnectionSettings) -> NodeConnection:
    """Connect, negotiate and log in: the one place where TLS is made and SASL speaks before the first request.

    Raises OSError, TimeoutError, NodeUnreachable, or the KafkaError with which a login is refused.
    """
    host, port = address
    async with asyncio.timeout(settings.connect_timeout_s):
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: NodeConnection(address, settings), host, port, ssl=settings.tls
        )
        try:
            await connection.negotiate()
            if settings.login is not None:
                await _log_in(connection, settings.login)
        except BaseException:
            connection.close()
            raise
    return connection


async def _log_in(connection: NodeConnection, login: SaslLogin) -> None:
    shake = cast(SaslHandshakeResponse, await connection.request(SaslHandshakeRequest(mechanism=login.mechanism)))
    if shake.error_code:
        raise by_code(shake.error_code)(f"the broker takes {', '.join(shake.mechanisms)}, not {login.mechanism}")
    exchange = login.exchange()
    token = next(exchange)
    while True:
        answer = cast(SaslAuthenticateResponse, await connection.request(SaslAuthenticateRequest(auth_bytes=token)))
        if answer.error_code:
            raise by_code(answer.error_code)(answer.error_message)
        try:
            token = exchange.send(bytes(answer.auth_bytes))
        except StopIteration:
            return


def _address(server: str) -> Address:
    host, _, port = server.strip().rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"bootstrap server '{server}' is not host:port")
    return host.strip("[]"), int(port)


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message or error})"
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
