"""`/health/live`, `/health/ready`, and what `/` says to a browser."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from app.runtime import Runtime


class Health:
    """Liveness and readiness for supervisors; `/` leads a browser to the pages."""

    def __init__(self, runtime: Runtime) -> None:
        self._app = _create(runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _create(runtime: Runtime) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    async def root() -> Response:
        return RedirectResponse("/ui/", status_code=303)

    @app.get("/health/live")
    async def live() -> Response:
        return JSONResponse({"status": "live"})

    @app.get("/health/ready")
    async def ready() -> Response:
        reason = runtime.not_ready_reason()
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)

    @app.exception_handler(404)
    async def unknown(request: Request, _error: Exception) -> Response:
        if not runtime.is_started:
            return JSONResponse({"error_code": 503, "message": "Caudal is starting or stopping."}, status_code=503)
        return JSONResponse({"error_code": 404, "message": "HTTP 404 Not Found"}, status_code=404)

    return app
