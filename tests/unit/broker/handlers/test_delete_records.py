"""Codes here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import errno
import os

import pytest

from broker.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from broker.protocol.record_batch import Record, build_batch, read_header


@pytest.fixture
def log(handler_broker):
    """Partition 0 of t2 with the records 0 to 9."""
    handler_broker.topics.create("t2", partition_count=3)
    log = handler_broker.topics.partition("t2", 0)
    for _ in range(10):
        now_ms = handler_broker.clock.now_ms()
        batch = bytearray(build_batch([Record(0, now_ms, None, b"value")]))
        log.append(batch, read_header(batch), now_ms=now_ms)
    return log


def delete(handler_broker, topic, *offsets):
    asked = [DeleteRecordsPartition(partition_index=index, offset=offset) for index, offset in offsets]
    request = DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=asked)])
    (answer,) = handler_broker.ask(request).topics
    return [(p.partition_index, p.low_watermark, p.error_code) for p in answer.partitions]


def test_the_log_begins_at_the_asked_offset(handler_broker, log):
    assert delete(handler_broker, "t2", (0, 4)) == [(0, 4, 0)]
    assert log.log_start_offset == 4


def test_minus_one_deletes_all_that_consumers_can_see(handler_broker, log):
    assert delete(handler_broker, "t2", (0, -1)) == [(0, 10, 0)]


def test_an_earlier_offset_changes_nothing(handler_broker, log):
    delete(handler_broker, "t2", (0, 4))
    assert delete(handler_broker, "t2", (0, 2)) == [(0, 4, 0)]


def test_offsets_outside_the_log_are_refused(handler_broker, log):
    assert delete(handler_broker, "t2", (0, 11), (1, -1), (2, -2)) == [(0, -1, 1), (1, 0, 0), (2, -1, 1)]


def test_partitions_that_do_not_exist_are_refused(handler_broker, log):
    assert delete(handler_broker, "t2", (9, 0)) == [(9, -1, 3)]
    assert delete(handler_broker, "zz", (0, 0)) == [(0, -1, 3)]


def test_compacted_and_internal_topics_keep_their_records(handler_broker):
    # Not measured: known from Kafka's documentation of DeleteRecords.
    handler_broker.topics.create("compacted", partition_count=1, configs={"cleanup.policy": "compact"})
    handler_broker.topics.create("__consumer_offsets", partition_count=1)
    assert delete(handler_broker, "compacted", (0, -1)) == [(0, -1, 44)]
    assert delete(handler_broker, "__consumer_offsets", (0, -1)) == [(0, -1, 17)]


def test_what_was_answered_is_on_disk(handler_broker, log):
    assert delete(handler_broker, "t2", (0, 4)) == [(0, 4, 0)]
    assert log.recovery_point == 10
    assert "t2 0 4" in (handler_broker.logs.path / "log-start-offset-checkpoint").read_text()


def test_one_partition_asked_twice_begins_at_the_later_offset(handler_broker, log):
    assert delete(handler_broker, "t2", (0, 4), (0, 7), (0, 2)) == [(0, 7, 0)] * 3


def test_a_disk_that_refuses_moves_nothing(handler_broker, log, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "replace", refuse)
    assert delete(handler_broker, "t2", (0, 4), (0, 7)) == [(0, -1, 56), (0, -1, 56)]
    assert log.log_start_offset == 0
    monkeypatch.undo()
    assert delete(handler_broker, "t2", (0, 4)) == [(0, 4, 0)]


def test_a_full_disk_is_written_to_in_the_room_that_was_kept(handler_broker, log, monkeypatch):
    replace, refusals = os.replace, [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))]

    def refuse_once(source, target):
        if refusals:
            raise refusals.pop()
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse_once)
    assert delete(handler_broker, "t2", (0, 4)) == [(0, 4, 0)]
    assert handler_broker.logs.reserve.is_spent


def test_records_that_cannot_be_flushed_are_not_deleted(handler_broker, log, monkeypatch):
    def refuse(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", refuse)
    assert delete(handler_broker, "t2", (0, 4)) == [(0, -1, 56)]
    assert log.log_start_offset == 0
