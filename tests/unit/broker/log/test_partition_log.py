"""Append, read, find by time, delete records, wait."""

import errno
import os

import pytest

from broker.errors import (
    InvalidTimestamp,
    KafkaStorageError,
    OffsetOutOfRange,
    RecordListTooLarge,
)
from broker.log import FlushMode, FlushPolicy
from broker.protocol.record_batch import check_crc, iter_batches, iter_records, read_header
from tests.unit.broker.log.making import NOW_MS, DataRoot, append, batches_in, make_batch, records_in


def test_offsets_are_given_in_order_of_appending(root: DataRoot) -> None:
    log = root.create()
    assert append(log, "a", "b").base_offset == 0
    appended = append(log, "c")
    assert (appended.base_offset, appended.end_offset, appended.log_append_time_ms) == (2, 3, -1)
    assert records_in(log) == {0: "a", 1: "b", 2: "c"}
    assert (log.log_start_offset, log.high_watermark, log.log_end_offset, log.last_stable_offset) == (0, 3, 3, 3)


def test_a_writable_batch_is_patched_in_place_and_otherwise_left_as_it_is(root: DataRoot) -> None:
    log = root.create()
    append(log, "a")
    sent = make_batch("b", leader_epoch=-1)
    batch = bytearray(sent)
    log.append(memoryview(batch), read_header(batch), now_ms=NOW_MS)
    header = read_header(batch)
    assert (header.base_offset, header.partition_leader_epoch) == (1, 0)
    assert batch[16:] == sent[16:]
    assert bytes(log.read(offset=1, bytes_max=1000)) == bytes(batch)


@pytest.mark.parametrize("wrap", [bytes, lambda batch: memoryview(bytes(batch))])
def test_a_read_only_batch_is_copied(root: DataRoot, wrap: type) -> None:
    log = root.create()
    append(log, "a")
    batch = wrap(make_batch("b"))
    log.append(batch, read_header(batch), now_ms=NOW_MS)
    assert read_header(batch).base_offset == 0
    assert records_in(log) == {0: "a", 1: "b"}


def test_log_append_time_dates_the_batch_and_keeps_its_checksum_right(root: DataRoot) -> None:
    log = root.create(message_timestamp_type="LogAppendTime")
    appended = append(log, "a", "b", timestamp_ms=5, now_ms=NOW_MS + 7)
    assert appended.log_append_time_ms == NOW_MS + 7
    (batch,) = iter_batches(log.read(offset=0, bytes_max=1000))
    header = read_header(batch)
    assert check_crc(batch, header)
    assert header.is_log_append_time
    assert [record.timestamp_ms for record in iter_records(batch)] == [NOW_MS + 7] * 2


def test_a_producer_cannot_claim_log_append_time(root: DataRoot) -> None:
    log, stamped = root.create(), root.create("stamped", message_timestamp_type="LogAppendTime")
    append(stamped, "a", now_ms=NOW_MS)
    batch = bytes(stamped.read(offset=0, bytes_max=1000))
    log.append(batch, read_header(batch), now_ms=NOW_MS)
    (header,) = batches_in(log)
    assert not header.is_log_append_time


@pytest.mark.parametrize("timestamp_ms", [NOW_MS + 3_600_001, NOW_MS - 1_001])
def test_a_timestamp_out_of_bounds_is_refused(root: DataRoot, timestamp_ms: int) -> None:
    log = root.create(message_timestamp_before_max_ms=1_000)
    with pytest.raises(InvalidTimestamp):
        append(log, "a", timestamp_ms=timestamp_ms)
    assert log.log_end_offset == 0


@pytest.mark.parametrize("timestamp_ms", [-1, NOW_MS - 1_000, NOW_MS + 3_600_000])
def test_a_timestamp_at_the_bounds_or_none_is_taken(root: DataRoot, timestamp_ms: int) -> None:
    log = root.create(message_timestamp_before_max_ms=1_000)
    append(log, "a", timestamp_ms=timestamp_ms)
    assert [header.max_timestamp for header in batches_in(log)] == [timestamp_ms]


def test_a_batch_larger_than_a_segment_is_refused(root: DataRoot) -> None:
    log = root.create(segment_bytes=100)
    with pytest.raises(RecordListTooLarge):
        append(log, "x" * 100)


# -- reading


