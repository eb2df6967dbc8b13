"""What a token of SASL/OAUTHBEARER must claim (RFC 7519), judged as Kafka's broker judges it (KIP-768)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

INVALID_TOKEN: Final = "invalid_token"
INSUFFICIENT_SCOPE: Final = "insufficient_scope"
EXPIRES_MS_MAX: Final = 1 << 61
"""A token that ends later ends here: a session's length must fit an int64."""


class TokenRefused(Exception):
    """The token proves nothing. `status` is what the client is told (RFC 6750); the message is for our log."""

    def __init__(self, reason: str, status: str = INVALID_TOKEN, scope: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.scope = scope


class ValidToken(NamedTuple):
    """What a token proved."""

    principal_name: str
    expires_ms: int
    """Wall-clock time."""
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What is asked of the claims."""

    principal_claim: str = "sub"
    scope_claim: str = "scope"
    audiences: tuple[str, ...] = ()
    """One of them must be named; none given means any."""
    issuer: str = ""
    clock_skew_ms: int = 30_000
    scopes: frozenset[str] = frozenset()
    """All of them must be granted."""
    needs_issue_time: bool = True

    def check(self, claims: Mapping[str, Any], now_ms: int) -> ValidToken:
        """What the claims prove at this wall-clock time. Raises TokenRefused."""
        expires_ms = _time_ms(claims, "exp")
        if expires_ms is None:
            raise TokenRefused("no expiration time (exp)")
        issued_ms = _time_ms(claims, "iat")
        if issued_ms is None and self.needs_issue_time:
            raise TokenRefused("no issue time (iat)")
        if now_ms - self.clock_skew_ms >= expires_ms:
            raise TokenRefused("expired")
        if issued_ms is not None and (issued_ms > expires_ms or issued_ms - self.clock_skew_ms > now_ms):
            raise TokenRefused("issued after it expires, or in the future")
        not_before_ms = _time_ms(claims, "nbf")
        if not_before_ms is not None and now_ms + self.clock_skew_ms < not_before_ms:
            raise TokenRefused("not valid yet (nbf)")
        if self.issuer and claims.get("iss") != self.issuer:
            raise TokenRefused("of another issuer")
        if self.audiences and not set(self.audiences) & set(_texts(claims, "aud")):
            raise TokenRefused("for another audience")
        principal = claims.get(self.principal_claim)
        if not isinstance(principal, str) or not principal.strip():
            raise TokenRefused(f"no principal (claim {self.principal_claim})")
        scopes = frozenset(word for text in _texts(claims, self.scope_claim) for word in text.split())
        if not self.scopes <= scopes:
            raise TokenRefused("lacks a scope", INSUFFICIENT_SCOPE, " ".join(sorted(self.scopes)))
        return ValidToken(principal.strip(), min(expires_ms, EXPIRES_MS_MAX), scopes)


def parse_json_object(text: bytes) -> dict[str, Any]:
    """A header's or payload's JSON. Raises TokenRefused for all that is no object."""
    try:
        parsed = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise TokenRefused("not JSON") from None
    if not isinstance(parsed, dict):
        raise TokenRefused("not a JSON object")
    return parsed


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _time_ms(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise TokenRefused(f"claim {name} is no time")
    return min(int(value * 1000), EXPIRES_MS_MAX)


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    """A claim that is a string or a list of them."""
    value = claims.get(name)
    if isinstance(value, str):
        return [value]
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TokenRefused(f"claim {name} is neither a string nor a list of them")
    return value
