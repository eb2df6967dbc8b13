"""Codes and messages here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import pytest

from broker.protocol.messages.alter_configs import AlterableConfig, AlterConfigsRequest, AlterConfigsResource

TOPIC, BROKER, LOGGER = 2, 4, 8


@pytest.fixture
def topics(handler_broker):
    handler_broker.topics.create("t2", partition_count=1, configs={"retention.ms": "777", "segment.ms": "5"})
    return handler_broker.topics


def alter(handler_broker, *resources, **options):
    request = AlterConfigsRequest(
        resources=[
            AlterConfigsResource(
                resource_type=resource_type,
                resource_name=name,
                configs=[AlterableConfig(name=n, value=v) for n, v in configs],
            )
            for resource_type, name, configs in resources
        ],
        **options,
    )
    return [(r.error_code, r.error_message) for r in handler_broker.ask(request).responses]


def test_what_is_not_given_is_deleted(handler_broker, topics):
    assert alter(handler_broker, (TOPIC, "t2", [("retention.ms", "111")])) == [(0, None)]
    assert topics.named("t2").configs == {"retention.ms": "111"}
    assert alter(handler_broker, (TOPIC, "t2", [])) == [(0, None)]
    assert topics.named("t2").configs == {}


def test_validate_only_changes_nothing(handler_broker, topics):
    assert alter(handler_broker, (TOPIC, "t2", [("retention.ms", "333")]), validate_only=True) == [(0, None)]
    assert topics.named("t2").configs["retention.ms"] == "777"


def test_broker_configs_are_replaced_too(handler_broker):
    handler_broker.configs.replace({"log.retention.ms": "5"}, for_cluster=False)
    assert alter(handler_broker, (BROKER, "1", [("message.max.bytes", "9")])) == [(0, None)]
    assert handler_broker.configs.of_broker() == {"message.max.bytes": "9"}


@pytest.mark.parametrize(
    ("resource", "code", "message"),
    [
        ((TOPIC, "t2", [("nope", "1")]), 40, "Unknown topic config name: nope"),
        ((TOPIC, "t2", [("retention.ms", None)]), 42, "Null value not supported for : retention.ms"),
        (
            (TOPIC, "t2", [("retention.ms", "1"), ("retention.ms", "2")]),
            42,
            "Error due to duplicate config keys",
        ),
        ((TOPIC, "zz", []), 3, "The topic 'zz' does not exist."),
        ((BROKER, "1", [("node.id", "2")]), 42, "Cannot update these configs dynamically: [node.id]"),
        ((LOGGER, "1", [("root", "INFO")]), 42, "Unknown resource type 8"),
    ],
)
def test_what_kafka_refuses_is_refused_with_its_message(handler_broker, topics, resource, code, message):
    assert alter(handler_broker, resource) == [(code, message)]
    assert topics.named("t2").configs == {"retention.ms": "777", "segment.ms": "5"}


def test_a_resource_named_twice_is_refused(handler_broker, topics):
    # Kafka 4.3.1 never answers such a request.
    twice = [(TOPIC, "t2", [("retention.ms", "1")])] * 2
    assert alter(handler_broker, *twice) == [(42, "Each resource must appear at most once.")] * 2
