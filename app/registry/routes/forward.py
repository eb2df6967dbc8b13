"""Writes that came to a node which is not the writer go on to the one that is."""

from collections.abc import Callable
from typing import TypeVar

from app.http.exchange import Response
from app.http.routing import Endpoint
from app.registry.refusals import ForwardingFailed
from app.registry.routes.wire import Request

F = TypeVar("F", bound=Callable[..., object])

_WRITES: set[object] = set()


def writes(function: F) -> F:
    """Mark an endpoint as one that only the writer answers."""
    _WRITES.add(function)
    return function


def is_write(endpoint: Endpoint) -> bool:
    return endpoint.function in _WRITES


async def forward(request: Request, url: str) -> Response:
    raise ForwardingFailed(url, "not implemented")
