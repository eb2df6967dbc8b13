"""Who vouches for a token of SASL/OAUTHBEARER: a signature (RFC 7515), or, for development only, nobody."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final, Protocol

from broker.security.json_web_keys import ALGORITHMS, JsonWebKeys
from broker.security.token_claims import ClaimRules, TokenRefused, ValidToken, parse_json_object

TOKEN_BYTES_MAX: Final = 64 * 1024
CANDIDATES_MAX: Final = 10
"""Keys that are tried for a token that does not say which one it is signed with."""


class UnknownKey(TokenRefused):
    """No key is known that may have signed the token; perhaps the keys are older than it."""


class TokenValidator(Protocol):
    """Judges tokens."""

    @property
    def keys(self) -> JsonWebKeys | None:
        """What signatures are verified with; None when there is nothing to verify."""

    def check(self, token: str, now_ms: int) -> ValidToken:
        """What the token proves at this wall-clock time. Raises TokenRefused."""


class SignedTokens:
    """Tokens signed with one of the keys of a JWKS."""

    def __init__(self, keys: JsonWebKeys, rules: ClaimRules) -> None:
        self.keys: JsonWebKeys = keys
        self.rules = rules

    def check(self, token: str, now_ms: int) -> ValidToken:
        """Raises TokenRefused; UnknownKey if newer keys may change that."""
        header, _, _ = _split(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise TokenRefused("signed with an algorithm that is not allowed, or not at all")
        if "crit" in header:
            raise TokenRefused("has a critical header that is not known")
        if key_id is not None and not isinstance(key_id, str):
            raise TokenRefused("has a key id that is no string")
        candidates = self.keys.find(key_id, algorithm)
        if not candidates:
            raise UnknownKey("signed with a key that is not known")
        from jwt import PyJWS
        from jwt.exceptions import PyJWTError

        for candidate in candidates[:CANDIDATES_MAX]:
            try:
                payload = PyJWS().decode(token, candidate.key, algorithms=[algorithm])
            except (PyJWTError, ValueError, TypeError, RecursionError):
                continue
            return self.rules.check(parse_json_object(payload), now_ms)
        raise TokenRefused("the signature is wrong")


class UnsecuredTokens:
    """Tokens that nobody signed (`alg` none): anyone can claim to be anybody."""

    keys: Final = None

    def __init__(self, rules: ClaimRules) -> None:
        self.rules = rules

    def check(self, token: str, now_ms: int) -> ValidToken:
        """Raises TokenRefused."""
        header, payload, signature = _split(token)
        if header.get("alg") != "none" or signature:
            raise TokenRefused("not an unsecured token")
        return self.rules.check(parse_json_object(payload), now_ms)


def _split(token: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Header, payload and signature of a token in compact form, nothing of it verified."""
    if len(token) > TOKEN_BYTES_MAX:
        raise TokenRefused(f"longer than {TOKEN_BYTES_MAX} bytes")
    parts = token.split(".", 3)
    if len(parts) != 3:
        raise TokenRefused("not three parts")
    header, payload, signature = map(_decode, parts)
    return parse_json_object(header), payload, signature


def _decode(part: str) -> bytes:
    if "=" in part:
        raise TokenRefused("not base64url")
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenRefused("not base64url") from None
