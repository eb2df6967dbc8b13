"""Compaction of a 1 GB log: how long it takes, and what producers to another topic feel of it meanwhile."""

import asyncio
import random
import re
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.brokers import machine
from benchmarks.raw_client import ClosedLoop, produce_frame
from benchmarks.table import percentile, table
from broker.protocol.record_batch import Record, build_batch
from caudal.testing import Broker

LOG_BYTES = 1 << 30
SEGMENT_BYTES = 1 << 28
KEYS = 200_000
RECORD_BYTES = (1_000, 100)
BATCH_BYTES = 16_384
CONNECTIONS = 4
QUIET_SECONDS = 5
SECONDS_MAX = 120
P99_MS_MAX = 20
BOUND_SECONDS = 60


def write_log(folder: Path, record_bytes: int) -> None:
    """Segments of a log as if producers had written them, and an active one after them."""
    random_keys, now_ms = random.Random(1), time.time_ns() // 1_000_000
    value = bytes(record_bytes - 30)
    count = max(1, BATCH_BYTES // record_bytes)
    offset = written = 0
    segment = folder / f"{offset:020d}.log"
    batches: list[bytes] = []
    segment_bytes = 0
    while written < LOG_BYTES:
        records = [Record(offset + n, now_ms, b"key-%012d" % random_keys.randrange(KEYS), value) for n in range(count)]
        batch = build_batch(records, base_offset=offset)
        if segment_bytes + len(batch) > SEGMENT_BYTES:
            segment.write_bytes(b"".join(batches))
            segment, batches, segment_bytes = folder / f"{offset:020d}.log", [], 0
        batches.append(batch)
        offset += count
        written += len(batch)
        segment_bytes += len(batch)
    segment.write_bytes(b"".join(batches))
    (folder / f"{offset:020d}.log").touch()


async def produce(bootstrap: str, topic: str, seconds: float, stop: asyncio.Event) -> list[float]:
    """Latencies of closed-loop producers until the time is over or `stop` is set."""
    host, _, port = bootstrap.rpartition(":")
    loop = asyncio.get_running_loop()
    frame, until = produce_frame(topic, 10, 100), time.perf_counter() + seconds
    clients: list[ClosedLoop] = []
    ends: list[asyncio.Future[None]] = []
    for _ in range(CONNECTIONS):
        end: asyncio.Future[None] = loop.create_future()
        client = ClosedLoop(frame, until, end)
        await loop.create_connection(lambda client=client: client, host, int(port))  # type: ignore[misc]
        clients.append(client)
        ends.append(end)
    waiting = asyncio.ensure_future(stop.wait())
    everything = asyncio.gather(*ends)
    await asyncio.wait([waiting, everything], return_when=asyncio.FIRST_COMPLETED)
    for client in clients:
        client._until = 0.0
    await everything
    waiting.cancel()
    return [latency for client in clients for latency in client.latencies]


async def until_compacted(log_file: Path, done: asyncio.Event) -> str:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        for line in log_file.read_text().splitlines():  # noqa: ASYNC240  small, and not the broker's loop
            if "log compacted topic=big" in line:
                done.set()
                return line
        await asyncio.sleep(0.05)
    done.set()
    return ""


def measure(record_bytes: int) -> list[list[object]]:
    with tempfile.TemporaryDirectory(prefix="benchmark-compaction-") as folder:
        log_file = Path(folder, "log")
        settings = {"log.cleaner.backoff.ms": "200"}
        with Broker(settings=settings, data_folder=Path(folder, "data"), log_file=log_file) as broker:
            broker.create_topic("big", configs={"cleanup.policy": "delete"})
            broker.create_topic("other")
            broker.stop()
            for old in (broker.data_folder / "big-0").glob("*.log"):
                old.unlink()
            write_log(broker.data_folder / "big-0", record_bytes)
            (broker.data_folder / ".kafka_cleanshutdown").unlink(missing_ok=True)
            broker.start()
            return uvloop.run(_measure(broker, log_file, record_bytes))


async def _measure(broker: Broker, log_file: Path, record_bytes: int) -> list[list[object]]:
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    bootstrap = broker.bootstrap_servers
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g"})
    consumer.get_watermark_offsets(TopicPartition("big", 0), 60)  # recovered now, not while measured
    consumer.close()
    quiet = await produce(bootstrap, "other", QUIET_SECONDS, asyncio.Event())
    change = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, "big", incremental_configs=[change])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(10)
    done = asyncio.Event()
    busy, line = await asyncio.gather(produce(bootstrap, "other", SECONDS_MAX, done), until_compacted(log_file, done))
    found = re.search(r"keys=(\d+) bytes_before=(\d+) bytes_after=(\d+) ms=(\d+)", line)
    if found is None:
        sys.exit(f"not compacted within {SECONDS_MAX} s")
    keys, before, after, ms = map(int, found.groups())
    what = f"{record_bytes} B records"
    return [
        [f"{what}: {before >> 20} MiB to {after >> 20} MiB, {keys} keys, s", ms / 1000, BOUND_SECONDS],
        [f"{what}: produce p50 / p99 before, ms", _latencies(quiet), ""],
        [f"{what}: produce p50 / p99 / max meanwhile, ms", _latencies(busy), P99_MS_MAX],
    ]


def _latencies(latencies: list[float]) -> str:
    p50, p99 = (percentile(latencies, percent) * 1000 for percent in (50, 99))
    return f"{p50:.2f} / {p99:.2f} / {max(latencies) * 1000:.1f}"


def main() -> None:
    rows = [row for record_bytes in RECORD_BYTES for row in measure(record_bytes)]
    print(machine() + "\n")
    print(table(f"Compaction of 1 GB while {CONNECTIONS} connections produce", ["what", "measured", "bound"], rows))


if __name__ == "__main__":
    main()