def test_a_read_from_inside_a_batch_returns_the_whole_batch(root: DataRoot) -> None:
    log = root.create()
    append(log, "a", "b", "c")
    append(log, "d")
    assert read_header(log.read(offset=2, bytes_max=1000)).base_offset == 0


def test_the_first_batch_is_whole_even_above_the_limit(root: DataRoot) -> None:
    log = root.create()
    append(log, "a" * 5000)
    append(log, "b" * 20_000)
    append(log, "c")
    assert len(list(iter_batches(log.read(offset=0, bytes_max=1)))) == 1
    (batch,) = iter_batches(log.read(offset=1, bytes_max=1))
    assert read_header(batch).base_offset == 1


def test_without_at_least_one_batch_the_limit_holds(root: DataRoot) -> None:
    log = root.create()
    append(log, "a" * 500)
    assert log.read(offset=0, bytes_max=100, at_least_one_batch=False) == b""
    assert len(log.read(offset=0, bytes_max=1000, at_least_one_batch=False)) == log.size_bytes


def test_a_read_returns_no_more_than_asked_once_the_first_batch_fits(root: DataRoot) -> None:
    log = root.create()
    for _ in range(50):
        append(log, "a" * 100)
    assert len(log.read(offset=7, bytes_max=1000)) == 1000


def test_a_read_at_the_end_is_empty_and_beyond_it_out_of_range(root: DataRoot) -> None:
    log = root.create()
    append(log, "a")
    assert log.read(offset=1, bytes_max=100) == b""
    for offset in (2, -1):
        with pytest.raises(OffsetOutOfRange):
            log.read(offset=offset, bytes_max=100)


@pytest.mark.parametrize("value_bytes", [1, 300, 5_000])
def test_every_offset_is_found_in_many_batches_and_segments(root: DataRoot, value_bytes: int) -> None:
    log = root.create(segment_bytes=20_000, index_interval_bytes=512)
    for number in range(100):
        append(log, *[f"{number:0{value_bytes}}"] * (1 + number % 3))
    log = root.restart().get("orders", 0)  # again with indexes that come from files
    assert log is not None
    for offset in range(log.log_end_offset):
        header = read_header(log.read(offset=offset, bytes_max=1))
        assert header.base_offset <= offset <= header.last_offset


def test_the_end_of_one_segment_leads_to_the_next(root: DataRoot) -> None:
    log = root.create(segment_bytes=200)
    for value in "abcdef":
        append(log, value * 50)
    assert log.segment_count == 6
    assert list(records_in(log).values()) == [value * 50 for value in "abcdef"]


# -- rolling


def test_a_segment_is_rolled_when_the_batch_does_not_fit(root: DataRoot) -> None:
    batch_bytes = len(make_batch("a"))
    log = root.create(segment_bytes=2 * batch_bytes)
    for _ in range(3):
        append(log, "a")
    assert [path.name for path in root.log_files()] == ["00000000000000000000.log", "00000000000000000002.log"]


def test_a_segment_is_rolled_when_the_records_time_has_passed(root: DataRoot) -> None:
    log = root.create(segment_ms=1000)
    append(log, "a", timestamp_ms=NOW_MS)
    append(log, "b", timestamp_ms=NOW_MS + 1000, now_ms=NOW_MS + 5000)
    assert log.segment_count == 1
    append(log, "c", timestamp_ms=NOW_MS + 1001)
    assert log.segment_count == 2


def test_a_segment_of_undated_records_is_rolled_by_the_clock(root: DataRoot) -> None:
    log = root.create(segment_ms=1000)
    append(log, "a", timestamp_ms=-1, now_ms=NOW_MS)
    append(log, "b", timestamp_ms=-1, now_ms=NOW_MS + 1000)
    assert log.segment_count == 1
    append(log, "c", timestamp_ms=-1, now_ms=NOW_MS + 1001)
    assert log.segment_count == 2


def test_a_segment_is_rolled_when_its_index_is_full(root: DataRoot) -> None:
    log = root.create(segment_index_bytes=36, index_interval_bytes=0)  # room for two entries
    for _ in range(8):
        append(log, "a")
    assert [int(path.stem) for path in root.log_files()] == [0, 3, 6]


