"""Logging in to a broker: SASL/PLAIN (RFC 4616) and SCRAM (RFC 5802, 7677), the client's side.

An exchange is plain data in, data out; who sends it is connection.py.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Generator
from dataclasses import dataclass, field

from broker.errors import SaslAuthenticationFailed

SCRAM_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
MECHANISMS = ("PLAIN", *SCRAM_HASHES)
SCRAM_ITERATIONS_MAX = 1_000_000  # a server that asks for more only wants to keep us busy

SaslExchange = Generator[bytes, bytes, None]
"""Yields what to send, is sent what came back, and ends when nothing more is to be said."""


@dataclass(frozen=True, slots=True)
class SaslLogin:
    """Who logs in, and how: one of MECHANISMS."""

    mechanism: str
    username: str
    password: str = field(repr=False)

    def exchange(self) -> SaslExchange:
        """A new exchange. It raises SaslAuthenticationFailed when the broker does not know the password either."""
        if self.mechanism == "PLAIN":
            return _plain(self)
        return _scram(self, SCRAM_HASHES[self.mechanism], secrets.token_urlsafe(24))


def _plain(login: SaslLogin) -> SaslExchange:
    yield b"\0".join((b"", login.username.encode(), login.password.encode()))


def _scram(login: SaslLogin, hash_name: str, nonce: str) -> SaslExchange:
    user = login.username.replace("=", "=3D").replace(",", "=2C")
    client_first = f"n={user},r={nonce}".encode()
    server_first = yield b"n,," + client_first
    said = _attributes(server_first)
    server_nonce, iterations = said.get("r", ""), said.get("i", "")
    if not server_nonce.startswith(nonce) or not iterations.isdigit() or int(iterations) > SCRAM_ITERATIONS_MAX:
        raise SaslAuthenticationFailed("the broker's SCRAM challenge is none")
    try:
        salt = base64.b64decode(said.get("s", ""))
        salted = hashlib.pbkdf2_hmac(hash_name, login.password.encode(), salt, int(iterations))
    except ValueError as error:  # no base64, or no iterations at all
        raise SaslAuthenticationFailed("the broker's SCRAM challenge is none") from error
    client_key = hmac.digest(salted, b"Client Key", hash_name)
    without_proof = f"c=biws,r={server_nonce}".encode()
    signed = b",".join((client_first, server_first, without_proof))
    signature = hmac.digest(hashlib.new(hash_name, client_key).digest(), signed, hash_name)
    proof = bytes(ours ^ theirs for ours, theirs in zip(client_key, signature, strict=True))
    server_final = yield without_proof + b",p=" + base64.b64encode(proof)
    expected = hmac.digest(hmac.digest(salted, b"Server Key", hash_name), signed, hash_name)
    if not hmac.compare_digest(base64.b64encode(expected).decode(), _attributes(server_final).get("v", "")):
        raise SaslAuthenticationFailed("the broker could not show that it knows the password: it may be another's")


def _attributes(message: bytes) -> dict[str, str]:
    return {part[:1]: part[2:] for part in message.decode("utf-8", "replace").split(",")}
