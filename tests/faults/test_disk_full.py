"""T5: the disk is full. Producers are told so, everything else goes on, and room is all it takes to go on fully."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.errors import KafkaStorageError
from broker.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from broker.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from broker.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from tests.conftest import wait_until
from tests.faults.asking import commit, committed, produce, read_end
from tests.faults.broker_under_test import MIB, BrokerUnderTest
from tests.integration.broker.wire_client import WireClient

DISK_MIB = 64
VALUE = bytes(64 * 1024)
SETTINGS = {
    "log.retention.check.interval.ms": "200",
    "log.flush.offset.checkpoint.interval.ms": "200",
    "log.segment.bytes": str(4 * MIB),
    "log.segment.delete.delay.ms": "0",
}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 64 MB."""
    folder = Path(tempfile.mkdtemp(prefix="caudal-small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"a small file system needs root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def produce_until_full(wire: WireClient, topic: str) -> tuple[int, int]:
    """(end offset of what was acknowledged, error code of the batch that was not)."""
    acknowledged = 0
    for _ in range(2 * DISK_MIB * MIB // len(VALUE)):
        answer = produce(wire, topic, VALUE)
        if answer.error_code:
            return acknowledged, answer.error_code
        acknowledged = answer.base_offset + 1
    raise AssertionError("the disk never got full")


def test_a_full_disk_refuses_producers_only_and_room_is_all_it_takes(
    small_disk: Path, new_broker: Callable[..., BrokerUnderTest], figures: Callable[..., None]
) -> None:
    broker = new_broker(settings=SETTINGS, data_folder=small_disk / "data")
    for topic in ("filling", "other"):
        broker.create_topic(topic)
    with WireClient(broker.bootstrap_servers) as wire:
        assert commit(wire, "readers", "filling", 1) == 0
        end_offset, error_code = produce_until_full(wire, "filling")
        assert error_code == KafkaStorageError.code
        while produce(wire, "other", bytes(100)).error_code == 0:  # until not even this fits
            pass

        # Full. Nothing of the refused batch can be seen, and the rest works.
        assert read_end(wire, "filling") == end_offset
        codes = [commit(wire, "readers", "filling", offset) for offset in range(2, 102)]
        assert codes == [0] * 100
        assert committed(wire, "readers", "filling") == 101
        time.sleep(0.5)  # background work meets the full disk too
        assert read_end(wire, "filling") == end_offset

        # Records are deleted, and producing goes on by itself.
        topic = DeleteRecordsTopic(
            name="filling",
            partitions=[DeleteRecordsPartition(partition_index=0, offset=end_offset - 10)],
        )
        deleted = wire.ask(DeleteRecordsRequest(topics=[topic], timeout_ms=5000), 2).topics[0].partitions[0]
        assert (deleted.error_code, deleted.low_watermark) == (0, end_offset - 10)
        begun = time.monotonic()
        wait_until(lambda: produce(wire, "filling", VALUE).error_code == 0, timeout=15, what="producing resumes")
        resumed_s = time.monotonic() - begun
    figures(disk_mib=DISK_MIB, acknowledged=end_offset, resumed_s=resumed_s)
    assert broker.unforeseen_lines() == []
    broker.kill()
    broker.start()
    with WireClient(broker.bootstrap_servers) as wire:
        assert committed(wire, "readers", "filling") == 101
        assert produce(wire, "filling").error_code == 0


def test_a_topic_can_be_deleted_from_a_full_disk_and_that_makes_room(
    small_disk: Path, new_broker: Callable[..., BrokerUnderTest]
) -> None:
    broker = new_broker(settings=SETTINGS, data_folder=small_disk / "data")
    broker.create_topic("filling", configs={"file.delete.delay.ms": "0"})
    broker.create_topic("other")
    with WireClient(broker.bootstrap_servers) as wire:
        produce_until_full(wire, "filling")
        while produce(wire, "other", bytes(100)).error_code == 0:
            pass
        request = CreateTopicsRequest(
            topics=[CreatableTopic(name="new", num_partitions=1, replication_factor=1)], timeout_ms=5000
        )
        assert wire.ask(request, 5).topics[0].error_code in (0, KafkaStorageError.code)
        deletion = DeleteTopicsRequest(topics=[DeleteTopicState(name="filling")], topic_names=["filling"])
        assert wire.ask(deletion, 4).responses[0].error_code == 0
        wait_until(lambda: produce(wire, "other").error_code == 0, timeout=20, what="producing resumes")
    assert broker.unforeseen_lines() == []
    broker.restart()
    with WireClient(broker.bootstrap_servers) as wire:
        assert produce(wire, "other").error_code == 0


def test_a_broker_starts_on_a_full_disk(small_disk: Path, new_broker: Callable[..., BrokerUnderTest]) -> None:
    broker = new_broker(settings=SETTINGS, data_folder=small_disk / "data")
    broker.create_topic("filling", configs={"file.delete.delay.ms": "0"})
    with WireClient(broker.bootstrap_servers) as wire:
        end_offset, _ = produce_until_full(wire, "filling")
    broker.kill()
    fill_up(small_disk)
    broker.start()
    with WireClient(broker.bootstrap_servers) as wire:
        assert read_end(wire, "filling") == end_offset
        assert produce(wire, "filling", VALUE).error_code == KafkaStorageError.code
        deletion = DeleteTopicsRequest(topics=[DeleteTopicState(name="filling")], topic_names=["filling"])
        assert wire.ask(deletion, 4).responses[0].error_code == 0
    broker.stop()
    broker.start()
    assert broker.unforeseen_lines() == []


def fill_up(disk: Path) -> None:
    """Leave not a byte: what else is on the disk may fill it as well."""
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert shutil.disk_usage(disk).free < MIB
