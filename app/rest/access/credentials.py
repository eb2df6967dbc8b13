"""Who sent a request: by password, by API key (Basic or Bearer), by client certificate.

A password costs its hash some 50 ms of one core by design. What was proved is remembered for a minute, under a keyed
hash of what was said, and at most two hashes are worked on at a time, in threads, so that guessing slows guessers.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from app.rest.access.rules import Principal
from app.rest.access.users_file import Users, hash_of_secret

REMEMBERED_MAX: Final = 10_000
REMEMBERED_MS: Final = 60_000
HASHES_AT_ONCE: Final = 2
WAITING_MAX: Final = 64


class TooManyLogins(Exception):
    """More passwords wait to be checked than is good for anybody."""


class Credentials:
    """Checks what requests say of themselves against the users of the moment."""

    def __init__(self, users: Callable[[], Users], monotonic_ms: Callable[[], int]) -> None:
        self._users = users
        self._monotonic_ms = monotonic_ms
        self._secret = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, tuple[int, Users, Principal | None]] = OrderedDict()
        self._hasher = PasswordHasher()
        # Somebody who does not exist costs as much as a wrong password: names cannot be guessed by the clock.
        self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe())
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0

    async def principal(self, authorization: bytes, certificate: str) -> Principal | None:
        """Who that is, None for nobody. A wrong header is not mended by a certificate. Raises TooManyLogins."""
        users = self._users()
        if not authorization:
            return users.certificates.get(certificate) if certificate else None
        digest = hmac.digest(self._secret, authorization, hashlib.sha256)
        remembered = self._remembered.get(digest)
        now_ms = self._monotonic_ms()
        if remembered is not None and remembered[1] is users and now_ms < remembered[0]:
            return remembered[2]
        found = await self._check(users, *_parse(authorization))
        self._remembered[digest] = (now_ms + REMEMBERED_MS, users, found)
        self._remembered.move_to_end(digest)
        while len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return found

    async def _check(self, users: Users, name: str, secret: str) -> Principal | None:
        if not name:
            return None
        if name in users.keys:
            hashed, principal = users.keys[name]
            return principal if hmac.compare_digest(hashed, hash_of_secret(secret)) else None
        encoded, owner = users.passwords.get(name, (self._nobodys_hash, None))
        if self._waiting >= WAITING_MAX:
            raise TooManyLogins
        self._waiting += 1
        try:
            async with self._hashing:
                is_right = await asyncio.to_thread(self._verify, encoded, secret)
        finally:
            self._waiting -= 1
        return owner if is_right else None

    def _verify(self, encoded: str, secret: str) -> bool:
        try:
            return self._hasher.verify(encoded, secret)
        except (Argon2Error, InvalidHashError):
            return False


def _parse(authorization: bytes) -> tuple[str, str]:
    """Name and secret of an Authorization header, `Basic base64(name:secret)` or `Bearer key:secret`; else '' twice."""
    scheme, _, rest = authorization.partition(b" ")
    try:
        if scheme.lower() == b"basic":
            said = base64.b64decode(rest.strip(), validate=True).decode()
        elif scheme.lower() == b"bearer":
            said = rest.strip().decode()
        else:
            return "", ""
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    name, colon, secret = said.partition(":")
    return (name, secret) if colon else ("", "")
