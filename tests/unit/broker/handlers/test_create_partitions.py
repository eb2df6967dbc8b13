"""Codes and messages here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import pytest

from broker.protocol.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)


@pytest.fixture
def topics(handler_broker):
    handler_broker.topics.create("t1", partition_count=1)
    handler_broker.topics.create("t2", partition_count=3)
    return handler_broker.topics


def grow(handler_broker, *topics, **options):
    asked = [
        CreatePartitionsTopic(
            name=name,
            count=count,
            assignments=None if brokers is None else [CreatePartitionsAssignment(broker_ids=b) for b in brokers],
        )
        for name, count, brokers in topics
    ]
    results = handler_broker.ask(CreatePartitionsRequest(topics=asked, **options)).results
    return [(r.name, r.error_code, r.error_message) for r in results]


def test_a_topic_grows_and_its_new_logs_obey_its_configs(handler_broker, topics):
    topics.set_configs("t2", {"retention.ms": "5"})
    assert grow(handler_broker, ("t2", 5, None)) == [("t2", 0, None)]
    assert topics.named("t2").partition_count == 5
    assert handler_broker.logs.get("t2", 4).config.retention_ms == 5


def test_validate_only_grows_nothing(handler_broker, topics):
    assert grow(handler_broker, ("t2", 5, [[1], [1]]), validate_only=True) == [("t2", 0, None)]
    assert topics.named("t2").partition_count == 3


@pytest.mark.parametrize(
    ("count", "brokers", "code", "message"),
    [
        (3, None, 37, "Topic already has 3 partition(s)."),
        (2, None, 37, "The topic t2 currently has 3 partition(s); 2 would not be an increase."),
        (-1, None, 37, "The topic t2 currently has 3 partition(s); -1 would not be an increase."),
        (4, [[1], [1]], 39, "Attempted to add 1 additional partition(s), but only 2 assignment(s) were specified."),
        (5, [], 39, "Attempted to add 2 additional partition(s), but only 0 assignment(s) were specified."),
        (4, [[9]], 39, "The manual partition assignment includes broker 9, but no such broker is registered."),
        (4, [[1, 2]], 39, "The manual partition assignment includes broker 2, but no such broker is registered."),
        (4, [[1, 1]], 39, "The manual partition assignment includes the broker 1 more than once."),
        (10_004, None, 44, "Excessively large number of partitions per request."),  # Kafka: -1, no message
        (4, [[]], 39, "The manual partition assignment includes an empty replica list."),
    ],
)
def test_what_kafka_refuses_is_refused_with_its_message(handler_broker, topics, count, brokers, code, message):
    assert grow(handler_broker, ("t2", count, brokers)) == [("t2", code, message)]
    assert topics.named("t2").partition_count == 3


def test_one_bad_topic_does_not_stop_the_others(handler_broker, topics):
    results = grow(handler_broker, ("zz", 4, None), ("t2", 4, None), ("t2", 5, None), ("t1", 9, None))
    assert [(name, code) for name, code, _ in results] == [("zz", 3), ("t1", 0), ("t2", 42)]
    assert results[-1] == ("t2", 42, "Duplicate topic name.")


def test_our_limit_of_all_partitions_is_named(make_broker):
    handler_broker = make_broker(caudal_partitions_max="5")
    handler_broker.topics.create("a", partition_count=4)
    message = "The broker would have 6 partitions; caudal.partitions.max allows 5."
    assert grow(handler_broker, ("a", 6, None)) == [("a", 37, message)]
