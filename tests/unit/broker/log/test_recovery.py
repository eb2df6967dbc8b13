"""After a crash: torn ends are cut off, damage in the middle is quarantined, indexes are rebuilt."""

import logging
import os

import pytest

from broker.errors import CorruptMessage
from broker.log import LogConfig, LogDirectory
from broker.protocol.record_batch import Record, build_batch, read_header
from tests.unit.broker.log.making import NOW_MS, DataRoot, append, make_batch, records_in

BATCH_BYTES = len(make_batch("0000"))


def crashed_log(root: DataRoot, count: int = 10, **config: object):
    """A log of `count` one-record batches of the same size, left by a crash; the path of its last file."""
    log = root.create(**config)
    for number in range(count):
        append(log, f"{number:04}", producer_id=7, producer_epoch=0, base_sequence=number)
    root.crash()
    return root.log_files()[-1]


def flip(path, position: int, bit: int = 0) -> None:
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))


def values(numbers) -> dict[int, str]:
    return {number: f"{number:04}" for number in numbers}


def test_nothing_that_was_written_is_lost(root: DataRoot) -> None:
    crashed_log(root)
    root.restart()
    assert records_in(root.get()) == values(range(10))


@pytest.mark.parametrize("cut_bytes", [1, 7, 61, BATCH_BYTES - 1])
def test_a_torn_end_is_cut_off_and_the_log_goes_on(root: DataRoot, cut_bytes: int) -> None:
    path = crashed_log(root)
    os.truncate(path, path.stat().st_size - cut_bytes)
    root.restart()
    log = root.get()
    assert records_in(log) == values(range(9))
    assert path.stat().st_size == 9 * BATCH_BYTES
    assert root.logs.torn_bytes == BATCH_BYTES - cut_bytes
    again = append(log, "0009", producer_id=7, producer_epoch=0, base_sequence=9)
    assert (again.base_offset, again.is_duplicate) == (9, False)


@pytest.mark.parametrize("rubbish", [b"\0" * 5000, b"\xff" * 10, b"\x02" * 3000, os.urandom(3000)])
def test_rubbish_at_the_end_is_cut_off(root: DataRoot, rubbish: bytes) -> None:
    path = crashed_log(root)
    with open(path, "ab") as file:
        file.write(rubbish)
    root.restart()
    assert records_in(root.get()) == values(range(10))
    assert path.stat().st_size == 10 * BATCH_BYTES


def test_a_flipped_bit_in_the_middle_costs_only_its_batch(root: DataRoot, caplog: pytest.LogCaptureFixture) -> None:
    path = crashed_log(root)
    flip(path, 4 * BATCH_BYTES + 63)
    with caplog.at_level(logging.ERROR):
        root.restart()
        log = root.get()
    assert "damaged range quarantined" in caplog.text
    assert root.logs.quarantined_range_count() == 1
    with pytest.raises(CorruptMessage, match="offsets 4 to 4"):
        log.read(offset=4, bytes_max=1000)
    assert records_in(log, offset=5) == values(range(5, 10))
    assert len(log.read(offset=0, bytes_max=10_000)) == 4 * BATCH_BYTES
    assert append(log, "0010", producer_id=7, producer_epoch=0, base_sequence=10).base_offset == 10


def test_a_quarantine_is_remembered_by_clean_and_unclean_starts(root: DataRoot) -> None:
    path = crashed_log(root)
    flip(path, 4 * BATCH_BYTES + 63)
    root.restart()
    root.get()
    for clean in (True, False, True):
        root.restart(clean=clean)
        log = root.get()
        with pytest.raises(CorruptMessage):
            log.read(offset=4, bytes_max=1000)
        assert records_in(log, offset=5) == values(range(5, 10))


