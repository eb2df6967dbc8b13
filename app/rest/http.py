"""The HTTP exchange as the proxy's endpoints see it: the common one, with the proxy's context."""

from typing import TypeAlias

from app.http import exchange
from app.http.exchange import Answer, ClientDisconnected, Response, StreamedResponse
from app.rest.context import RestContext

__all__ = ["Answer", "ClientDisconnected", "Request", "Response", "StreamedResponse"]

Request: TypeAlias = exchange.Request[RestContext]
