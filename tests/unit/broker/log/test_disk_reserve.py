"""Room kept back for a full disk."""

import errno
import os
from pathlib import Path

import pytest

from broker.errors import KafkaStorageError
from broker.log.disk_reserve import RESERVE_FILE, DiskReserve
from tests.unit.broker.log.making import DataRoot, append

FULL = OSError(errno.ENOSPC, "No space left on device")
SIZE = 1 << 20


@pytest.fixture
def reserve(tmp_path: Path) -> DiskReserve:
    reserve = DiskReserve(tmp_path, SIZE)
    reserve.open()
    return reserve


def statvfs_with(free_bytes: int):
    """An `os.statvfs` of a disk with so much room."""
    real = os.statvfs("/")
    blocks = free_bytes // real.f_frsize
    return lambda path: os.statvfs_result((*real[:4], blocks, *real[5:]))


def test_the_room_is_really_taken(reserve: DiskReserve, tmp_path: Path) -> None:
    assert (tmp_path / RESERVE_FILE).stat().st_blocks * 512 >= SIZE
    assert not reserve.is_spent


def test_only_a_full_disk_spends_it_and_only_once(reserve: DiskReserve, tmp_path: Path) -> None:
    assert not reserve.spend(OSError(errno.EIO, "broken"))
    assert not reserve.spend(None)
    assert reserve.spend(FULL)
    assert reserve.is_spent
    assert (tmp_path / RESERVE_FILE).stat().st_blocks == 0
    assert not reserve.spend(FULL)


def test_it_is_filled_again_once_there_is_room_to_spare(reserve: DiskReserve, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve.spend(FULL)
    monkeypatch.setattr(os, "statvfs", statvfs_with(2 * SIZE - 4096))
    assert not reserve.refill()
    monkeypatch.setattr(os, "statvfs", statvfs_with(2 * SIZE))
    assert reserve.refill()
    assert not reserve.is_spent


def test_a_write_is_done_again_in_the_room(reserve: DiskReserve) -> None:
    failures = [FULL]

    def write() -> None:
        if failures:
            raise failures.pop()

    reserve.with_room(write)
    assert reserve.is_spent


def test_a_full_disk_refuses_what_is_not_essential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = DataRoot(tmp_path / "data", essential_topics=("essential",))
    essential, other = root.create("essential"), root.create("other")
    root.logs.reserve.spend(FULL)
    monkeypatch.setattr(os, "statvfs", statvfs_with(0))
    append(essential, "x")
    with pytest.raises(KafkaStorageError):
        append(other, "x")
    monkeypatch.undo()
    append(other, "x")
    assert not root.logs.reserve.is_spent
    root.logs.close()
