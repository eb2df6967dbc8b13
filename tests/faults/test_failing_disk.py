"""EIO: the disk refuses to write, to read or to sync. Clients are told so, and nothing acknowledged is lost."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.errors import KafkaStorageError
from tests.conftest import wait_until
from tests.faults.asking import commit, committed, list_offsets, produce, read_end, read_values
from tests.faults.broker_under_test import BrokerUnderTest
from tests.integration.broker.wire_client import WireClient

PROGRAM = Path(__file__).with_name("failing_disk_broker.py")
STORAGE_ERROR = KafkaStorageError.code


class FailingDisk:
    """A broker with two topics, and the say over its disk."""

    def __init__(self, new_broker: Callable[..., BrokerUnderTest], folder: Path, **settings: str) -> None:
        self._orders = folder / "orders"
        self.broker = new_broker(settings=settings, program=(str(PROGRAM), str(self._orders)))
        for topic in ("sick", "well"):
            self.broker.create_topic(topic, configs={"internal.segment.bytes": "5000"})
        self.acknowledged: list[bytes] = []

    def fail(self, *orders: str) -> None:
        temporary = self._orders.with_suffix(".new")
        temporary.write_text("".join(f"{order}\n" for order in orders))
        os.replace(temporary, self._orders)

    def produce(self, wire: WireClient, count: int = 1, topic: str = "sick") -> list[int]:
        """Produce records with values of their own; the error codes. Those acknowledged are remembered."""
        codes = []
        for _ in range(count):
            value = f"{topic}-{time.monotonic_ns()}".encode()
            codes.append(produce(wire, topic, value).error_code)
            if topic == "sick" and not codes[-1]:
                self.acknowledged.append(value)
        return codes


@pytest.fixture
def disk(new_broker: Callable[..., BrokerUnderTest], tmp_path: Path) -> FailingDisk:
    return FailingDisk(new_broker, tmp_path)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS", "SHORT"])
def test_a_batch_that_cannot_be_written_is_refused_and_the_next_goes_on_where_it_left(
    disk: FailingDisk, error: str
) -> None:
    with WireClient(disk.broker.bootstrap_servers) as wire:
        assert disk.produce(wire, 5) == [0] * 5
        disk.fail(f"pwrite {error} /sick-0/")
        if error == "SHORT":  # the rest is written by another call
            assert disk.produce(wire, 3) == [0] * 3
        else:
            assert disk.produce(wire, 3) == [STORAGE_ERROR] * 3
        assert disk.produce(wire, 3, topic="well") == [0] * 3
        assert commit(wire, "readers", "sick", 3) == 0
        assert read_values(wire, "sick") == disk.acknowledged
        disk.fail()
        assert disk.produce(wire, 5) == [0] * 5
        assert read_values(wire, "sick") == disk.acknowledged
    disk.broker.kill()
    disk.broker.start()
    with WireClient(disk.broker.bootstrap_servers) as wire:
        assert read_values(wire, "sick") == disk.acknowledged
        assert committed(wire, "readers", "sick") == 3
    assert disk.broker.log_lines("torn end") == []
    assert disk.broker.unforeseen_lines() == []


def test_half_a_batch_that_cannot_be_taken_back_either_is_never_seen(disk: FailingDisk) -> None:
    with WireClient(disk.broker.bootstrap_servers) as wire:
        assert disk.produce(wire, 5) == [0] * 5
        disk.fail("ftruncate EIO /sick-0/", "pwrite EIO /sick-0/")
        assert disk.produce(wire, 2) == [STORAGE_ERROR] * 2
        disk.fail("ftruncate EIO /sick-0/")
        assert disk.produce(wire, 1) == [STORAGE_ERROR]  # what may lie behind the last batch must go first
        assert read_values(wire, "sick") == disk.acknowledged
        disk.fail()
        assert disk.produce(wire, 5) == [0] * 5
        assert read_values(wire, "sick") == disk.acknowledged
    assert disk.broker.unforeseen_lines() == []


def test_a_partition_that_cannot_be_read_says_so_until_it_can(disk: FailingDisk) -> None:
    with WireClient(disk.broker.bootstrap_servers) as wire:
        assert disk.produce(wire, 60) == [0] * 60  # several segments
        assert disk.produce(wire, 3, topic="well") == [0] * 3
        disk.fail("pread EIO /sick-0/")
        assert read_values(wire, "sick", expected_error=STORAGE_ERROR) == []
        assert list_offsets(wire, "sick", 0) == [-1]
        assert read_end(wire, "well") == 3
        assert disk.produce(wire, 1) == [0]
        disk.fail()
        assert read_values(wire, "sick") == disk.acknowledged
    assert disk.broker.log_lines("quarantined") == []  # nothing is damaged
    assert disk.broker.unforeseen_lines() == []


@pytest.mark.parametrize("mode", ["interval", "always"])
def test_after_a_failed_sync_a_partition_takes_no_more_until_a_restart_has_checked_it(
    new_broker: Callable[..., BrokerUnderTest], tmp_path: Path, mode: str
) -> None:
    disk = FailingDisk(new_broker, tmp_path, **{"caudal.flush.mode": mode})
    with WireClient(disk.broker.bootstrap_servers) as wire:
        assert disk.produce(wire, 5) == [0] * 5
        disk.fail("fdatasync EIO /sick-0/")
        first = disk.produce(wire, 1)
        if mode == "always":  # else a round of flushes may come between, or not
            assert first == [STORAGE_ERROR]
        wait_until(lambda: disk.produce(wire, 1) == [STORAGE_ERROR], what="the failed flush is noticed")
        disk.fail()
        # Whether the kernel has dropped what it could not write nobody knows; trying again proves nothing.
        assert disk.produce(wire, 1) == [STORAGE_ERROR]
        assert read_values(wire, "sick")[: len(disk.acknowledged)] == disk.acknowledged
        assert disk.produce(wire, 3, topic="well") == [0] * 3
    assert len(disk.broker.log_lines("flush failed topic=sick partition=0")) == 1
    disk.broker.restart()
    with WireClient(disk.broker.bootstrap_servers) as wire:
        assert read_values(wire, "sick")[: len(disk.acknowledged)] == disk.acknowledged
        assert disk.produce(wire, 3) == [0] * 3
    assert disk.broker.unforeseen_lines() == []


def test_checkpoints_and_new_segments_wait_for_a_disk_that_can(
    new_broker: Callable[..., BrokerUnderTest], tmp_path: Path
) -> None:
    disk = FailingDisk(new_broker, tmp_path, **{"log.flush.offset.checkpoint.interval.ms": "100"})
    with WireClient(disk.broker.bootstrap_servers) as wire:
        assert disk.produce(wire, 1) == [0]
        disk.fail("create EIO checkpoint", "rename EIO checkpoint", "create EIO /sick-0/0000")
        codes = disk.produce(wire, 80)
        assert set(codes) == {0, STORAGE_ERROR}  # until the segment was full
        disk.fail()
        assert disk.produce(wire, 80) == [0] * 80
        assert read_values(wire, "sick") == disk.acknowledged
    disk.broker.restart()
    with WireClient(disk.broker.bootstrap_servers) as wire:
        assert read_values(wire, "sick") == disk.acknowledged
    assert disk.broker.unforeseen_lines() == []
