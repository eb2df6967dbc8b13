"""Groups in the partitions of a real log: what is written is there after a restart, whatever lies between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import KafkaStorageError
from broker.groups.offsets import OFFSETS_TOPIC
from broker.groups.offsets_topic import PartitionOffsetsLog, partition_of
from broker.groups.records import OffsetsRecord
from broker.log import FlushMode, FlushPolicy, LogConfig, LogDirectory, PartitionLog
from broker.protocol.record_batch import Record, build_batch, build_marker, read_header
from tests.doubles import ManualClock

NOW_MS = 1_700_000_000_000  # where a ManualClock starts
PARTITIONS = 3


class OffsetsTopic:
    """A data folder with `__consumer_offsets` in three partitions."""

    def __init__(self, folder: Path, mode: FlushMode = FlushMode.NEVER) -> None:
        self.logs = LogDirectory.open(folder, node_id=0, clock=ManualClock(), flush=FlushPolicy(mode))
        self.created = 0
        self.log = PartitionOffsetsLog(existing=self.existing, ensure=self.ensure)

    def existing(self) -> list[PartitionLog]:
        found = [self.logs.get(OFFSETS_TOPIC, partition) for partition in range(PARTITIONS)]
        return [log for log in found if log is not None]

    def ensure(self) -> list[PartitionLog]:
        self.created += 1
        for partition in range(PARTITIONS if not self.existing() else 0):
            self.logs.create(OFFSETS_TOPIC, partition, bytes(range(16)), LogConfig())
        return self.existing()

    def append(self, group_id: str, *values: bytes | None) -> None:
        records = [OffsetsRecord(group_id.encode(), value) for value in values]
        self.log.append(group_id, records, wall_ms=NOW_MS)

    def append_batch(self, batch: bytes) -> None:
        """Into partition 0, as another writer would."""
        self.ensure()[0].append(bytearray(batch), read_header(batch), now_ms=NOW_MS)

    def read(self) -> list[tuple[bytes, bytes | None]]:
        return [tuple(record) for record in self.log.read()]  # type: ignore[misc]


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[OffsetsTopic]:
    topic = OffsetsTopic(tmp_path)
    yield topic
    topic.logs.close()


@pytest.mark.parametrize(
    ("group_id", "partition"),
    [("g", 7), ("of", 7), ("nullc", 4), ("nullc0", 4), ("con", 2), ("", 0), ("st", 1), ("simple", 6)],
)
def test_group_is_kept_where_kafka_keeps_it(group_id: str, partition: int) -> None:
    assert partition_of(group_id, 8) == partition


def test_group_whose_hash_has_no_positive_counterpart_is_kept_in_partition_0() -> None:
    assert partition_of("polygenelubricants", 50) == 0


def test_group_ids_outside_the_basic_plane_are_hashed_as_java_does() -> None:
    # Two UTF-16 units, 0xD83E and 0xDD92.
    assert partition_of("🦒", 1_000_003) == (0xD83E * 31 + 0xDD92) % 1_000_003


def test_nothing_is_created_before_the_first_append(topic: OffsetsTopic) -> None:
    assert topic.read() == []
    assert not topic.log.is_strict
    assert topic.created == 0
    topic.append("g", b"1")
    topic.append("g", b"2")
    assert topic.created == 1


def test_records_come_back_in_order(topic: OffsetsTopic) -> None:
    topic.append("g", b"1", b"2")
    topic.append("g", None)
    topic.append("g", b"3")
    assert topic.read() == [(b"g", b"1"), (b"g", b"2"), (b"g", None), (b"g", b"3")]


def test_groups_of_all_partitions_come_back(topic: OffsetsTopic) -> None:
    names = [f"group-{number}" for number in range(20)]
    for name in names:
        topic.append(name, b"1")
    assert {key.decode() for key, _ in topic.read()} == set(names)
    assert all(log.log_end_offset > 0 for log in topic.existing())


def test_records_survive_a_restart(tmp_path: Path) -> None:
    topic = OffsetsTopic(tmp_path)
    topic.append("g", b"1")
    topic.logs.close()
    again = OffsetsTopic(tmp_path)
    assert again.read() == [(b"g", b"1")]
    again.append("g", b"2")
    assert again.read() == [(b"g", b"1"), (b"g", b"2")]
    again.logs.close()


def test_transactional_offsets_count_from_their_commit_marker_on(topic: OffsetsTopic) -> None:
    def transactional(producer_id: int, key: bytes) -> bytes:
        return build_batch(
            [Record(0, NOW_MS, key, b"1")],
            producer_id=producer_id,
            producer_epoch=0,
            base_sequence=0,
            transactional=True,
        )

    def marker(producer_id: int, commit: bool) -> bytes:
        return build_marker(
            commit=commit, producer_id=producer_id, producer_epoch=0, coordinator_epoch=0, timestamp_ms=NOW_MS
        )

    for producer_id, key in ((1, b"committed"), (2, b"aborted"), (3, b"open")):
        topic.append_batch(transactional(producer_id, key))
    topic.append_batch(build_batch([Record(0, NOW_MS, b"plain", b"1")]))
    topic.append_batch(marker(2, commit=False))
    topic.append_batch(marker(1, commit=True))
    assert [key for key, _ in topic.read()] == [b"plain", b"committed"]


def test_damaged_batch_does_not_take_the_others_along(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    topic = OffsetsTopic(tmp_path)
    for value in (b"first", b"damaged", b"last"):
        topic.append("g", value)
    topic.logs.close()
    (file,) = (path for path in tmp_path.glob("__consumer_offsets-*/*.log") if path.stat().st_size)
    file.write_bytes(file.read_bytes().replace(b"damaged", b"dAmaged"))
    again = OffsetsTopic(tmp_path)
    assert [value for _, value in again.read()] == [b"first", b"last"]
    assert "passed over" in caplog.text
    again.logs.close()


def test_after_the_topic_was_deleted_the_next_append_makes_it_anew(topic: OffsetsTopic) -> None:
    topic.append("g", b"1")
    for partition in range(PARTITIONS):
        topic.logs.delete(OFFSETS_TOPIC, partition)
    topic.log.forget()
    topic.append("g", b"2")
    assert topic.read() == [(b"g", b"2")]


def test_strict_flush_policy_calls_back_after_the_flush(tmp_path: Path) -> None:
    topic = OffsetsTopic(tmp_path, FlushMode.ALWAYS)
    topic.append("g", b"1")
    assert topic.log.is_strict
    called: list[KafkaStorageError | None] = []
    topic.log.when_durable("g", called.append)  # type: ignore[arg-type]
    assert called == []
    for log in topic.existing():
        log.flush()
    assert called == [None]
    topic.logs.close()
