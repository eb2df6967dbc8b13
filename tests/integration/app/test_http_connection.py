"""HTTP/1.1 on a real socket: requests in any pieces, answers of every framing, what breaks off."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Iterator

import h11
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from app.http.connection import ConnectionLimits, protocol_class
from app.http.cycle import whole_body
from tests.integration.running_app import running_app


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was asked, framed as the path says."""
    whole: bytes | None = b"" if scope["path"] == "/early" else whole_body(receive)
    body, more = whole or b"", whole is None
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    said = b"%s %s %s" % (scope["method"].encode(), scope["raw_path"], body)
    match scope["path"]:
        case "/chunked":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for start in range(0, len(said), 3):
                await send({"type": "http.response.body", "body": said[start : start + 3], "more_body": True})
            await send({"type": "http.response.body"})
        case "/nothing":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
        case "/fails":
            raise ValueError("on purpose")
        case "/breaks-off":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ValueError("on purpose")
        case "/splits":
            headers = [(b"x-name", b"a\r\nx-other: b")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        case _:
            headers = [(b"content-length", b"%d" % len(said))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": said})


@contextlib.asynccontextmanager
async def serving(limits: ConnectionLimits | None = None) -> AsyncIterator[int]:
    bound = socket.create_server(("127.0.0.1", 0))
    http = protocol_class(limits or ConnectionLimits())
    config = uvicorn.Config(application, http=http, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def say(port: int, *pieces: bytes) -> bytes:
    """Everything that is answered until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


@pytest.fixture(scope="module")
def port_of_all() -> Iterator[int]:
    """A server for all examples of a property."""
    with running_app(lambda _: contextlib.nullcontext(application)) as url:
        yield int(url.rpartition(":")[2])


def answers(methods: list[str], data: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer, by h11's reading of HTTP."""
    connection = h11.Connection(h11.CLIENT)
    connection.receive_data(data)
    connection.receive_data(b"")
    found = []
    for method in methods:
        connection.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        connection.send(h11.EndOfMessage())
        status, body = 0, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                assert event is not h11.NEED_DATA, (found, data)
        found.append((status, body))
        if connection.our_state is h11.DONE and connection.their_state is h11.DONE:
            connection.start_next_cycle()
    return found


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "HEAD"]),
        st.sampled_from(["/", "/chunked", "/nothing", "/a%20b?c=d#e"]),
        st.binary(max_size=200),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def request_bytes(method: str, target: str, body: bytes, *, chunked: bool, last: bool) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nhost: x\r\n" + ("connection: close\r\n" if last else "")
    if method != "POST":
        return f"{head}\r\n".encode()
    if chunked:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
        return f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@given(requests=REQUESTS, data=st.data())
@settings(max_examples=200, deadline=None)
def test_requests_in_any_pieces_are_answered_in_their_order(
    port_of_all: int, requests: list[tuple[str, str, bytes, bool]], data: st.DataObject
) -> None:
    sent = b"".join(
        request_bytes(method, target, body, chunked=chunked, last=index == len(requests) - 1)
        for index, (method, target, body, chunked) in enumerate(requests)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    expected = []
    for method, target, body, _ in requests:
        path = target.partition("?")[0]
        said = b"%s %s %s" % (method.encode(), path.encode(), body if method == "POST" else b"")
        expected.append((204, b"") if path == "/nothing" else (200, b"" if method == "HEAD" else said))
    assert answers([method for method, *_ in requests], asyncio.run(say(port_of_all, *pieces))) == expected


async def test_an_answer_of_known_length_is_one_packet() -> None:
    async with serving() as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(connection, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await loop.sock_recv(connection, 1 << 16)).endswith(b"\r\n\r\nGET / ")


async def test_http_1_0_gets_no_chunks_and_the_end_of_the_connection() -> None:
    async with serving() as port:
        answer = await say(port, b"GET /chunked HTTP/1.0\r\n\r\n")
        assert b"transfer-encoding" not in answer
        assert answer.endswith(b"\r\n\r\nGET /chunked ")


async def test_what_an_application_leaves_undone_is_answered_or_cut_off() -> None:
    async with serving() as port:
        failed = await say(port, b"GET /fails HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answers(["GET"], failed) == [(500, b'{"error_code":500,"message":"Internal Server Error"}')]
        split = await say(port, b"GET /splits HTTP/1.1\r\nhost: x\r\n\r\n")
        assert split.startswith(b"HTTP/1.1 500")
        assert b"x-other" not in split
        broken = await say(port, b"GET /breaks-off HTTP/1.1\r\nhost: x\r\n\r\n")
        assert broken.endswith(b"4\r\nhalf\r\n")  # no last chunk: a client sees that something is missing


async def test_a_request_that_cannot_be_read_does_not_spoil_the_answer_before_it() -> None:
    async with serving() as port:
        refusal = (400, b'{"error_code": 400, "message": "Invalid HTTP request received."}')
        answer = await say(port, 2 * b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"nonsense\r\n\r\n")
        assert answers(["GET"] * 3, answer) == [(200, b"GET / "), (200, b"GET / "), refusal]
        second = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n\r\n"
        answer = await say(port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" + second)
        assert answers(["GET", "POST"], answer) == [(200, b"GET / "), refusal]
        alone = await say(port, b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"nonsense\r\n\r\n")
        assert answers(["POST"], alone) == [refusal]


async def test_an_upgrade_is_not_taken_up_and_the_next_request_is_answered() -> None:
    upgrade = b"GET /first HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\r\n"
    async with serving() as port:
        answer = await say(port, upgrade, b"GET /second HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert answers(["GET", "GET"], answer) == [(200, b"GET /first "), (200, b"GET /second ")]


async def test_an_answer_before_the_end_of_the_body_leaves_the_connection_in_order() -> None:
    head = b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n"
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"abc")
        assert (await reader.readuntil(b"POST /early ")).startswith(b"HTTP/1.1 200")
        writer.write(b"def" + b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert answers(["GET"], await asyncio.wait_for(reader.read(), 30)) == [(200, b"GET / ")]
        writer.close()


async def test_who_waits_to_be_asked_for_the_body_is_asked() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 3\r\n\r\n"
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert answers(["POST"], await asyncio.wait_for(reader.read(), 30)) == [(200, b"POST / abc")]
        writer.close()


async def test_an_idle_connection_is_closed_and_one_in_use_is_not() -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, http=protocol_class(ConnectionLimits()), lifespan="off", log_level="error", timeout_keep_alive=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", bound.getsockname()[1])
    for _ in range(4):  # longer in all than it may be idle
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await reader.readuntil(b"GET / ")
        await asyncio.sleep(0.4)
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    server.should_exit = True
    await task


async def test_requests_leave_nothing_for_the_garbage_collector() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def ask() -> None:
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
            await reader.readuntil(b"POST / abc")

        await ask()
        gc.collect()
        gc.disable()
        try:
            for _ in range(200):
                await ask()
            assert gc.collect() < 200
        finally:
            gc.enable()
        writer.close()