def test_several_damaged_batches_in_a_row_are_one_range(root: DataRoot) -> None:
    path = crashed_log(root)
    with open(path, "r+b") as file:
        file.seek(3 * BATCH_BYTES + 20)
        file.write(b"\0" * 2 * BATCH_BYTES)
    root.restart()
    log = root.get()
    (quarantine,) = log.quarantines
    assert (quarantine.start_offset, quarantine.end_offset) == (3, 6)
    assert records_in(log, offset=6) == values(range(6, 10))


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("byte", [0, 3, 7, 8, 9, 10, 11, 16, 17, 22, 26, 60])
def test_a_flipped_header_bit_costs_only_its_batch(root: DataRoot, byte: int, bit: int) -> None:
    path = crashed_log(root)
    flip(path, 4 * BATCH_BYTES + byte, bit)
    root.restart()
    log = root.get()
    assert records_in(log, offset=5) == values(range(5, 10))
    assert path.stat().st_size == 10 * BATCH_BYTES
    with pytest.raises(CorruptMessage):
        log.read(offset=4, bytes_max=1000)


def test_damage_at_the_end_of_a_closed_segment_reaches_to_the_next_one(root: DataRoot) -> None:
    crashed_log(root, segment_bytes=4 * BATCH_BYTES)
    flip(root.log_files()[0], 3 * BATCH_BYTES + 63)
    root.restart()
    log = root.get()
    with pytest.raises(CorruptMessage):
        log.read(offset=3, bytes_max=1000)
    assert records_in(log, offset=4) == values(range(4, 10))


def test_a_batch_inside_a_torn_record_is_not_taken_for_the_next_one(root: DataRoot) -> None:
    log = root.create()
    append(log, "a")
    inner = make_batch("inner", base_offset=2) * 3
    outer = build_batch([Record(0, NOW_MS, None, inner + b"x" * 100)])
    log.append(outer, read_header(outer), now_ms=NOW_MS)
    root.crash()
    path = root.log_files()[0]
    os.truncate(path, path.stat().st_size - 10)
    root.restart()
    assert records_in(root.get()) == {0: "a"}


