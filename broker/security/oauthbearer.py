"""SASL/OAUTHBEARER (RFC 7628, KIP-255): `n,,^Aauth=Bearer TOKEN^A^A`, with SASL extensions (KIP-342) between.

A token that is refused is answered with JSON that says why; the login fails once the client has said ^A to that.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from broker.security.sasl import LoginRefused, LoginWaits, invalid_credentials
from broker.security.token_claims import TokenRefused
from broker.security.tokens import TokenValidator, UnknownKey

if TYPE_CHECKING:
    from broker.clock import Clock

OAUTHBEARER: Final = "OAUTHBEARER"

_SEPARATOR: Final = "\x01"
_GS2_HEADER: Final = re.compile(r"n,(?:a=((?:[^\x00=,\x80-\U0010ffff]|=2C|=3D)+))?,")
_PAIR: Final = re.compile(r"([A-Za-z]+)=([\x21-\x7e \t\r\n]+)")
_BEARER: Final = re.compile(r"(\w+) +([-_.a-zA-Z0-9]+)")


class FirstMessage(NamedTuple):
    """What a client begins with."""

    token: str
    authorization_id: str
    extensions: dict[str, str]


def parse_first_message(message: bytes) -> FirstMessage:
    """Raises LoginRefused, in Kafka's words, for a message that has not the form."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        raise invalid_credentials(OAUTHBEARER) from None
    header = _GS2_HEADER.match(text)
    parts = text[header.end() :].split(_SEPARATOR) if header is not None else []
    # ^A, the pairs with a ^A behind each, ^A.
    if header is None or len(parts) < 3 or parts[0] or parts[-2:] != ["", ""]:
        raise invalid_credentials(OAUTHBEARER)
    pairs: dict[str, str] = {}
    for part in parts[1:-2]:
        pair = _PAIR.fullmatch(part)
        if pair is None:
            raise invalid_credentials(OAUTHBEARER)
        pairs[pair[1]] = pair[2]
    bearer = _BEARER.fullmatch(pairs.pop("auth", ""))
    if bearer is None or bearer[1].lower() != "bearer":
        raise invalid_credentials(OAUTHBEARER)
    authorization_id = (header[1] or "").replace("=2C", ",").replace("=3D", "=")
    return FirstMessage(bearer[2], authorization_id, pairs)


class OAuthBearerExchange:
    """One login by a token."""

    def __init__(self, tokens: TokenValidator, clock: Clock) -> None:
        self.user: str | None = None
        self.expires_ms: int | None = None
        self.extensions: dict[str, str] = {}
        """What the client said beside its token, by name."""
        self._tokens = tokens
        self._clock = clock
        self._refusal: LoginRefused | None = None
        self._has_waited = False

    def respond(self, token: bytes) -> bytes:
        """Empty when the token is good, JSON when not. Raises LoginRefused, or LoginWaits while keys are fetched."""
        if self._refusal is not None:
            raise self._refusal
        first = parse_first_message(token)
        try:
            valid = self._tokens.check(first.token, self._clock.now_ms())
        except UnknownKey as refused:
            keys = self._tokens.keys
            if self._has_waited or keys is None or not keys.look_again():
                return self._refuse(refused)
            self._has_waited = True
            raise LoginWaits(keys.when_fetched) from None
        except TokenRefused as refused:
            return self._refuse(refused)
        if first.authorization_id not in ("", valid.principal_name):
            raise LoginRefused(
                f"Authentication failed: Client requested an authorization id ({first.authorization_id}) that is "
                f"different from the token's principal name ({valid.principal_name})"
            )
        self.user, self.expires_ms, self.extensions = valid.principal_name, valid.expires_ms, first.extensions
        return b""

    def _refuse(self, refused: TokenRefused) -> bytes:
        answer = {"status": refused.status} | ({"scope": refused.scope} if refused.scope else {})
        text = json.dumps(answer, separators=(",", ":"))
        self._refusal = LoginRefused(text, reason=f"token {refused}")
        return text.encode()
