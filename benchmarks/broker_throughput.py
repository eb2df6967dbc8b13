"""Our broker beside Apache Kafka: librdkafka, Java and aiokafka clients on one partition. Five interleaved runs.

Both run with their defaults: Kafka never flushes, Caudal flushes every 50 ms in a thread (caudal.flush.mode=interval).
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.brokers import KIT, RunningBroker, apache_kafka, caudal_broker, machine
from benchmarks.table import median, table

RUNS = 5
AIOKAFKA = {100: 200_000, 1000: 100_000}
LIBRDKAFKA = {100: 1_000_000, 1000: 300_000}
JAVA = {100: 1_000_000, 1000: 300_000}


@dataclass(frozen=True)
class Measured:
    """One run: a rate or time, and the broker's CPU microseconds per record (or request)."""

    value: float
    cpu_us: float


def client(module: str, *arguments: object) -> dict[str, float]:
    command = [sys.executable, "-m", module, *(str(argument) for argument in arguments)]
    answer: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return answer


def with_cpu(broker: RunningBroker, count: Callable[[], tuple[float, float]]) -> Measured:
    os.sync()  # so that nobody pays for what the run before has left to write
    before = broker.cpu_seconds()
    value, units = count()
    return Measured(value, (broker.cpu_seconds() - before) / units * 1e6)


def librdkafka(broker: RunningBroker, topic: str, what: str, size: int) -> Measured:
    count = LIBRDKAFKA[size]

    def run() -> tuple[float, float]:
        answer = client("benchmarks.librdkafka_client", broker.bootstrap_servers, topic, what, count, size)
        return count / answer["seconds"], count

    return with_cpu(broker, run)


def aiokafka(broker: RunningBroker, topic: str, _what: str, size: int) -> Measured:
    count = AIOKAFKA[size]

    def run() -> tuple[float, float]:
        answer = client("benchmarks.aiokafka_client", broker.bootstrap_servers, topic, count, size)
        return count / answer["seconds"], count

    return with_cpu(broker, run)


def java(broker: RunningBroker, topic: str, what: str, size: int) -> Measured:
    count = JAVA[size]
    common = ["--bootstrap-server", broker.bootstrap_servers, "--topic", topic, "--num-records", str(count)]
    more = ["--record-size", str(size), "--throughput", "-1", "--command-property", "acks=all"]
    tool = "producer-perf-test" if what == "produce" else "consumer-perf-test"

    def run() -> tuple[float, float]:
        command = [sys.executable, str(KIT), "tool", tool, *common, *(more if what == "produce" else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
        return _perf_rate(done.stdout, what), count

    return with_cpu(broker, run)


def _perf_rate(output: str, what: str) -> float:
    last = output.strip().splitlines()[-1]
    if what == "produce":
        found = re.search(r"([\d.]+) records/sec", last)
        assert found, output
        return float(found.group(1))
    return float(last.split(",")[-1])  # fetch.nMsg.sec: the time to join the group left out


def _throughput_rows(brokers: Sequence[RunningBroker], runs: int) -> list[list[object]]:
    rows: list[list[object]] = []
    both = ("produce", "consume")
    clients = (("librdkafka", librdkafka, both), ("Java perf tool", java, both), ("aiokafka", aiokafka, ("produce",)))
    for name, run, whats in clients:
        for size in (100, 1000):
            topics = {broker.name: f"{run.__name__}-{size}" for broker in brokers}
            for broker in brokers:
                broker.create_topic(topics[broker.name])
            for what in whats:
                results: dict[str, list[Measured]] = {broker.name: [] for broker in brokers}
                for _ in range(runs):
                    for broker in brokers:
                        results[broker.name].append(run(broker, topics[broker.name], what, size))
                rows.append(row(f"{name} {what} {size:,} B, records/s", *results.values()))
            for broker in brokers:
                broker.delete_topic(topics[broker.name])
    return rows


def row(name: str, ours: list[Measured], theirs: list[Measured]) -> list[object]:
    rate, peer = median([run.value for run in ours]), median([run.value for run in theirs])
    cpu, peer_cpu = median([run.cpu_us for run in ours]), median([run.cpu_us for run in theirs])
    return [name, rate, peer, rate / peer, cpu, peer_cpu, cpu / peer_cpu]


def main(runs: int = RUNS) -> None:
    with caudal_broker() as ours, apache_kafka() as theirs:
        brokers = (ours, theirs)
        print(machine() + f"; medians of {runs} interleaved runs\n")
        columns = ["what", ours.name, theirs.name, "ratio", "CPU µs", "CPU µs (Kafka)", "CPU ratio"]
        print(table("Throughput", columns, _throughput_rows(brokers, runs)), flush=True)
        memory = [["resident memory after the runs, MiB", ours.memory_mib(), theirs.memory_mib()]]
        print(table("Memory", columns[:3], memory))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
