"""SASL/PLAIN (RFC 4616): `[authzid] NUL user NUL password` in one token."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from broker.security.sasl import LoginRefused


class PlainExchange:
    """One login against a table of passwords."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self.user: str | None = None
        self.expires_ms: int | None = None
        self._passwords = passwords

    def respond(self, token: bytes) -> bytes:
        """An empty answer when the password is the user's. Raises LoginRefused."""
        try:
            authorization_id, user, password = token.decode().split("\0")
        except ValueError:
            raise LoginRefused("Invalid SASL/PLAIN response: expected 3 tokens") from None
        if not user:
            raise LoginRefused("Authentication failed: username not specified")
        if not password:
            raise LoginRefused("Authentication failed: password not specified")
        expected = self._passwords.get(user)
        # An unknown user costs the same comparison, so that names cannot be found out by the time it takes.
        is_right = hmac.compare_digest((expected or "").encode(), password.encode())
        if expected is None or not is_right:
            raise LoginRefused("Authentication failed: Invalid username or password")
        if authorization_id not in ("", user):
            raise LoginRefused(
                "Authentication failed: Client requested an authorization id that is different from username"
            )
        self.user = user
        return b""
