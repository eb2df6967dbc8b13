"""The producer on our broker and on Apache Kafka: order, shared batches, refusals, and brokers that go away."""

import asyncio
import time

import pytest

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.ports import ClusterUnreachable, NewTopic, RecordToSend, TopicPartition
from app.kafka.producer import KafkaProducer, ProducerSettings
from broker.errors import InvalidRecord, MessageTooLarge, UnknownTopicOrPartition
from broker.protocol.record_batch import Record, iter_batches, iter_records, read_header
from caudal.testing import Broker


def records(*values: bytes) -> list[RecordToSend]:
    return [RecordToSend(None, value) for value in values]


async def read_all(admin: KafkaClusterAdmin, topic: str, partition: int = 0) -> list[Record]:
    found: list[Record] = []
    offset = 0
    while True:
        fetched = await admin.fetch(TopicPartition(topic, partition), offset=offset, bytes_max=1 << 20)
        for batch in iter_batches(fetched.data):
            found += iter_records(batch)
        if not found or found[-1].offset + 1 >= fetched.high_watermark:
            return found
        offset = found[-1].offset + 1


async def test_records_arrive_whole(admin, producer, name):
    await admin.create_topic(NewTopic(name, 2, 1))
    sent = [
        RecordToSend(b"k", b"v", (("a", b"1"), ("a", None)), 1_700_000_000_123),
        RecordToSend(None, None),
        RecordToSend(b"", b""),
    ]
    assert list(await producer.append(name, 1, sent)) == [0, 1, 2]
    first, second, third = await read_all(admin, name, 1)
    assert (first.key, first.value, first.headers) == (b"k", b"v", (("a", b"1"), ("a", None)))
    assert first.timestamp_ms == 1_700_000_000_123
    assert (second.key, second.value) == (None, None)
    assert (third.key, third.value) == (b"", b"")
    assert abs(second.timestamp_ms - time.time() * 1000) < 60_000


async def test_concurrent_appends_keep_their_order_and_share_batches(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1))
    futures = [producer.append(name, 0, records(b"%d" % number)) for number in range(1_000)]
    offsets = [(await future)[0] for future in futures]
    assert offsets == list(range(1_000))
    assert [int(record.value or b"") for record in await read_all(admin, name)] == list(range(1_000))
    fetched = await admin.fetch(TopicPartition(name, 0), offset=0, bytes_max=1 << 20)
    assert len(list(iter_batches(fetched.data))) < 20


async def test_an_append_larger_than_a_batch_gets_an_offset_for_every_record(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1))
    offsets = await producer.append(name, 0, records(*[b"x" * 1_000] * 3_000))
    assert list(offsets) == list(range(3_000))


async def test_a_cancelled_caller_does_not_disturb_the_others(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1))
    first, second = (producer.append(name, 0, records(b"x")) for _ in range(2))
    first.cancel()
    assert list(await second) == [1]


async def test_a_record_too_large_fails_alone(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1, {"max.message.bytes": "3000"}))
    futures = [producer.append(name, 0, records(b"x" * size)) for size in (100, 5_000, 200)]
    done = await asyncio.gather(*futures, return_exceptions=True)
    assert list(done[0]) == [0]
    assert isinstance(done[1], MessageTooLarge)
    assert list(done[2]) == [1]


async def test_many_records_fit_a_topic_with_small_batches(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1, {"max.message.bytes": "3000"}))
    assert list(await producer.append(name, 0, records(*[b"x" * 100] * 500))) == list(range(500))
    fetched = await admin.fetch(TopicPartition(name, 0), offset=0, bytes_max=1 << 20)
    assert max(read_header(batch).size_bytes for batch in iter_batches(fetched.data)) <= 3_000


async def test_an_invalid_record_fails_alone(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1, {"cleanup.policy": "compact"}))
    sent = [[RecordToSend(b"a", b"1")], [RecordToSend(None, b"no key")], [RecordToSend(b"b", b"2")]]
    done = await asyncio.gather(*(producer.append(name, 0, one) for one in sent), return_exceptions=True)
    assert isinstance(done[1], InvalidRecord)
    assert [record.value for record in await read_all(admin, name)] == [b"1", b"2"]


