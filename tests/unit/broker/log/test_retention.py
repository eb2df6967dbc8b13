"""Retention by time, by size and by log start offset."""

import os

import pytest

from tests.unit.broker.log.making import NOW_MS, DataRoot, append, make_batch, records_in

DAY_MS = 86_400_000


def fill(root: DataRoot, count: int = 6, **config: object):
    """A log of `count` segments of one record each, a day apart."""
    log = root.create(segment_bytes=len(make_batch("v")), **config)
    for number in range(count):
        at_ms = NOW_MS + number * DAY_MS
        append(log, f"{number}", timestamp_ms=at_ms, now_ms=at_ms)
    assert log.segment_count == count
    return log


def test_segments_go_when_their_youngest_record_is_too_old(root: DataRoot) -> None:
    log = fill(root, retention_ms=3 * DAY_MS)
    assert log.retain(NOW_MS + 5 * DAY_MS) == 2
    assert list(records_in(log)) == [2, 3, 4, 5]
    assert log.log_start_offset == 2
    assert log.retain(NOW_MS + 5 * DAY_MS) == 0


def test_an_expired_active_segment_is_rolled_and_goes(root: DataRoot) -> None:
    log = fill(root, retention_ms=DAY_MS)
    assert log.retain(NOW_MS + 100 * DAY_MS) == 6
    assert (log.log_start_offset, log.log_end_offset, log.size_bytes) == (6, 6, 0)
    assert log.retain(NOW_MS + 200 * DAY_MS) == 0
    assert append(log, "x", timestamp_ms=NOW_MS + 200 * DAY_MS, now_ms=NOW_MS + 200 * DAY_MS).base_offset == 6
    root.restart(clean=False)
    assert records_in(root.get()) == {6: "x"}


def test_an_old_segment_behind_a_younger_one_stays(root: DataRoot) -> None:
    log = root.create(segment_bytes=len(make_batch("v")), retention_ms=DAY_MS)
    for timestamp_ms in (NOW_MS, NOW_MS - 10 * DAY_MS, NOW_MS):
        append(log, "v", timestamp_ms=timestamp_ms)
    assert log.retain(NOW_MS + 1) == 0


def test_segments_go_while_the_rest_is_large_enough(root: DataRoot) -> None:
    segment_bytes = len(make_batch("v"))
    log = fill(root, retention_bytes=3 * segment_bytes + 1, retention_ms=-1)
    log.retain(NOW_MS + 5 * DAY_MS)
    assert log.size_bytes == 4 * segment_bytes
    root.logs.configure("orders", type(log.config)(retention_bytes=3 * segment_bytes, retention_ms=-1))
    log.retain(NOW_MS + 5 * DAY_MS)
    assert log.size_bytes == 3 * segment_bytes


def test_whole_segments_before_the_log_start_offset_go(root: DataRoot) -> None:
    log = fill(root)
    log.delete_records(3)
    assert log.segment_count == 6
    assert log.retain(NOW_MS) == 3


@pytest.mark.parametrize("cleanup_policy", ["compact", ""])
def test_a_compacted_topic_loses_nothing_by_age_or_size(root: DataRoot, cleanup_policy: str) -> None:
    log = fill(root, retention_ms=1, retention_bytes=1, cleanup_policy=cleanup_policy)
    assert log.retain(NOW_MS + 100 * DAY_MS) == 0
    log.delete_records(2)
    assert log.retain(NOW_MS + 100 * DAY_MS) == 2


def test_a_compacted_and_deleting_topic_is_retained_by_age(root: DataRoot) -> None:
    log = fill(root, retention_ms=DAY_MS, cleanup_policy="compact,delete")
    assert log.retain(NOW_MS + 100 * DAY_MS) == 6


def test_undated_records_are_as_old_as_their_file(root: DataRoot) -> None:
    log = root.create(segment_bytes=len(make_batch("v")), retention_ms=DAY_MS)
    for _ in range(2):
        append(log, "v", timestamp_ms=-1)
    os.utime(root.log_files()[0], (NOW_MS / 1000, NOW_MS / 1000))
    os.utime(root.log_files()[1], (NOW_MS / 1000 + 86_400, NOW_MS / 1000 + 86_400))
    assert log.retain(NOW_MS + DAY_MS) == 0
    assert log.retain(NOW_MS + DAY_MS + 1) == 1


def test_a_damaged_time_index_does_not_delete_young_records(root: DataRoot) -> None:
    fill(root, retention_ms=DAY_MS)
    root.logs.close()
    time_index = root.folder() / "00000000000000000004.timeindex"
    data = bytearray(time_index.read_bytes())
    data[3] ^= 0x01  # about 50 days earlier
    time_index.write_bytes(data)
    root.restart()
    log = root.get()
    assert log.retain(NOW_MS + 5 * DAY_MS) == 4
    assert list(records_in(log)) == [4, 5]


def test_deleted_files_are_renamed_at_once_and_removed_after_the_delay(root: DataRoot) -> None:
    log = fill(root, retention_ms=DAY_MS, file_delete_delay_ms=500)
    log.retain(NOW_MS + 5 * DAY_MS)
    assert len(list(root.folder().glob("*.deleted"))) == 3 * 4
    assert root.logs.remove_deleted(root.clock.now_ms() + 499) == 0
    assert root.logs.remove_deleted(root.clock.now_ms() + 500) == 3 * 4
    assert not list(root.folder().glob("*.deleted"))


def test_retention_goes_on_where_a_restart_left_it(root: DataRoot) -> None:
    fill(root, retention_ms=3 * DAY_MS)
    root.restart()
    assert root.logs.retain_all(NOW_MS + 5 * DAY_MS) == 2
    root.restart()
    assert root.get().log_start_offset == 2


def test_a_clock_that_jumps_ahead_is_believed_only_at_the_second_check(root: DataRoot) -> None:
    fill(root, count=1, retention_ms=7 * DAY_MS)
    assert root.logs.retain_all(root.clock.now_ms()) == 0
    root.clock.set_wall_clock(NOW_MS + 10 * DAY_MS)
    assert root.logs.retain_all(root.clock.now_ms()) == 0
    assert root.logs.retain_all(root.clock.now_ms()) == 1


def test_time_that_really_passed_is_believed_at_once(root: DataRoot) -> None:
    fill(root, count=1, retention_ms=7 * DAY_MS)
    root.logs.retain_all(root.clock.now_ms())
    root.clock.advance(10 * DAY_MS)
    assert root.logs.retain_all(root.clock.now_ms()) == 1


def test_idle_producers_are_forgotten(root: DataRoot) -> None:
    log = root.create()
    append(log, "a", producer_id=3, producer_epoch=0, base_sequence=0)
    root.logs.retain_all(NOW_MS + DAY_MS - 1)
    assert log.producer_state.get(3) is not None
    root.logs.retain_all(NOW_MS + DAY_MS)
    assert log.producer_state.get(3) is None
