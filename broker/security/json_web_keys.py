"""The keys that tokens of SASL/OAUTHBEARER are signed with: a JWKS (RFC 7517) from a file or an address, kept fresh.

It is fetched by a thread of its own, because neither names nor connections can be looked up without waiting, and
PyJWT, with all it imports, is loaded there too: by a broker that needs it, and not before.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from broker.config import ConfigError

log = logging.getLogger("broker.security")

FETCH_S_MAX: Final = 10.0
FETCH_BYTES_MAX: Final = 1024 * 1024
KEYS_MAX: Final = 100
RSA_BITS_MIN: Final = 2048
REFETCH_S_MIN: Final = 10.0
"""A key id that is not known makes us look again this often at most: anybody can make one up."""

RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
EC_ALGORITHMS: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
ALGORITHMS: Final = RSA_ALGORITHMS | set(EC_ALGORITHMS.values()) | {"EdDSA"}
"""Of tokens. None of them works with a shared secret, so a public key can never pass for one."""

_PRIVATE_MEMBERS: Final = ("d", "p", "q", "dp", "dq", "qi", "oth")


class VerificationKey(NamedTuple):
    """A public key and what it may verify."""

    key_id: str | None
    algorithms: frozenset[str]
    key: Any


class JsonWebKeys:
    """The keys of one address. `run` keeps them fresh; without it `replace` sets them."""

    def __init__(
        self,
        url: str,
        *,
        refresh_ms: int = 3_600_000,
        backoff_ms: int = 100,
        backoff_ms_max: int = 10_000,
        ca_file: str = "",
    ) -> None:
        """Raises ConfigError unless the url is one of file, http or https."""
        if urlsplit(url).scheme not in ("file", "http", "https"):
            raise ConfigError(f"sasl.oauthbearer.jwks.endpoint.url={url}: expected file:///…, http://… or https://…")
        self.url = url
        self._refresh_s = refresh_ms / 1000
        self._backoff_s = max(backoff_ms, 1) / 1000
        self._backoff_s_max = max(backoff_ms_max, backoff_ms, 1) / 1000
        self._ca_file = ca_file
        self._keys: tuple[VerificationKey, ...] = ()
        self._is_wanted = asyncio.Event()
        self._is_fetching = False
        self._looked_again_s = float("-inf")
        self._failures = 0
        self._waiting: list[Callable[[], None]] = []

    def find(self, key_id: str | None, algorithm: str) -> list[VerificationKey]:
        """The keys that may have signed a token with this header."""
        return [
            each
            for each in self._keys
            if algorithm in each.algorithms and (key_id is None or each.key_id is None or each.key_id == key_id)
        ]

    def replace(self, keys: Sequence[VerificationKey]) -> None:
        """Take these keys instead of those before."""
        self._keys = tuple(keys)

    def look_again(self) -> bool:
        """A key was not found: fetch anew, unless that was done a moment ago. Whether keys are about to come."""
        if self._is_fetching or self._is_wanted.is_set():
            return True
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_again_s < REFETCH_S_MIN:
            return False
        self._looked_again_s = now_s
        self._is_wanted.set()
        return True

    def when_fetched(self, callback: Callable[[], None]) -> None:
        """Call once, after the next fetch has ended in whichever way."""
        self._waiting.append(callback)

    async def run(self) -> None:
        """Fetch the keys, and again whenever they are old, wanted, or could not be had."""
        while True:
            await self._fetch()
            wait_s = self._refresh_s
            if self._failures:
                wait_s = min(self._backoff_s * 2 ** min(self._failures - 1, 20), self._backoff_s_max)
            try:
                await asyncio.wait_for(self._is_wanted.wait(), wait_s)
            except TimeoutError:
                continue

    async def _fetch(self) -> None:
        loop = asyncio.get_running_loop()
        self._is_wanted.clear()
        self._is_fetching = True
        try:
            found = await _in_daemon_thread(lambda: read_keys(fetch(self.url, self._ca_file)))
        except (OSError, ValueError) as error:
            self._failures += 1
            if self._failures == 1:
                log.warning("keys for tokens not fetched, trying again url=%s error=%s", self.url, error)
        else:
            if self._failures or not self._keys:
                log.info("keys for tokens fetched url=%s keys=%d", self.url, len(found))
            self._failures = 0
            self.replace(found)
        finally:
            self._is_fetching = False
            waiting, self._waiting = self._waiting, []
            for callback in waiting:
                loop.call_soon(callback)


def fetch(url: str, ca_file: str = "") -> bytes:
    """What stands at the address, within FETCH_S_MAX. Blocks. Raises OSError, ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        if path.stat().st_size > FETCH_BYTES_MAX:
            raise ValueError(f"more than {FETCH_BYTES_MAX} bytes")
        return path.read_bytes()
    import http.client  # Costs memory that only those spend who need it, as the next ones do.
    import ssl
    import urllib.request

    class SameScheme(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            if urlsplit(newurl).scheme != parts.scheme:
                raise OSError(f"redirected to another scheme: {newurl}")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    context = ssl.create_default_context(cafile=ca_file or None)
    opener = urllib.request.build_opener(SameScheme, urllib.request.HTTPSHandler(context=context))
    deadline_s = time.monotonic() + FETCH_S_MAX
    body = bytearray()
    try:
        with opener.open(url, timeout=FETCH_S_MAX / 2) as response:
            while piece := response.read1(64 * 1024):
                body += piece
                if len(body) > FETCH_BYTES_MAX:
                    raise ValueError(f"more than {FETCH_BYTES_MAX} bytes")
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"not whole within {FETCH_S_MAX} s")
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
    return bytes(body)


