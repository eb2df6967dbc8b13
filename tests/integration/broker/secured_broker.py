"""A broker process with several listeners, each secured in its own way, and raw connections that are logged in."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from broker.protocol.messages.sasl_authenticate import SaslAuthenticateRequest
from broker.protocol.messages.sasl_handshake import SaslHandshakeRequest
from tests.integration.broker.wire_client import WireClient

JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="admin" password="admin-secret" '
    'user_admin="admin-secret" user_alice="alice-secret" user_bob="bob-secret";'
)


class SecuredBroker:
    """A broker of which `listeners` gives each listener's name its security protocol; user bob is there for SCRAM."""

    def __init__(
        self, folder: Path, listeners: dict[str, str], settings: dict[str, str], *, log_file: Path | None = None
    ) -> None:
        given = {
            "listeners": ",".join(f"{name}://127.0.0.1:0" for name in listeners),
            "listener.security.protocol.map": ",".join(f"{name}:{each}" for name, each in listeners.items()),
            **settings,
        }
        command = [sys.executable, "-m", "broker", "--data-dir", str(folder), "--exit-with-stdin"]
        for name, value in given.items():
            command += ["--set", f"{name}={value}"]
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            command += ["--add-scram", f"{mechanism}=[name=bob,password=bob-secret,iterations=4096]"]
        with open(log_file, "ab") if log_file else contextlib.nullcontext() as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(os.environ)
            )
        assert self._process.stdout is not None
        ready = json.loads(self._process.stdout.readline())
        assert "kafka" in ready, ready
        self.ready = ready
        self.addresses = dict(zip(listeners, ready["kafka"].split(","), strict=True))

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=15)


def logged_in(address: str, user: str) -> WireClient:
    """A raw connection that has logged in by PLAIN."""
    wire = WireClient(address)
    wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1)
    answer = wire.ask(SaslAuthenticateRequest(auth_bytes=f"\0{user}\0{user}-secret".encode()), 2)
    assert answer.error_code == 0, answer
    return wire
