"""ClientProtocol without a socket: order of answers, back-pressure, limits, stop."""

import asyncio
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from broker import dispatch
from broker.config import BrokerConfig, ConfigError, Listener
from broker.dispatch import DelayedResponse, ServedApi
from broker.log.file_span import FileSpan
from broker.protocol.api_keys import ApiKey
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from broker.server import HELD_BYTES_MAX, ClientProtocol, Server, bind_listener

LISTENER = Listener("PLAINTEXT", "127.0.0.1", 0, "127.0.0.1", 9092)


class FakeTransport(asyncio.Transport):
    """Takes what is written; can be told that the client does not read."""

    def __init__(self, peer: str = "127.0.0.1", local: str = "127.0.0.1") -> None:
        super().__init__({"peername": (peer, 40000), "sockname": (local, 9092)})
        self.sent = bytearray()
        self.writes = 0
        self.full_at = 1 << 30
        self.reading = True
        self.closed = ""

    def write(self, data):
        self.writelines([data])

    def writelines(self, list_of_data):
        self.writes += 1
        for data in list_of_data:
            self.sent += data
        if len(self.sent) > self.full_at:
            self.protocol.pause_writing()

    def set_protocol(self, protocol):
        self.protocol = protocol

    def set_write_buffer_limits(self, high=None, low=None):
        self.high = high

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def is_closing(self):
        return bool(self.closed)

    def close(self):
        self.closed = self.closed or "closed"

    def abort(self):
        self.closed = "aborted"


