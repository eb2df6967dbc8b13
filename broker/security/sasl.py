"""What all SASL mechanisms have in common: a conversation of tokens that ends with a name or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class LoginRefused(Exception):
    """The credentials are wrong. The message goes to the client and tells it nothing that helps guessing.

    `reason` is for the log, where it says more than the message.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class LoginWaits(Exception):
    """A token cannot be judged yet. `when_ready` calls back once it can; then the same token gets its answer."""

    def __init__(self, when_ready: Callable[[Callable[[], None]], None]) -> None:
        super().__init__("the login waits")
        self.when_ready = when_ready


class SaslExchange(Protocol):
    """The server's side of one login by one mechanism."""

    user: str | None
    """Who logged in; None until the exchange is complete."""
    expires_ms: int | None
    """The wall-clock time at which the credentials themselves end; None when they do not."""

    def respond(self, token: bytes) -> bytes:
        """The answer to a token of the client. Raises LoginRefused, or LoginWaits."""


def invalid_credentials(mechanism: str) -> LoginRefused:
    """Kafka's words for a login that failed in whichever way."""
    return LoginRefused(
        f"Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
    )
