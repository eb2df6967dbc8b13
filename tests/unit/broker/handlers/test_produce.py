"""The Produce handler where the wire tests do not reach: waiting for the disk, acks=0, what is kept in memory."""

import os

import pytest

from broker.dispatch import BadRequest, DelayedResponse
from broker.errors import KafkaStorageError
from broker.handlers.metadata import metadata
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.record_batch import Record, build_batch

BY_NAME = 12  # the newest version that names topics


def request(topic="t", value=b"x", acks=-1):
    records = memoryview(bytearray(build_batch([Record(0, 1_700_000_000_000, b"k", value)])))
    return ProduceRequest(
        acks=acks,
        topic_data=[TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=0, records=records)])],
    )


def partition_of(response):
    return response.responses[0].partition_responses[0]


@pytest.fixture
def waiting(handler_broker):
    """A broker with a topic whose batches count only from the disk; flushing is up to the test."""
    handler_broker.topics.create("t", partition_count=1, configs={"flush.messages": "1"})
    return handler_broker


def test_the_answer_waits_for_the_disk(waiting):
    delayed, answers = waiting.ask(request(), BY_NAME), []
    assert isinstance(delayed, DelayedResponse)
    delayed.when_answered(answers.append)
    assert not answers
    waiting.logs.flush_dirty(waiting.clock.now_ms())
    assert partition_of(answers[0]).error_code == 0
    assert partition_of(answers[0]).base_offset == 0


def test_batches_that_wait_together_share_one_flush(waiting, monkeypatch):
    answers, flushes = [], []
    flush = os.fdatasync
    for _ in range(3):
        waiting.ask(request(), BY_NAME).when_answered(answers.append)
    monkeypatch.setattr(os, "fdatasync", lambda fd: flushes.append(os.readlink(f"/proc/self/fd/{fd}")) or flush(fd))
    waiting.logs.flush_dirty(waiting.clock.now_ms())
    assert [partition_of(answer).base_offset for answer in answers] == [0, 1, 2]
    assert len([path for path in flushes if path.endswith(".log")]) == 1


def test_a_disk_that_fails_is_told(waiting, monkeypatch):
    answers = []
    waiting.ask(request(), BY_NAME).when_answered(answers.append)

    def fail(fd):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    waiting.logs.flush_dirty(waiting.clock.now_ms())
    assert partition_of(answers[0]).error_code == KafkaStorageError.code
    assert partition_of(answers[0]).base_offset == -1


def test_acks_1_does_not_wait_for_the_disk(waiting):
    assert partition_of(waiting.ask(request(acks=1), BY_NAME)).base_offset == 0


def test_acks_0_has_no_answer(handler_broker):
    handler_broker.topics.create("t", partition_count=1)
    assert handler_broker.ask(request(acks=0), BY_NAME) is None
    with pytest.raises(BadRequest, match="unknown-0"):
        handler_broker.ask(request("unknown", acks=0), BY_NAME)


def test_internal_topics_are_written_by_the_broker_alone(handler_broker):
    handler_broker.topics.create("__consumer_offsets", partition_count=1)
    for client_id, code in (("someone", 17), ("__admin_client", 0), ("someone", 17)):
        handler_broker.context.client_id = client_id
        assert partition_of(handler_broker.ask(request("__consumer_offsets"), BY_NAME)).error_code == code


def test_a_changed_topic_config_holds_for_the_next_batch(handler_broker):
    handler_broker.topics.create("t", partition_count=1)
    assert partition_of(handler_broker.ask(request(value=bytes(1000)), BY_NAME)).error_code == 0
    handler_broker.topics.set_configs("t", {"max.message.bytes": "500"})
    assert partition_of(handler_broker.ask(request(value=bytes(1000)), BY_NAME)).error_code == 10


def test_a_changed_broker_default_holds_for_the_next_batch(handler_broker):
    handler_broker.topics.create("t", partition_count=1)
    assert partition_of(handler_broker.ask(request(value=bytes(1000)), BY_NAME)).error_code == 0
    handler_broker.configs.replace({"message.max.bytes": "500"}, for_cluster=True)
    assert partition_of(handler_broker.ask(request(value=bytes(1000)), BY_NAME)).error_code == 10


def test_a_topic_made_anew_is_not_mistaken_for_the_old_one(handler_broker):
    for _ in range(2):
        handler_broker.topics.create("t", partition_count=1)
        assert partition_of(handler_broker.ask(request(), BY_NAME)).base_offset == 0
        handler_broker.topics.delete("t")
    assert partition_of(handler_broker.ask(request(), BY_NAME)).error_code == 3


def test_metadata_is_answered_from_memory_until_topics_change(handler_broker):
    handler_broker.topics.create("t", partition_count=1)
    handler_broker.context.api_version = 12
    asked = MetadataRequest(topics=[MetadataRequestTopic(name="t")])
    first = metadata(asked, handler_broker.context)
    assert metadata(asked, handler_broker.context) is first
    handler_broker.topics.add_partitions("t", 2)
    assert metadata(asked, handler_broker.context) != first


def test_records_without_a_key_are_named_as_kafka_names_them(handler_broker):
    """Measured on Apache Kafka 4.3.1."""
    handler_broker.topics.create("t", partition_count=1, configs={"cleanup.policy": "compact"})
    records = [Record(0, 1_700_000_000_000, key, b"v") for key in (None, b"k", None, None, None)]
    data = PartitionProduceData(index=0, records=memoryview(bytearray(build_batch(records))))
    answer = partition_of(
        handler_broker.ask(ProduceRequest(acks=-1, topic_data=[TopicProduceData("t", partition_data=[data])]), BY_NAME)
    )
    message = "Compacted topic cannot accept message without key in topic partition t-0"
    assert (answer.error_code, answer.base_offset, answer.log_start_offset) == (87, -1, 0)
    assert [(one.batch_index, one.batch_index_error_message) for one in answer.record_errors] == [
        (index, message) for index in (0, 2, 3, 4)
    ]
    shown = ", ".join(f"RecordError(batchIndex={index}, message='{message}')" for index in (0, 2, 3))
    assert answer.error_message == (
        "One or more records have been rejected due to 4 record errors in total, and only showing the first three "
        f"errors at most: [{shown}]"
    )
