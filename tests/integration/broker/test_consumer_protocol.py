"""The consumer protocol of KIP-848 against a real broker process, with librdkafka (`group.protocol=consumer`)."""

import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupType, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from broker.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from caudal.testing import Broker
from tests.integration.broker.wire_client import WireClient

SECONDS = 30


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """With short heartbeats, so that rebalances do not take their time."""
    with Broker(
        settings={"group.consumer.heartbeat.interval.ms": "300", "group.consumer.assignment.interval.ms": "100"}
    ) as running:
        yield running


class Reader:
    """One consumer and what it has read."""

    def __init__(self, broker: Broker, group: str, *topics: str, **config: object) -> None:
        self.consumer = Consumer(
            {
                "bootstrap.servers": broker.bootstrap_servers,
                "group.id": group,
                "group.protocol": "consumer",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                **config,
            }
        )
        self.values: list[bytes] = []
        self.consumer.subscribe(list(topics))

    def poll(self) -> None:
        for message in self.consumer.consume(500, 0.1):
            assert message.error() is None, message.error()
            self.values.append(message.value())

    @property
    def partitions(self) -> set[int]:
        return {each.partition for each in self.consumer.assignment()}


def wait_until(readers: list[Reader], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, [sorted(reader.partitions) for reader in readers]
        for reader in readers:
            reader.poll()


def produce(broker: Broker, topic: str, count: int, prefix: str = "v", partitions: int = 4) -> set[bytes]:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    values = [f"{prefix}{number}".encode() for number in range(count)]
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % partitions)
    assert producer.flush(SECONDS) == 0
    return set(values)


@pytest.fixture
def shared(broker: Broker, fresh_name: Callable[[str], str]) -> str:
    name = fresh_name("shared")
    broker.create_topic(name, partitions=4)
    return name


def test_two_members_share_and_one_takes_over(broker: Broker, shared: str, fresh_name: Callable[[str], str]) -> None:
    group = fresh_name("group")
    first = Reader(broker, group, shared)
    wait_until([first], lambda: first.partitions == {0, 1, 2, 3})
    second = Reader(broker, group, shared)
    both = [first, second]
    wait_until(both, lambda: len(first.partitions) == 2 and first.partitions | second.partitions == {0, 1, 2, 3})
    values = produce(broker, shared, 400)
    wait_until(both, lambda: set(first.values) | set(second.values) == values)
    assert len(first.values) + len(second.values) == 400
    for reader in both:
        reader.consumer.commit(asynchronous=False)
    second.consumer.close()
    wait_until([first], lambda: first.partitions == {0, 1, 2, 3})
    more = produce(broker, shared, 40, "more")
    wait_until([first], lambda: more <= set(first.values))
    first.consumer.close()
    assert len(first.values) + len(second.values) == 440


def test_members_go_on_after_kill_9_of_the_broker(
    broker: Broker, shared: str, fresh_name: Callable[[str], str]
) -> None:
    group = fresh_name("group")
    readers = [Reader(broker, group, shared), Reader(broker, group, shared)]
    wait_until(readers, lambda: all(len(reader.partitions) == 2 for reader in readers))
    values = produce(broker, shared, 100)
    wait_until(readers, lambda: sum(len(reader.values) for reader in readers) == 100)
    for reader in readers:
        reader.consumer.commit(asynchronous=False)
    before = [reader.partitions for reader in readers]
    broker.kill()
    broker.restart()
    more = produce(broker, shared, 100, "after")
    wait_until(readers, lambda: sum(len(reader.values) for reader in readers) >= 200)
    assert [reader.partitions for reader in readers] == before
    assert sorted(value for reader in readers for value in reader.values) == sorted(values | more)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    described = admin.describe_consumer_groups([group])[group].result()
    assert described.state is ConsumerGroupState.STABLE
    assert described.type is ConsumerGroupType.CONSUMER
    assert len(described.members) == 2
    for reader in readers:
        reader.consumer.close()


