"""Compaction of a 1 GB log: how long it takes, and what producers to another topic feel of it meanwhile.

With `python -m benchmarks.compaction --case 100:lz4 --mib 50` only some records, one codec or a smaller log.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from benchmarks.brokers import machine
from benchmarks.raw_client import ClosedLoop, produce_frame
from benchmarks.table import percentile, table
from broker.protocol.compression import Codec
from broker.protocol.record_batch import Record, build_batch
from caudal.testing import Broker

LOG_MIB = 1_024
SEGMENTS = 4
KEYS = 200_000
CASES = tuple((record_bytes, codec) for record_bytes in (1_000, 100) for codec in (Codec.NONE, Codec.LZ4, Codec.ZSTD))
"""Of compressed batches the log has as many bytes on disk: several times the records."""
BATCH_BYTES = 16_384
CONNECTIONS = 4
QUIET_SECONDS = 5
SECONDS_MAX = 300
P99_MS_MAX = 20
BOUND_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Written:
    """A log as if producers had written it: where its last segment begins, which stays active; all its records."""

    active_offset: int
    records: int


def write_log(folder: Path, record_bytes: int, codec: Codec, log_bytes: int) -> Written:
    """Write its segments."""
    source, now_ms = random.Random(1), time.time_ns() // 1_000_000
    values = [source.randbytes((record_bytes - 30) // 2).hex().encode() for _ in range(1_000)]
    count = max(1, BATCH_BYTES // record_bytes)
    offset = written = 0
    segment = folder / f"{offset:020d}.log"
    batches: list[bytes] = []
    segment_bytes = 0
    while written < log_bytes:
        records = [
            Record(offset + n, now_ms, b"key-%012d" % source.randrange(KEYS), source.choice(values))
            for n in range(count)
        ]
        batch = build_batch(records, base_offset=offset, codec=codec)
        if segment_bytes + len(batch) > log_bytes // SEGMENTS:
            segment.write_bytes(b"".join(batches))
            segment, batches, segment_bytes = folder / f"{offset:020d}.log", [], 0
        batches.append(batch)
        offset += count
        written += len(batch)
        segment_bytes += len(batch)
    segment.write_bytes(b"".join(batches))
    return Written(int(segment.stem), offset)


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


def measure(record_bytes: int, codec: Codec, log_bytes: int) -> list[list[object]]:
    with tempfile.TemporaryDirectory(prefix="benchmark-compaction-") as folder:
        log_file = Path(folder, "log")
        settings = {"log.cleaner.backoff.ms": "200"}
        with Broker(settings=settings, data_folder=Path(folder, "data"), log_file=log_file) as broker:
            broker.create_topic("big", configs={"cleanup.policy": "delete"})
            broker.create_topic("other")
            broker.stop()
            for old in (broker.data_folder / "big-0").glob("*.log"):
                old.unlink()
            log = write_log(broker.data_folder / "big-0", record_bytes, codec, log_bytes)
            (broker.data_folder / ".kafka_cleanshutdown").unlink(missing_ok=True)
            broker.start()
            watched = Watched(broker.data_folder, broker.pid, log.active_offset)
            before = _log_bytes(broker.data_folder)
            seconds, quiet, busy = uvloop.run(_measure(broker, watched))
            after = _log_bytes(broker.data_folder)
    what = f"{record_bytes} B, {codec.name.lower()}"
    return [
        [f"{what}: {before >> 20} MiB to {after >> 20} MiB, s", seconds, BOUND_SECONDS],
        [f"{what}: million records a second", f"{log.records / seconds / 1e6:.2f} of {log.records / 1e6:.1f}", ""],
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


def case_of(text: str) -> tuple[int, Codec]:
    """`100:lz4`: records of 100 bytes in batches of LZ4. Raises ValueError."""
    record_bytes, _, codec = text.partition(":")
    try:
        return int(record_bytes), Codec[codec.upper()]
    except KeyError:
        raise ValueError(f"no codec {codec}") from None


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compaction")
    parser.add_argument("--case", type=case_of, action="append", help="record bytes and codec, 100:lz4; default: all")
    parser.add_argument("--mib", type=int, default=LOG_MIB, help="size of the log on disk")
    asked = parser.parse_args(arguments)
    rows = [row for case in asked.case or CASES for row in measure(*case, asked.mib << 20)]
    print(machine() + "\n")
    title = f"Compaction of {asked.mib} MiB while {CONNECTIONS} connections produce"
    print(table(title, ["what", "measured", "bound"], rows))


if __name__ == "__main__":
    main(sys.argv[1:])
