"""A connection that logs in by SCRAM-SHA-256 (RFC 5802) before anything is measured on it."""

import base64
import hashlib
import hmac
import secrets
import socket

from broker.protocol.api_keys import ApiKey
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from broker.protocol.messages.sasl_handshake import SaslHandshakeRequest

AUTHENTICATE_VERSION = 2
MECHANISM = "SCRAM-SHA-256"


def logged_in(host: str, port: int, user: str, password: str) -> socket.socket:
    """Raises ConnectionError when the broker does not take the password."""
    connection = socket.create_connection((host, port))
    _exchange(
        connection, request_frame(ApiKey.SASL_HANDSHAKE, 1, 1, "bench", SaslHandshakeRequest(mechanism=MECHANISM))
    )
    nonce = secrets.token_hex(12)
    first_bare = f"n={user},r={nonce}"
    server_first = _authenticate(connection, f"n,,{first_bare}")
    said = dict(pair.split("=", 1) for pair in server_first.split(","))
    without_proof = f"c=biws,r={said['r']}"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    message = f"{first_bare},{server_first},{without_proof}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    _authenticate(connection, f"{without_proof},p={base64.b64encode(proof).decode()}")
    return connection


def _authenticate(connection: socket.socket, words: str) -> str:
    request = SaslAuthenticateRequest(auth_bytes=words.encode())
    version = AUTHENTICATE_VERSION
    frame = _exchange(connection, request_frame(ApiKey.SASL_AUTHENTICATE, version, 2, "bench", request))
    _, answer = decode_response(ApiKey.SASL_AUTHENTICATE, version, frame)
    assert isinstance(answer, SaslAuthenticateResponse)
    if answer.error_code:
        raise ConnectionError(answer.error_message)
    return bytes(answer.auth_bytes).decode()


def _exchange(connection: socket.socket, frame: bytes) -> bytes:
    connection.sendall(frame)
    with connection.makefile("rb") as incoming:
        return incoming.read(int.from_bytes(incoming.read(4), "big"))
