"""aiokafka against a real broker process."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from caudal.testing import Broker

SECONDS = 20


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_what_is_produced_is_consumed(broker: Broker, topic: str, codec: str | None):
    values = [b"value %d " % number * 10 for number in range(300)]
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, compression_type=codec, linger_ms=5
    ) as producer:
        sent = [await producer.send(topic, value) for value in values]
        results = await asyncio.gather(*sent)
    assert [result.offset for result in results] == list(range(300))
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        got = [(await asyncio.wait_for(anext(consumer), SECONDS)).value for _ in values]
    assert got == values


async def test_idempotent_producing(broker: Broker, topic: str):
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True) as producer:
        for number in range(20):
            result = await producer.send_and_wait(topic, b"%d" % number)
            assert result.offset == number


async def test_acks_0_is_written_too(broker: Broker, topic: str):
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks=0) as producer:
        for number in range(5):
            await producer.send_and_wait(topic, b"%d" % number)
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        got = [(await asyncio.wait_for(anext(consumer), SECONDS)).value for _ in range(5)]
    assert got == [b"%d" % number for number in range(5)]


async def test_a_waiting_consumer_gets_a_record_at_once(broker: Broker, topic: str):
    async with (
        AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap_servers, fetch_max_wait_ms=30_000) as consumer,
        AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer,
    ):
        waiting = asyncio.ensure_future(anext(consumer))
        await asyncio.sleep(0.5)
        await producer.send_and_wait(topic, b"now")
        assert (await asyncio.wait_for(waiting, 15)).value == b"now"


async def test_two_members_share_a_group_and_one_takes_over(broker: Broker, fresh_name: Callable[[str], str]):
    topic, group = fresh_name("shared"), fresh_name("group")
    broker.create_topic(topic, partitions=4)

    def member() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            topic,
            bootstrap_servers=broker.bootstrap_servers,
            group_id=group,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=200,
            session_timeout_ms=6000,
        )

    async def until_assigned(*expected: tuple[AIOKafkaConsumer, int]) -> None:
        async with asyncio.timeout(SECONDS):
            while any(len(consumer.assignment()) != count for consumer, count in expected):
                for consumer, _ in expected:
                    await consumer.getmany(timeout_ms=50)

    first, second = member(), member()
    await first.start()
    await until_assigned((first, 4))
    await second.start()
    await until_assigned((first, 2), (second, 2))
    assert first.assignment() | second.assignment() == {TopicPartition(topic, n) for n in range(4)}
    await first.stop()
    await until_assigned((second, 4))
    await second.stop()


async def test_committed_offsets_come_back(broker: Broker, topic: str, fresh_name: Callable[[str], str]):
    group, partition = fresh_name("group"), TopicPartition(topic, 0)
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
        for number in range(10):
            await producer.send_and_wait(topic, b"%d" % number)
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, group_id=group) as consumer:
        consumer.assign([partition])
        await consumer.commit({partition: (7, "note")})
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, group_id=group) as consumer:
        consumer.assign([partition])
        assert await consumer.committed(partition) == 7
        assert (await asyncio.wait_for(anext(consumer), SECONDS)).offset == 7


async def test_offsets_by_time_and_ends(broker: Broker, topic: str):
    partition = TopicPartition(topic, 0)
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
        for number in range(5):
            await producer.send_and_wait(topic, b"x", timestamp_ms=1_000 + number * 10)
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers) as consumer:
        assert await consumer.beginning_offsets([partition]) == {partition: 0}
        assert await consumer.end_offsets([partition]) == {partition: 5}
        found = await consumer.offsets_for_times({partition: 1_015})
        assert (found[partition].offset, found[partition].timestamp) == (2, 1_020)


async def test_admin_client(broker: Broker, fresh_name: Callable[[str], str]):
    name = fresh_name("admin")
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 2, 1)])
        (described,) = await admin.describe_topics([name])
        assert len(described["partitions"]) == 2
        await admin.delete_topics([name])
        assert name not in await admin.list_topics()
    finally:
        await admin.close()