@pytest.mark.parametrize("suffix", [".index", ".timeindex", ".snapshot"])
@pytest.mark.parametrize("change", ["remove", "empty", "cut", "zero", "rubbish", "flip"])
@pytest.mark.parametrize("clean", [True, False])
def test_derived_files_are_rebuilt_when_missing_or_wrong(root: DataRoot, suffix: str, change: str, clean: bool) -> None:
    log = root.create(segment_bytes=3000, index_interval_bytes=200)
    for number in range(100):
        append(log, f"{number:04}", timestamp_ms=NOW_MS + number, producer_id=7, producer_epoch=0, base_sequence=number)
    root.logs.close()
    if not clean:
        (root.path / ".kafka_cleanshutdown").unlink()
    for path in root.folder().glob(f"*{suffix}"):
        data = path.read_bytes()
        match change:
            case "remove":
                path.unlink()
            case "flip":
                flip(path, len(data) // 2, 2)
            case _:
                changed = {"empty": b"", "cut": data[:-5], "zero": bytes(len(data)), "rubbish": os.urandom(len(data))}
                path.write_bytes(changed[change])
    root.restart()
    log = root.get()
    for number in range(100):
        assert records_in(log, offset=number, bytes_max=1) == values(range(number, 100))
        found = log.offset_for_timestamp(NOW_MS + number)
        assert found is not None
        assert found.offset == number
    assert append(log, "0099", producer_id=7, producer_epoch=0, base_sequence=99).is_duplicate
    assert append(log, "0100", producer_id=7, producer_epoch=0, base_sequence=100).base_offset == 100


def test_recovery_begins_at_the_recovery_point(root: DataRoot) -> None:
    log = root.create(segment_bytes=1 << 20, index_interval_bytes=0)
    for number in range(10):
        append(log, f"{number:04}")
    root.logs.flush_dirty(NOW_MS)
    root.logs.write_checkpoints()
    for number in range(10, 12):
        append(log, f"{number:04}")
    root.crash()
    flip(root.log_files()[0], 63)  # below the recovery point: not looked at
    root.restart()
    log = root.get()
    assert log.log_end_offset == 12
    assert log.quarantines == []


def test_a_log_shorter_than_its_recovery_point_is_checked_from_its_start(root: DataRoot) -> None:
    path = crashed_log(root)
    (root.path / "recovery-point-offset-checkpoint").write_text("0\n1\norders 0 10\n")
    os.truncate(path, 9 * BATCH_BYTES)
    flip(path, 4 * BATCH_BYTES + 63)
    root.restart()
    log = root.get()
    assert log.log_end_offset == 9
    assert [quarantine.start_offset for quarantine in log.quarantines] == [4]


def test_damage_met_by_a_read_is_quarantined_then(root: DataRoot) -> None:
    path = crashed_log(root)
    root.restart()
    root.logs.close()
    flip(path, 4 * BATCH_BYTES + 16)  # the magic, after a clean stop: no start looks at it
    root.restart()
    log = root.get()
    with pytest.raises(CorruptMessage):
        log.read(offset=4, bytes_max=1000)
    assert records_in(log, offset=5) == values(range(5, 10))
    assert log.log_end_offset == 10


def test_indexes_without_a_log_and_half_done_files_are_removed(root: DataRoot) -> None:
    crashed_log(root)
    for name in ("00000000000000000777.index", "00000000000000000777.timeindex", "00000000000000000000.log.deleted"):
        (root.folder() / name).write_bytes(b"12345678")
    root.restart()
    root.get()
    assert {path.suffix for path in root.folder().iterdir()} <= {".log", ".metadata", "", ".index", ".timeindex"}


@pytest.mark.parametrize("kept", [1, 4, 10], ids=lambda kept: f"{kept} batches of the last file that has any")
def test_segments_that_a_loss_of_power_left_empty_do_not_count(root: DataRoot, kept: int) -> None:
    crashed_log(root, count=40, segment_bytes=10 * BATCH_BYTES)
    _, second, *lost = root.log_files()
    os.truncate(second, kept * BATCH_BYTES)
    for path in lost:
        os.truncate(path, 0)
    root.restart()
    log = root.get()
    assert records_in(log) == values(range(10 + kept))
    assert log.log_end_offset == log.high_watermark == 10 + kept
    assert append(log, "more").base_offset == 10 + kept


def test_a_segment_that_had_just_begun_may_be_empty(root: DataRoot) -> None:
    crashed_log(root, count=11, segment_bytes=10 * BATCH_BYTES)
    os.truncate(root.log_files()[-1], 0)
    root.restart()
    log = root.get()
    assert log.log_end_offset == 10
    assert append(log, "0010").base_offset == 10
    root.restart(clean=False)
    assert root.get().log_end_offset == 11


def test_a_partition_folder_that_lost_its_log_begins_empty(root: DataRoot) -> None:
    path = crashed_log(root)
    path.unlink()
    root.restart()
    log = root.get()
    assert (log.log_start_offset, log.log_end_offset) == (0, 0)
    assert append(log, "a").base_offset == 0


def test_log_files_alone_are_a_log(root: DataRoot, tmp_path) -> None:
    crashed_log(root, count=50, segment_bytes=10 * BATCH_BYTES)
    other = DataRoot(tmp_path / "other")
    other.logs.close()
    (tmp_path / "other" / "copied-0").mkdir()
    for path in root.log_files():
        (tmp_path / "other" / "copied-0" / path.name).write_bytes(path.read_bytes())
    for marker in (True, False):
        if not marker:
            (tmp_path / "other" / ".kafka_cleanshutdown").unlink(missing_ok=True)
        logs = LogDirectory.open(tmp_path / "other", node_id=0, clock=root.clock)
        logs.configure("copied", LogConfig())
        log = logs.get("copied", 0)
        assert log is not None
        assert records_in(log) == values(range(50))
        logs.close()
