"""The contract of ClusterAdmin: the same for our broker, for Apache Kafka, and for the tests' cluster in memory."""

import asyncio
from collections.abc import AsyncIterator

import aiokafka
import pytest

from app.kafka.acls import AclOperation
from app.kafka.admin import KafkaClusterAdmin
from app.kafka.connection import ConnectionSettings
from app.kafka.ports import (
    EARLIEST,
    LATEST,
    MAX_TIMESTAMP,
    AlterOperation,
    ClusterAdmin,
    ClusterUnreachable,
    CommittedOffset,
    ConfigChange,
    ConfigResource,
    ConfigSource,
    GroupState,
    GroupType,
    NewTopic,
    Producer,
    RecordToSend,
    ResourceType,
    TopicPartition,
)
from app.kafka.producer import KafkaProducer
from broker.errors import (
    BrokerNotAvailable,
    GroupIdNotFound,
    InvalidConfig,
    InvalidPartitions,
    InvalidReplicationFactor,
    InvalidTopicException,
    KafkaError,
    OffsetOutOfRange,
    TopicAlreadyExists,
    UnknownTopicOrPartition,
)
from broker.protocol.record_batch import iter_batches, iter_records
from tests.memory_cluster import MemoryCluster

T0_MS = 1_700_000_000_000


class Cluster:
    """A cluster under test: its admin, its producer, and (not in memory) its address."""

    def __init__(self, admin: ClusterAdmin, producer: Producer, servers: str) -> None:
        self.admin = admin
        self.producer = producer
        self.servers = servers

    async def topic(self, name: str, *, partitions: int = 1, records: int = 0) -> TopicPartition:
        await self.admin.create_topic(NewTopic(name, partitions, 1))
        if records:
            sent = [RecordToSend(b"k", b"%d" % number, timestamp_ms=T0_MS + number) for number in range(records)]
            await self.producer.append(name, 0, sent)
        return TopicPartition(name, 0)


@pytest.fixture(params=["memory", "caudal", "kafka"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    if request.param == "memory":
        memory = MemoryCluster(now_ms=lambda: T0_MS)
        yield Cluster(memory, memory, "")
        return
    fixture = "own_broker" if request.param == "caudal" else "real_kafka"
    servers = request.getfixturevalue(fixture).bootstrap_servers
    admin, producer = KafkaClusterAdmin(servers, ConnectionSettings(request_timeout_s=15)), KafkaProducer(servers)
    yield Cluster(admin, producer, servers)
    await producer.close()
    await admin.close()


# --- topics --------------------------------------------------------------------------------------------------------


async def test_a_created_topic_is_seen_at_once(cluster, name):
    created = await cluster.admin.create_topic(NewTopic(name, 3, 1, {"retention.ms": "5000"}))
    metadata = await cluster.admin.metadata()
    topic = metadata.topics[name]
    assert (created.partition_count, created.replication_factor) == (3, 1)
    assert topic.topic_id == created.topic_id != bytes(16)
    assert [one.partition for one in topic.partitions] == [0, 1, 2]
    assert all(one.leader_id in one.isr for one in topic.partitions)
    assert topic.replication_factor == 1


async def test_validating_creates_nothing(cluster, name):
    await cluster.admin.create_topic(NewTopic(name, 2, 1), validate_only=True)
    assert name not in (await cluster.admin.metadata()).topics


@pytest.mark.parametrize(
    ("topic", "error"),
    [
        (NewTopic(".", 1, 1), InvalidTopicException),
        (NewTopic("x", 0, 1), InvalidPartitions),
        (NewTopic("x", 1, 9), InvalidReplicationFactor),
        (NewTopic("x", 1, 1, {"retention.ms": "soon"}), InvalidConfig),
        (NewTopic("x", 1, 1, {"no.such.config": "1"}), InvalidConfig),
    ],
)
async def test_what_cannot_be_created_is_refused_by_its_kafka_error(cluster, topic, error):
    with pytest.raises(error):
        await cluster.admin.create_topic(topic)


async def test_an_existing_topic_is_refused(cluster, name):
    await cluster.topic(name)
    with pytest.raises(TopicAlreadyExists):
        await cluster.admin.create_topic(NewTopic(name))


async def test_a_deleted_topic_is_gone(cluster, name):
    await cluster.topic(name)
    await cluster.admin.delete_topic(name)
    assert name not in (await cluster.admin.metadata()).topics
    with pytest.raises(UnknownTopicOrPartition):
        await cluster.admin.delete_topic(name)


async def test_partitions_are_added_never_taken(cluster, name):
    await cluster.topic(name, partitions=2)
    await cluster.admin.create_partitions(name, total_count=4)
    assert len((await cluster.admin.metadata()).topics[name].partitions) == 4
    with pytest.raises(InvalidPartitions):
        await cluster.admin.create_partitions(name, total_count=3)


async def test_what_one_may_do_with_a_topic_is_told(cluster, name):
    await cluster.topic(name)
    operations = await cluster.admin.topic_operations([name, f"{name}-not-there"])
    assert list(operations) == [name]
    assert {AclOperation.READ, AclOperation.DESCRIBE} <= set(operations[name])
    assert name in await cluster.admin.topic_operations()


async def test_on_one_broker_nothing_is_reassigned(cluster, name):
    await cluster.topic(name)
    assert await cluster.admin.reassignments() == ()


async def test_a_group_that_is_no_share_group_is_a_dead_one(cluster, name):
    partition = await cluster.topic(name)
    await cluster.admin.commit_offsets(name, {partition: CommittedOffset(0)})
    found = await cluster.admin.describe_share_groups([name, f"{name}-not-there"])
    assert [group.state for group in found.values()] == [GroupState.DEAD, GroupState.DEAD]


async def test_asking_never_creates(cluster, name):
    unknown = TopicPartition(name, 0)
    found = await cluster.admin.list_offsets({unknown: LATEST})
    assert found[unknown].error_code == UnknownTopicOrPartition.code
    with pytest.raises(KafkaError):
        await cluster.admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)])
    with pytest.raises(UnknownTopicOrPartition):
        await cluster.admin.fetch(unknown, offset=0, bytes_max=1000)
    assert await cluster.admin.topic_configs_of_all([name]) == {}
    assert name not in (await cluster.admin.metadata()).topics


