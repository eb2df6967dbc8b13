"""Ready-made requests over raw connections, so that the broker is the limit; prints one JSON line.

python -m benchmarks.raw_client BOOTSTRAP TOPIC produce|metadata CONNECTIONS SECONDS RECORDS SIZE [--scram NAME:SECRET]
"""

import asyncio
import json
import socket
import sys
import time
from typing import cast

import uvloop

from benchmarks.scram_login import logged_in
from benchmarks.table import percentile
from broker.protocol.api_keys import ApiKey
from broker.protocol.frames import request_frame
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.record_batch import Record, build_batch

PRODUCE_VERSION = 9
METADATA_VERSION = 9


class ClosedLoop(asyncio.Protocol):
    """One connection that sends the same frame again as soon as its answer is whole."""

    def __init__(self, frame: bytes, until: float, done: "asyncio.Future[None]") -> None:
        self._frame = frame
        self._until = until
        self._done = done
        self._missing = 0
        self._sent_at = 0.0
        self.latencies: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        if self._missing == 0:
            self._missing = 4 + int.from_bytes(data[:4], "big")
        self._missing -= len(data)
        if self._missing > 0:
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent_at)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._frame)


def produce_frame(topic: str, records: int, size: int) -> bytes:
    now_ms = time.time_ns() // 1_000_000
    batch = build_batch([Record(index, now_ms, None, bytes(size), ()) for index in range(records)])
    partition = PartitionProduceData(index=0, records=batch)
    request = ProduceRequest(
        acks=-1, timeout_ms=30_000, topic_data=[TopicProduceData(name=topic, partition_data=[partition])]
    )
    return request_frame(ApiKey.PRODUCE, PRODUCE_VERSION, 1, "bench", request)


def metadata_frame(topic: str) -> bytes:
    request = MetadataRequest(topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)
    return request_frame(ApiKey.METADATA, METADATA_VERSION, 1, "bench", request)


def connect(bootstrap: str, login: str) -> socket.socket:
    host, _, port = bootstrap.rpartition(":")
    if not login:
        return socket.create_connection((host, int(port)))
    user, _, password = login.partition(":")
    return logged_in(host, int(port), user, password)


async def run(bootstrap: str, frame: bytes, connections: int, seconds: float, login: str = "") -> dict[str, float]:
    loop = asyncio.get_running_loop()
    sockets = [connect(bootstrap, login) for _ in range(connections)]
    started = time.perf_counter()
    clients = []
    ends = []
    for each in sockets:
        end: asyncio.Future[None] = loop.create_future()
        client = ClosedLoop(frame, started + seconds, end)
        await loop.create_connection(lambda client=client: client, sock=each)  # type: ignore[misc]
        clients.append(client)
        ends.append(end)
    await asyncio.gather(*ends)
    elapsed = time.perf_counter() - started
    latencies = [latency for client in clients for latency in client.latencies]
    return {
        "requests_per_second": len(latencies) / elapsed,
        "requests": len(latencies),
        "p50_ms": percentile(latencies, 50) * 1000,
        "p99_ms": percentile(latencies, 99) * 1000,
    }


def main() -> None:
    bootstrap, topic, what, connections, seconds, records, size, *login = sys.argv[1:]
    frame = produce_frame(topic, int(records), int(size)) if what == "produce" else metadata_frame(topic)
    print(json.dumps(uvloop.run(run(bootstrap, frame, int(connections), float(seconds), "".join(login[1:])))))


if __name__ == "__main__":
    main()