def test_other_configs_hold_from_the_next_append_on(root: DataRoot) -> None:
    log = root.create()
    append(log, "a")
    root.logs.configure("orders", type(log.config)(segment_bytes=80))
    append(log, "b")
    assert log.segment_count == 2


# -- a disk that refuses


class FullDisk:
    """`os.pwrite` on a disk that takes a part of the batch, then nothing until there is room."""

    def __init__(self, taken_bytes: int) -> None:
        self.taken_bytes = taken_bytes
        self.is_full = True
        self._pwrite = os.pwrite

    def pwrite(self, fd: int, data: bytes, position: int) -> int:
        if not self.is_full:
            return self._pwrite(fd, data, position)
        if self.taken_bytes == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken, self.taken_bytes = self.taken_bytes, 0
        return self._pwrite(fd, bytes(data)[:taken], position)


@pytest.mark.parametrize("taken_bytes", [0, 1, 40])
def test_a_full_disk_leaves_nothing_of_the_batch_and_the_log_goes_on(
    root: DataRoot, monkeypatch: pytest.MonkeyPatch, taken_bytes: int
) -> None:
    log = root.create()
    append(log, "a", producer_id=1, producer_epoch=0, base_sequence=0)
    disk, size = FullDisk(taken_bytes), log.size_bytes
    monkeypatch.setattr(os, "pwrite", disk.pwrite)
    with pytest.raises(KafkaStorageError):
        append(log, "b", producer_id=1, producer_epoch=0, base_sequence=1)
    assert (log.log_end_offset, log.size_bytes, root.log_files()[0].stat().st_size) == (1, size, size)
    disk.is_full = False
    assert append(log, "b", producer_id=1, producer_epoch=0, base_sequence=1).base_offset == 1
    assert records_in(log) == {0: "a", 1: "b"}


