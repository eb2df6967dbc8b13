"""REST consume (API v2, binary) by 32 instances, beside librdkafka reading the same topic in the same minute.

The 32 instances are the members of one group that subscribes to one topic of 32 partitions, so each has one. A run
reads the whole topic once: each instance asks for its next records as soon as it has the last answer, until it has seen
all of its partition; before the next run all go back to the beginning. Every answer must be 200, and every record is
counted where it arrives. The load reads raw sockets and parses nothing but lengths; it still takes its part of a small
machine.
"""

import asyncio
import json
import time
import urllib.request
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import psutil
import uvloop
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks import librdkafka_client
from benchmarks.brokers import machine
from benchmarks.start import platform
from benchmarks.table import median, table

TOPIC = "rest-consume-benchmark"
GROUP = "rest-consume-benchmark"
RUNS = 5
INSTANCES = 32
RECORDS_EACH = 40_000
VALUE_BYTES = 100
BOUND = 350_000
V2_JSON = "application/vnd.kafka.v2+json"
BINARY = "application/vnd.kafka.binary.v2+json"
QUERIES = {"with no max_bytes": "", "max_bytes=100000": "?max_bytes=100000"}
RECORD_MARK = b'"offset":'


@dataclass(frozen=True, slots=True)
class Instance:
    """A consumer instance and the one partition it has."""

    url: str
    partition: int


@dataclass(frozen=True, slots=True)
class Run:
    """One reading of the whole topic."""

    seconds: float
    web_cpu_seconds: float
    broker_cpu_seconds: float
    load_cpu_seconds: float
    requests: int


class Reading(asyncio.Protocol):
    """One instance's requests over one connection, until it has counted all the records of its partition."""

    def __init__(self, target: str, host: str) -> None:
        self._request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: {BINARY}\r\n\r\n".encode()
        self._missing = 0
        self._edge = b""
        self.requests_count = 0
        self.records_count = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._missing == 0:
            data = self._edge + data
            head, found, body = data.partition(b"\r\n\r\n")
            if not found:
                self._edge = data
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self.ended.set_exception(AssertionError(data.decode()))
                return
            self._missing = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            data, self._edge = body, b""
        self._missing -= len(data)
        # A mark that two pieces share is counted with the second of them.
        self.records_count += (self._edge + data).count(RECORD_MARK)
        self._edge = data[-len(RECORD_MARK) + 1 :]
        if self._missing == 0:
            self._edge = b""
            if self.records_count < RECORDS_EACH:
                self._ask()
            elif not self.ended.done():
                self.ended.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError("the proxy closed the connection"))

    def _ask(self) -> None:
        self.requests_count += 1
        self._transport.write(self._request)


async def read_all(instances: list[Instance], query: str) -> int:
    """Requests that it took until every instance had read its partition."""
    readings = []
    for instance in instances:
        parts = urlsplit(instance.url)
        assert parts.hostname is not None
        reading = Reading(f"{parts.path}/records{query}", parts.netloc)
        readings.append(reading)
        await asyncio.get_running_loop().create_connection(lambda made=reading: made, parts.hostname, parts.port)
    await asyncio.gather(*(reading.ended for reading in readings))
    assert sum(reading.records_count for reading in readings) == INSTANCES * RECORDS_EACH
    return sum(reading.requests_count for reading in readings)


def call(method: str, url: str, body: object = None, media_type: str = V2_JSON) -> object:
    headers = {"Content-Type": V2_JSON, "Accept": media_type}
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers, method=method)
    answer = urllib.request.urlopen(request).read()
    return json.loads(answer) if answer else None


def fill(bootstrap_servers: str) -> None:
    """The same number of records of VALUE_BYTES in every partition, in batches as librdkafka makes them."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(TOPIC, INSTANCES, 1)])[TOPIC].result(30)
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 50, "enable.idempotence": True})
    for partition in range(INSTANCES):
        for _ in range(RECORDS_EACH):
            producer.produce(TOPIC, bytes(range(VALUE_BYTES)), partition=partition)
        producer.flush()


def members(rest: str) -> list[Instance]:
    """INSTANCES members of one group, when each of them has its partition."""
    urls = []
    for number in range(INSTANCES):
        config = {"name": f"member-{number}", "format": "binary", "auto.offset.reset": "earliest"}
        created = call("POST", f"{rest}/consumers/{GROUP}", config)
        assert isinstance(created, dict)
        urls.append(created["base_uri"])
        call("POST", f"{created['base_uri']}/subscription", {"topics": [TOPIC]})
    while True:
        assigned = [
            cast(dict[str, list[dict[str, int]]], call("GET", f"{url}/assignments"))["partitions"] for url in urls
        ]
        if sorted(one["partition"] for own in assigned for one in own) == list(range(INSTANCES)) and all(assigned):
            return [Instance(url, own[0]["partition"]) for url, own in zip(urls, assigned, strict=True)]
        time.sleep(0.1)


def to_the_beginning(instances: list[Instance]) -> None:
    for instance in instances:
        partition = {"topic": TOPIC, "partition": instance.partition}
        call("POST", f"{instance.url}/positions/beginning", {"partitions": [partition]})


def run(instances: list[Instance], query: str, web: psutil.Process, broker: psutil.Process) -> Run:
    to_the_beginning(instances)
    before = [cpu_seconds(one) for one in (web, broker, psutil.Process())]
    began = time.perf_counter()
    requests = uvloop.run(read_all(instances, query))
    seconds = time.perf_counter() - began
    spent = [cpu_seconds(one) - then for one, then in zip((web, broker, psutil.Process()), before, strict=True)]
    return Run(seconds, *spent, requests)


def cpu_seconds(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def main() -> None:
    records = INSTANCES * RECORDS_EACH
    runs: dict[str, list[Run]] = {name: [] for name in QUERIES}
    peer_seconds: list[float] = []
    with platform() as (ready, _):
        pids = cast(dict[str, int], ready["pids"])
        web, broker = psutil.Process(pids["web"]), psutil.Process(pids["broker"])
        bootstrap_servers = str(ready["kafka"])
        fill(bootstrap_servers)
        instances = members(str(ready["rest"]))
        for _ in range(RUNS):
            for name, query in QUERIES.items():
                runs[name].append(run(instances, query, web, broker))
            common = {"bootstrap.servers": bootstrap_servers}
            peer_seconds.append(librdkafka_client.consume(common, TOPIC, records, VALUE_BYTES))
        memory_mib = web.memory_info().rss / 2**20
    peer = median([records / seconds for seconds in peer_seconds])
    rows: list[list[object]] = []
    for name, of_name in runs.items():
        rate = median([records / one.seconds for one in of_name])
        cpu_us = [
            median([getattr(one, field) / records * 1e6 for one in of_name])
            for field in ("web_cpu_seconds", "broker_cpu_seconds", "load_cpu_seconds")
        ]
        each = records / median([one.requests for one in of_name])
        rows.append([name, rate, BOUND, rate / peer, each, *cpu_us])
    rows.append(["librdkafka, one consumer, no HTTP", peer, "", 1.0, "", "", "", ""])
    print(f"{machine()}; {records:,} records of {VALUE_BYTES} B, medians of {len(peer_seconds)} runs")
    print(f"memory of the web process afterwards: {memory_mib:.0f} MiB\n")
    cpu = [f"CPU µs a record: {one}" for one in ("web", "broker", "load")]
    columns = ["what", "records/s", "bound", "ratio", "records an answer", *cpu]
    print(table("REST consume, v2 binary", columns, rows))


if __name__ == "__main__":
    main()
