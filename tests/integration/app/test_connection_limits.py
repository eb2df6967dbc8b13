"""What a stranger's connection may cost, on a real socket: connections, silence, bodies that stop, answers unread."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Collection

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.http import exchange
from app.http.connection import ConnectionLimits, protocol_class
from app.http.errors import RequestTimeout
from app.http.exchange import Request, Response
from app.rest.settings import RestSettings

ANSWER_BYTES = 64 << 20  # more than all buffers between the two


class Context:
    settings = RestSettings(response_gzip_min_bytes=1 << 40)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells the length of the body; GET /much answers ANSWER_BYTES."""
    request: Request[Context] = Request(scope, receive, Context())
    if request.path == "/much":
        answer = Response(200, bytes(ANSWER_BYTES), "application/octet-stream")
    else:
        try:
            answer = Response(200, b"%d" % len(await request.body()), "text/plain")
        except RequestTimeout as error:
            answer = Response(error.status, error.message.encode(), "text/plain")
    await answer.send_to(send, request)


@contextlib.asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncIterator[tuple[int, Collection[object]]]:
    """The port, and the connections that the server has at any time."""
    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, http=protocol_class(limits), lifespan="off", log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield bound.getsockname()[1], server.server_state.connections
    finally:
        server.should_exit = True
        await task


async def ask(port: int, *pieces: bytes) -> bytes:
    """Everything that the server says until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


async def test_one_address_gets_so_many_connections_and_their_places_become_free() -> None:
    limits = ConnectionLimits(per_address_max=2)
    async with serving(limits) as (port, _):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in held:  # an answer proves that the server has the connection
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        for reader, _ in held:
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        refused = await ask(port)
        assert refused.startswith(b"HTTP/1.1 429")
        assert b"retry-after: 1" in refused
        for _, writer in held:
            writer.close()
        while limits.by_address:
            await asyncio.sleep(0.01)
        assert (await ask(port, b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_a_body_that_stops_is_answered_and_one_that_only_pauses_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "BODY_IDLE_SECONDS", 0.5)
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n"
    async with serving(ConnectionLimits()) as (port, _):
        stopped = await ask(port, head, b"12345")
        assert stopped.startswith(b"HTTP/1.1 408")
        whole = await ask(port, head, b"12345", b"67890")
        assert whole.endswith(b"\r\n\r\n10")


async def test_a_body_that_comes_in_drops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never stands still, and would need a day."""
    monkeypatch.setattr(exchange, "BODY_IDLE_SECONDS", 0.5)
    async with serving(ConnectionLimits()) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10000000\r\n\r\n")
        status = asyncio.create_task(reader.readline())
        async with asyncio.timeout(30):
            while not status.done():
                writer.write(b"x")
                await asyncio.sleep(0.01)
        assert status.result().startswith(b"HTTP/1.1 408")
        writer.close()


async def test_who_never_reads_is_left_and_who_reads_slowly_is_served() -> None:
    async with serving(ConnectionLimits(unread_timeout_s=0.5)) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        writer.write(b"GET /much HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        read = 0
        while read < ANSWER_BYTES:  # a piece at a time, for longer than the timeout in all
            piece = await reader.read(1 << 20)
            assert piece, f"cut off after {read} bytes"
            read += len(piece)
            await asyncio.sleep(0.01)
        writer.close()

        silent, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(b"GET /much HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        await silent.read(1)
        assert connections
        async with asyncio.timeout(30):
            while connections:
                await asyncio.sleep(0.01)
        writer.close()


async def test_the_second_request_of_a_connection_has_its_own_time() -> None:
    async with serving(ConnectionLimits(head_timeout_s=0.5)) as (port, _):
        answer = await ask(port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"GET / HTTP/1.1\r\nx")
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 408" in answer