def test_a_half_batch_that_cannot_be_cut_off_is_cut_before_the_next_append(
    root: DataRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = root.create()
    append(log, "a")
    disk = FullDisk(taken_bytes=60)

    def refuse(fd: int, size: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", disk.pwrite)
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(KafkaStorageError):
            append(log, "b" * 500)
    assert records_in(log) == {0: "a"}
    append(log, "c")
    assert root.log_files()[0].stat().st_size == log.size_bytes
    assert records_in(log) == {0: "a", 1: "c"}


def test_a_segment_that_cannot_be_rolled_refuses_the_batch(root: DataRoot) -> None:
    log = root.create(segment_bytes=100)
    append(log, "a" * 20)
    (root.folder() / "00000000000000000001.log").mkdir()
    with pytest.raises(KafkaStorageError):
        append(log, "b" * 20)
    (root.folder() / "00000000000000000001.log").rmdir()
    append(log, "b" * 20)
    assert len(records_in(log)) == 2


# -- finding by time


def test_the_first_record_not_older_than_a_timestamp_is_found(root: DataRoot) -> None:
    log = root.create(segment_bytes=1000, index_interval_bytes=200)
    for number in range(60):
        append(log, f"{number}", f"{number}b", timestamp_ms=NOW_MS + 10 * number)
    for number in range(60):
        found = log.offset_for_timestamp(NOW_MS + 10 * number - 3)
        assert found == (NOW_MS + 10 * number, 2 * number, 0)
    assert log.offset_for_timestamp(NOW_MS + 591) is None


def test_a_search_by_time_does_not_return_deleted_records(root: DataRoot) -> None:
    log = root.create()
    append(log, "a", "b", "c")
    log.delete_records(2)
    found = log.offset_for_timestamp(0)
    assert found is not None
    assert found.offset == 2


def test_the_largest_timestamp_is_found_wherever_it_lies(root: DataRoot) -> None:
    log = root.create(segment_bytes=400)
    assert log.max_timestamp() is None
    for number, age_ms in enumerate([5, 3, 1, 9, 2, 1, 8, 7]):
        append(log, f"{number}", timestamp_ms=NOW_MS - age_ms)
    assert log.segment_count > 1
    assert log.max_timestamp() == (NOW_MS - 1, 2, 0)


def test_undated_records_have_no_offset_by_time(root: DataRoot) -> None:
    log = root.create()
    append(log, "a", timestamp_ms=-1)
    assert log.offset_for_timestamp(0) is None
    assert log.max_timestamp() is None


# -- deleting records


def test_deleted_records_can_no_longer_be_read(root: DataRoot) -> None:
    log = root.create()
    append(log, "a", "b", "c")
    assert log.delete_records(2) == 2
    with pytest.raises(OffsetOutOfRange):
        log.read(offset=1, bytes_max=100)
    assert records_in(log) == {2: "c"}
    assert log.delete_records(1) == 2


def test_deleting_to_minus_one_deletes_all_there_is(root: DataRoot) -> None:
    log = root.create()
    append(log, "a", "b")
    assert log.delete_records(-1) == 2
    assert append(log, "c").base_offset == 2


@pytest.mark.parametrize("before_offset", [-2, 3])
def test_deleting_beyond_the_high_watermark_is_refused(root: DataRoot, before_offset: int) -> None:
    log = root.create()
    append(log, "a", "b")
    with pytest.raises(OffsetOutOfRange):
        log.delete_records(before_offset)


@pytest.mark.parametrize("clean", [True, False])
def test_a_log_start_offset_survives_any_stop(root: DataRoot, clean: bool) -> None:
    log = root.create()
    append(log, "a", "b", "c")
    log.delete_records(2)
    root.restart(clean=clean)
    assert root.get().log_start_offset == 2


def test_a_log_start_offset_that_cannot_be_written_does_not_move(
    root: DataRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = root.create()
    append(log, "a", "b")

    def refuse(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(KafkaStorageError):
        log.delete_records(1)
    assert log.log_start_offset == 0
    monkeypatch.undo()


# -- truncating


def test_truncating_forgets_batches_and_producers_from_the_offset_on(root: DataRoot) -> None:
    log = root.create(segment_bytes=300)
    for sequence in range(12):
        append(log, f"{sequence}" * 40, producer_id=9, producer_epoch=0, base_sequence=sequence)
    log.truncate_to(5)
    assert list(records_in(log)) == [0, 1, 2, 3, 4]
    producer = log.producer_state.get(9)
    assert producer is not None
    assert producer.last_sequence == 4
    assert append(log, "again", producer_id=9, producer_epoch=0, base_sequence=5).base_offset == 5
    root.restart(clean=False)
    assert list(records_in(root.get())) == [0, 1, 2, 3, 4, 5]


# -- waiting


def test_a_waiter_is_called_once_after_the_next_append(root: DataRoot) -> None:
    log, calls = root.create(), []
    log.add_waiter(lambda: calls.append(log.high_watermark))
    append(log, "a")
    append(log, "b")
    assert calls == [1]


def test_a_removed_waiter_is_not_called(root: DataRoot) -> None:
    log, calls = root.create(), []

    def wake() -> None:
        calls.append(1)

    log.add_waiter(wake)
    log.remove_waiter(wake)
    append(log, "a")
    assert calls == []


def test_closing_or_deleting_a_log_wakes_its_waiters(root: DataRoot) -> None:
    calls: list[str] = []
    for topic in ("a", "b"):
        root.create(topic).add_waiter(lambda topic=topic: calls.append(topic))
    root.logs.delete("a", 0)
    root.logs.close()
    assert calls == ["a", "b"]


def test_a_deleted_log_takes_and_gives_nothing(root: DataRoot) -> None:
    log = root.create()
    append(log, "a")
    root.logs.delete("orders", 0)
    with pytest.raises(KafkaStorageError):
        append(log, "b")
    with pytest.raises(KafkaStorageError):
        log.read(offset=0, bytes_max=100)


# -- the strict flush policy


@pytest.fixture
def strict_root(root: DataRoot) -> DataRoot:
    root.options["flush"] = FlushPolicy(FlushMode.ALWAYS)
    root.restart()
    return root


def test_under_flush_always_a_batch_is_seen_only_from_the_disk(strict_root: DataRoot) -> None:
    log, answers, woken = strict_root.create(), [], []
    log.add_waiter(lambda: woken.append(log.high_watermark))
    appended = append(log, "a")
    log.when_durable(appended.end_offset, answers.append)
    assert (log.high_watermark, log.read(offset=0, bytes_max=100), answers, woken) == (0, b"", [], [])
    strict_root.logs.flush_dirty(NOW_MS)
    assert (log.high_watermark, records_in(log), answers, woken) == (1, {0: "a"}, [None], [1])
    log.when_durable(appended.end_offset, answers.append)
    assert answers == [None, None]


def test_batches_that_come_during_a_flush_wait_for_the_next(strict_root: DataRoot) -> None:
    log, answers = strict_root.create(segment_bytes=200), []
    log.when_durable(append(log, "a" * 90).end_offset, lambda error: answers.append("a"))
    job = strict_root.logs.start_flush(NOW_MS)
    assert job is not None
    log.when_durable(append(log, "b" * 90).end_offset, lambda error: answers.append("b"))  # in a new segment
    log.when_durable(append(log, "c").end_offset, lambda error: answers.append("c"))
    job.run()
    job.finish()
    assert (answers, log.high_watermark, list(records_in(log))) == (["a"], 1, [0])
    strict_root.logs.flush_dirty(NOW_MS)
    assert (answers, log.high_watermark, list(records_in(log))) == (["a", "b", "c"], 3, [0, 1, 2])


def test_one_flush_job_serves_all_logs_that_wait(strict_root: DataRoot) -> None:
    wanted: list[int] = []
    strict_root.logs.on_flush_wanted = lambda: wanted.append(1)
    logs = [strict_root.create("orders", partition) for partition in range(3)]
    for log in logs:
        append(log, "a")
        append(log, "b")
    assert wanted == [1, 1, 1]
    job = strict_root.logs.start_flush(NOW_MS)
    assert job is not None
    assert len(job.targets) == 3
    job.run()
    job.finish()
    assert [log.high_watermark for log in logs] == [2, 2, 2]
    assert strict_root.logs.start_flush(NOW_MS) is None


def test_a_failed_flush_tells_the_waiting_producers_and_stops_appending(
    strict_root: DataRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, answers = strict_root.create(), []
    append(log, "a")
    strict_root.logs.flush_dirty(NOW_MS)
    log.when_durable(append(log, "b").end_offset, answers.append)

    def refuse(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", refuse)
    strict_root.logs.flush_dirty(NOW_MS)
    monkeypatch.undo()
    assert isinstance(answers[0], KafkaStorageError)
    with pytest.raises(KafkaStorageError):
        append(log, "c")
    assert records_in(log) == {0: "a"}
    strict_root.restart()
    assert not strict_root.logs.is_clean
    assert records_in(strict_root.get()) == {0: "a", 1: "b"}


def test_a_flush_that_lacks_a_descriptor_is_tried_again(strict_root: DataRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    log, answers = strict_root.create(), []
    log.when_durable(append(log, "a").end_offset, answers.append)

    def refuse(*args: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        strict_root.logs.flush_dirty(NOW_MS)
    assert (answers, log.high_watermark) == ([], 0)
    append(log, "b")
    strict_root.logs.flush_dirty(NOW_MS)
    assert (answers, log.high_watermark) == ([None], 2)


def test_flush_messages_1_makes_a_topic_strict_under_any_policy(root: DataRoot) -> None:
    log = root.create(flush_messages=1)
    append(log, "a")
    assert (log.is_strict, log.high_watermark) == (True, 0)
    root.logs.flush_dirty(NOW_MS)
    assert log.high_watermark == 1


def test_in_mode_never_only_closed_segments_are_forced(root: DataRoot) -> None:
    root.options["flush"] = FlushPolicy(FlushMode.NEVER)
    root.restart()
    log = root.create(segment_bytes=200)
    append(log, "a" * 90)
    assert root.logs.start_flush(NOW_MS) is None
    append(log, "b" * 90)
    root.logs.flush_dirty(NOW_MS)
    assert log.recovery_point == 1
    assert log.high_watermark == 2


def test_in_mode_never_flush_messages_and_flush_ms_are_obeyed(root: DataRoot) -> None:
    root.options["flush"] = FlushPolicy(FlushMode.NEVER)
    root.restart()
    counted, timed = root.create("counted", flush_messages=3), root.create("timed", flush_ms=1000)
    for _ in range(2):
        append(counted, "a")
        append(timed, "a")
    root.logs.flush_dirty(NOW_MS + 999)
    assert (counted.recovery_point, timed.recovery_point) == (0, 0)
    append(counted, "a")
    root.logs.flush_dirty(NOW_MS + 1000)
    assert (counted.recovery_point, timed.recovery_point) == (3, 2)
