"""The index of aborted transactions: which are named to a reader, Kafka's file of them, and its loss."""

import struct
from pathlib import Path

import pytest

from broker.log import PartitionLog
from broker.log.aborted_transactions import AbortedTransaction
from broker.log.stable_reads import before_offset, end_offset_of
from tests.unit.broker.log.making import NOW_MS, DataRoot, append

ENTRY_BYTES = 34


def send(log: PartitionLog, producer_id: int, sequence: int = 0) -> None:
    append(log, "v", producer_id=producer_id, producer_epoch=0, base_sequence=sequence, transactional=True)


def end(log: PartitionLog, producer_id: int, *, commit: bool) -> None:
    log.end_transaction(commit=commit, producer_id=producer_id, producer_epoch=0, coordinator_epoch=3, now_ms=NOW_MS)


@pytest.fixture
def log(root: DataRoot) -> PartitionLog:
    """Offsets 0 to 2: three producers; 3: 1 aborts; 4: 2 commits; 5: 3 aborts."""
    log = root.create()
    for producer_id in (1, 2, 3):
        send(log, producer_id)
    end(log, 1, commit=False)
    end(log, 2, commit=True)
    end(log, 3, commit=False)
    return log


ABORTED = [AbortedTransaction(1, 0, 3, 1), AbortedTransaction(3, 2, 5, 6)]


def test_readers_are_told_of_what_lies_in_their_range(log: PartitionLog) -> None:
    told = log.aborted_transactions.overlapping
    assert told(0, 6) == ABORTED
    assert told(0, 2) == ABORTED[:1]
    assert told(4, 6) == ABORTED[1:]
    assert told(6, 9) == []


def test_the_file_is_kafkas(log: PartitionLog) -> None:
    data = Path(log.folder, f"{0:020d}.txnindex").read_bytes()
    assert [struct.unpack_from(">hqqqq", data, at) for at in (0, ENTRY_BYTES)] == [(0, *entry) for entry in ABORTED]
    assert len(data) == 2 * ENTRY_BYTES


def test_a_commit_alone_makes_no_file(root: DataRoot) -> None:
    log = root.create()
    send(log, 1)
    end(log, 1, commit=True)
    assert not list(root.folder().glob("*.txnindex"))


@pytest.mark.parametrize("clean", [True, False])
def test_it_is_there_after_a_restart(root: DataRoot, log: PartitionLog, clean: bool) -> None:
    root.restart(clean=clean)
    found = root.get()
    assert found.aborted_transactions.overlapping(0, 99) == ABORTED
    assert found.producer_state.producers()[3].coordinator_epoch == 3


@pytest.mark.parametrize("left", [b"", bytes(ENTRY_BYTES), b"\0\0\0torn"])
def test_a_crash_that_damaged_the_file_loses_nothing(root: DataRoot, log: PartitionLog, left: bytes) -> None:
    path = Path(log.folder, f"{0:020d}.txnindex")
    whole = path.read_bytes()
    root.crash()
    path.write_bytes(left)
    root.logs = root._open()
    assert root.get().aborted_transactions.overlapping(0, 99) == ABORTED
    assert path.read_bytes() == whole


def test_each_segment_has_its_own_and_takes_it_along(root: DataRoot) -> None:
    log = root.create(segment_bytes=200, retention_ms=10)
    for sequence in range(4):
        send(log, 1, sequence)
        end(log, 1, commit=False)
    assert len(list(root.folder().glob("*.txnindex"))) == log.segment_count > 1
    root.restart()
    log = root.get()
    assert len(log.aborted_transactions) == 4
    root.logs.flush_dirty(NOW_MS)
    log.retain(NOW_MS + 1000)
    assert len(log.aborted_transactions) == 0
    assert not list(root.folder().glob("*.txnindex"))


def test_truncating_brings_a_transaction_back(root: DataRoot, log: PartitionLog) -> None:
    log.truncate_to(5)
    assert log.aborted_transactions.overlapping(0, 99) == ABORTED[:1]
    assert log.last_stable_offset == 2


def test_what_was_read_is_cut_at_the_last_stable_offset(log: PartitionLog) -> None:
    records = log.read(offset=0, bytes_max=1 << 20)
    assert before_offset(records, 6) == records
    assert end_offset_of(records) == 6
    assert end_offset_of(before_offset(records, 2)) == 2
    assert before_offset(records, 0) == b""
    assert end_offset_of(b"") == 0
