"""An ASGI application behind our HTTP connections in a thread of this process."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from app.http.connection import ConnectionLimits, protocol_class


@contextmanager
def running_app(open_app: Callable[[str], AbstractAsyncContextManager[ASGIApp]]) -> Iterator[str]:
    """Yields the address that the application is served at; open_app gets it too, in the thread's event loop.

    What goes wrong in the thread is raised here.
    """
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does not, for a socket made like this
    url = "http://{}:{}".format(*bound.getsockname())
    started, failed = threading.Event(), []
    server: list[uvicorn.Server] = []

    async def serve() -> None:
        async with open_app(url) as application:
            config = uvicorn.Config(
                application,
                http=protocol_class(ConnectionLimits()),
                lifespan="off",
                log_level="warning",
                access_log=False,
            )
            server.append(uvicorn.Server(config))
            serving = asyncio.create_task(server[0].serve(sockets=[bound]))
            while not server[0].started and not serving.done():
                await asyncio.sleep(0.01)
            started.set()
            await serving

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            started.set()

    thread = threading.Thread(target=run, name="running-app")
    thread.start()
    started.wait(10)
    assert not failed, failed
    try:
        yield url
    finally:
        server[0].should_exit = True
        thread.join(20)
        bound.close()
    assert not failed, failed
