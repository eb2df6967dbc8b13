"""Small requests beside Apache Kafka: fifty raw connections, and a closed loop of single records.

Our broker runs twice: with its default, which flushes every 50 ms in a thread (caudal.flush.mode=interval), and as
Kafka runs, leaving it to the kernel (never).
"""

import os
import sys
from collections.abc import Sequence

from benchmarks.broker_throughput import Measured, client, row, with_cpu
from benchmarks.brokers import RunningBroker, apache_kafka, caudal_broker, machine
from benchmarks.table import median, table

RUNS = 5
MODES = ("interval", "never")


def raw(broker: RunningBroker, topic: str, what: str) -> Measured:
    def run() -> tuple[float, float]:
        answer = client("benchmarks.raw_client", broker.bootstrap_servers, topic, what, 50, 4, 100, 100)
        return answer["requests_per_second"], answer["requests"]

    return with_cpu(broker, run)


def closed_loop(broker: RunningBroker, topic: str) -> tuple[float, float]:
    os.sync()
    answer = client("benchmarks.raw_client", broker.bootstrap_servers, topic, "produce", 1, 4, 1, 100)
    return answer["p50_ms"], answer["p99_ms"]


def _raw_rows(brokers: Sequence[RunningBroker], runs: int) -> list[list[object]]:
    rows = []
    for what, unit in (("produce", "100 records of 100 B a request"), ("metadata", "one topic")):
        results: list[list[Measured]] = [[] for _ in brokers]
        for _ in range(runs):
            for broker, found in zip(brokers, results, strict=True):
                found.append(raw(broker, "raw", what))
        *ours, theirs = results
        for mode, found in zip(MODES, ours, strict=True):
            rows.append(row(f"50 raw connections, {what} requests/s ({unit}), {mode}", found, theirs))
    return rows


def _latency_rows(brokers: Sequence[RunningBroker], runs: int) -> list[list[object]]:
    results: list[list[tuple[float, float]]] = [[] for _ in brokers]
    for _ in range(runs):
        for broker, found in zip(brokers, results, strict=True):
            found.append(closed_loop(broker, "raw"))
    *ours, theirs = results
    rows: list[list[object]] = []
    for mode, found in zip(MODES, ours, strict=True):
        for index, name in enumerate(("p50", "p99")):
            mine, peer = median([run[index] for run in found]), median([run[index] for run in theirs])
            rows.append([f"closed loop, one record a request, {name} ms, {mode}", mine, peer, mine / peer])
    return rows


def main(runs: int = RUNS) -> None:
    with caudal_broker() as ours, caudal_broker("caudal.flush.mode=never") as never, apache_kafka() as theirs:
        brokers = (ours, never, theirs)
        for broker in brokers:
            broker.create_topic("raw")
        print(machine() + f"; medians of {runs} interleaved runs\n")
        columns = ["what", ours.name, theirs.name, "ratio"]
        print(
            table("Raw connections", [*columns, "CPU µs", "CPU µs (Kafka)", "CPU ratio"], _raw_rows(brokers, runs)),
            flush=True,
        )
        print(table("Latency", columns, _latency_rows(brokers, runs)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
