"""OffsetCommit on the wire, as Kafka 4.3.1 answers it."""

import uuid

import pytest

from broker.dispatch import DelayedResponse
from broker.errors import KafkaStorageError
from broker.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)

UNKNOWN_ID = uuid.UUID("11111111-2222-4333-8444-555555555555").bytes


def partition(index, offset=5, metadata="m"):
    return OffsetCommitRequestPartition(partition_index=index, committed_offset=offset, committed_metadata=metadata)


def request(*topics, **fields):
    asked = OffsetCommitRequest(group_id="g", topics=[])
    for name, partitions in topics:
        topic = OffsetCommitRequestTopic(partitions=partitions)
        setattr(topic, "name" if isinstance(name, str) else "topic_id", name)
        asked.topics.append(topic)
    for name, value in fields.items():
        setattr(asked, name, value)
    return asked


def errors(response):
    return [[part.error_code for part in topic.partitions] for topic in response.topics]


@pytest.mark.parametrize("version", range(2, 10))
def test_unknown_topics_and_partitions_do_not_stop_the_others(groups, version):
    asked = request(("t", [partition(0), partition(9), partition(-1)]), ("nope", [partition(0)]))
    response = groups.ask(asked, version)
    assert [topic.name for topic in response.topics] == ["t", "nope"]
    assert errors(response) == [[0, 3, 3], [3]]


def test_topics_are_named_by_id_from_version_10(groups):
    asked = request((groups.topic.topic_id, [partition(0), partition(9)]), (UNKNOWN_ID, [partition(0)]))
    response = groups.ask(asked, 10)
    assert [topic.topic_id for topic in response.topics] == [groups.topic.topic_id, UNKNOWN_ID]
    assert errors(response) == [[0, 3], [100]]


@pytest.mark.parametrize(("version", "error"), [(8, 22), (9, 69)])
def test_unknown_group_with_a_generation_has_another_error_since_version_9(groups, version, error):
    asked = request(("t", [partition(0)]), member_id="x", generation_id_or_member_epoch=1)
    assert errors(groups.ask(asked, version)) == [[error]]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"generation_id_or_member_epoch": 2}, 22),
        ({"generation_id_or_member_epoch": -1}, 22),
        ({"member_id": "x"}, 25),
        ({"member_id": "", "generation_id_or_member_epoch": -1}, 25),
        ({"group_instance_id": "i"}, 25),
        ({}, 0),
    ],
)
def test_every_partition_carries_the_error_of_the_member(groups, fields, error):
    valid = {"member_id": groups.member(), "generation_id_or_member_epoch": 1}
    response = groups.ask(request(("t", [partition(0), partition(1)]), **(valid | fields)), 9)
    assert errors(response) == [[error, error]]


def test_null_metadata_is_kept_as_no_metadata(groups):
    groups.ask(request(("t", [partition(0, metadata=None)])), 9)
    assert groups.broker.groups.committed_offsets("g")["t"][0].metadata == ""


def test_too_long_metadata_does_not_stop_the_others(groups):
    asked = request(("t", [partition(0, metadata="x" * 4_097), partition(1, metadata="é" * 4_096)]))
    assert errors(groups.ask(asked, 9)) == [[12, 0]]


def test_negative_offset_is_stored_as_it_is(groups):
    groups.ask(request(("t", [partition(0, offset=-8)])), 9)
    assert groups.broker.groups.committed_offsets("g")["t"][0].offset == -8


def test_empty_group_id_may_commit(groups):
    assert errors(groups.ask(request(("t", [partition(0)]), group_id=""), 9)) == [[0]]


def test_retention_time_of_old_versions_is_kept(groups):
    groups.ask(request(("t", [partition(0)]), retention_time_ms=1_000), 4)
    committed = groups.broker.groups.committed_offsets("g")["t"][0]
    assert committed.expires_ms == committed.committed_ms + 1_000


class StrictOffsetsLog:
    """An OffsetsLog whose records count only from the disk."""

    is_strict = True

    def __init__(self):
        self.waiting = []

    def append(self, group_id, records, *, wall_ms):
        pass

    def when_durable(self, group_id, callback):
        self.waiting.append(callback)


@pytest.mark.parametrize(("failure", "error"), [(None, 0), (KafkaStorageError(), 16)])
def test_strict_flush_policy_answers_from_the_disk_only(groups, failure, error):
    log = groups.broker.groups._store._log = StrictOffsetsLog()
    waiting = groups.broker.ask(request(("t", [partition(0), partition(9)])), 9)
    assert isinstance(waiting, DelayedResponse)
    assert not waiting.is_answered
    log.waiting[0](failure)
    answers: list = []
    waiting.when_answered(answers.append)
    assert errors(answers[0]) == [[error, 3]]


def test_nothing_waits_for_the_disk_when_nothing_was_committed(groups):
    groups.broker.groups._store._log = StrictOffsetsLog()
    assert errors(groups.broker.ask(request(("nope", [partition(0)])), 9)) == [[3]]
