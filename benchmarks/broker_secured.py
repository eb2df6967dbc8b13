"""What security costs: SCRAM and ACLs beside our own plaintext listener, TLS beside Apache Kafka's."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from benchmarks.brokers import machine
from benchmarks.table import median, table
from tests.conformance.targets import real_broker
from tests.integration.broker.certificates import Authority
from tests.integration.broker.secured_broker import SecuredBroker

RUNS = 5
TOPIC = "bench"
USER = "bob:bob-secret"
AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
LIBRDKAFKA = {100: 1_000_000, 1000: 300_000}


@dataclass(frozen=True)
class Way:
    """One way to a broker: its name in the table, its address, how clients log in, and the process behind it."""

    name: str
    address: str
    process: psutil.Process
    options: tuple[str, ...] = ()

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


def _client(way: Way, module: str, *arguments: object) -> dict[str, float]:
    command = [sys.executable, "-m", module, way.address, *(str(argument) for argument in arguments), *way.options]
    answer: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return answer


def _admin(address: str) -> AdminClient:
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(TOPIC, 1, 1), NewTopic("tls-100", 1, 1), NewTopic("tls-1000", 1, 1)])[TOPIC].result(
        30
    )
    return admin


@contextlib.contextmanager
def _ours(folder: Path, listeners: dict[str, str], settings: dict[str, str]) -> Iterator[SecuredBroker]:
    broker = SecuredBroker(folder, listeners, settings)
    try:
        yield broker
    finally:
        broker.close()


@contextlib.contextmanager
def plain_and_scram(folder: Path) -> Iterator[tuple[Way, Way]]:
    """A broker without any security, and one with an authorizer, a thousand ACLs and SCRAM on its listener."""
    guarded = {
        "authorizer.class.name": AUTHORIZER,
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256",
    }
    with (
        _ours(folder / "plain", {"PLAINTEXT": "PLAINTEXT"}, {}) as open_to_all,
        _ours(folder / "scram", {"PLAINTEXT": "PLAINTEXT", "SCRAM": "SASL_PLAINTEXT"}, guarded) as closed,
    ):
        _admin(open_to_all.addresses["PLAINTEXT"])
        admin = _admin(closed.addresses["PLAINTEXT"])
        acls = [
            _allow(TOPIC, operation) for operation in (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE)
        ]
        acls += [_allow(f"another-{number}", AclOperation.READ) for number in range(1_000)]
        for future in admin.create_acls(acls).values():
            future.result(30)
        yield (
            Way("plaintext", open_to_all.addresses["PLAINTEXT"], psutil.Process(open_to_all.pid)),
            Way("SCRAM and ACLs", closed.addresses["SCRAM"], psutil.Process(closed.pid), ("--scram", USER)),
        )


def _allow(topic: str, operation: AclOperation) -> AclBinding:
    pattern = ResourcePatternType.LITERAL
    return AclBinding(ResourceType.TOPIC, topic, pattern, "User:bob", "*", operation, AclPermissionType.ALLOW)


def _small_requests(ways: tuple[Way, Way], runs: int) -> list[list[object]]:
    rows: list[list[object]] = []
    cases = (
        (
            "50 connections, produce of 100 records of 100 B, requests/s",
            "requests_per_second",
            ("produce", 50, 4, 100, 100),
        ),
        ("50 connections, metadata of one topic, requests/s", "requests_per_second", ("metadata", 50, 4, 100, 100)),
        ("closed loop, one record a request, p50 ms", "p50_ms", ("produce", 1, 4, 1, 100)),
        ("closed loop, one record a request, p99 ms", "p99_ms", ("produce", 1, 4, 1, 100)),
    )
    for name, figure, arguments in cases:
        results: list[list[float]] = [[], []]
        for _ in range(runs):
            for way, found in zip(ways, results, strict=True):
                found.append(_client(way, "benchmarks.raw_client", TOPIC, *arguments)[figure])
        plain, guarded = (median(found) for found in results)
        rows.append([name, guarded, plain, guarded / plain])
    return rows


@contextlib.contextmanager
def tls(folder: Path) -> Iterator[tuple[Way, Way]]:
    authority = Authority(folder)
    certificate = str(authority.issue("ours", "/CN=localhost"))
    settings = {"ssl.keystore.type": "PEM", "ssl.keystore.location": certificate}
    listeners = {"PLAINTEXT": "PLAINTEXT", "TLS": "SSL"}
    with (
        _ours(folder / "tls", listeners, settings) as ours,
        real_broker(folder / "kafka", authority, secure_protocol="SSL") as theirs,
    ):
        _admin(ours.addresses["PLAINTEXT"])
        _admin(theirs.bootstrap)
        pid = int((folder / "kafka" / "broker-1.pid").read_text())
        trust = ("--ca", str(authority.certificate))
        yield (
            Way("Caudal", ours.addresses["TLS"], psutil.Process(ours.pid), trust),
            Way("Apache Kafka 4.3.1", theirs.secure, psutil.Process(pid), trust),
        )


def _tls_rows(ways: tuple[Way, Way], runs: int) -> list[list[object]]:
    rows: list[list[object]] = []
    for size, count in LIBRDKAFKA.items():
        for what in ("produce", "consume"):
            rates: list[list[float]] = [[], []]
            costs: list[list[float]] = [[], []]
            for _ in range(runs):
                for index, way in enumerate(ways):
                    before = way.cpu_seconds()
                    seconds = _client(way, "benchmarks.librdkafka_client", f"tls-{size}", what, count, size)["seconds"]
                    rates[index].append(count / seconds)
                    costs[index].append((way.cpu_seconds() - before) / count * 1e6)
            ours, theirs = (median(found) for found in rates)
            cpu, peer_cpu = (median(found) for found in costs)
            name = f"librdkafka {what} {size:,} B over TLS, records/s"
            rows.append([name, ours, theirs, ours / theirs, cpu, peer_cpu, cpu / peer_cpu])
    return rows


def main(runs: int = RUNS) -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        print(machine() + f"; medians of {runs} interleaved runs\n")
        with plain_and_scram(Path(folder)) as ways:
            columns = ["what", ways[1].name, ways[0].name, "ratio"]
            print(table("SCRAM and ACLs", columns, _small_requests(ways, runs)), flush=True)
        with tls(Path(folder)) as ways:
            columns = ["what", ways[0].name, ways[1].name, "ratio", "CPU µs", "CPU µs (Kafka)", "CPU ratio"]
            print(table("TLS", columns, _tls_rows(ways, runs)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
