"""One connection's login: which SASL message may come next, who it is, and until when.

Sans-IO; the handlers SaslHandshake and SaslAuthenticate ask it, the connection asks it what is allowed before login.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from broker.errors import IllegalSaslState, UnsupportedSaslMechanism
from broker.security.sasl import LoginRefused, SaslExchange

REAUTHENTICATION_MS_MIN = 1_000
"""Kafka refuses a client that logs in anew more often than this."""


@dataclass(slots=True)
class Login:
    """The state of one connection. `mechanisms` starts an exchange by name."""

    mechanisms: Mapping[str, Callable[[], SaslExchange]]
    lifetime_ms_max: Mapping[str, int]
    """`connections.max.reauth.ms` by mechanism; 0 means for ever."""
    principal: str | None = None
    mechanism: str = ""
    is_raw: bool = False
    """Whether tokens come without a request around them, as SaslHandshake v0 has it."""
    has_failed: bool = False
    """Whether the connection is to be closed."""
    deadline_ms: int | None = None
    """The monotonic time at which the session ends unless the client logs in again."""
    asked_mechanism: str = ""
    """Of the login that is under way."""
    _exchange: SaslExchange | None = None
    _started_ms: int = field(default=-REAUTHENTICATION_MS_MIN)

    @property
    def is_complete(self) -> bool:
        """Whether the client is logged in, and not about to do so anew."""
        return self.principal is not None and self._exchange is None

    @property
    def is_under_way(self) -> bool:
        """Whether the next message must be a token."""
        return self._exchange is not None

    def has_expired(self, now_ms: int) -> bool:
        """Whether the session's time is up."""
        return self.deadline_ms is not None and now_ms >= self.deadline_ms

    def begin(self, mechanism: str, *, version: int, now_ms: int) -> None:
        """The client chose a mechanism. Raises UnsupportedSaslMechanism or IllegalSaslState."""
        if self._exchange is not None or (self.principal is not None and self.deadline_ms is None):
            raise IllegalSaslState("SaslHandshake is not expected now")
        if self.principal is not None and version == 0:
            raise IllegalSaslState("a new login needs SaslHandshake v1")
        if mechanism not in self.mechanisms:
            self.has_failed = True
            raise UnsupportedSaslMechanism(f"Unsupported SASL mechanism {mechanism}")
        self.asked_mechanism = mechanism
        self._exchange = self.mechanisms[mechanism]()
        self.is_raw = version == 0

    def respond(self, token: bytes, *, now_ms: int, wall_ms: int) -> bytes:
        """The answer to a token. Raises LoginWaits, after which the same token is to be given again; IllegalSaslState
        or LoginRefused, after which the connection must be closed.
        """
        exchange = self._exchange
        if exchange is None:
            raise IllegalSaslState("SaslAuthenticate needs a SaslHandshake before it")
        try:
            answer = exchange.respond(token)
            if exchange.user is not None:
                self._complete(exchange, now_ms=now_ms, wall_ms=wall_ms)
        except LoginRefused:
            self.has_failed = True
            raise
        return answer

    def lifetime_ms(self, now_ms: int) -> int:
        """What the client is told: how long the session lasts, 0 for ever."""
        return 0 if self.deadline_ms is None else max(self.deadline_ms - now_ms, 0)

    def _complete(self, exchange: SaslExchange, *, now_ms: int, wall_ms: int) -> None:
        principal = f"User:{exchange.user}"
        if self.principal is not None:
            if self.asked_mechanism != self.mechanism:
                raise LoginRefused(
                    f"SASL mechanism '{self.mechanism}' requested by client is not supported for re-authentication "
                    f"of mechanism '{self.asked_mechanism}'"
                )
            if principal != self.principal:
                raise LoginRefused(
                    f"Cannot change principals during re-authentication from {self.principal} to {principal}"
                )
            if now_ms - self._started_ms < REAUTHENTICATION_MS_MIN:
                raise LoginRefused("Cannot re-authenticate within a second of the last authentication")
        lifetimes = [self.lifetime_ms_max.get(self.asked_mechanism, 0)]
        if exchange.expires_ms is not None:
            lifetimes.append(max(exchange.expires_ms - wall_ms, 1))
        lifetime_ms = min((each for each in lifetimes if each > 0), default=0)
        self.deadline_ms = now_ms + lifetime_ms if lifetime_ms else None
        self.principal, self.mechanism = principal, self.asked_mechanism
        self._exchange, self.is_raw, self._started_ms = None, False, now_ms
