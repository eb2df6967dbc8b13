import os
from pathlib import Path

import pytest

from app.damaged_ranges import RANGES_FILE, DamagedRanges
from app.kafka.ports import TopicPartition
from broker.log.quarantine import QUARANTINE_FILE, Quarantine, write_quarantines

ORDERS = [TopicPartition("orders", 0), TopicPartition("orders", 1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A partition with two segments, of which the broker has found both damaged."""
    partition = tmp_path / "orders-1"
    partition.mkdir()
    for base_offset in (0, 50):
        (partition / f"{base_offset:020d}.log").touch()
    write_quarantines(str(partition), [Quarantine(0, 7, 10, 512, 600), Quarantine(50, 50, 51, 0, 80)])
    return tmp_path


async def test_what_the_broker_notes_is_read(folder):
    first, second = await DamagedRanges(folder)(ORDERS)
    assert (first.topic, first.partition, first.start_offset, first.end_offset) == ("orders", 1, 7, 10)
    assert (first.path, first.start_position, first.end_position) == (
        str(folder / "orders-1" / "00000000000000000000.log"), 512, 600,
    )  # fmt: skip
    assert (second.start_offset, second.end_offset) == (50, 51)
    assert first.found_at_ms == int(os.stat(folder / "orders-1" / QUARANTINE_FILE).st_mtime * 1000)


def test_both_sides_mean_the_same_file():
    assert RANGES_FILE == QUARANTINE_FILE


async def test_a_range_goes_with_its_segment(folder):
    (folder / "orders-1" / f"{0:020d}.log").unlink()
    assert [one.start_offset for one in await DamagedRanges(folder)(ORDERS)] == [50]


@pytest.mark.parametrize("text", ["", "0\n1\nnot a range\n", "0\n1\n1 2 3\n", "\xff"])
async def test_a_file_that_is_none_says_nothing(folder, text):
    (folder / "orders-1" / RANGES_FILE).write_bytes(text.encode("latin-1"))
    assert await DamagedRanges(folder)(ORDERS) == ()
