"""Codes and messages here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import pytest

from broker.protocol.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

TOPIC, BROKER, LOGGER = 2, 4, 8


@pytest.fixture
def topics(handler_broker):
    handler_broker.topics.create("t2", partition_count=1, configs={"retention.ms": "777"})
    return handler_broker.topics


def describe(handler_broker, resource_type, name, keys=None, **options):
    resource = DescribeConfigsResource(resource_type=resource_type, resource_name=name, configuration_keys=keys)
    (result,) = handler_broker.ask(DescribeConfigsRequest(resources=[resource], **options)).results
    assert (result.resource_type, result.resource_name) == (resource_type, name)
    return result


def test_a_topic_has_33_configs_all_of_them_writable(handler_broker, topics):
    result = describe(handler_broker, TOPIC, "t2")
    assert (result.error_code, result.error_message) == (0, "")
    assert len(result.configs) == 37
    assert not any(config.read_only or config.is_sensitive for config in result.configs)


@pytest.mark.parametrize("keys", [None, []])
def test_no_keys_mean_every_config(handler_broker, topics, keys):
    assert len(describe(handler_broker, TOPIC, "t2", keys).configs) == 37


def test_keys_choose_and_unknown_ones_are_passed_over(handler_broker, topics):
    result = describe(handler_broker, TOPIC, "t2", ["retention.ms", "nope"])
    assert [config.name for config in result.configs] == ["retention.ms"]


def test_synonyms_types_and_documentation_come_when_asked_for(handler_broker, topics):
    (bare,) = describe(handler_broker, TOPIC, "t2", ["cleanup.policy"]).configs
    assert (bare.synonyms, bare.documentation, bare.config_type, bare.config_source) == ([], None, 7, 5)
    (full,) = describe(
        handler_broker, TOPIC, "t2", ["cleanup.policy"], include_synonyms=True, include_documentation=True
    ).configs
    assert [(s.name, s.value, s.source) for s in full.synonyms] == [("log.cleanup.policy", "delete", 5)]
    assert full.documentation


def test_a_topics_own_value_is_its_first_synonym(handler_broker, topics):
    (config,) = describe(handler_broker, TOPIC, "t2", ["retention.ms"], include_synonyms=True).configs
    assert (config.value, config.config_source) == ("777", 1)
    assert [(s.name, s.value, s.source) for s in config.synonyms] == [("retention.ms", "777", 1)]


@pytest.mark.parametrize(
    ("resource_type", "name", "code", "message"),
    [
        (TOPIC, "zz", 3, ""),
        (TOPIC, "", 17, "Topic name is invalid: the empty string is not allowed"),
        (BROKER, "7", 42, "Unexpected broker id, expected 1 or empty string, but received 7"),
        (BROKER, "abc", 42, "Broker id must be an integer, but it is: abc"),
        (LOGGER, "7", 42, "Unexpected broker id, expected 1 but received 7"),
        (LOGGER, "", 42, "Broker id must not be empty"),
        (LOGGER, "abc", 42, "Broker id must be an integer, but it is: abc"),
        (99, "t2", 42, "Unknown resource type 99"),  # the message is ours
    ],
)
def test_what_kafka_refuses_is_refused_with_its_message(handler_broker, topics, resource_type, name, code, message):
    result = describe(handler_broker, resource_type, name)
    assert (result.error_code, result.error_message, result.configs) == (code, message, [])


def test_a_broker_shows_every_config_it_knows(handler_broker):
    configs = {config.name: config for config in describe(handler_broker, BROKER, "1").configs}
    assert len(configs) > 339
    assert (configs["node.id"].value, configs["node.id"].read_only, configs["node.id"].config_source) == ("1", True, 4)
    assert (configs["ssl.keystore.password"].value, configs["ssl.keystore.password"].is_sensitive) == (None, True)


def test_the_default_of_all_brokers_is_the_empty_name(handler_broker):
    assert describe(handler_broker, BROKER, "").configs == []
    handler_broker.configs.replace({"log.retention.ms": "5"}, for_cluster=True)
    (config,) = describe(handler_broker, BROKER, "", include_synonyms=True).configs
    assert (config.name, config.value, config.config_source, len(config.synonyms)) == ("log.retention.ms", "5", 3, 1)


def test_loggers_show_their_levels(handler_broker):
    (root,) = describe(handler_broker, LOGGER, "1", ["root"]).configs
    assert (root.name, root.value, root.config_source, root.config_type) == ("root", "WARN", 6, 0)
