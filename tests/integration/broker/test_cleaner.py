"""The cleaner with its worker process, on a data folder without a broker: what happens when things go wrong."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.cleaner import Cleaner, CleanerSettings
from broker.log import PartitionLog
from tests.unit.broker.log.compacting import items_in, put, roll
from tests.unit.broker.log.making import DataRoot

SETTINGS = CleanerSettings(backoff_ms=1, key_map_bytes_max=1 << 20, bytes_per_second_max=1e12)


@pytest.fixture
async def root(tmp_path: Path) -> AsyncIterator[DataRoot]:
    root = DataRoot(tmp_path / "data")
    yield root
    root.logs.close()


@pytest.fixture
async def cleaner(root: DataRoot) -> AsyncIterator[Cleaner]:
    cleaner = Cleaner(root.logs, root.clock, lambda: SETTINGS)
    yield cleaner
    await cleaner.stop()


def fill(root: DataRoot, topic: str = "orders", segments: int = 3, **config: object) -> PartitionLog:
    """Segments in which one key has many values."""
    log = root.create(topic, cleanup_policy="compact", **config)
    for number in range(segments):
        put(log, ("k", str(number)), (f"k{number}", "x" * 1000))
        roll(log)
    return log


async def test_dirty_logs_are_compacted_and_it_is_written_down(root: DataRoot, cleaner: Cleaner) -> None:
    logs = [fill(root, "one"), fill(root, "two")]
    root.create("three", cleanup_policy="delete")
    assert await cleaner.clean_all() == 2
    for log in logs:
        assert list(items_in(log)) == [1, 3, 4, 5]
    checkpoint = (root.path / "cleaner-offset-checkpoint").read_text()
    assert sorted(checkpoint.split("\n")[2:4]) == ["one 0 6", "two 0 6"]
    assert await cleaner.clean_all() == 0


async def test_a_worker_that_dies_costs_nothing(root: DataRoot, cleaner: Cleaner) -> None:
    log = fill(root, segments=20)
    before = items_in(log)
    await cleaner._worker.send(_no_plan(root))
    process = cleaner._worker._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await cleaner.clean_all()
    assert items_in(log) == before
    roll_again(log)
    assert await cleaner.clean_all() == 1
    assert len(items_in(log)) == 22


async def test_a_damaged_segment_is_reported_and_what_lies_before_it_compacted(
    root: DataRoot, cleaner: Cleaner
) -> None:
    log = fill(root, segments=4)
    path = root.log_files()[2]
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    await cleaner.clean_all()
    assert len(log.quarantines) == 1
    assert root.logs.cleaned_offset("orders", 0) == 4
    assert await cleaner.clean_all() == 0


async def test_a_topic_deleted_meanwhile_leaves_nothing_behind(root: DataRoot, cleaner: Cleaner) -> None:
    fill(root, segments=30)
    cleaning = asyncio.create_task(cleaner.clean_all())
    while cleaner._worker._process is None:
        await asyncio.sleep(0)
    root.logs.delete("orders", 0)
    log = root.create(cleanup_policy="compact")
    put(log, ("new", "1"))
    await cleaning
    assert items_in(log) == {0: ("new", "1")}
    assert not [name for name in os.listdir(root.folder()) if "swap" in name or "cleaned" in name]
    assert root.logs.cleaned_offset("orders", 0) == 0


async def test_the_worker_ends_when_its_input_does(root: DataRoot, cleaner: Cleaner) -> None:
    fill(root)
    await cleaner.clean_all()
    process = cleaner._worker._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


def roll_again(log: PartitionLog) -> None:
    put(log, ("z", "1"))
    roll(log)


def _no_plan(root: DataRoot):
    from broker.log.compaction import ClosedSegment, CompactionPlan
    from broker.log.compaction_worker import WorkerPlan

    plan = CompactionPlan(str(root.path), 0, [ClosedSegment(0, 1, 1)], 0, [], {}, 0, 0, 1, 1, 1)
    return WorkerPlan(plan, 1.0)
