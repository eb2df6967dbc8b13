"""SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, 7677), the server's side.

Only a salted hash of the password is known here, so a login costs two HMACs and no key stretching.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from enum import IntEnum
from typing import Final

import msgspec

from broker.security.sasl import LoginRefused, invalid_credentials

ITERATIONS_MIN: Final = 4096
ITERATIONS_MAX: Final = 16384
ITERATIONS_DEFAULT: Final = 8192


class ScramMechanism(IntEnum):
    """The codes of KIP-554."""

    SCRAM_SHA_256 = 1
    SCRAM_SHA_512 = 2

    @property
    def sasl_name(self) -> str:
        """As SaslHandshake names it."""
        return self.name.replace("_", "-")

    @property
    def hash_name(self) -> str:
        """As hashlib names it."""
        return "sha256" if self is ScramMechanism.SCRAM_SHA_256 else "sha512"


BY_SASL_NAME: Final = {mechanism.sasl_name: mechanism for mechanism in ScramMechanism}


class ScramCredential(msgspec.Struct, frozen=True):
    """What is kept of a user's password for one mechanism; it cannot be turned back into the password."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


def credential_from_salted_password(
    mechanism: ScramMechanism, *, salt: bytes, salted_password: bytes, iterations: int
) -> ScramCredential:
    """The credential of a password that the client salted and stretched, as AlterUserScramCredentials sends it."""
    client_key = hmac.digest(salted_password, b"Client Key", mechanism.hash_name)
    stored_key = hashlib.new(mechanism.hash_name, client_key).digest()
    server_key = hmac.digest(salted_password, b"Server Key", mechanism.hash_name)
    return ScramCredential(salt, stored_key, server_key, iterations)


def credential_from_password(
    mechanism: ScramMechanism, password: str, *, iterations: int = ITERATIONS_DEFAULT
) -> ScramCredential:
    """The credential of a password, with a new salt. Takes milliseconds: not for the event loop."""
    salt = secrets.token_bytes(24)
    salted = hashlib.pbkdf2_hmac(mechanism.hash_name, password.encode(), salt, iterations)
    return credential_from_salted_password(mechanism, salt=salt, salted_password=salted, iterations=iterations)


_CLIENT_FIRST: Final = re.compile(
    rb"n,(?:a=(?P<authorization_id>[^,]+))?,(?P<bare>n=(?P<user>[^,\0]+),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]*)*)"
)
_CLIENT_FINAL: Final = re.compile(
    rb"(?P<without_proof>c=(?P<channel>[A-Za-z0-9+/=]+),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]*)*)"
    rb",p=(?P<proof>[A-Za-z0-9+/=]+)"
)
_PRETENDED_SALT_KEY: Final = secrets.token_bytes(32)


class ScramExchange:
    """One login: the client's first message, our challenge, the client's proof, our own proof."""

    def __init__(
        self,
        mechanism: ScramMechanism,
        find: Callable[[str, ScramMechanism], ScramCredential | None],
        new_nonce: Callable[[], str] = lambda: secrets.token_urlsafe(24),
    ) -> None:
        self.user: str | None = None
        self.expires_ms: int | None = None
        self._mechanism = mechanism
        self._find = find
        self._new_nonce = new_nonce
        self._asked_user = ""
        self._nonce = b""
        self._gs2_header = b""
        self._messages = b""
        self._credential: ScramCredential | None = None
        self._is_known = False

    def respond(self, token: bytes) -> bytes:
        """The challenge, then the server's signature. Raises LoginRefused."""
        return self._verify(token) if self._messages else self._challenge(token)

    def _challenge(self, token: bytes) -> bytes:
        match = _CLIENT_FIRST.fullmatch(token)
        if match is None:
            raise invalid_credentials(self._mechanism.sasl_name)
        try:
            user = _unescape(match["user"])
            authorization_id = _unescape(match["authorization_id"] or b"")
        except ValueError:
            raise invalid_credentials(self._mechanism.sasl_name) from None
        if authorization_id not in ("", user):
            raise LoginRefused(
                "Authentication failed: Client requested an authorization id that is different from username"
            )
        self._asked_user = user
        found = self._find(user, self._mechanism)
        self._is_known = found is not None
        self._credential = credential = found or self._pretended(user)
        self._nonce = match["nonce"] + self._new_nonce().encode()
        self._gs2_header = token[: match.start("bare")]
        challenge = b"r=%s,s=%s,i=%d" % (self._nonce, base64.b64encode(credential.salt), credential.iterations)
        self._messages = match["bare"] + b"," + challenge
        return challenge

    def _verify(self, token: bytes) -> bytes:
        match, credential, hash_name = _CLIENT_FINAL.fullmatch(token), self._credential, self._mechanism.hash_name
        refused = invalid_credentials(self._mechanism.sasl_name)
        if match is None or credential is None or match["nonce"] != self._nonce:
            raise refused
        try:
            channel = base64.b64decode(match["channel"], validate=True)
            proof = base64.b64decode(match["proof"], validate=True)
        except binascii.Error:
            raise refused from None
        if channel != self._gs2_header or len(proof) != len(credential.stored_key):
            raise refused
        messages = self._messages + b"," + match["without_proof"]
        signature = hmac.digest(credential.stored_key, messages, hash_name)
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        is_right = hmac.compare_digest(hashlib.new(hash_name, client_key).digest(), credential.stored_key)
        if not is_right or not self._is_known:
            raise refused
        self.user = self._asked_user
        return b"v=" + base64.b64encode(hmac.digest(credential.server_key, messages, hash_name))

    def _pretended(self, user: str) -> ScramCredential:
        """The challenge for a user who does not exist, the same every time, so that names cannot be found out."""
        # Differs from Kafka: an unknown SCRAM user is refused after the second message, not the first, because an
        # early refusal tells which users exist.
        seed = hmac.digest(_PRETENDED_SALT_KEY, user.encode(), "sha512")
        size = hashlib.new(self._mechanism.hash_name).digest_size
        return ScramCredential(seed[:24], seed[:size], seed[:size], ITERATIONS_DEFAULT)


def _unescape(name: bytes) -> str:
    """A user name as SCRAM writes it: `=2C` is a comma, `=3D` an equals sign, other `=` are wrong."""
    text = name.decode()
    if re.search(r"=(?!2C|3D)", text):
        raise ValueError(text)
    return text.replace("=2C", ",").replace("=3D", "=")
