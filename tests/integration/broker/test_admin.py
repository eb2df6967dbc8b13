"""Administration as librdkafka's AdminClient does it."""

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)

from caudal.testing import Broker


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(settings={"node.id": "1"}) as running:
        yield running


@pytest.fixture(scope="module")
def admin(broker):
    return AdminClient({"bootstrap.servers": broker.bootstrap_servers})


def results(futures):
    """The results of a call by name; raises the first error."""
    return {key: future.result(timeout=10) for key, future in futures.items()}


def error_code(future):
    with pytest.raises(KafkaException) as refused:
        future.result(timeout=10)
    return refused.value.args[0].code()


def make(admin, name, partitions=1, **config):
    topic = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
    results(admin.create_topics([topic]))
    return name


def topic_configs(admin, name):
    resource = ConfigResource(ResourceType.TOPIC, name)
    return results(admin.describe_configs([resource]))[resource]


def change(admin, resource_type, resource_name, *operations):
    entries = [ConfigEntry(name, value, incremental_operation=operation) for name, operation, value in operations]
    resource = ConfigResource(resource_type, resource_name, incremental_configs=entries)
    (future,) = admin.incremental_alter_configs([resource]).values()
    return future


def end_offsets(admin, topic, spec):
    partition = TopicPartition(topic, 0)
    return admin.list_offsets({partition: spec})[partition].result(timeout=10).offset


def test_a_created_topic_is_listed_described_and_deleted(admin):
    make(admin, "life", 3, retention_ms="1000")
    assert len(admin.list_topics(timeout=10).topics["life"].partitions) == 3
    assert topic_configs(admin, "life")["retention.ms"].value == "1000"
    assert topic_configs(admin, "life")["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    results(admin.delete_topics(["life"]))
    assert "life" not in admin.list_topics(timeout=10).topics


def test_errors_come_per_topic(admin):
    make(admin, "there")
    futures = admin.create_topics([NewTopic("there", 1, 1), NewTopic("too-many", 1, 3), NewTopic("fine", 1, 1)])
    assert error_code(futures["there"]) == KafkaError.TOPIC_ALREADY_EXISTS
    assert error_code(futures["too-many"]) == KafkaError.INVALID_REPLICATION_FACTOR
    assert futures["fine"].result(timeout=10) is None
    assert error_code(admin.delete_topics(["nowhere"])["nowhere"]) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_validate_only_makes_nothing(admin):
    admin.create_topics([NewTopic("imagined", 1, 1)], validate_only=True)["imagined"].result(timeout=10)
    assert "imagined" not in admin.list_topics(timeout=10).topics


def test_partitions_are_added(admin):
    make(admin, "growing", 1)
    results(admin.create_partitions([NewPartitions("growing", 4)]))
    assert len(admin.list_topics(timeout=10).topics["growing"].partitions) == 4
    assert (
        error_code(admin.create_partitions([NewPartitions("growing", 2)])["growing"]) == KafkaError.INVALID_PARTITIONS
    )


def test_topic_configs_are_set_appended_and_deleted(admin):
    make(admin, "tuned")
    change(
        admin,
        ResourceType.TOPIC,
        "tuned",
        ("retention.ms", AlterConfigOpType.SET, "5"),
        ("cleanup.policy", AlterConfigOpType.APPEND, "compact"),
    ).result(timeout=10)
    configs = topic_configs(admin, "tuned")
    assert (configs["retention.ms"].value, configs["cleanup.policy"].value) == ("5", "delete,compact")
    change(admin, ResourceType.TOPIC, "tuned", ("retention.ms", AlterConfigOpType.DELETE, None)).result(timeout=10)
    assert topic_configs(admin, "tuned")["retention.ms"].is_default
    refused = change(admin, ResourceType.TOPIC, "tuned", ("retention.ms", AlterConfigOpType.SET, "soon"))
    assert error_code(refused) == KafkaError.INVALID_CONFIG


def test_broker_configs_are_described_and_changed(admin):
    resource = ConfigResource(ResourceType.BROKER, "1")
    configs = results(admin.describe_configs([resource]))[resource]
    assert configs["node.id"].value == "1"
    assert configs["node.id"].is_read_only
    change(admin, ResourceType.BROKER, "1", ("log.retention.ms", AlterConfigOpType.SET, "86400001")).result(timeout=10)
    make(admin, "inherits")
    inherited = topic_configs(admin, "inherits")["retention.ms"]
    assert (inherited.value, inherited.source) == ("86400001", ConfigSource.DYNAMIC_BROKER_CONFIG.value)
    change(admin, ResourceType.BROKER, "1", ("log.retention.ms", AlterConfigOpType.DELETE, None)).result(timeout=10)
    refused = change(admin, ResourceType.BROKER, "1", ("node.id", AlterConfigOpType.SET, "2"))
    assert error_code(refused) == KafkaError.INVALID_REQUEST


def test_deleted_records_are_gone(admin, broker):
    make(admin, "shortened")
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for number in range(10):
        producer.produce("shortened", str(number).encode(), partition=0)
    assert producer.flush(10) == 0
    partition = TopicPartition("shortened", 0, 4)
    assert admin.delete_records([partition])[partition].result(timeout=10).low_watermark == 4
    assert end_offsets(admin, "shortened", OffsetSpec.earliest()) == 4
    assert end_offsets(admin, "shortened", OffsetSpec.latest()) == 10
    beyond = TopicPartition("shortened", 0, 11)
    assert error_code(admin.delete_records([beyond])[beyond]) == KafkaError.OFFSET_OUT_OF_RANGE


def test_configs_survive_a_restart():
    with Broker() as own:
        admin = AdminClient({"bootstrap.servers": own.bootstrap_servers})
        make(admin, "kept", 2, retention_ms="1234")
        set_segment_bytes = ("log.segment.bytes", AlterConfigOpType.SET, "2000000")
        change(admin, ResourceType.BROKER, "0", set_segment_bytes).result(timeout=10)
        own.restart()
        configs = topic_configs(AdminClient({"bootstrap.servers": own.bootstrap_servers}), "kept")
        assert configs["retention.ms"].value == "1234"
        assert configs["segment.bytes"].value == "2000000"
        assert configs["segment.bytes"].source == ConfigSource.DYNAMIC_BROKER_CONFIG.value


def test_without_an_authorizer_acls_are_disabled(admin):
    allow = AclBinding(
        *(ResourceType.TOPIC, "t", ResourcePatternType.LITERAL),
        *("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW),
    )
    assert error_code(admin.create_acls([allow])[allow]) == KafkaError.SECURITY_DISABLED
