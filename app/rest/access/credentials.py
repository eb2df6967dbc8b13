"""Who sent a request: by password, by API key (Basic or Bearer), by client certificate.

A password costs its hash some 50 ms of one core by design. What was proved is remembered for a minute, under a keyed
hash of what was said, and at most two hashes are worked on at a time, in threads, so that guessing slows guessers.
Right and wrong ones are remembered apart, and one address has few places in the queue: who guesses keeps nobody out.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import Counter, OrderedDict
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
WAITING_PER_ADDRESS_MAX: Final = 16


class TooManyLogins(Exception):
    """More passwords wait to be checked than is good for anybody."""


class Credentials:
    """Checks what requests say of themselves against the users of the moment."""

    def __init__(self, users: Callable[[], Users], monotonic_ms: Callable[[], int]) -> None:
        self._users = users
        self._monotonic_ms = monotonic_ms
        self._secret = secrets.token_bytes(32)
        self._right = _Remembered()
        self._wrong = _Remembered()
        self._checking: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._hasher = PasswordHasher()
        # Somebody who does not exist costs as much as a wrong password: names cannot be guessed by the clock.
        self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe())
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting: Counter[str] = Counter()
        """Passwords that wait to be checked, by address."""

    async def principal(self, authorization: bytes, certificate: str, *, address: str = "") -> Principal | None:
        """Who that is, None for nobody. A wrong header is not mended by a certificate. Raises TooManyLogins."""
        users = self._users()
        if not authorization:
            return users.certificates.get(certificate) if certificate else None
        name, secret = _parse(authorization)
        if not name:
            return None
        if name in users.keys:
            hashed, principal = users.keys[name]
            return principal if hmac.compare_digest(hashed, hash_of_secret(secret)) else None
        digest = hmac.digest(self._secret, authorization, hashlib.sha256)
        now_ms = self._monotonic_ms()
        for remembered in (self._right, self._wrong):
            if remembered.has(digest, users, now_ms):
                return remembered.principal(digest)
        # Many connections begin with the same password at once: it is hashed for all of them together.
        checking = self._checking.get(digest)
        if checking is None:
            checking = asyncio.create_task(self._check(users, digest, name, secret, address), name="check-password")
            self._checking[digest] = checking
            checking.add_done_callback(lambda _: self._checking.pop(digest))
        return await asyncio.shield(checking)

    async def _check(self, users: Users, digest: bytes, name: str, secret: str, address: str) -> Principal | None:
        encoded, owner = users.passwords.get(name, (self._nobodys_hash, None))
        if self._waiting.total() >= WAITING_MAX or self._waiting[address] >= WAITING_PER_ADDRESS_MAX:
            raise TooManyLogins
        self._waiting[address] += 1
        try:
            async with self._hashing:
                is_right = await asyncio.to_thread(self._verify, encoded, secret)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
        found = owner if is_right else None
        (self._wrong if found is None else self._right).add(digest, users, self._monotonic_ms(), found)
        return found

    def _verify(self, encoded: str, secret: str) -> bool:
        try:
            return self._hasher.verify(encoded, secret)
        except (Argon2Error, InvalidHashError):
            return False


class _Remembered:
    """What was found lately, for the users of that time."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, tuple[int, Users, Principal | None]] = OrderedDict()

    def has(self, digest: bytes, users: Users, now_ms: int) -> bool:
        found = self._found.get(digest)
        return found is not None and found[1] is users and now_ms < found[0]

    def principal(self, digest: bytes) -> Principal | None:
        return self._found[digest][2]

    def add(self, digest: bytes, users: Users, now_ms: int, principal: Principal | None) -> None:
        self._found[digest] = (now_ms + REMEMBERED_MS, users, principal)
        self._found.move_to_end(digest)
        while len(self._found) > REMEMBERED_MAX:
            self._found.popitem(last=False)


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
