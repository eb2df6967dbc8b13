"""An HTTP address that answers `GET /metrics`, in the broker's own loop, and nothing else.

One request a connection: who scrapes comes every few seconds. The text is sent as it is made, in chunks, and between
two of them the loop goes about its other work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Final

from broker.config import Listener
from broker.metrics.exposition import CONTENT_TYPE
from broker.server import bind_listener

log = logging.getLogger("broker.metrics")

HEAD_BYTES_MAX: Final = 8 * 1024
CONNECTIONS_MAX: Final = 16
SECONDS_MAX: Final = 30.0
"""For a whole exchange, so that nobody holds a place by sending or taking slowly."""

CHUNK_BYTES: Final = 32 * 1024


class MetricsEndpoint:
    """Answers with what `render` yields."""

    def __init__(self, listener: Listener, render: Callable[[], Iterator[str]]) -> None:
        self.address = ""
        """Where it listens, once it does."""
        self._listener = listener
        self._render = render
        self._servers: list[asyncio.Server] = []
        self._exchanges: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address cannot be had."""
        for sock in bind_listener(self._listener):
            self._servers.append(await asyncio.start_server(self._accept, sock=sock, limit=HEAD_BYTES_MAX))
        host, port = self._servers[0].sockets[0].getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Close the address and what is under way."""
        for server in self._servers:
            server.close()
        for exchange in self._exchanges:
            exchange.cancel()
        await asyncio.gather(*self._exchanges, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._exchanges) >= CONNECTIONS_MAX:
                writer.transport.abort()
                return
            self._exchanges.add(task)
            async with asyncio.timeout(SECONDS_MAX):
                await self._exchange(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._exchanges.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return await _refuse(writer, "431 Request Header Fields Too Large")
        words = asked.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            return await _refuse(writer, "400 Bad Request")
        if words[0] not in (b"GET", b"HEAD"):
            return await _refuse(writer, "405 Method Not Allowed", "Allow: GET, HEAD\r\n")
        if words[1].partition(b"?")[0] != b"/metrics":
            return await _refuse(writer, "404 Not Found")
        is_chunked = words[2] == b"HTTP/1.1"
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\nConnection: close\r\n"
            f"{'Transfer-Encoding: chunked' + chr(13) + chr(10) if is_chunked else ''}\r\n".encode()
        )
        if words[0] == b"GET":
            await self._send(writer, is_chunked=is_chunked)
        return await writer.drain()

    async def _send(self, writer: asyncio.StreamWriter, *, is_chunked: bool) -> None:
        def write(text: str) -> None:
            data = text.encode()
            writer.write(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)

        made: list[str] = []
        size = 0
        for piece in self._render():
            made.append(piece)
            size += len(piece)
            if size >= CHUNK_BYTES:
                write("".join(made))
                made, size = [], 0
                await writer.drain()
            await asyncio.sleep(0)
        if size:
            write("".join(made))
        if is_chunked:
            writer.write(b"0\r\n\r\n")


async def _refuse(writer: asyncio.StreamWriter, status: str, more: str = "") -> None:
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n".encode())
    with contextlib.suppress(OSError):
        await writer.drain()