# --- configs -------------------------------------------------------------------------------------------------------


async def test_a_config_changes_and_goes_back_to_its_default(cluster, name):
    await cluster.topic(name)
    resource = ConfigResource(ResourceType.TOPIC, name)

    async def becomes(value, source):
        """A broker of Kafka tells of a change a moment after its controller has answered."""
        async with asyncio.timeout(15):
            while True:
                entries = (await cluster.admin.describe_configs([resource]))[resource]
                told = next(one for one in entries if one.name == "retention.ms")
                if (told.value, told.source) == (value, source):
                    return
                await asyncio.sleep(0.05)

    await becomes("604800000", ConfigSource.DEFAULT_CONFIG)
    await cluster.admin.alter_configs({resource: [ConfigChange("retention.ms", "1234")]})
    await becomes("1234", ConfigSource.DYNAMIC_TOPIC_CONFIG)
    assert (await cluster.admin.topic_configs_of_all([name]))[name]
    await cluster.admin.alter_configs({resource: [ConfigChange("retention.ms", operation=AlterOperation.DELETE)]})
    await becomes("604800000", ConfigSource.DEFAULT_CONFIG)


async def test_a_bad_config_is_refused(cluster, name):
    await cluster.topic(name)
    changes = {ConfigResource(ResourceType.TOPIC, name): [ConfigChange("retention.ms", "soon")]}
    with pytest.raises(InvalidConfig):
        await cluster.admin.alter_configs(changes)


async def test_broker_configs_are_described_by_the_broker(cluster):
    broker_id = (await cluster.admin.metadata()).brokers[0].broker_id
    resource = ConfigResource(ResourceType.BROKER, str(broker_id))
    entries = (await cluster.admin.describe_configs([resource], documentation=True))[resource]
    assert any(one.name == "log.retention.hours" and one.value == "168" for one in entries)


# --- offsets and records -------------------------------------------------------------------------------------------


async def test_offsets_by_end_time_and_largest_timestamp(cluster, name):
    partition = await cluster.topic(name, records=10)

    async def find(timestamp_ms: int):
        return (await cluster.admin.list_offsets({partition: timestamp_ms}))[partition]

    assert (await find(EARLIEST)).offset == 0
    assert (await find(LATEST)).offset == 10
    assert (await find(T0_MS + 4)).offset == 4
    assert (await find(T0_MS + 99)).offset == -1
    assert (await find(MAX_TIMESTAMP)).offset == 9


async def test_a_fetch_returns_the_records_from_an_offset(cluster, name):
    partition = await cluster.topic(name, records=5)
    fetched = await cluster.admin.fetch(partition, offset=2, bytes_max=100_000)
    records = [record for batch in iter_batches(fetched.data) for record in iter_records(batch) if record.offset >= 2]
    assert [record.value for record in records] == [b"2", b"3", b"4"]
    assert (fetched.high_watermark, fetched.log_start_offset) == (5, 0)


async def test_a_fetch_outside_the_log_is_refused(cluster, name):
    partition = await cluster.topic(name, records=5)
    with pytest.raises(OffsetOutOfRange):
        await cluster.admin.fetch(partition, offset=6, bytes_max=1000)


async def test_deleting_records_moves_the_log_start(cluster, name):
    partition = await cluster.topic(name, records=10)
    assert await cluster.admin.delete_records({partition: 4}) == {partition: 4}
    assert (await cluster.admin.list_offsets({partition: EARLIEST}))[partition].offset == 4
    assert await cluster.admin.delete_records({partition: -1}) == {partition: 10}
    with pytest.raises(OffsetOutOfRange):
        await cluster.admin.delete_records({partition: 11})