def read_keys(text: bytes) -> list[VerificationKey]:
    """The usable keys of a JWKS; others are left out. Raises ValueError when it is no JWKS or none is usable."""
    import json

    try:
        listed = json.loads(text)["keys"]
        jwks = [each for each in listed[:KEYS_MAX] if isinstance(each, dict)]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("not a JSON Web Key Set") from None
    keys = [key for key in map(_read_key, jwks) if key is not None]
    if not keys:
        raise ValueError("no key in it can verify tokens")
    return keys


def _read_key(jwk: dict[str, Any]) -> VerificationKey | None:
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
    from jwt.exceptions import PyJWTError

    operations, named = jwk.get("key_ops"), jwk.get("alg")
    if jwk.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    public = {name: value for name, value in jwk.items() if name not in _PRIVATE_MEMBERS}
    kind = jwk.get("kty")
    try:
        key: Any
        if kind == "RSA":
            key, algorithms = RSAAlgorithm.from_jwk(public), RSA_ALGORITHMS
            if key.key_size < RSA_BITS_MIN:
                log.warning("key for tokens left out: RSA with less than %d bits", RSA_BITS_MIN)
                return None
        elif kind == "EC" and jwk.get("crv") in EC_ALGORITHMS:
            key, algorithms = ECAlgorithm.from_jwk(public), frozenset({EC_ALGORITHMS[jwk["crv"]]})
        elif kind == "OKP":
            key, algorithms = OKPAlgorithm.from_jwk(public), frozenset({"EdDSA"})
        else:
            return None
    except (PyJWTError, ValueError, TypeError, KeyError) as error:
        log.warning("key for tokens left out: it cannot be read (%s)", type(error).__name__)
        return None
    if named is not None:
        algorithms &= frozenset(each for each in algorithms if each == named)
    key_id = jwk.get("kid")
    return VerificationKey(key_id if isinstance(key_id, str) else None, algorithms, key)


async def _in_daemon_thread(work: Callable[[], Any]) -> Any:
    """As asyncio.to_thread, but a stop of the broker does not wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # The loop is closed: nobody waits any more.
            return

    threading.Thread(target=run, name="json-web-keys", daemon=True).start()
    return await done
