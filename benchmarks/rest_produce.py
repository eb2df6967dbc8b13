"""REST produce (API v2, JSON) beside a bare producer on the same broker: requests and records a second, latency.

python -m benchmarks.rest_produce [URL BOOTSTRAP]      without them a platform of its own is started

Every connection is a closed loop: it sends its next request when the answer to the last one is in. The load comes from
this process over raw sockets, so on a small machine it shares the processor with what it measures. The peer is aiokafka
without any HTTP: as many coroutines, each waiting for its own acknowledgements.
"""

import asyncio
import contextlib
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import aiokafka
import uvloop

from benchmarks.brokers import machine
from benchmarks.start import platform
from benchmarks.table import median, percentile, table

TOPIC = "rest-produce-benchmark"
RUNS = 5
CONNECTIONS = 32
WARM_UP_S = 0.5
SECONDS = 3.0


@dataclass(slots=True)
class Load:
    """What one run measured. latencies_s: one per answered request, after the warm-up."""

    latencies_s: list[float] = field(default_factory=list)
    failed_count: int = 0


class ClosedLoop(asyncio.Protocol):
    """One HTTP connection that sends the same request over and over; no HTTP library, so that the load stays light."""

    def __init__(self, request: bytes, load: Load, measured_from: float, until: float) -> None:
        self._request = request
        self._load = load
        self._measured_from = measured_from
        self._until = until
        self._received = b""
        self._sent_at = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._received[:head_end].lower()
        length_at = head.index(b"content-length:") + len(b"content-length:")
        length = int(head[length_at:].split(b"\r\n", 1)[0])
        if len(self._received) < head_end + 4 + length:
            return
        now = time.perf_counter()
        if not head.startswith(b"http/1.1 200"):
            self._load.failed_count += 1
        elif now >= self._measured_from:
            self._load.latencies_s.append(now - self._sent_at)
        self._received = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)


async def produce_by_rest(host: str, port: int, *, records: int) -> Load:
    request = _request(host, port, records)
    load = Load()
    begin = time.perf_counter()
    loop = asyncio.get_running_loop()
    loops = []
    for _ in range(CONNECTIONS):
        _, protocol = await loop.create_connection(
            lambda: ClosedLoop(request, load, begin + WARM_UP_S, begin + WARM_UP_S + SECONDS), host, port
        )
        loops.append(protocol)
    await asyncio.gather(*(one.ended for one in loops))
    return load


async def produce_by_kafka(bootstrap_servers: str, *, records: int) -> Load:
    """The peer: CONNECTIONS coroutines, each sending `records` records and waiting for all of them."""
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=0)
    await producer.start()
    load = Load()
    values = [json_value(number) for number in range(records)]
    begin = time.perf_counter()

    async def send_over_and_over() -> None:
        while (sent_at := time.perf_counter()) < begin + WARM_UP_S + SECONDS:
            await asyncio.gather(*[await producer.send(TOPIC, value, partition=0) for value in values])
            if sent_at >= begin + WARM_UP_S:
                load.latencies_s.append(time.perf_counter() - sent_at)

    try:
        await asyncio.gather(*(send_over_and_over() for _ in range(CONNECTIONS)))
    finally:
        await producer.stop()
    return load


def json_value(number: int) -> bytes:
    """About 100 bytes of JSON, as an application would send it."""
    return json.dumps({"order": number, "customer": "c-1048576", "amount": 12.5, "note": "x" * 45}).encode()


def _request(host: str, port: int, records: int) -> bytes:
    body = json.dumps({"records": [{"value": json.loads(json_value(number))} for number in range(records)]}).encode()
    head = (
        f"POST /topics/{TOPIC} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/vnd.kafka.json.v2+json\r\nAccept: application/vnd.kafka.v2+json\r\n\r\n"
    )
    return head.encode() + body


def existing_topic(url: str, topic: str) -> str:
    """Make a topic of one partition, unless it is there; returns the cluster's URL in v3."""
    cluster: str = json.load(urllib.request.urlopen(f"{url}/v3/clusters"))["data"][0]["metadata"]["self"]
    body = json.dumps({"topic_name": topic, "partitions_count": 1}).encode()
    request = urllib.request.Request(f"{cluster}/topics", body, {"Content-Type": "application/json"})
    with contextlib.suppress(urllib.error.HTTPError):  # it is there from an earlier run
        urllib.request.urlopen(request).close()
    return cluster


def _rows(name: str, loads: list[Load], peers: list[Load], records: int) -> list[list[object]]:
    def of(measure: Callable[[Load], float]) -> list[object]:
        ours, theirs = (median([measure(load) for load in of_one]) for of_one in (loads, peers))
        return [ours, theirs, ours / theirs]

    failed = sum(load.failed_count for load in loads)
    title = f"{name}, {records} a request" + (f" ({failed} requests failed)" if failed else "")
    return [
        [f"{title}: requests/s", *of(lambda load: len(load.latencies_s) / SECONDS)],
        [f"{title}: records/s", *of(lambda load: len(load.latencies_s) * records / SECONDS)],
        [f"{title}: p50 ms", *of(lambda load: percentile(load.latencies_s, 50) * 1000)],
        [f"{title}: p99 ms", *of(lambda load: percentile(load.latencies_s, 99) * 1000)],
    ]


def measure(url: str, bootstrap_servers: str, runs: int) -> None:
    existing_topic(url, TOPIC)
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    rows: list[list[object]] = []
    for records in (1, 100):
        loads: list[Load] = []
        peers: list[Load] = []
        for _ in range(runs):
            loads.append(uvloop.run(produce_by_rest(host, int(port), records=records)))
            peers.append(uvloop.run(produce_by_kafka(bootstrap_servers, records=records)))
        rows += _rows("produce JSON", loads, peers, records)
    print(f"{machine()}; {CONNECTIONS} connections, medians of {runs} interleaved runs of {SECONDS:g} s\n")
    print(table("REST Proxy", ["what", "REST v2", "aiokafka", "ratio"], rows), flush=True)


def main(url: str = "", bootstrap_servers: str = "", *, runs: int = RUNS) -> None:
    if url:
        measure(url, bootstrap_servers, runs)
        return
    with platform() as (ready, _):
        measure(str(ready["rest"]), str(ready["kafka"]), runs)


if __name__ == "__main__":
    main(*sys.argv[1:3])
