"""Issues tokens and says by which keys, as an identity provider does."""

import base64
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

_MAKERS: dict[str, Callable[[], Any]] = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}
_KINDS = {"RS": "RSA", "PS": "RSA", "ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}


def kind_of(algorithm: str) -> str:
    return _KINDS.get(algorithm) or _KINDS[algorithm[:2]]


class TokenIssuer:
    """Has one key of each kind that was asked for; `rotate` makes new ones."""

    def __init__(self) -> None:
        self.generation = 1
        self.keys: dict[str, Any] = {}

    def rotate(self) -> None:
        self.generation += 1
        self.keys.clear()

    def key(self, algorithm: str) -> Any:
        kind = kind_of(algorithm)
        if kind not in self.keys:
            self.keys[kind] = _MAKERS[kind]()
        return self.keys[kind]

    def key_id(self, algorithm: str) -> str:
        return f"{kind_of(algorithm)}-{self.generation}"

    def jwks(self, *algorithms: str) -> str:
        keys = []
        for algorithm in algorithms:
            public = self.key(algorithm).public_key()
            members = get_default_algorithms()[algorithm].to_jwk(public, as_dict=True)
            keys.append({**members, "kid": self.key_id(algorithm), "use": "sig"})
        return json.dumps({"keys": keys})

    def token(
        self, principal: object = "alice", algorithm: str = "ES256", *, headers: dict[str, Any] | None = None, **claims
    ) -> str:
        """A good token, save for the claims given; those given as None are left out."""
        now = int(time.time())
        known = {"sub": principal, "iat": now, "exp": now + 600, "iss": "issuer", "aud": "kafka"} | claims
        given = {name: value for name, value in known.items() if value is not None}
        kid = {"kid": self.key_id(algorithm)}
        return jwt.encode(given, self.key(algorithm), algorithm=algorithm, headers=kid | (headers or {}))


def raw_token(header: object, claims: object, signature: bytes = b"") -> str:
    """Any three parts."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


class KeyServer:
    """Serves a JWKS over HTTP on loopback; counts how often it is asked."""

    def __init__(self, body: str, certificate: Path | None = None) -> None:
        self.body = body
        self.asked = 0
        self.is_endless = False
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked += 1
                self.send_response(200)
                self.end_headers()
                if owner.is_endless:
                    with contextlib.suppress(OSError):
                        while True:
                            self.wfile.write(b" " * 65536)
                self.wfile.write(owner.body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{self._server.server_port}/keys"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
