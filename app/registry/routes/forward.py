"""Writes that came to a node which is not the writer go on to the one that is."""

import asyncio
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from app.http.exchange import Response
from app.http.routing import Endpoint
from app.registry.peer import exchange
from app.registry.refusals import ForwardingFailed, UnknownLeader
from app.registry.routes.wire import Request

F = TypeVar("F", bound=Callable[..., object])

FORWARDED = b"x-forward"  # `false` on what was forwarded once: it goes no further
_PASSED_ON = (b"content-type", b"accept", b"authorization")

_WRITES: set[object] = set()


def writes(function: F) -> F:
    """Mark an endpoint as one that only the writer answers."""
    _WRITES.add(function)
    return function


def is_write(endpoint: Endpoint) -> bool:
    return endpoint.function in _WRITES


async def forward(request: Request, url: str) -> Response:
    """The writer's answer, whatever it is. Raises ForwardingFailed; UnknownLeader for what came in a circle."""
    if request.headers.get(FORWARDED) == b"false":
        raise UnknownLeader
    scope = request.scope
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    given = request.headers
    headers = {name.decode(): given[name].decode("latin-1") for name in _PASSED_ON if name in given}
    sent = urllib.request.Request(
        f"{url}{path}" + (f"?{query}" if query else ""),
        data=await request.body() if request.has_body else None,
        headers={**headers, "X-Forward": "false"},
        method=request.method,
    )
    try:
        return Response(*await asyncio.to_thread(exchange, sent))
    except (OSError, ValueError) as error:
        raise ForwardingFailed(url, error) from error
