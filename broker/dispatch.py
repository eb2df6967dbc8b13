"""Which API goes to which handler: the served-API table, what a handler is given, and what an unforeseen error answers.

A handler is registered by its decorator, and the ApiVersions answer is computed from the same table, so that nothing is
advertised that is not served, nor served that is not advertised.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from broker.counters import ListenerStats
from broker.errors import KafkaError, UnknownServerError
from broker.protocol.api_keys import ApiKey

if TYPE_CHECKING:
    from broker.clock import Clock
    from broker.config import BrokerConfig, Listener
    from broker.fetch_sessions import FetchSessions
    from broker.groups import GroupCoordinator
    from broker.log import LogDirectory
    from broker.metadata.dynamic_configs import DynamicConfigs
    from broker.metadata.topics import TopicRegistry
    from broker.producer_ids import ProducerIds
    from broker.schemas import KnownSchemas
    from broker.security.login import Login
    from broker.security.security import Security
    from broker.share import Shares, ShareSessions
    from broker.transactions import TransactionCoordinator

log = logging.getLogger("broker.dispatch")

Handler = Callable[[Any, "RequestContext"], Any]
Shortcut = Callable[[memoryview, int, "RequestContext"], Any]
"""Takes a frame and where the request's body begins in it; see `shortcut`."""
_AnyHandler = TypeVar("_AnyHandler", bound=Handler)


class BadRequest(Exception):
    """What the client sent cannot be answered; its connection is closed. The message says why, for the log."""


class DelayedResponse:
    """A response that comes later: a handler returns it at once and calls `answer` when the response is there.

    `on_hurry` is called when the broker stops and wants the answer now, `on_abandon` when the client has gone and wants
    it no more; both are where the handler lets go of what it waits for.
    """

    __slots__ = ("_deliver", "_response", "is_answered", "on_abandon", "on_hurry")

    def __init__(self, on_hurry: Callable[[], None], on_abandon: Callable[[], None]) -> None:
        self.is_answered = False
        self.on_hurry = on_hurry
        self.on_abandon = on_abandon
        self._deliver: Callable[[Any], None] | None = None
        self._response: Any = None

    def answer(self, response: Any) -> None:
        """Give the response, or the exception that took its place. Only the first call counts."""
        if self.is_answered:
            return
        self.is_answered = True
        self._response = response
        # They belong to the handler, which knows us: as a cycle each answer would be left to the collector, which stops
        # everybody for a tenth of a second to find ten thousand of them.
        self.on_hurry = self.on_abandon = _nothing
        if self._deliver is not None:
            self._deliver(response)

    def when_answered(self, deliver: Callable[[Any], None]) -> None:
        """Have the response handed to `deliver`, at once when it is there already."""
        if self.is_answered:
            deliver(self._response)
        else:
            self._deliver = deliver


def _nothing() -> None:
    """There is nothing to let go of any more."""


def _no_pause(wait_ms: int) -> None:
    """Without a connection there is nothing to pause."""


@dataclass(slots=True)
class RequestContext:
    """What a handler may use: the parts of the broker, and who asks.

    There is one context per connection; the fields under "this request" change with every request. A connection has
    one request in work at a time, so a handler that waits still sees its own values afterwards.
    """

    config: BrokerConfig
    clock: Clock
    cluster_id: str
    configs: DynamicConfigs
    topics: TopicRegistry
    logs: LogDirectory
    groups: GroupCoordinator
    producer_ids: ProducerIds
    transactions: TransactionCoordinator
    fetch_sessions: FetchSessions
    shares: Shares
    share_sessions: ShareSessions
    schemas: KnownSchemas

    # The connection.
    listener: Listener
    """Where the client dialled; `advertised_host` and `advertised_port` are what Metadata answers it."""
    client_host: str = ""
    principal: str = "User:ANONYMOUS"
    login: Login | None = None
    """Of a client that came in by a listener with SASL."""
    security: Security | None = None
    """Users, ACLs and quotas; None only in tests."""
    pause: Callable[[int], None] = _no_pause
    """Reads nothing more from the client for so many milliseconds: it used up a quota."""
    stats: ListenerStats = field(default_factory=ListenerStats)
    """Of the listener: where logins are counted."""
    fetch_session_id: int = 0
    """The fetch session that was begun on this connection, where there is an authorizer."""
    on_close: Callable[[], None] | None = None
    """Called when the connection is gone; set by share sessions, which end with it."""

    # This request.
    api_version: int = 0
    client_id: str = ""
    may_have_errors: bool = False
    """Set by who puts an error code into an answer of Produce or Fetch: only then are they looked through for it."""


