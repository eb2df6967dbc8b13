"""Produce requests with an `Idempotency-Key`: sent again, they get their first answer and write nothing.

Our own addition; the header is that of draft-ietf-httpapi-idempotency-key-header, the one that tells of a repeated
answer that of Stripe's API. Answers are kept in this process alone, for a while, within bounds.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, NamedTuple, Protocol, TypeAlias

from starlette.types import Message

from app.http import exchange
from app.http.exchange import Answer, Request, Response
from app.rest.access.checks import owner_of
from app.rest.errors import BadRequest, IdempotencyKeyReused
from app.rest.settings import RestSettings

IDEMPOTENCY_KEY = b"idempotency-key"
KEY_BYTES_MAX = 255
KEPT_OVERHEAD_BYTES = 600  # about what an answer weighs besides its body: key, digest, their places in the table
HASHED_IN_THREAD_MIN_BYTES = 1 << 20
_REPLAYED = (b"idempotent-replayed", b"true")
_OF_THE_BODYS_JOURNEY = frozenset({b"content-length", b"transfer-encoding", b"content-encoding"})

Endpoint: TypeAlias = Callable[..., Awaitable[Answer]]


class MonotonicClock(Protocol):
    def monotonic_ms(self) -> int: ...


class Scope(NamedTuple):
    """Where a key counts: two users, or two topics, may use the same one."""

    user: str
    path: str
    key: bytes


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer and the digest of the request that it is for."""

    digest: bytes
    answer: Response
    kept_until_ms: int

    @property
    def size_bytes(self) -> int:
        return KEPT_OVERHEAD_BYTES + len(self.answer.body or b"")


class KeyedAnswers:
    """First answers by key. Requests of the same key at the same time wait for the first.

    Only answers are kept: a request that is refused or fails as a whole raises, and may be tried again with its key.
    """

    def __init__(self, settings: RestSettings, clock: MonotonicClock) -> None:
        self._settings = settings
        self._clock = clock
        self._kept: OrderedDict[Scope, _Kept] = OrderedDict()  # oldest first
        self._kept_bytes = 0
        self._working: dict[Scope, tuple[bytes, asyncio.Future[Response]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def answer(self, scope: Scope, digest: bytes, produce: Callable[[], Awaitable[Response]]) -> Response:
        """The kept answer, or what produce answers. Raises IdempotencyKeyReused when the digest is another one."""
        self._forget_old()
        working = self._working.get(scope)
        if working is not None:
            _require_same(working[0], digest)
            return _replayed(await asyncio.shield(working[1]))
        kept = self._kept.get(scope)
        if kept is not None:
            _require_same(kept.digest, digest)
            return _replayed(kept.answer)
        return await self._first(scope, digest, produce)

    async def _first(self, scope: Scope, digest: bytes, produce: Callable[[], Awaitable[Response]]) -> Response:
        told: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._working[scope] = digest, told
        try:
            answer = await produce()
        except Exception as error:
            told.set_exception(error)
            told.exception()  # nobody may be waiting
            raise
        else:
            self._keep(scope, _Kept(digest, answer, self._clock.monotonic_ms() + self._settings.idempotency_ms))
            told.set_result(answer)
            return answer
        finally:
            del self._working[scope]
            told.cancel()  # when the server stops in the middle of it; else it is done already

    def _keep(self, scope: Scope, kept: _Kept) -> None:
        self._kept[scope] = kept
        self._kept_bytes += kept.size_bytes
        while (
            len(self._kept) > self._settings.idempotency_keys_max
            or self._kept_bytes > self._settings.idempotency_bytes_max
        ):
            self._forget_oldest()

    def _forget_old(self) -> None:
        now_ms = self._clock.monotonic_ms()
        while self._kept and next(iter(self._kept.values())).kept_until_ms <= now_ms:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, oldest = self._kept.popitem(last=False)
        self._kept_bytes -= oldest.size_bytes


def answered_once(produce: Endpoint) -> Endpoint:
    """An endpoint that heeds `Idempotency-Key`; a request without one pays for looking it up and nothing more."""

    @wraps(produce)
    def endpoint(request: Request[Any], *parameters: str) -> Awaitable[Answer]:
        if IDEMPOTENCY_KEY in request.headers:
            return _answer_once(produce, request, parameters)
        return produce(request, *parameters)

    return endpoint


async def _answer_once(produce: Endpoint, request: Request[Any], parameters: tuple[str, ...]) -> Response:
    key = request.headers[IDEMPOTENCY_KEY]
    if not 0 < len(key) <= KEY_BYTES_MAX:
        raise BadRequest(f"An Idempotency-Key has 1 to {KEY_BYTES_MAX} characters")
    if b"transfer-encoding" in request.headers:
        raise BadRequest("An Idempotency-Key needs a Content-Length: a stream cannot be sent a second time")
    body = await request.body()
    digest = await _digest(request.headers.get(b"content-type", b""), body)

    async def first() -> Response:
        whole = _with_body(request, body)
        return await _whole(await produce(whole, *parameters), whole)

    answers: KeyedAnswers = request.context.keyed_answers
    return await answers.answer(Scope(owner_of(request), request.path, key), digest, first)


async def _digest(content_type: bytes, body: bytes) -> bytes:
    def digest() -> bytes:
        hasher = hashlib.blake2b(content_type + b"\n", digest_size=16)
        hasher.update(body)
        return hasher.digest()

    return await asyncio.to_thread(digest) if len(body) >= HASHED_IN_THREAD_MIN_BYTES else digest()


def _with_body(request: Request[Any], body: bytes) -> Request[Any]:
    """The same request before its body was read and unpacked."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    kept = [(name, value) for name, value in request.scope["headers"] if name not in _OF_THE_BODYS_JOURNEY]
    scope = {**request.scope, "headers": [*kept, (b"content-length", b"%d" % len(body))]}
    whole: Request[Any] = exchange.Request(scope, receive, request.context)
    whole.media_type = request.media_type
    return whole


async def _whole(answer: Answer, request: Request[Any]) -> Response:
    """An answer that can be told again: a stream's receipts put together."""
    if isinstance(answer, Response):
        return answer
    status, parts = 200, []

    async def collect(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    await answer.send_to(collect, request)
    return Response(status, b"".join(parts), request.media_type)


def _require_same(first: bytes, again: bytes) -> None:
    if first != again:
        raise IdempotencyKeyReused


def _replayed(answer: Response) -> Response:
    return replace(answer, headers=(*answer.headers, _REPLAYED))