def test_an_expression_finds_new_topics(broker: Broker, fresh_name: Callable[[str], str]) -> None:
    prefix = fresh_name("regex")
    broker.create_topic(f"{prefix}-a", partitions=2)
    reader = Reader(broker, fresh_name("group"), f"^{prefix}-.*")
    wait_until([reader], lambda: len(reader.consumer.assignment()) == 2)
    broker.create_topic(f"{prefix}-b", partitions=3)
    wait_until([reader], lambda: len(reader.consumer.assignment()) == 5)
    reader.consumer.close()


def test_a_static_member_finds_its_partitions_again(
    broker: Broker, shared: str, fresh_name: Callable[[str], str]
) -> None:
    group = fresh_name("group")
    names = [{"group.instance.id": f"{group}-{number}"} for number in range(2)]
    first, second = (Reader(broker, group, shared, **name) for name in names)
    wait_until([first, second], lambda: len(first.partitions) == 2 == len(second.partitions))
    before = second.partitions
    second.consumer.close()
    first.poll()
    second = Reader(broker, group, shared, **names[1])
    wait_until([first, second], lambda: second.partitions == before)
    assert len(first.partitions) == 2
    for reader in (first, second):
        reader.consumer.close()


def test_a_group_moves_to_the_consumer_protocol_and_back_while_it_reads(
    broker: Broker, shared: str, fresh_name: Callable[[str], str]
) -> None:
    group = fresh_name("group")
    classic = {"group.protocol": "classic", "session.timeout.ms": 6_000, "heartbeat.interval.ms": 300}
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    old = Reader(broker, group, shared, **classic, **{"partition.assignment.strategy": "cooperative-sticky"})
    wait_until([old], lambda: old.partitions == {0, 1, 2, 3})
    new = Reader(broker, group, shared)
    both = [old, new]
    wait_until(both, lambda: len(old.partitions) == 2 == len(new.partitions) and not old.partitions & new.partitions)
    assert admin.describe_consumer_groups([group])[group].result().type is ConsumerGroupType.CONSUMER
    values = produce(broker, shared, 200)
    wait_until(both, lambda: set(old.values) | set(new.values) == values)
    assert len(old.values) + len(new.values) == 200
    for reader in both:
        reader.consumer.commit(asynchronous=False)
    new.consumer.close()
    wait_until([old], lambda: old.partitions == {0, 1, 2, 3})
    assert admin.describe_consumer_groups([group])[group].result().type is ConsumerGroupType.CLASSIC
    more = produce(broker, shared, 40, "more")
    wait_until([old], lambda: more <= set(old.values))
    old.consumer.close()
    assert len(old.values) + len(new.values) == 240


def test_committed_offsets_are_read_back(broker: Broker, shared: str, fresh_name: Callable[[str], str]) -> None:
    group = fresh_name("group")
    reader = Reader(broker, group, shared)
    produce(broker, shared, 40)
    wait_until([reader], lambda: len(reader.values) == 40)
    reader.consumer.commit(asynchronous=False)
    committed = reader.consumer.committed([TopicPartition(shared, index) for index in range(4)], SECONDS)
    assert [each.offset for each in committed] == [10, 10, 10, 10]
    reader.consumer.close()
    again = Reader(broker, group, shared)
    wait_until([again], lambda: len(again.partitions) == 4)
    again.poll()
    assert again.values == []
    again.consumer.close()


@pytest.mark.parametrize(("version", "shown"), [(3, False), (4, True)])
def test_the_feature_is_announced_and_hidden_from_clients_that_break_on_it(
    wire: WireClient, version: int, shown: bool
) -> None:
    request = ApiVersionsRequest(client_software_name="test", client_software_version="1")
    answer = wire.ask(request, version)
    assert isinstance(answer, ApiVersionsResponse)
    assert ("group.version" in {feature.name for feature in answer.supported_features}) is shown
    finalized = {feature.name: feature.max_version_level for feature in answer.finalized_features}
    assert finalized["group.version"] == 1
