"""REST produce (API v2, JSON): requests and records a second over HTTP, beside a bare producer on the same broker.

    python benchmarks/rest_produce.py                      # starts Caudal in a temporary folder
    python benchmarks/rest_produce.py --url http://127.0.0.1:8082 --bootstrap-servers 127.0.0.1:9092

Every connection is a closed loop: it sends its next request when the answer to the last one is in. The load comes from
this process over raw sockets, so on a small machine it shares the processor with what it measures.
The peer is aiokafka's producer without any HTTP: as many coroutines, each waiting for its own acknowledgements.
"""

import argparse
import asyncio
import contextlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import aiokafka
import uvloop

TOPIC = "rest-produce-benchmark"
WARM_UP_S = 1.0


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


async def produce_by_rest(host: str, port: int, *, connections: int, records: int, seconds: float) -> Load:
    request = _request(host, port, records)
    load = Load()
    begin = time.perf_counter()
    loop = asyncio.get_running_loop()
    loops = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(
            lambda: ClosedLoop(request, load, begin + WARM_UP_S, begin + WARM_UP_S + seconds), host, port
        )
        loops.append(protocol)
    await asyncio.gather(*(one.ended for one in loops))
    return load


async def produce_by_kafka(bootstrap_servers: str, *, connections: int, records: int, seconds: float) -> Load:
    """The peer: `connections` coroutines, each sending `records` records and waiting for all of them."""
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=0)
    await producer.start()
    load = Load()
    values = [_value(number) for number in range(records)]
    begin = time.perf_counter()

    async def send_over_and_over() -> None:
        while (sent_at := time.perf_counter()) < begin + WARM_UP_S + seconds:
            await asyncio.gather(*[await producer.send(TOPIC, value, partition=0) for value in values])
            if sent_at >= begin + WARM_UP_S:
                load.latencies_s.append(time.perf_counter() - sent_at)

    try:
        await asyncio.gather(*(send_over_and_over() for _ in range(connections)))
    finally:
        await producer.stop()
    return load


def _value(number: int) -> bytes:
    """About 100 bytes of JSON, as an application would send it."""
    return json.dumps({"order": number, "customer": "c-1048576", "amount": 12.5, "note": "x" * 45}).encode()


def _request(host: str, port: int, records: int) -> bytes:
    body = json.dumps({"records": [{"value": json.loads(_value(number))} for number in range(records)]}).encode()
    head = (
        f"POST /topics/{TOPIC} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/vnd.kafka.json.v2+json\r\nAccept: application/vnd.kafka.v2+json\r\n\r\n"
    )
    return head.encode() + body


def _row(name: str, load: Load, *, records: int, seconds: float) -> str:
    count = len(load.latencies_s)
    cuts = statistics.quantiles(load.latencies_s, n=100) if count > 1 else [0.0] * 99
    failed = f" ({load.failed_count} failed)" if load.failed_count else ""
    return (
        f"| {name} | {count / seconds:,.0f} | {count * records / seconds:,.0f} "
        f"| {cuts[49] * 1000:.2f} | {cuts[98] * 1000:.2f} |{failed}"
    )


@contextlib.contextmanager
def _started() -> Iterator[tuple[str, str]]:
    """Caudal on free ports in a temporary folder: its REST address and its bootstrap address."""
    with tempfile.TemporaryDirectory(prefix="caudal-benchmark-") as folder:
        command = [sys.executable, "-m", "app", "start", "--data-dir", folder]
        command += ["--port", "0", "--kafka-port", "0", "--ready-json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield ready["rest"], ready["kafka"]
        finally:
            process.terminate()
            process.wait(timeout=30)


def _create_topic(url: str) -> None:
    cluster = json.load(urllib.request.urlopen(f"{url}/v3/clusters"))["data"][0]["metadata"]["self"]
    body = json.dumps({"topic_name": TOPIC, "partitions_count": 1}).encode()
    request = urllib.request.Request(f"{cluster}/topics", body, {"Content-Type": "application/json"})
    with contextlib.suppress(urllib.error.HTTPError):  # it is there from an earlier run
        urllib.request.urlopen(request).close()


def measure(url: str, bootstrap_servers: str, *, connections: int, seconds: float) -> None:
    _create_topic(url)
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    print(f"{platform.platform()}, Python {platform.python_version()}, {connections} connections, {seconds:g} s each\n")
    print("| what | requests/s | records/s | p50 ms | p99 ms |\n|---|---|---|---|---|")
    for records in (1, 100):
        by_rest = produce_by_rest(host, int(port), connections=connections, records=records, seconds=seconds)
        name = f"REST v2 JSON, {records} a request"
        print(_row(name, uvloop.run(by_rest), records=records, seconds=seconds), flush=True)
        by_kafka = produce_by_kafka(bootstrap_servers, connections=connections, records=records, seconds=seconds)
        name = f"aiokafka producer, {records} a turn"
        print(_row(name, uvloop.run(by_kafka), records=records, seconds=seconds), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a running REST Proxy; without it one is started")
    parser.add_argument("--bootstrap-servers", default="127.0.0.1:9092", help="its cluster, for the peer")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        address = (arguments.url, arguments.bootstrap_servers) if arguments.url else stack.enter_context(_started())
        measure(*address, connections=arguments.connections, seconds=arguments.seconds)


if __name__ == "__main__":
    main()
