"""Codes here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

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
