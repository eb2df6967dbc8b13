"""`GET /metrics` as a small ASGI application."""

from collections.abc import Callable

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.web_metrics.rendering import render
from app.web_metrics.sources import Sources
from broker.metrics.exposition import CONTENT_TYPE


class MetricsEndpoint:
    """Answers from what `sources` gives; None: there is nothing to tell yet, or no more."""

    def __init__(self, sources: Callable[[], Sources | None]) -> None:
        self._sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope["method"])(scope, receive, send)

    def _answer(self, method: str) -> Response:
        if method not in ("GET", "HEAD"):
            refusal = {"error_code": 405, "message": "HTTP 405 Method Not Allowed"}
            return JSONResponse(refusal, status_code=405, headers={"allow": "GET, HEAD"})
        sources = self._sources()
        if sources is None:
            return JSONResponse({"error_code": 503, "message": "Caudal is starting or stopping."}, status_code=503)
        return Response(render(sources), headers={"content-type": CONTENT_TYPE})
