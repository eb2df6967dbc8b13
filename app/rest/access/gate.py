"""The gate in front of the REST Proxy: who is this, may they, and not too often. Only there when it has work to do."""

from functools import partial
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.connection import TLS_SUBJECT
from app.http.errors import HttpError
from app.http.json_body import encode
from app.rest.access.checks import PRINCIPAL, STILL_ALLOWED, Forbidden, refusal
from app.rest.access.credentials import Credentials, TooManyLogins
from app.rest.access.needs import need_of
from app.rest.access.rules import Principal
from app.rest.access.throttle import Throttle

_CHALLENGE: Final = ((b"www-authenticate", b'Basic realm="caudal", charset="UTF-8"'), (b"www-authenticate", b"Bearer"))

Headers = tuple[tuple[bytes, bytes], ...]


class Unauthorized(HttpError):
    status, error_code, default_message = 401, 401, "Unauthorized"


class TooManyRequests(HttpError):
    status, error_code = 429, 429
    default_message = "Request rate limit exceeded: The rate limit of requests per second has been exceeded."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class Gate:
    """The ASGI application in front of the proxy; credentials None lets everybody in."""

    def __init__(self, rest: ASGIApp, *, credentials: Credentials | None, throttle: Throttle | None) -> None:
        self._rest = rest
        self._credentials = credentials
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._let_in(scope)
        except Unauthorized as error:
            await _answer(send, error, _CHALLENGE)
        except TooManyRequests as error:
            await _answer(send, error, ((b"retry-after", b"%d" % error.retry_after_s),))
        except HttpError as error:
            await _answer(send, error)
        else:
            await self._rest(scope, receive, send)

    async def _let_in(self, scope: Scope) -> None:
        """Note in the scope who it is, where there is authentication. Raises an HttpError for who may not go on."""
        client = scope["client"][0] if scope.get("client") else ""
        if self._credentials is None:
            self._take(client)
            return
        try:
            principal = await self._authenticate(scope, self._credentials, client)
        except Unauthorized:
            self._take(f"{client} without a user")  # apart: a user behind the same address does not pay for it
            raise
        scope[PRINCIPAL] = principal
        scope[STILL_ALLOWED] = partial(self._is_still_allowed, scope, self._credentials, client)
        _authorize(principal, scope)
        self._take(principal.name)

    def _take(self, client: str) -> None:
        wait_s = self._throttle.take(client) if self._throttle is not None else 0
        if wait_s:
            raise TooManyRequests(wait_s)

    async def _is_still_allowed(self, scope: Scope, credentials: Credentials, client: str) -> bool:
        """Whether the same request would be let in by the users file as it is now."""
        try:
            _authorize(await self._authenticate(scope, credentials, client), scope)
        except TooManyRequests:
            return True  # who has to wait for the answer is not refused
        except HttpError:
            return False
        return True

    async def _authenticate(self, scope: Scope, credentials: Credentials, client: str) -> Principal:
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        certificate = scope.get("state", {}).get(TLS_SUBJECT, "")
        try:
            principal = await credentials.principal(authorization, certificate, address=client)
        except TooManyLogins:
            raise TooManyRequests(1) from None
        if principal is None:
            raise Unauthorized
        return principal


def _authorize(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden, and NotFound for a path that names nothing Kafka could have."""
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw_path.decode("latin-1").partition("?")[0].removeprefix(scope.get("root_path", ""))
    need = need_of(scope["method"], path)
    if need is not None and not principal.may(need.operation, scope["method"], need.kind, need.name):
        raise Forbidden(refusal(principal, *need))


async def _answer(send: Send, error: HttpError, headers: Headers = ()) -> None:
    body = encode({"error_code": error.error_code, "message": error.message})
    own = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": error.status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