async def test_many_partitions_are_one_question(cluster, name):
    await cluster.topic(name, partitions=20)
    found = await cluster.admin.list_offsets({TopicPartition(name, number): LATEST for number in range(21)})
    assert [one.error_code for one in found.values()].count(0) == 20
    assert found[TopicPartition(name, 20)].error_code == UnknownTopicOrPartition.code


# --- groups --------------------------------------------------------------------------------------------------------


async def test_a_group_that_only_commits(cluster, name):
    partition = await cluster.topic(name, records=5)
    await cluster.admin.commit_offsets(name, {partition: CommittedOffset(3)})
    offsets = await cluster.admin.group_offsets([name, f"{name}-unknown"])
    assert {one: committed.offset for one, committed in offsets[name].items()} == {partition: 3}
    assert not offsets.get(f"{name}-unknown")
    listed = {one.group_id: one for one in await cluster.admin.list_groups()}
    assert listed[name].state is GroupState.EMPTY
    described = (await cluster.admin.describe_groups([name]))[name]
    assert (described.is_simple, described.state, described.members) == (True, GroupState.EMPTY, ())
    await cluster.admin.delete_group(name)
    assert name not in {one.group_id for one in await cluster.admin.list_groups()}


async def test_an_unknown_group_is_dead(cluster, name):
    described = (await cluster.admin.describe_groups([name]))[name]
    assert described.state is GroupState.DEAD
    with pytest.raises(GroupIdNotFound):
        await cluster.admin.delete_group(name)


async def test_no_groups_are_no_question(cluster):
    assert await cluster.admin.group_offsets([]) == {}
    assert await cluster.admin.describe_groups([]) == {}


# --- brokers -------------------------------------------------------------------------------------------------------


async def test_log_directories_tell_sizes(cluster, name):
    await cluster.topic(name, records=100)
    (log_dir,) = await cluster.admin.log_dirs()
    size_bytes = next(one.size_bytes for one in log_dir.replicas if one.topic == name)
    assert size_bytes > 0
    assert log_dir.total_bytes > log_dir.usable_bytes > 0


async def test_the_quorum_names_the_controller(cluster):
    quorum, metadata = await cluster.admin.quorum(), await cluster.admin.metadata()
    assert quorum is not None
    assert quorum.leader_id in {broker.broker_id for broker in metadata.brokers}


# --- on real clusters only -----------------------------------------------------------------------------------------


async def test_a_member_is_described_with_its_assignment(servers, admin, name):
    await admin.create_topic(NewTopic(name, 3, 1))
    consumer = aiokafka.AIOKafkaConsumer(name, bootstrap_servers=servers, group_id=name, client_id="reader")
    await consumer.start()
    while not consumer.assignment():
        await asyncio.sleep(0.05)
    described = (await admin.describe_groups([name]))[name]
    assert (described.state, described.group_type) == (GroupState.STABLE, GroupType.CLASSIC)
    (member,) = described.members
    assert member.client_id == "reader"
    assert member.assignment == tuple(TopicPartition(name, number) for number in range(3))
    with pytest.raises(KafkaError):
        await admin.commit_offsets(name, {TopicPartition(name, 0): CommittedOffset(0)})
    await consumer.stop()


async def test_a_group_of_the_new_protocol_is_described(real_kafka, name):
    from confluent_kafka import Consumer

    admin = KafkaClusterAdmin(real_kafka.bootstrap_servers)
    await admin.create_topic(NewTopic(name, 2, 1))
    config = {"bootstrap.servers": real_kafka.bootstrap_servers, "group.id": name, "group.protocol": "consumer"}
    consumer = Consumer(config)
    consumer.subscribe([name])
    while not consumer.assignment():
        await asyncio.to_thread(consumer.poll, 0.1)
    fresh = KafkaClusterAdmin(real_kafka.bootstrap_servers)  # has not listed groups, so does not know the type
    for one in (admin, fresh):
        described = (await one.describe_groups([name]))[name]
        assert described.group_type is GroupType.CONSUMER
        assert described.state is GroupState.STABLE
        assert described.members[0].assignment == (TopicPartition(name, 0), TopicPartition(name, 1))
        await one.list_groups()
    consumer.close()
    await admin.close()
    await fresh.close()


async def test_configs_of_an_unknown_broker_are_refused(admin):
    with pytest.raises(BrokerNotAvailable):
        await admin.describe_configs([ConfigResource(ResourceType.BROKER, "4711")])


async def test_a_repeated_answer_keeps_its_objects(admin, name):
    await admin.create_topic(NewTopic(name, 3, 1))
    first, second = await admin.metadata(), await admin.metadata()
    assert first.topics[name] is second.topics[name]


async def test_nobody_at_the_address_is_said_quickly():
    admin = KafkaClusterAdmin("127.0.0.1:1")
    with pytest.raises(ClusterUnreachable, match=r"127\.0\.0\.1:1.*refused"):
        await asyncio.wait_for(admin.metadata(), 2)
    await admin.close()


@pytest.mark.parametrize("servers", ["", "nohost", "host:port", "a:1,,b:2"])
def test_an_address_that_is_none_is_refused(servers):
    with pytest.raises(ValueError, match="host:port"):
        KafkaClusterAdmin(servers)
