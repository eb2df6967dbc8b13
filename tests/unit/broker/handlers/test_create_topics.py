"""Codes and messages here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import pytest

from broker.protocol.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from broker.protocol.primitives import NULL_UUID


def topic(name, *, partitions=1, replicas=1, configs=None, assignments=None):
    if assignments is not None:
        partitions = replicas = -1
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()],
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=brokers)
            for index, brokers in assignments or ()
        ],
    )


def create(handler_broker, *topics, **options):
    return handler_broker.ask(CreateTopicsRequest(topics=list(topics), **options)).topics


def refusal(handler_broker, asked):
    (result,) = create(handler_broker, asked)
    assert (result.topic_id, result.num_partitions, result.replication_factor) == (NULL_UUID, -1, -1)
    assert result.configs == []
    assert asked.name not in handler_broker.topics
    return result.error_code, result.error_message


def test_a_topic_is_there_when_it_is_answered(handler_broker):
    (result,) = create(handler_broker, topic("orders", partitions=3, configs={"retention.ms": "1000"}))
    assert (result.error_code, result.error_message) == (0, None)
    assert (result.num_partitions, result.replication_factor) == (3, 1)
    made = handler_broker.topics.named("orders")
    assert (made.topic_id, made.partition_count) == (result.topic_id, 3)
    assert handler_broker.logs.get("orders", 2).config.retention_ms == 1000


def test_the_answer_tells_all_configs_and_where_they_come_from(handler_broker):
    (result,) = create(handler_broker, topic("orders", configs={"retention.ms": "1000"}))
    assert len(result.configs) == 37
    by_name = {config.name: config for config in result.configs}
    assert (by_name["retention.ms"].value, by_name["retention.ms"].config_source) == ("1000", 1)
    assert (by_name["segment.ms"].value, by_name["segment.ms"].config_source) == ("604800000", 5)
    assert not any(config.read_only or config.is_sensitive for config in result.configs)


def test_minus_one_means_the_brokers_defaults(make_broker):
    handler_broker = make_broker(num_partitions="4")
    (result,) = create(handler_broker, topic("orders", partitions=-1, replicas=-1))
    assert (result.num_partitions, result.replication_factor) == (4, 1)


def test_validate_only_answers_alike_and_makes_nothing(handler_broker):
    (result,) = create(handler_broker, topic("orders", partitions=3), validate_only=True)
    assert (result.error_code, result.num_partitions, len(result.configs)) == (0, 3, 37)
    assert "orders" not in handler_broker.topics


def test_one_bad_topic_does_not_stop_the_others(handler_broker):
    bad, good = create(handler_broker, topic("a", replicas=5), topic("b"))
    assert (bad.error_code, good.error_code) == (38, 0)
    assert "b" in handler_broker.topics


def test_a_topic_named_twice_is_refused_once(handler_broker):
    results = create(handler_broker, topic("dup"), topic("dup"), topic("single"))
    assert [(r.name, r.error_code, r.error_message) for r in results] == [
        ("single", 0, None),
        ("dup", 42, "Duplicate topic name."),
    ]


@pytest.mark.parametrize("validate_only", [False, True])
def test_an_existing_topic_is_refused(handler_broker, validate_only):
    create(handler_broker, topic("orders"))
    (result,) = create(handler_broker, topic("orders"), validate_only=validate_only)
    assert (result.error_code, result.error_message) == (36, "Topic 'orders' already exists.")


def test_names_that_metrics_cannot_tell_apart_collide(handler_broker):
    create(handler_broker, topic("ct.ok"))
    assert refusal(handler_broker, topic("ct_ok")) == (17, "Topic 'ct_ok' collides with existing topic: ct.ok")


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (topic(""), 17, "Topic name is invalid: the empty string is not allowed"),
        (topic(".."), 17, "Topic name is invalid: '..' is not allowed"),
        (
            topic("a b"),
            17,
            "Topic name is invalid: 'a b' contains one or more characters other than "
            "ASCII alphanumerics, '.', '_' and '-'",
        ),
        (topic("__cluster_metadata"), 42, "Creation of internal topic __cluster_metadata is prohibited."),
        (topic("q", partitions=0), 37, "Number of partitions was set to an invalid non-positive value."),
        (topic("q", partitions=-2), 37, "Number of partitions was set to an invalid non-positive value."),
        (topic("q", partitions=0, replicas=2), 37, "Number of partitions was set to an invalid non-positive value."),
        (topic("q", replicas=0), 38, "Replication factor must be larger than 0, or -1 to use the default value."),
        (topic("q", replicas=-2), 38, "Replication factor must be larger than 0, or -1 to use the default value."),
        (
            topic("q", replicas=2),
            38,
            "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because "
            "only 1 broker(s) are registered or some brokers have all their log directories cordoned.",
        ),
        (topic("q", partitions=20_001), 44, "Excessively large number of partitions per request."),
        (topic("q", configs={"nope": "1"}), 40, "Unknown topic config name: nope"),
        (topic("q", configs={"retention.ms": None}), 40, "Null value not supported for topic configs: retention.ms"),
        (
            topic("q", configs={"retention.ms": "x"}),
            40,
            "Invalid value x for configuration retention.ms: Not a number of type LONG",
        ),
    ],
)
def test_what_kafka_refuses_is_refused_with_its_message(handler_broker, asked, code, message):
    assert refusal(handler_broker, asked) == (code, message)


def test_the_longest_name_is_249_characters(handler_broker):
    assert refusal(handler_broker, topic("x" * 250))[0] == 17
    assert create(handler_broker, topic("x" * 249))[0].error_code == 0


def test_a_manual_assignment_gives_the_partition_count(handler_broker):
    (result,) = create(handler_broker, topic("orders", assignments=[(1, [1]), (0, [1])]))
    assert (result.error_code, result.num_partitions) == (0, 2)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([(0, [1]), (2, [1])], "partitions should be a consecutive 0-based integer sequence"),
        ([(1, [1])], "partitions should be a consecutive 0-based integer sequence"),
        ([(0, [7])], "The manual partition assignment includes broker 7, but no such broker is registered."),
        ([(0, [-1])], "The manual partition assignment includes broker -1, but no such broker is registered."),
        ([(0, [1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        ([(0, [1]), (0, [1])], "Found multiple manual partition assignments for partition 0"),
        ([(0, [])], "The manual partition assignment includes an empty replica list."),
    ],
)
def test_an_assignment_that_cannot_be_is_refused(handler_broker, assignments, message):
    assert refusal(handler_broker, topic("q", assignments=assignments)) == (39, message)


def test_an_assignment_and_counts_exclude_each_other(handler_broker):
    asked = topic("q", assignments=[(0, [1])])
    asked.num_partitions = 1
    message = "A manual partition assignment was specified, but numPartitions was not set to -1."
    assert refusal(handler_broker, asked) == (42, message)
    asked.num_partitions, asked.replication_factor = -1, 1
    message = "A manual partition assignment was specified, but replication factor was not set to -1."
    assert refusal(handler_broker, asked) == (42, message)


def test_our_limit_of_all_partitions_is_named(make_broker):
    handler_broker = make_broker(caudal_partitions_max="5")
    create(handler_broker, topic("a", partitions=4))
    message = "The broker would have 6 partitions; caudal.partitions.max allows 5."
    assert refusal(handler_broker, topic("b", partitions=2)) == (37, message)
    assert create(handler_broker, topic("c"))[0].error_code == 0


def test_many_topics_in_one_request_are_all_there(handler_broker):
    results = create(handler_broker, *(topic(f"t{number}", partitions=3) for number in range(60)))
    assert {result.error_code for result in results} == {0}
    assert len(handler_broker.topics) == 60
