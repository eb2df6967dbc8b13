"""What the log's tests make again and again: batches and a data root."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from broker.log import Appended, LogConfig, LogDirectory, PartitionLog
from broker.protocol.record_batch import (
    BatchHeader,
    Record,
    build_batch,
    check_crc,
    iter_batches,
    iter_records,
    read_header,
)
from tests.doubles import ManualClock

NOW_MS = 1_700_000_000_000  # where a ManualClock starts
TOPIC_ID = uuid.UUID("6ba7b810-9dad-41d1-80b4-00c04fd430c8").bytes


def make_batch(*values: str, timestamp_ms: int = NOW_MS, **fields: object) -> bytes:
    """A batch of records with these values, as a producer sends it."""
    records = [Record(0, timestamp_ms, None, value.encode()) for value in values]
    return build_batch(records, **fields)  # type: ignore[arg-type]


def append(
    log: PartitionLog, *values: str, now_ms: int = NOW_MS, timestamp_ms: int = NOW_MS, **fields: object
) -> Appended:
    """Append one batch of records with these values."""
    batch = make_batch(*values, timestamp_ms=timestamp_ms, **fields)
    return log.append(batch, read_header(batch), now_ms=now_ms)


def batches_in(log: PartitionLog, offset: int | None = None, bytes_max: int = 1 << 20) -> Iterator[BatchHeader]:
    """Headers of all batches from `offset` on, read as a consumer does; each checksum is checked."""
    offset = log.log_start_offset if offset is None else offset
    while offset < log.high_watermark:
        data = log.read(offset=offset, bytes_max=bytes_max)
        if not data:
            return
        for batch in iter_batches(data):
            header = read_header(batch)
            assert check_crc(batch, header)
            yield header
            offset = header.last_offset + 1


def records_in(log: PartitionLog, offset: int | None = None, bytes_max: int = 1 << 20) -> dict[int, str]:
    """Every record from `offset` on, value by offset, read as a consumer does."""
    start = log.log_start_offset if offset is None else offset
    found: dict[int, str] = {}
    offset = start
    while offset < log.high_watermark:
        data = log.read(offset=offset, bytes_max=bytes_max)
        if not data:
            break
        for batch in iter_batches(data):
            for record in iter_records(batch):
                if record.offset >= start:
                    found[record.offset] = (record.value or b"").decode()
            offset = read_header(batch).last_offset + 1
    return found


class DataRoot:
    """A data folder that can be opened again, as after a clean stop or a crash."""

    def __init__(self, path: Path, **options: object) -> None:
        self.path = path
        self.clock = ManualClock()
        self.options = options
        self.logs = self._open()

    def _open(self) -> LogDirectory:
        return LogDirectory.open(self.path, node_id=0, clock=self.clock, **self.options)  # type: ignore[arg-type]

    def create(self, topic: str = "orders", partition: int = 0, **config: object) -> PartitionLog:
        """A new partition with these topic configs."""
        return self.logs.create(topic, partition, TOPIC_ID, LogConfig(**config))  # type: ignore[arg-type]

    def get(self, topic: str = "orders", partition: int = 0) -> PartitionLog:
        """The partition's log."""
        log = self.logs.get(topic, partition)
        assert log is not None
        return log

    def restart(self, *, clean: bool = True) -> LogDirectory:
        """Stop, or crash, and open the folder again with the configs that it had."""
        configs = self.logs._configs
        if clean:
            self.logs.close()
        else:
            self.crash()
        self.logs = self._open()
        for topic, config in configs.items():
            self.logs.configure(topic, config)
        return self.logs

    def crash(self) -> None:
        """Leave everything as it is on disk, as kill -9 does."""
        for log in self.logs._opened():
            log.abandon()
        os.close(self.logs._lock_fd)
        self.logs._is_closed = True

    def folder(self, topic: str = "orders", partition: int = 0) -> Path:
        return self.path / f"{topic}-{partition}"

    def log_files(self, topic: str = "orders", partition: int = 0) -> list[Path]:
        return sorted(self.folder(topic, partition).glob("*.log"))
