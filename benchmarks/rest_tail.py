"""Live tails (server-sent events) of 200 clients: how late a record arrives, and what the proxy spends.

Three loads. 1,000 records a second arrive at the clients in all, read in two ways: every client follows a partition of
its own, or all follow one topic with 5 records a second. And a stress row beyond that: 1,000 records a second to every
client, 200,000 events. A record carries the monotonic time at which the load handed it to its producer (librdkafka,
linger.ms=0), and its latency ends when a client of the same process reads it from its socket; so the load's own delays
are in it.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import psutil
import uvloop
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.brokers import machine
from benchmarks.start import platform
from benchmarks.table import median, percentile, table

RUNS = 3
CLIENTS = 200
VALUE_BYTES = 100
WARM_UP_S = 1.0
SECONDS = 8.0
TICK_S = 0.001
ARRIVAL_TIMEOUT_S = 60.0
P99_BOUND_MS = 50
CORES_BOUND = 1.0

SENT_AT = re.compile(rb'"value":"(\d+) ')


@dataclass(frozen=True, slots=True)
class Case:
    """records_per_s are produced; each arrives at all clients, or at the one that follows its partition."""

    name: str
    topic: str
    partitions: int
    records_per_s: int

    @property
    def events_per_s(self) -> int:
        return self.records_per_s * (CLIENTS if self.partitions == 1 else 1)


CASES = (
    Case("a partition each, 1,000 records/s in all", "tail-of-many", CLIENTS, 1_000),
    Case("one topic, 5 records/s to each", "tail-of-one", 1, 5),
    Case("stress: one topic, 1,000 records/s to each", "tail-of-much", 1, 1_000),
)


@dataclass(slots=True)
class Arrivals:
    """Of one run: latencies of the records sent within the measured seconds, and the processor time meanwhile."""

    latencies_s: list[float] = field(default_factory=list)
    produced_count: int = 0
    web_cores: float = 0.0
    load_cores: float = 0.0


class Listener(asyncio.Protocol):
    """One open tail; notes when each record arrives."""

    def __init__(self, target: str, host: str, arrivals: list[tuple[int, int]]) -> None:
        self._request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n".encode()
        self._arrivals = arrivals
        self._rest = b""
        self.is_open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        data = self._rest + data
        if not self.is_open.done() and b"retry:" in data:
            assert data.startswith(b"HTTP/1.1 200"), data
            self.is_open.set_result(None)
        whole, _, self._rest = data.rpartition(b"\n\n")
        self._arrivals += [(int(sent_at), now) for sent_at in SENT_AT.findall(whole)]


async def listen(rest: str, case: Case, arrivals: list[tuple[int, int]]) -> list[Listener]:
    parts = urlsplit(rest)
    assert parts.hostname is not None
    listeners = []
    for number in range(CLIENTS):
        own = f"&partition={number}" if case.partitions > 1 else ""
        target = f"{parts.path}/caudal/v1/topics/{case.topic}/records?format=string{own}"
        listener = Listener(target, parts.netloc, arrivals)
        await asyncio.get_running_loop().create_connection(lambda made=listener: made, parts.hostname, parts.port)
        listeners.append(listener)
    await asyncio.gather(*(listener.is_open for listener in listeners))
    return listeners


async def produce(producer: Producer, case: Case, seconds: float) -> list[int]:
    """When each record was handed over; evenly spread, partitions in turn."""
    began = time.monotonic()
    sent_at: list[int] = []
    while (now := time.monotonic()) < began + seconds:
        for _ in range(int((now - began) * case.records_per_s) - len(sent_at)):
            at = time.monotonic_ns()
            value = b"%d " % at
            producer.produce(
                case.topic, value + b"x" * (VALUE_BYTES - len(value)), partition=len(sent_at) % case.partitions
            )
            sent_at.append(at)
        producer.poll(0)
        await asyncio.sleep(TICK_S)
    producer.flush()
    return sent_at


async def run(rest: str, producer: Producer, case: Case, web: psutil.Process) -> Arrivals:
    arrivals: list[tuple[int, int]] = []
    each = CLIENTS if case.partitions == 1 else 1
    listeners = await listen(rest, case, arrivals)
    await arrived(arrivals, each * len(await produce(producer, case, WARM_UP_S)))
    arrivals.clear()
    load = psutil.Process()
    before, began = (cpu_seconds(web), cpu_seconds(load)), time.monotonic()
    sent_at = await produce(producer, case, SECONDS)
    seconds = time.monotonic() - began
    spent = cpu_seconds(web) - before[0], cpu_seconds(load) - before[1]
    await arrived(arrivals, each * len(sent_at))
    for listener in listeners:
        listener.transport.close()
    latencies_s = [(now - then) / 1e9 for then, now in arrivals]
    return Arrivals(latencies_s, len(sent_at), spent[0] / seconds, spent[1] / seconds)


async def arrived(arrivals: list[tuple[int, int]], count: int) -> None:
    """Wait until every record has come to everyone, however late."""
    until = time.monotonic() + ARRIVAL_TIMEOUT_S
    while len(arrivals) < count and time.monotonic() < until:
        await asyncio.sleep(0.05)
    assert len(arrivals) == count, f"{len(arrivals)} of {count} events came"


def cpu_seconds(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def main() -> None:
    rows: list[list[object]] = []
    with platform() as (ready, _):
        web = psutil.Process(cast(dict[str, int], ready["pids"])["web"])
        servers = {"bootstrap.servers": str(ready["kafka"])}
        admin, producer = AdminClient(servers), Producer({**servers, "linger.ms": 0})
        for case in CASES:
            admin.create_topics([NewTopic(case.topic, case.partitions, 1)])[case.topic].result(30)
            runs = [uvloop.run(run(str(ready["rest"]), producer, case, web)) for _ in range(RUNS)]
            p50, p99, slowest = (
                median([percentile(one.latencies_s, percent) * 1000 for one in runs]) for percent in (50, 99, 100)
            )
            cores = [median([getattr(one, name) for one in runs]) for name in ("web_cores", "load_cores")]
            rows.append([case.name, case.events_per_s, p50, p99, slowest, *cores])
    print(f"{machine()}; {CLIENTS} clients, records of {VALUE_BYTES} B, medians of {RUNS} runs of {SECONDS:g} s")
    print(f"bounds, of the first two: {P99_BOUND_MS} ms at p99, {CORES_BOUND:g} core\n")
    columns = ["what", "events/s", "p50 ms", "p99 ms", "slowest ms", "cores, web", "cores, load"]
    print(table("REST Proxy, live tails", columns, rows))


if __name__ == "__main__":
    main()
