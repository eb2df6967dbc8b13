"""Codes and messages here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import logging

import pytest

from broker.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

TOPIC, BROKER, LOGGER = 2, 4, 8
SET, DELETE, APPEND, SUBTRACT = range(4)


@pytest.fixture
def topics(handler_broker):
    handler_broker.topics.create("t1", partition_count=1)
    handler_broker.topics.create("t2", partition_count=1, configs={"retention.ms": "777"})
    return handler_broker.topics


def alter(handler_broker, *resources, **options):
    request = IncrementalAlterConfigsRequest(
        resources=[
            AlterConfigsResource(
                resource_type=resource_type,
                resource_name=name,
                configs=[AlterableConfig(name=n, config_operation=operation, value=v) for n, operation, v in configs],
            )
            for resource_type, name, configs in resources
        ],
        **options,
    )
    responses = handler_broker.ask(request).responses
    assert [(r.resource_type, r.resource_name) for r in responses] == [(t, n) for t, n, _ in resources]
    return [(response.error_code, response.error_message) for response in responses]


def alter_t2(handler_broker, *configs):
    (answer,) = alter(handler_broker, (TOPIC, "t2", configs))
    return answer


def test_a_set_config_holds_for_the_open_log(handler_broker, topics):
    assert alter_t2(handler_broker, ("segment.ms", SET, "1000")) == (0, None)
    assert topics.named("t2").configs == {"retention.ms": "777", "segment.ms": "1000"}
    assert handler_broker.logs.get("t2", 0).config.segment_ms == 1000


def test_delete_gives_the_default_back(handler_broker, topics):
    assert alter_t2(handler_broker, ("retention.ms", DELETE, None)) == (0, None)
    assert alter_t2(handler_broker, ("nope", DELETE, None)) == (0, None)
    assert topics.named("t2").configs == {}
    assert handler_broker.logs.get("t2", 0).config.retention_ms == 604_800_000


def test_lists_grow_from_the_value_that_holds_and_shrink_to_nothing(handler_broker, topics):
    def policy_after(operation, value):
        assert alter_t2(handler_broker, ("cleanup.policy", operation, value)) == (0, None)
        return topics.named("t2").configs["cleanup.policy"]

    assert policy_after(APPEND, "compact") == "delete,compact"
    assert policy_after(APPEND, "compact") == "delete,compact"
    assert policy_after(SUBTRACT, "delete") == "compact"
    assert policy_after(SUBTRACT, "compact") == ""
    assert policy_after(APPEND, "compact,delete") == "compact,delete"


def test_one_bad_config_leaves_the_whole_resource_as_it_was(handler_broker, topics):
    code, message = alter_t2(handler_broker, ("retention.ms", SET, "5555"), ("segment.ms", SET, "x"))
    assert (code, message) == (40, "Invalid value x for configuration segment.ms: Not a number of type LONG")
    assert topics.named("t2").configs == {"retention.ms": "777"}


def test_a_resource_named_twice_does_not_stop_the_others(handler_broker, topics):
    answers = alter(
        handler_broker,
        (TOPIC, "t2", [("retention.ms", SET, "1")]),
        (TOPIC, "t2", [("segment.ms", SET, "5")]),
        (TOPIC, "t1", [("segment.ms", SET, "5")]),
    )
    twice = (42, "Each resource must appear at most once.")
    assert answers == [twice, twice, (0, None)]
    assert topics.named("t1").configs == {"segment.ms": "5"}


def test_validate_only_changes_nothing(handler_broker, topics):
    assert alter(handler_broker, (TOPIC, "t2", [("retention.ms", SET, "9")]), validate_only=True) == [(0, None)]
    assert topics.named("t2").configs == {"retention.ms": "777"}


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        (("nope", SET, "1"), 40, "Unknown topic config name: nope"),
        (("retention.ms", SET, "-9"), 40, "Invalid value -9 for configuration retention.ms: Value must be at least -1"),
        (("retention.ms", SET, None), 42, "Null value not supported for : retention.ms"),
        (("cleanup.policy", APPEND, None), 42, "Null value not supported for : cleanup.policy"),
        (("retention.ms", APPEND, "1"), 40, "Can't APPEND to key retention.ms because its type is not LIST."),
        (("retention.ms", SUBTRACT, "1"), 40, "Can't SUBTRACT to key retention.ms because its type is not LIST."),
        (
            ("cleanup.policy", APPEND, "foo"),
            40,
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (("retention.ms", 9, "1"), 42, "Unknown operation 9 for config key: retention.ms"),  # Kafka: -1, no message
    ],
)
def test_what_kafka_refuses_is_refused_with_its_message(handler_broker, topics, config, code, message):
    assert alter_t2(handler_broker, config) == (code, message)


def test_a_config_named_twice_is_refused(handler_broker, topics):
    twice = [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)]
    assert alter_t2(handler_broker, *twice) == (42, "Error due to duplicate config keys")


@pytest.mark.parametrize(
    ("resource_type", "name", "code", "message"),
    [
        (TOPIC, "zz", 3, "The topic 'zz' does not exist."),
        (TOPIC, "", 42, "Default topic resources are not allowed."),
        (BROKER, "7", 42, "Unexpected broker id, expected 1, but received 7"),
        (BROKER, "abc", 42, "Node id must be an integer, but it is: abc"),
        (LOGGER, "7", 42, "Unexpected node id. Expected 1, but received 7"),
        (99, "t2", 42, "Unknown resource type 99"),
    ],
)
def test_resources_that_do_not_exist_are_refused(handler_broker, topics, resource_type, name, code, message):
    assert alter(handler_broker, (resource_type, name, [("retention.ms", SET, "1")])) == [(code, message)]


def test_a_dynamic_broker_config_reaches_the_logs_of_topics_without_their_own(handler_broker, topics):
    assert alter(handler_broker, (BROKER, "", [("log.retention.ms", SET, "123")])) == [(0, None)]
    assert handler_broker.logs.get("t1", 0).config.retention_ms == 123
    assert handler_broker.logs.get("t2", 0).config.retention_ms == 777
    assert alter(handler_broker, (BROKER, "", [("log.retention.ms", DELETE, None)])) == [(0, None)]
    assert handler_broker.logs.get("t1", 0).config.retention_ms == 604_800_000


def test_broker_lists_append_and_other_types_do_not(handler_broker):
    assert alter(handler_broker, (BROKER, "1", [("log.cleanup.policy", APPEND, "compact")])) == [(0, None)]
    assert handler_broker.configs.of_broker() == {"log.cleanup.policy": "delete,compact"}
    message = "Config value append is not allowed for config key: log.cleaner.threads"
    assert alter(handler_broker, (BROKER, "1", [("log.cleaner.threads", APPEND, "1")])) == [(40, message)]


def test_a_fixed_broker_config_is_refused(handler_broker):
    message = "Cannot update these configs dynamically: [node.id]"
    assert alter(handler_broker, (BROKER, "1", [("node.id", SET, "2")])) == [(42, message)]


def test_a_loggers_level_is_set_and_taken_away(handler_broker):
    logger = logging.getLogger("broker.metadata")
    assert alter(handler_broker, (LOGGER, "1", [("broker.metadata", SET, "ERROR")])) == [(0, None)]
    assert logger.level == logging.ERROR
    assert alter(handler_broker, (LOGGER, "1", [("broker.metadata", DELETE, None)])) == [(0, None)]
    assert logger.level == logging.NOTSET
    message = "APPEND operation is not allowed for the BROKER_LOGGER resource"
    assert alter(handler_broker, (LOGGER, "1", [("broker.metadata", APPEND, "INFO")])) == [(42, message)]