@dataclass(frozen=True, slots=True)
class ServedApi:
    """One row of the table: who answers which versions of an API."""

    api_key: ApiKey
    versions: range
    """The versions that are answered; any other closes the connection (of ApiVersions: error 35)."""
    advertised: range
    """The versions that ApiVersions names, equal to `versions` except where old clients need a lower minimum."""
    handler: Handler
    is_coroutine: bool
    """Whether it gets a task."""


_served: dict[ApiKey, ServedApi] = {}
served_apis: Mapping[ApiKey, ServedApi] = MappingProxyType(_served)


def handles(
    api_key: ApiKey, *, versions: range, advertised: range | None = None
) -> Callable[[_AnyHandler], _AnyHandler]:
    """Register the decorated function as the handler of `api_key` in these versions.

    The function takes the decoded request and a RequestContext and returns the response, or the body already encoded
    as a list of byte strings, or None when no response is due. A plain function is answered inside the connection's
    callback and must not block; when it has to wait after all it returns a DelayedResponse (Fetch does). A coroutine
    function gets a task. Later requests of the same connection wait for either, so answers leave in request order.
    Records in a request are slices of the receive buffer: they may be changed in place, and are gone when the handler
    returns.
    """

    def register(handler: _AnyHandler) -> _AnyHandler:
        if api_key in _served:
            raise ValueError(f"{api_key.name} has a handler already: {_served[api_key].handler.__module__}")
        is_coroutine = inspect.iscoroutinefunction(handler)
        _served[api_key] = ServedApi(api_key, versions, advertised or versions, handler, is_coroutine)
        return handler

    return register


_shortcuts: dict[ApiKey, Shortcut] = {}
shortcuts: Mapping[ApiKey, Shortcut] = MappingProxyType(_shortcuts)


def shortcut(api_key: ApiKey) -> Callable[[Shortcut], Shortcut]:
    """Register the decorated function as the shortcut of `api_key`, for requests that it knows by their bytes.

    It returns the encoded body of the response as bytes, or a response, or None: then the handler is asked, and nothing
    has changed yet. It asks the authorizer, if there is one, what the API's guard would ask; where anything else stands
    before the handler, shortcuts are not taken.
    """

    def register(answer: Shortcut) -> Shortcut:
        if api_key in _shortcuts:
            raise ValueError(f"{api_key.name} has a shortcut already: {_shortcuts[api_key].__module__}")
        _shortcuts[api_key] = answer
        return answer

    return register


def error_response(api: ServedApi, response_type: type, error: Exception) -> Any | None:
    """The answer to a request whose handler raised: the response's own error code, if it has one at the top.

    An error that is not a KafkaError is ours: it is logged with its trace and answered as UNKNOWN_SERVER_ERROR. None
    when the response has no place for an error; the caller then closes the connection.
    """
    if isinstance(error, KafkaError):
        code, message = error.code, str(error)
    else:
        log.error("handler failed api=%s", api.api_key.name, exc_info=error)
        code, message = UnknownServerError.code, "The server met an unexpected error; its log says more."
    response = response_type()
    if not hasattr(response, "error_code"):
        return None
    response.error_code = code
    if hasattr(response, "error_message"):
        response.error_message = message
    return response
