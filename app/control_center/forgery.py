"""Changes only from our own pages: a token in a cookie that every form must repeat, and the browser's own word.

Double submit: another origin can make a browser send our cookie, but can neither read it nor put it into a form.
Sec-Fetch-Site (where the browser sends it) refuses such requests before the token is even looked at.
"""

import secrets
from urllib.parse import parse_qs

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.control_center.errors import ForgedRequest, FormTooLarge

COOKIE = "caudal_csrf"
FIELD = "csrf"
HEADER = "x-csrf-token"
TOKEN_BYTES = 24
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CsrfToken:
    """ASGI middleware: every request has state.csrf_token; a browser without the cookie is given one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = Request(scope).cookies.get(COOKIE, "")
        is_new = not 16 <= len(token) <= 64
        if is_new:
            token = secrets.token_urlsafe(TOKEN_BYTES)
        scope.setdefault("state", {})["csrf_token"] = token
        scope["state"]["csrf_is_new"] = is_new

        async def send_with_cookie(message: Message) -> None:
            if is_new and message["type"] == "http.response.start" and not _is_cached(message):
                secure = "; Secure" if scope.get("scheme") == "https" else ""
                path = scope.get("root_path") or "/"
                cookie = f"{COOKIE}={token}; Path={path}; HttpOnly; SameSite=Lax{secure}"
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _is_cached(message: Message) -> bool:
    """A static file may be kept by a shared cache: no cookie on it."""
    return "public" in MutableHeaders(scope=message).get("cache-control", "")


async def refuse_forgery(request: Request) -> None:
    """A dependency of the whole application. Raises ForgedRequest or FormTooLarge before any route runs."""
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForgedRequest("the request was sent by another site")
    body = await _read_body(request, request.app.state.center.settings.form_bytes_max)
    given = request.headers.get(HEADER) or parse_qs(body.decode("utf-8", "replace")).get(FIELD, [""])[-1]
    if request.state.csrf_is_new or not secrets.compare_digest(given.encode(), request.state.csrf_token.encode()):
        raise ForgedRequest("the form's token is missing or old")


async def _read_body(request: Request, bytes_max: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > bytes_max:
        raise FormTooLarge(f"a form may hold {bytes_max} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise FormTooLarge(f"a form may hold {bytes_max} bytes")
    request.state.form_body = bytes(body)
    return bytes(body)
