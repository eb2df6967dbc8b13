"""Codes and messages here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import uuid

import pytest

from broker.groups import CommittedOffset, Now, PartitionOffset
from broker.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from broker.protocol.primitives import NULL_UUID


@pytest.fixture
def topics(handler_broker):
    for name in ("d1", "d2"):
        handler_broker.topics.create(name, partition_count=2)
    return handler_broker.topics


def by_name(handler_broker, *names, version=5):
    return handler_broker.ask(DeleteTopicsRequest(topic_names=list(names)), version).responses


def by_state(handler_broker, *states):
    asked = [DeleteTopicState(name=name, topic_id=topic_id or NULL_UUID) for name, topic_id in states]
    return [
        (r.name, r.error_code, r.error_message) for r in handler_broker.ask(DeleteTopicsRequest(topics=asked)).responses
    ]


def test_a_deleted_topic_is_gone_with_its_logs(handler_broker, topics):
    (result,) = by_name(handler_broker, "d1")
    assert (result.name, result.error_code) == ("d1", 0)
    assert "d1" not in topics
    assert handler_broker.logs.get("d1", 0) is None


def test_one_unknown_topic_does_not_stop_the_others(handler_broker, topics):
    results = by_name(handler_broker, "nope", "", "d2")
    assert [(r.name, r.error_code) for r in results] == [("nope", 3), ("", 3), ("d2", 0)]
    assert results[0].error_message == "This server does not host this topic-partition."


def test_a_topic_named_twice_stays(handler_broker, topics):
    (result,) = by_name(handler_broker, "d1", "d1")
    assert (result.error_code, result.error_message) == (42, "Duplicate topic name.")
    assert "d1" in topics


def test_a_topic_is_deleted_by_id_once(handler_broker, topics):
    topic_id = topics.named("d1").topic_id
    assert by_state(handler_broker, (None, topic_id)) == [("d1", 0, None)]
    assert by_state(handler_broker, (None, topic_id)) == [(None, 100, "This server does not host this topic ID.")]


def test_states_that_name_no_single_topic_are_refused(handler_broker, topics):
    topic_id = topics.named("d1").topic_id
    assert by_state(handler_broker, (None, None)) == [(None, 42, "Neither topic name nor id were specified.")]
    both = (42, "You may not specify both topic name and topic id.")
    assert by_state(handler_broker, ("d2", uuid.uuid4().bytes)) == [("d2", *both)]
    twice = (42, "The provided topic name maps to an ID that was already supplied.")
    assert by_state(handler_broker, ("d1", None), (None, topic_id))[0] == ("d1", *twice)
    assert "d1" in topics


@pytest.mark.parametrize(("version", "code"), [(2, 42), (3, 73), (6, 73)])
def test_deletion_can_be_switched_off(make_broker, version, code):
    handler_broker = make_broker(delete_topic_enable="false")
    handler_broker.topics.create("d1", partition_count=1)
    (result,) = by_name(handler_broker, "d1", version=version)
    assert result.error_code == code
    assert "d1" in handler_broker.topics


def test_committed_offsets_go_with_their_topic(handler_broker, topics):
    now = Now(0, 0)
    handler_broker.groups.load(now)
    committed = CommittedOffset(5, leader_epoch=-1, metadata="", committed_ms=0, expires_ms=None, topic_id=NULL_UUID)
    commits = [PartitionOffset(topic, 0, committed) for topic in ("d1", "d2")]
    handler_broker.groups.commit_offsets("g", commits, member_id="", group_instance_id=None, generation_id=-1, now=now)
    by_name(handler_broker, "d1")
    assert list(handler_broker.groups.committed_offsets("g")) == ["d2"]