async def test_no_records_are_no_offsets(producer, name):
    assert list(await producer.append(name, 0, [])) == []


async def test_the_partition_count_creates_where_the_cluster_does(admin, producer, name):
    assert await producer.partition_count(name) == 1
    assert list(await producer.append(name, 0, records(b"x"))) == [0]


async def test_a_deleted_topic_is_an_error_and_does_not_come_back(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1))
    await producer.append(name, 0, records(b"x"))
    await admin.delete_topic(name)
    with pytest.raises(UnknownTopicOrPartition):
        await producer.append(name, 0, records(b"x"))
    assert name not in (await admin.metadata()).topics


async def test_a_recreated_topic_is_written_from_its_beginning(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1))
    await producer.append(name, 0, records(b"x", b"y"))
    await admin.delete_topic(name)
    await admin.create_topic(NewTopic(name, 1, 1))
    assert list(await producer.append(name, 0, records(b"z"))) == [0]


async def test_added_partitions_are_seen(admin, servers, name):
    producer = KafkaProducer(servers, settings=ProducerSettings(metadata_age_s=0.1))
    await admin.create_topic(NewTopic(name, 1, 1))
    assert await producer.partition_count(name) == 1
    await admin.create_partitions(name, total_count=3)
    await asyncio.sleep(0.15)
    assert await producer.partition_count(name) == 3
    assert list(await producer.append(name, 2, records(b"x"))) == [0]
    await producer.close()


async def test_an_unknown_partition_is_an_error(admin, producer, name):
    await admin.create_topic(NewTopic(name, 1, 1))
    with pytest.raises(UnknownTopicOrPartition, match="has 1 partitions, asked for 7"):
        await producer.append(name, 7, records(b"x"))


async def test_closing_sends_what_waits(admin, servers, name):
    await admin.create_topic(NewTopic(name, 1, 1))
    producer = KafkaProducer(servers)
    future = producer.append(name, 0, records(b"x"))
    await producer.close()
    assert list(await future) == [0]
    with pytest.raises(ClusterUnreachable, match="closed"):
        await producer.append(name, 0, records(b"x"))


# --- a broker that goes away ---------------------------------------------------------------------------------------


async def test_a_killed_broker_that_comes_back_loses_nothing():
    with Broker() as broker:
        broker.create_topic("t")
        producer = KafkaProducer(broker.bootstrap_servers)
        admin = KafkaClusterAdmin(broker.bootstrap_servers)
        futures = [producer.append("t", 0, records(b"%d" % number)) for number in range(100)]
        await asyncio.gather(*futures)
        broker.kill()
        late = [producer.append("t", 0, records(b"%d" % number)) for number in range(100, 200)]
        await asyncio.sleep(0.5)
        assert not any(future.done() for future in late)
        await asyncio.to_thread(broker.start)
        assert [(await future)[0] for future in late] == list(range(100, 200))
        assert [int(record.value or b"") for record in await read_all(admin, "t")] == list(range(200))
        await producer.close()
        await admin.close()


async def test_a_cluster_that_stays_away_is_said_in_time():
    with Broker() as broker:
        broker.create_topic("t")
        producer = KafkaProducer(broker.bootstrap_servers, settings=ProducerSettings(delivery_timeout_s=1.0))
        await producer.append("t", 0, records(b"x"))
        broker.kill()
        started = time.monotonic()
        waiting = [producer.append("t", 0, records(b"x")) for _ in range(50)]
        await asyncio.sleep(0.3)
        waiting += [producer.append("t", 0, records(b"x")) for _ in range(50)]
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, ClusterUnreachable) for one in done)
        assert "within 1 s" in str(done[0])
        assert time.monotonic() - started < 2.5
        await producer.close()


async def test_a_full_buffer_refuses_more():
    producer = KafkaProducer("127.0.0.1:1", settings=ProducerSettings(delivery_timeout_s=0.5, buffer_bytes_max=100_000))
    waiting = [producer.append("t", 0, records(b"x" * 50_000)) for _ in range(10)]
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, ClusterUnreachable) for one in done)
    assert "wait to be sent" in str(done[-1])
    await producer.close()
