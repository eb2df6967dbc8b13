"""The two brokers that the clients are run against, ours and a real Apache Kafka: the same listeners and settings."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caudal.testing import Broker
from tests.conftest import free_ports, start_real_kafka
from tests.integration.broker.certificates import Authority

PROTOCOLS = "PLAINTEXT:PLAINTEXT,SECURE:"
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
SETTINGS = {
    "node.id": "1",
    "auto.create.topics.enable": "false",
    "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
    "listener.name.secure.scram-sha-256.sasl.jaas.config": SCRAM_LOGIN,
    "listener.name.secure.scram-sha-512.sasl.jaas.config": SCRAM_LOGIN,
    "ssl.keystore.type": "PEM",
    "group.initial.rebalance.delay.ms": "0",
    # Members of the consumer protocol learn of a rebalance by their heartbeat: every 5 s, if nobody says otherwise.
    "group.consumer.min.heartbeat.interval.ms": "300",
    "group.consumer.heartbeat.interval.ms": "300",
}


@dataclass(frozen=True)
class Target:
    """Where a broker listens: PLAINTEXT and SASL_SSL."""

    name: str
    bootstrap: str
    secure: str
    ca: str


@contextlib.contextmanager
def our_broker(folder: Path, authority: Authority) -> Iterator[Target]:
    folder.mkdir(parents=True, exist_ok=True)
    plain, secure = free_ports(2)
    addresses = f"PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure}"
    settings = {
        "listeners": addresses,
        "listener.security.protocol.map": f"{PROTOCOLS}SASL_SSL",
        **_settings(authority),
    }
    with _ListeningBroker(settings=settings, data_folder=folder / "data", log_file=folder / "log"):
        yield _prepared(Target("caudal", f"127.0.0.1:{plain}", f"127.0.0.1:{secure}", str(authority.certificate)))


@contextlib.contextmanager
def real_broker(folder: Path, authority: Authority, *, secure_protocol: str = "SASL_SSL") -> Iterator[Target]:
    """Needs Java and Maven; the jars come by the kit."""
    plain, secure, controller = _kit_ports()
    addresses = f"PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure}"
    settings = {
        "listeners": f"{addresses},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": addresses,
        "listener.security.protocol.map": f"{PROTOCOLS}{secure_protocol},CONTROLLER:PLAINTEXT",
        **_settings(authority),
    }
    kafka = start_real_kafka(folder, brokers=1, port=plain, settings=settings)
    try:
        yield _prepared(Target("kafka", f"127.0.0.1:{plain}", f"127.0.0.1:{secure}", str(authority.certificate)))
    finally:
        kafka.stop()


BROKERS: Final = (our_broker, real_broker)


class _ListeningBroker(Broker):
    """Its listeners are all in its settings."""

    def _command(self) -> list[str]:
        command = super()._command()
        where = command.index("--listener")
        return command[:where] + command[where + 2 :]


def _settings(authority: Authority) -> dict[str, str]:
    return {**SETTINGS, "ssl.keystore.location": str(authority.issue("server", "/CN=localhost"))}


def _prepared(target: Target) -> Target:
    command = [sys.executable, "-W", "ignore", "-m", "tests.conformance.python.prepare", target.bootstrap]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{target.name} could not be prepared:\n{done.stderr}")
    return target


def _kit_ports() -> list[int]:
    """The kit's controller listens 1000 above its broker."""
    while True:
        plain, secure = free_ports(2)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", plain + 1000))
            return [plain, secure, plain + 1000]
