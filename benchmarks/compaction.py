"""Compaction of a 1 GB log: how long it takes, and what producers to another topic feel of it meanwhile."""

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil
import uvloop

from benchmarks.brokers import machine
from benchmarks.raw_client import ClosedLoop, produce_frame
from benchmarks.table import percentile, table
from broker.protocol.compression import Codec
from broker.protocol.record_batch import Record, build_batch
from caudal.testing import Broker

LOG_BYTES = 1 << 30
SEGMENT_BYTES = 1 << 28
KEYS = 200_000
CASES = ((1_000, Codec.NONE), (100, Codec.NONE), (100, Codec.ZSTD), (100, Codec.LZ4))
BATCH_BYTES = 16_384
CONNECTIONS = 4
QUIET_SECONDS = 5
SECONDS_MAX = 300
P99_MS_MAX = 20
BOUND_SECONDS = 60


def write_log(folder: Path, record_bytes: int, codec: Codec) -> int:
    """Segments of a log as if producers had written them; where the last one, which stays active, begins."""
    source, now_ms = random.Random(1), time.time_ns() // 1_000_000
    values = [source.randbytes((record_bytes - 30) // 2).hex().encode() for _ in range(1_000)]
    count = max(1, BATCH_BYTES // record_bytes)
    offset = written = 0
    segment = folder / f"{offset:020d}.log"
    batches: list[bytes] = []
    segment_bytes = 0
    while written < LOG_BYTES:
        records = [
            Record(offset + n, now_ms, b"key-%012d" % source.randrange(KEYS), source.choice(values))
            for n in range(count)
        ]
        batch = build_batch(records, base_offset=offset, codec=codec)
        if segment_bytes + len(batch) > SEGMENT_BYTES:
            segment.write_bytes(b"".join(batches))
            segment, batches, segment_bytes = folder / f"{offset:020d}.log", [], 0
        batches.append(batch)
        offset += count
        written += len(batch)
        segment_bytes += len(batch)
    segment.write_bytes(b"".join(batches))
    return int(segment.stem)


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


class Watched:
    """What is seen of a compaction from outside: the cleaner's checkpoint, and the memory of its process."""

    def __init__(self, data_folder: Path, broker_pid: int, end_offset: int) -> None:
        self._checkpoint = data_folder / "cleaner-offset-checkpoint"
        self._broker_pid = broker_pid
        self._done = f"big 0 {end_offset}"
        self.memory_mib = 0
        self.cpu_seconds = 0.0

    async def until_compacted(self, done: asyncio.Event) -> float:
        """How many seconds it took; then `done` is set."""
        begun = time.monotonic()
        while time.monotonic() - begun < SECONDS_MAX:
            for child in psutil.Process(self._broker_pid).children():
                with contextlib.suppress(psutil.Error):
                    self.memory_mib = max(self.memory_mib, child.memory_info().rss >> 20)
                    self.cpu_seconds = max(self.cpu_seconds, sum(child.cpu_times()[:2]))
            if self._checkpoint.exists() and self._done in self._checkpoint.read_text().splitlines():
                done.set()
                return time.monotonic() - begun
            await asyncio.sleep(0.05)
        sys.exit(f"not compacted within {SECONDS_MAX} s")


def measure(record_bytes: int, codec: Codec) -> list[list[object]]:
    with tempfile.TemporaryDirectory(prefix="benchmark-compaction-") as folder:
        log_file = Path(folder, "log")
        settings = {"log.cleaner.backoff.ms": "200"}
        with Broker(settings=settings, data_folder=Path(folder, "data"), log_file=log_file) as broker:
            broker.create_topic("big", configs={"cleanup.policy": "delete"})
            broker.create_topic("other")
            broker.stop()
            for old in (broker.data_folder / "big-0").glob("*.log"):
                old.unlink()
            end_offset = write_log(broker.data_folder / "big-0", record_bytes, codec)
            (broker.data_folder / ".kafka_cleanshutdown").unlink(missing_ok=True)
            broker.start()
            watched = Watched(broker.data_folder, broker.pid, end_offset)
            before = _log_bytes(broker.data_folder)
            seconds, quiet, busy = uvloop.run(_measure(broker, watched))
            after = _log_bytes(broker.data_folder)
    what = f"{record_bytes} B, {codec.name.lower()}"
    return [
        [f"{what}: {before >> 20} MiB to {after >> 20} MiB, s", seconds, BOUND_SECONDS],
        [f"{what}: CPU s and MiB of the cleaner's process", f"{watched.cpu_seconds:.1f}, {watched.memory_mib}", ""],
        [f"{what}: produce p50 / p99 / max before, ms", _latencies(quiet), ""],
        [f"{what}: produce p50 / p99 / max meanwhile, ms", _latencies(busy), P99_MS_MAX],
    ]


def _log_bytes(data_folder: Path) -> int:
    return sum(path.stat().st_size for path in (data_folder / "big-0").glob("*.log"))


async def _measure(broker: Broker, watched: Watched) -> tuple[float, list[float], list[float]]:
    """Seconds of the compaction, and latencies of producers before and meanwhile."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    bootstrap = broker.bootstrap_servers
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g"})
    for _ in range(600):
        with contextlib.suppress(KafkaException):
            consumer.get_watermark_offsets(TopicPartition("big", 0), 60)  # recovered now, not while measured
            break
        await asyncio.sleep(0.1)
    consumer.close()
    quiet = await produce(bootstrap, "other", QUIET_SECONDS, asyncio.Event())
    change = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, "big", incremental_configs=[change])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(10)
    done = asyncio.Event()
    busy, seconds = await asyncio.gather(produce(bootstrap, "other", SECONDS_MAX, done), watched.until_compacted(done))
    return seconds, quiet, busy


def _latencies(latencies: list[float]) -> str:
    p50, p99 = (percentile(latencies, percent) * 1000 for percent in (50, 99))
    return f"{p50:.2f} / {p99:.2f} / {max(latencies) * 1000:.1f}"


def main() -> None:
    rows = [row for case in CASES for row in measure(*case)]
    print(machine() + "\n")
    print(table(f"Compaction of 1 GB while {CONNECTIONS} connections produce", ["what", "measured", "bound"], rows))


if __name__ == "__main__":
    main()
