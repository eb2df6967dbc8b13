"""The two brokers that are compared: ours as a process of its own, and a genuine Apache Kafka from the tests' kit."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka.admin import AdminClient, NewTopic

KIT = Path(__file__).parent.parent / "tests" / "kafka_kit" / "real-kafka"


@dataclass(frozen=True)
class RunningBroker:
    """A broker under test: its name in the table, its address and its process."""

    name: str
    bootstrap_servers: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, user and system, all threads."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory_mib(self) -> float:
        return float(self.process.memory_info().rss) / 2**20

    def create_topic(self, name: str, partitions: int = 1) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)

    def delete_topic(self, name: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        admin.delete_topics([name])[name].result(30)


@contextmanager
def caudal_broker(*settings: str) -> Iterator[RunningBroker]:
    """Our broker, as `python -m broker` with its defaults."""
    from caudal.testing import Broker

    configs = dict(setting.split("=", 1) for setting in settings)
    with Broker(settings=configs) as broker:
        yield RunningBroker("Caudal", broker.bootstrap_servers, psutil.Process(broker.pid))


@contextmanager
def apache_kafka(heap: str = "1g") -> Iterator[RunningBroker]:
    """Apache Kafka 4.3.1, one broker, with the heap that its own start script gives it."""
    directory = Path(tempfile.mkdtemp(prefix="benchmark-kafka-"))
    command = [sys.executable, str(KIT), "start", "--dir", str(directory), "--port", "0", "--heap", heap]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    try:
        pid = int((directory / "broker-1.pid").read_text())
        yield RunningBroker("Apache Kafka 4.3.1", done.stdout.strip(), psutil.Process(pid))
    finally:
        subprocess.run([sys.executable, str(KIT), "stop", "--dir", str(directory), "--wipe"], check=True)
        shutil.rmtree(directory, ignore_errors=True)


def machine() -> str:
    """One line about where the figures come from."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown processor",
    )
    version = ".".join(str(part) for part in sys.version_info[:3])
    return f"{os.cpu_count()} cores ({model}), Python {version}, Linux {os.uname().release}"
