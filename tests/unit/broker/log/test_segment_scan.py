"""A damaged segment is scanned beside everything else, and the log knows then what a scan on the spot would know."""

from pathlib import Path

import pytest

from broker.errors import CorruptMessage, KafkaStorageError, NotLeaderOrFollower
from broker.log import PartitionLog, partition_log
from broker.log.segment_scan import SegmentScan
from tests.unit.broker.log.making import DataRoot
from tests.unit.broker.log.test_read_check import BATCH_BYTES, fill, readable
from tests.unit.broker.log.test_recovery import flip

BAD = 4


@pytest.fixture
def root(tmp_path: Path) -> DataRoot:
    return DataRoot(tmp_path)


@pytest.fixture
def log(root: DataRoot) -> PartitionLog:
    """Three segments of ten records; the fifth record is damaged."""
    log = root.create(segment_bytes=10 * BATCH_BYTES + 1, index_interval_bytes=3 * BATCH_BYTES)
    fill(log)
    log.flush()
    flip(root.log_files()[0], BAD * BATCH_BYTES + 40)
    return log


@pytest.fixture
def scans(root: DataRoot, monkeypatch: pytest.MonkeyPatch) -> list[SegmentScan]:
    """What the log wants to be scanned beside everything else."""
    wanted: list[SegmentScan] = []
    monkeypatch.setattr(partition_log, "SCANNED_AT_ONCE_BYTES", 0)
    root.logs.on_scan_wanted = wanted.append
    return wanted


def read_damage(log: PartitionLog) -> None:
    log.read(offset=BAD, bytes_max=1 << 20)


def test_readers_are_put_off_until_one_scan_has_found_the_damage(log: PartitionLog, scans: list[SegmentScan]) -> None:
    for _ in range(2):
        with pytest.raises(NotLeaderOrFollower):
            read_damage(log)
    (scan,) = scans
    scan.run()
    assert log.quarantines == [], "nothing changes in the thread"
    scan.finish()
    with pytest.raises(CorruptMessage, match=f"offsets {BAD} to {BAD} "):
        read_damage(log)
    found, damaged = readable(log, 1 << 20)
    assert (len(found), damaged, len(scans)) == (29, [BAD], 1)


def test_what_was_found_is_what_a_scan_on_the_spot_finds_and_is_there_after_a_restart(
    root: DataRoot, log: PartitionLog, scans: list[SegmentScan]
) -> None:
    with pytest.raises(NotLeaderOrFollower):
        read_damage(log)
    scans[0].run()
    scans[0].finish()
    segment, quarantines = log.segments[0], log.quarantines
    index = Path(segment.beside(".index")).read_bytes(), Path(segment.beside(".timeindex")).read_bytes()
    log.rescan(0)
    assert log.quarantines == quarantines
    assert (Path(segment.beside(".index")).read_bytes(), Path(segment.beside(".timeindex")).read_bytes()) == index
    root.restart()
    assert root.get().quarantines == quarantines


def test_a_scan_that_failed_is_said_once_and_tried_again(log: PartitionLog, scans: list[SegmentScan]) -> None:
    with pytest.raises(NotLeaderOrFollower):
        read_damage(log)
    scans[0].error = OSError(5, "no such luck")
    scans[0].finish()
    with pytest.raises(KafkaStorageError, match="no such luck"):
        read_damage(log)
    with pytest.raises(NotLeaderOrFollower):
        read_damage(log)
    assert len(scans) == 2


def test_a_segment_that_is_gone_meanwhile_is_left_alone(log: PartitionLog, scans: list[SegmentScan]) -> None:
    with pytest.raises(NotLeaderOrFollower):
        read_damage(log)
    scans[0].run()
    log.close()
    scans[0].finish()
    assert log.quarantines == []


def test_without_anybody_to_scan_it_is_done_on_the_spot(log: PartitionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_log, "SCANNED_AT_ONCE_BYTES", 0)
    with pytest.raises(CorruptMessage):
        read_damage(log)
