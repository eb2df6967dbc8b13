"""v3's stream of records over one connection, beside a bare producer on the same broker: records a second, latency.

python -m benchmarks.rest_stream [URL BOOTSTRAP]      without them a platform of its own is started

One chunked POST stays open. At most WINDOW records are without a receipt at any time; a record's latency is the time
from its chunk's departure to its receipt. Both ways of writing a stream are measured: a record to a line, and nothing
between records. The peer is aiokafka without any HTTP, with as many records under way.
"""

import asyncio
import sys
import time
import urllib.parse
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from typing import cast

import aiokafka
import psutil
import uvloop

from benchmarks.brokers import machine
from benchmarks.rest_produce import SECONDS, WARM_UP_S, existing_topic, json_value
from benchmarks.start import platform
from benchmarks.table import median, percentile, table

TOPIC = "rest-stream-benchmark"
RUNS = 5
CHUNK_RECORDS = 100
WINDOW = 2_000
RECEIPT_END = b"}\r\n"
SEPARATORS = {"a record to a line": b"\n", "nothing between records": b""}


@dataclass(slots=True)
class Load:
    """What one run measured: receipts after the warm-up, and how long chunks waited for theirs."""

    receipts_count: int = 0
    refused_count: int = 0
    latencies_s: list[float] = field(default_factory=list)


class Stream(asyncio.Protocol):
    """One open request that is fed as receipts come in; no HTTP library, so that the load stays light."""

    def __init__(self, head: bytes, chunk: bytes, load: Load) -> None:
        self._chunk = chunk
        self._head = head
        self._load = load
        self._begin = time.perf_counter()
        self._sent_at: deque[float] = deque()
        self._answered = 0
        self._tail = b""
        self._is_ending = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._head)
        for _ in range(WINDOW // CHUNK_RECORDS):
            self._send()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        data = self._tail + data
        self._tail = data[-len(RECEIPT_END) + 1 :]
        count = data.count(RECEIPT_END)
        is_measured = now >= self._begin + WARM_UP_S
        if is_measured:
            self._load.receipts_count += count
            self._load.refused_count += data.count(b'"message"')
        chunks_before = self._answered // CHUNK_RECORDS
        self._answered += count
        chunks = self._answered // CHUNK_RECORDS - chunks_before
        if now >= self._begin + WARM_UP_S + SECONDS:
            if not self._is_ending:
                self._is_ending = True
                self._transport.write(b"0\r\n\r\n")
            if b"\r\n0\r\n\r\n" in data or data.endswith(b"0\r\n\r\n"):
                self._transport.close()
            return
        for _ in range(chunks):
            sent_at = self._sent_at.popleft()
            if is_measured:
                self._load.latencies_s.append(now - sent_at)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        self._sent_at.append(time.perf_counter())
        self._transport.write(self._chunk)


async def produce_by_stream(records_url: str, separator: bytes) -> Load:
    parts = urllib.parse.urlsplit(records_url)
    assert parts.hostname is not None
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    records = [b'{"value":{"type":"JSON","data":%b}}' % json_value(number) for number in range(CHUNK_RECORDS)]
    body = separator.join([*records, b""])
    load = Load()
    stream = Stream(head.encode(), b"%x\r\n%b\r\n" % (len(body), body), load)
    await asyncio.get_running_loop().create_connection(lambda: stream, parts.hostname, parts.port)
    await stream.ended
    return load


async def produce_by_kafka(bootstrap_servers: str) -> Load:
    """The peer: WINDOW // CHUNK_RECORDS coroutines, each sending a chunk of records and waiting for all of them."""
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=0)
    await producer.start()
    load = Load()
    values = [json_value(number) for number in range(CHUNK_RECORDS)]
    begin = time.perf_counter()

    async def send_over_and_over() -> None:
        while (sent_at := time.perf_counter()) < begin + WARM_UP_S + SECONDS:
            await asyncio.gather(*[await producer.send(TOPIC, value, partition=0) for value in values])
            if sent_at >= begin + WARM_UP_S:
                load.latencies_s.append(time.perf_counter() - sent_at)
                load.receipts_count += len(values)

    try:
        await asyncio.gather(*(send_over_and_over() for _ in range(WINDOW // CHUNK_RECORDS)))
    finally:
        await producer.stop()
    return load


def _row(name: str, loads: list[Load], cpu_us: list[float]) -> list[object]:
    refused = sum(load.refused_count for load in loads)
    return [
        name + (f" ({refused} refused)" if refused else ""),
        median([load.receipts_count / SECONDS for load in loads]),
        median([percentile(load.latencies_s, 50) * 1000 for load in loads]),
        median([percentile(load.latencies_s, 99) * 1000 for load in loads]),
        median(cpu_us) if cpu_us else "–",
    ]


def measure(url: str, bootstrap_servers: str, runs: int, web_pid: int | None = None) -> None:
    cluster = existing_topic(url, TOPIC)
    web = psutil.Process(web_pid) if web_pid is not None else None
    memory_mib: list[float] = []
    loads: dict[str, list[Load]] = {name: [] for name in (*SEPARATORS, "aiokafka")}
    cpu_us: dict[str, list[float]] = {name: [] for name in loads}
    for _ in range(runs):
        for name, separator in SEPARATORS.items():
            before = sum(web.cpu_times()[:2]) if web is not None else 0.0
            load = uvloop.run(produce_by_stream(f"{cluster}/topics/{TOPIC}/records", separator))
            loads[name].append(load)
            memory_mib += [web.memory_info().rss / 2**20] if web is not None else []
            if web is not None:
                seconds = (sum(web.cpu_times()[:2]) - before) * SECONDS / (SECONDS + WARM_UP_S)
                cpu_us[name].append(seconds / max(1, load.receipts_count) * 1e6)
        loads["aiokafka"].append(uvloop.run(produce_by_kafka(bootstrap_servers)))
    print(f"{machine()}; one connection, {WINDOW} records under way, medians of {runs} runs of {SECONDS:g} s\n")
    columns = ["what", "records/s", "p50 ms", "p99 ms", "CPU µs a record (web)"]
    print(table("REST Proxy, v3 stream", columns, [_row(name, loads[name], cpu_us[name]) for name in loads]))
    if memory_mib:
        records = sum(load.receipts_count for name in SEPARATORS for load in loads[name])
        print(f"memory of the proxy after its first stream and after all {records:,} records:", end=" ")
        print(f"{memory_mib[0]:.0f} and {memory_mib[-1]:.0f} MiB (resident)", flush=True)


def main(url: str = "", bootstrap_servers: str = "", *, runs: int = RUNS) -> None:
    if url:
        measure(url, bootstrap_servers, runs)
        return
    with platform() as (ready, _):
        pids = ready["pids"]
        assert isinstance(pids, dict)
        measure(str(ready["rest"]), str(ready["kafka"]), runs, int(pids["web"]))


if __name__ == "__main__":
    main(*sys.argv[1:3])
