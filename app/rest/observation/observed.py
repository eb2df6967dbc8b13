"""The outermost layer of the proxy: every request that comes to it is counted, and told to the access log if one is.

It stands in front of the gate, so that refusals are seen too.
"""

import time
from collections.abc import Awaitable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.rest.observation.access_log import AccessLog
from app.rest.observation.request_stats import NO_ANSWER, RequestStats

ENDPOINT: Final = "caudal.endpoint"
"""Key in the scope of a request that found its endpoint: the endpoint's name."""


class _Answer:
    """What goes out. send() hands on the awaitable of the server's own: no coroutine of ours in between."""

    __slots__ = ("_send", "sent_bytes", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = NO_ANSWER
        self.sent_bytes = 0

    def send(self, message: Message) -> Awaitable[None]:
        if "status" in message:
            self.status = message["status"]
        else:
            self.sent_bytes += len(message.get("body", b""))
        return self._send(message)


class Observed:
    """The ASGI application around the proxy and its gate; takes only `http` scopes."""

    def __init__(self, rest: ASGIApp, stats: RequestStats, access_log: AccessLog | None = None) -> None:
        self._rest = rest
        self._stats = stats
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_ns = time.perf_counter_ns()
        answer = _Answer(send)
        stats = self._stats
        stats.in_flight += 1
        try:
            await self._rest(scope, receive, answer.send)
        finally:
            stats.in_flight -= 1
            elapsed_ns = time.perf_counter_ns() - started_ns
            endpoint = scope.get(ENDPOINT, "")
            stats.of(endpoint, answer.status).count(elapsed_ns, answer.sent_bytes)
            if self._access_log is not None:
                self._access_log.write(
                    scope,
                    endpoint=endpoint,
                    status=answer.status,
                    response_bytes=answer.sent_bytes,
                    elapsed_ns=elapsed_ns,
                )