class Client:
    """The other end of a ClientProtocol."""

    def __init__(self, server: Server, listener: Listener = LISTENER, **transport) -> None:
        self.transport = FakeTransport(**transport)
        self.protocol = ClientProtocol(server, listener)
        self.transport.set_protocol(self.protocol)
        self.protocol.connection_made(self.transport)

    def send(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            space = self.protocol.get_buffer(-1)
            size = min(len(space), len(data) - at)
            space[:size] = data[at : at + size]
            at += size
            self.protocol.buffer_updated(size)

    def ask(self, *correlation_ids: int, member_id: str = "") -> None:
        request = HeartbeatRequest(member_id=member_id)
        self.send(b"".join(request_frame(12, 4, number, "t", request) for number in correlation_ids))

    @property
    def answered(self) -> list[int]:
        data, numbers = bytes(self.transport.sent), []
        while data:
            end = 4 + int.from_bytes(data[:4], "big")
            numbers.append(decode_response(12, 4, data[4:end])[0])
            data = data[end:]
        return numbers


def make_server(config: BrokerConfig | None = None) -> Server:
    def context(listener, client_host):
        return SimpleNamespace(
            api_version=0, client_id="", listener=listener, client_host=client_host, security=None, on_close=None
        )

    return Server(config or BrokerConfig(), context)


@pytest.fixture
def serve(monkeypatch):
    """Let Heartbeat be answered by a function of the test."""

    def serve(handler, *, is_coroutine=False):
        api = ServedApi(ApiKey.HEARTBEAT, range(5), range(5), handler, is_coroutine)
        monkeypatch.setitem(dispatch._served, ApiKey.HEARTBEAT, api)

    return serve


@pytest.fixture
def waiting(serve):
    """Every request of member "wait" waits; the test answers."""
    delayed = []

    def handler(request, context):
        if request.member_id != "wait":
            return HeartbeatResponse()
        log = []
        response = DelayedResponse(lambda: log.append("hurry"), lambda: log.append("abandon"))
        delayed.append((response, log))
        return response

    serve(handler)
    return delayed


def test_requests_that_arrive_together_are_answered_in_order(serve):
    serve(lambda request, context: HeartbeatResponse())
    client = Client(make_server())
    client.ask(1, 2, 3)
    assert client.answered == [1, 2, 3]


def test_requests_behind_one_that_waits_are_answered_after_it(waiting):
    client = Client(make_server())
    client.ask(1, member_id="wait")
    client.ask(2, 3)
    assert client.answered == []
    waiting[0][0].answer(HeartbeatResponse())
    assert client.answered == [1, 2, 3]


def test_a_request_that_waits_does_not_hold_up_another_connection(waiting):
    server = make_server()
    first, second = Client(server), Client(server)
    first.ask(1, member_id="wait")
    second.ask(2)
    assert second.answered == [2]


async def test_coroutine_handlers_are_answered_in_order_too(serve):
    async def handler(request, context):
        await asyncio.sleep(0)
        return HeartbeatResponse()

    serve(handler, is_coroutine=True)
    client = Client(make_server())
    client.ask(1, 2)
    while len(client.answered) < 2:
        await asyncio.sleep(0)
    assert client.answered == [1, 2]


def test_a_client_that_does_not_read_is_not_answered_further(serve):
    asked = []
    serve(lambda request, context: asked.append(1) or HeartbeatResponse())
    client = Client(make_server())
    client.protocol.pause_writing()
    assert not client.transport.reading
    client.ask(1, 2)
    assert not asked
    client.protocol.resume_writing()
    assert client.answered == [1, 2]
    assert client.transport.reading


def test_a_client_that_sends_on_and_on_while_one_request_waits_is_not_read(waiting):
    client = Client(make_server())
    client.ask(1, member_id="wait")
    client.ask(*range(2, 10), member_id="x" * (HELD_BYTES_MAX // 8))
    assert not client.transport.reading
    waiting[0][0].answer(HeartbeatResponse())
    assert client.transport.reading
    assert client.answered == list(range(1, 10))


def test_a_bad_frame_closes_its_connection_with_one_log_line(serve, caplog):
    serve(lambda request, context: HeartbeatResponse())
    client = Client(make_server())
    client.ask(1)
    client.send(b"GET / HTTP/1.1\r\n\r\n" * 10)
    assert client.transport.closed
    assert client.answered == [1]
    assert len(caplog.records) == 1


def test_a_client_that_leaves_is_waited_for_no_more(waiting):
    server = make_server()
    client = Client(server)
    client.ask(1, member_id="wait")
    client.protocol.connection_lost(None)
    response, log = waiting[0]
    assert log == ["abandon"]
    response.answer(HeartbeatResponse())
    assert client.answered == []
    assert not server.connections


def test_hurry_reaches_what_waits_and_nothing_more_is_taken(waiting):
    client = Client(make_server())
    client.ask(1, member_id="wait")
    client.ask(2)
    client.protocol.hurry()
    response, log = waiting[0]
    assert log == ["hurry"]
    response.answer(HeartbeatResponse())
    assert client.answered == [1]
    assert not client.transport.reading


def test_requests_that_arrive_together_cost_one_write(serve):
    serve(lambda request, context: HeartbeatResponse())
    client = Client(make_server())
    client.ask(*range(10))
    assert client.answered == list(range(10))
    assert client.transport.writes == 1


def test_a_large_answer_is_read_from_its_file_as_the_client_takes_it(serve, tmp_path):
    path = tmp_path / "records"
    path.write_bytes(bytes(range(256)) * 4096 * 3)  # 3 MiB
    with path.open("rb") as file:
        span = FileSpan(os.dup(file.fileno()), 1, 3_000_000)
    serve(lambda request, context: [b"\0" * 7, span])
    client = Client(make_server())
    client.transport.full_at = 500_000
    client.ask(1)
    assert len(client.transport.sent) < 1_000_000
    for _ in range(10):
        client.transport.full_at = len(client.transport.sent) + 500_000
        client.protocol.resume_writing()
    assert client.transport.sent[-3_000_000:] == path.read_bytes()[1:3_000_001]


def test_connections_beyond_the_limit_are_refused_and_said_once(caplog):
    server = make_server(replace(BrokerConfig(), max_connections=2))
    clients = [Client(server) for _ in range(4)]
    assert [client.transport.closed for client in clients] == ["", "", "aborted", "aborted"]
    assert len(caplog.records) == 1
    for client in clients:
        client.protocol.connection_lost(None)
    assert not Client(server).transport.closed


def test_one_host_may_have_so_many_connections():
    server = make_server(replace(BrokerConfig(), max_connections_per_ip=1))
    first, second, other = Client(server), Client(server), Client(server, peer="10.0.0.2")
    assert [client.transport.closed for client in (first, second, other)] == ["", "aborted", ""]


async def test_idle_connections_are_closed_but_not_those_that_wait(waiting):
    server = make_server(replace(BrokerConfig(), connections_max_idle_ms=100))
    idle, busy = Client(server), Client(server)
    busy.ask(1, member_id="wait")
    await server.start()
    while not idle.transport.closed:
        await asyncio.sleep(0.01)
    assert not busy.transport.closed
    for client in (idle, busy):
        client.protocol.connection_lost(None)
    await server.stop()


def test_a_wildcard_listener_tells_the_address_the_client_dialled():
    server = make_server()
    seen = []
    server.new_context = lambda listener, host: seen.append(listener) or SimpleNamespace(security=None, on_close=None)
    Client(server, replace(LISTENER, host="", advertised_host=""), local="10.1.2.3")
    Client(server, replace(LISTENER, host="", advertised_host="kafka.example.org"), local="10.1.2.3")
    assert [listener.advertised_host for listener in seen] == ["10.1.2.3", "kafka.example.org"]


def test_a_taken_port_is_named_with_the_remedy():
    (first, *more) = bind_listener(LISTENER)
    taken = replace(LISTENER, port=first.getsockname()[1])
    first.listen()
    try:
        with pytest.raises(ConfigError, match=f"127.0.0.1:{taken.port} is taken by another program"):
            bind_listener(taken)
    finally:
        for sock in (first, *more):
            sock.close()


def test_an_address_of_another_machine_is_named():
    with pytest.raises(ConfigError, match=r"cannot listen on 203\.0\.113\.7:0"):
        bind_listener(replace(LISTENER, host="203.0.113.7"))


def test_large_requests_wait_for_memory_and_all_get_through(serve):
    serve(lambda request, context: HeartbeatResponse())
    server = make_server(replace(BrokerConfig(), queued_max_request_bytes=1000))
    frame = request_frame(12, 4, 1, "t", HeartbeatRequest(member_id="x" * 3000))
    clients = [Client(server) for _ in range(4)]
    for client in clients:
        client.send(frame[:500])
    assert [client.transport.reading for client in clients] == [True, False, False, False]
    clients[1].protocol.connection_lost(None)
    for client in (clients[0], clients[2], clients[3]):
        assert client.transport.reading
        client.send(frame[500:])
        assert client.answered == [1]
    assert server.request_memory.reserved_bytes == 0


def test_small_requests_need_no_memory_of_their_own(serve):
    serve(lambda request, context: HeartbeatResponse())
    server = make_server(replace(BrokerConfig(), queued_max_request_bytes=1000))
    big, small = Client(server), Client(server)
    big.send(request_frame(12, 4, 1, "t", HeartbeatRequest(member_id="x" * 3000))[:500])
    small.ask(1, 2)
    assert small.answered == [1, 2]
    big.protocol.connection_lost(None)
    assert server.request_memory.reserved_bytes == 0


def test_a_frame_whose_size_arrives_in_pieces_waits_too(serve):
    serve(lambda request, context: HeartbeatResponse())
    server = make_server(replace(BrokerConfig(), queued_max_request_bytes=1000))
    frame = request_frame(12, 4, 1, "t", HeartbeatRequest(member_id="x" * 3000))
    first, second = Client(server), Client(server)
    first.send(frame[:2])
    first.send(frame[2:900])
    second.send(frame[:3])
    assert second.transport.reading
    second.send(frame[3:4])
    assert not second.transport.reading
    first.send(frame[900:])
    assert second.transport.reading
    second.send(frame[4:])
    assert [first.answered, second.answered] == [[1], [1]]
