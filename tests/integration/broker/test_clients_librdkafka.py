"""confluent-kafka (librdkafka) against a real broker process: what its users do all day."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

from caudal.testing import Broker

POLL_SECONDS = 20


def produce_all(producer: Producer, topic: str, values: list[bytes], **kwargs) -> list[tuple[int, int, bytes]]:
    """Produce and wait; (partition, offset, value) of everything acknowledged."""
    done, failed = [], []

    def delivered(error, message):
        if error is not None:
            failed.append(error)
        else:
            done.append((message.partition(), message.offset(), message.value()))

    for value in values:
        while True:
            try:
                producer.produce(topic, value, on_delivery=delivered, **kwargs)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(POLL_SECONDS) == 0
    assert not failed
    return done


def consume(consumer: Consumer, count: int) -> list:
    messages, deadline = [], time.monotonic() + POLL_SECONDS
    while len(messages) < count and time.monotonic() < deadline:
        for message in consumer.consume(count - len(messages), 0.2):
            assert message.error() is None, message.error()
            messages.append(message)
    return messages


def read_all(bootstrap: str, topic: str, count: int, partition: int = 0) -> list:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    try:
        return consume(consumer, count)
    finally:
        consumer.close()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_is_produced_is_consumed(broker: Broker, topic: str, codec: str):
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "compression.type": codec, "linger.ms": 20})
    values = [b"value %d " % number * 20 for number in range(1000)]
    acknowledged = produce_all(producer, topic, values)
    assert sorted(offset for _, offset, _ in acknowledged) == list(range(1000))
    assert [message.value() for message in read_all(broker.bootstrap_servers, topic, 1000)] == values


def test_keys_headers_and_timestamps_come_back_as_sent(broker: Broker, topic: str):
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    now_ms = int(time.time() * 1000)
    produce_all(producer, topic, [b"v"], key=b"k", headers=[("h", b"1"), ("n", None)], timestamp=now_ms)
    produce_all(producer, topic, [None], key=b"k")
    first, tombstone = read_all(broker.bootstrap_servers, topic, 2)
    assert (first.key(), first.headers(), first.timestamp()[1]) == (b"k", [("h", b"1"), ("n", None)], now_ms)
    assert tombstone.value() is None


def test_a_message_of_almost_a_megabyte_and_one_too_large(broker: Broker, topic: str):
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "message.max.bytes": 4_000_000})
    big = bytes(1_000_000)
    produce_all(producer, topic, [big])
    assert read_all(broker.bootstrap_servers, topic, 1)[0].value() == big
    errors = []
    producer.produce(topic, bytes(1_100_000), on_delivery=lambda error, _: errors.append(error))
    producer.flush(POLL_SECONDS)
    assert errors[0].code() == KafkaError.MSG_SIZE_TOO_LARGE


def test_a_topic_with_a_higher_limit_takes_ten_megabytes(broker: Broker, fresh_name: Callable[[str], str]):
    name = fresh_name("big")
    broker.create_topic(name, configs={"max.message.bytes": "20000000"})
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "message.max.bytes": 20_000_000})
    big = bytes(range(256)) * 40_000
    produce_all(producer, name, [big])
    assert read_all(broker.bootstrap_servers, name, 1)[0].value() == big


def test_an_unknown_topic_is_created_by_producing_to_it(broker: Broker, fresh_name: Callable[[str], str]):
    name = fresh_name("auto")
    produce_all(Producer({"bootstrap.servers": broker.bootstrap_servers}), name, [b"x"])
    assert read_all(broker.bootstrap_servers, name, 1)[0].value() == b"x"


def test_idempotent_producing_keeps_order(broker: Broker, topic: str):
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True, "linger.ms": 1})
    values = [b"%d" % number for number in range(5000)]
    produce_all(producer, topic, values)
    assert [message.value() for message in read_all(broker.bootstrap_servers, topic, 5000)] == values


def test_a_waiting_consumer_gets_a_record_at_once(broker: Broker, topic: str):
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "w", "fetch.wait.max.ms": 50_000})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    assert consumer.poll(1.0) is None  # By now its fetch waits at the broker.
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0})
    produce_all(producer, topic, [b"warm"])
    assert consume(consumer, 1)
    time.sleep(0.3)
    produce_all(producer, topic, [b"now"])
    (message,) = consume(consumer, 1)  # which has less patience than the fetch at the broker
    assert message.value() == b"now"
    consumer.close()


def test_groups_share_partitions_and_rebalance(broker: Broker, fresh_name: Callable[[str], str]):
    topic, group = fresh_name("shared"), fresh_name("group")
    broker.create_topic(topic, partitions=4)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for partition in range(4):
        produce_all(producer, topic, [b"%d" % n for n in range(partition, 400, 4)], partition=partition)
    settings = {
        "bootstrap.servers": broker.bootstrap_servers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
    }
    first, second = Consumer(settings), Consumer(settings)
    first.subscribe([topic])
    seen = [message.value() for message in consume(first, 400)]
    assert sorted(seen, key=int) == [b"%d" % n for n in range(400)]
    assert len(first.assignment()) == 4
    first.commit(asynchronous=False)

    second.subscribe([topic])
    deadline = time.monotonic() + POLL_SECONDS
    while (len(first.assignment()), len(second.assignment())) != (2, 2) and time.monotonic() < deadline:
        first.poll(0.1)
        second.poll(0.1)
    owned = {(p.topic, p.partition) for p in first.assignment() + second.assignment()}
    assert owned == {(topic, partition) for partition in range(4)}

    first.close()
    while len(second.assignment()) != 4 and time.monotonic() < deadline:
        second.poll(0.1)
    assert len(second.assignment()) == 4
    committed = second.committed([TopicPartition(topic, partition) for partition in range(4)])
    assert [position.offset for position in committed] == [100] * 4
    second.close()


def test_a_group_goes_on_where_it_stopped(broker: Broker, topic: str, fresh_name: Callable[[str], str]):
    settings = {
        "bootstrap.servers": broker.bootstrap_servers,
        "group.id": fresh_name("group"),
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    produce_all(Producer({"bootstrap.servers": broker.bootstrap_servers}), topic, [b"%d" % n for n in range(10)])
    first = Consumer(settings)
    first.subscribe([topic])
    assert len(consume(first, 4)) == 4
    first.commit(offsets=[TopicPartition(topic, 0, 4, "a note")], asynchronous=False)
    first.close()
    second = Consumer(settings)
    second.subscribe([topic])
    assert [message.value() for message in consume(second, 6)] == [b"%d" % n for n in range(4, 10)]
    (position,) = second.committed([TopicPartition(topic, 0)])
    assert (position.offset, position.metadata) == (4, "a note")
    second.close()


def test_offsets_for_times_and_watermarks(broker: Broker, topic: str):
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    start_ms = int(time.time() * 1000) - 10_000
    for number in range(10):
        produce_all(producer, topic, [b"%d" % number], timestamp=start_ms + number * 1000)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "t"})
    (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, start_ms + 3500)], POLL_SECONDS)
    assert found.offset == 4
    assert consumer.get_watermark_offsets(TopicPartition(topic, 0), POLL_SECONDS) == (0, 10)
    consumer.close()


def test_admin_creates_describes_and_deletes(broker: Broker, fresh_name: Callable[[str], str]):
    name = fresh_name("admin")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic(name, 3, 1)])[name].result(POLL_SECONDS)
    described = admin.list_topics(timeout=POLL_SECONDS).topics[name]
    assert sorted(described.partitions) == [0, 1, 2]
    with pytest.raises(KafkaException, match="TOPIC_ALREADY_EXISTS"):
        admin.create_topics([NewTopic(name, 3, 1)])[name].result(POLL_SECONDS)
    admin.delete_topics([name])[name].result(POLL_SECONDS)
    assert name not in admin.list_topics(timeout=POLL_SECONDS).topics


def test_nothing_acknowledged_is_lost_when_the_broker_is_killed():
    with Broker() as broker:
        broker.create_topic("kept")
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True, "linger.ms": 2})
        acknowledged: list[bytes] = []

        def delivered(error, message):
            assert error is None, error
            acknowledged.append(message.value())

        sent = 0
        for _ in range(2):
            for _ in range(3000):
                producer.produce("kept", b"%d" % sent, on_delivery=delivered)
                sent += 1
                producer.poll(0)
            broker.kill()
            broker.start()
        assert producer.flush(60) == 0
        assert len(acknowledged) == sent
        values = [message.value() for message in read_all(broker.bootstrap_servers, "kept", sent)]
        assert values == [b"%d" % number for number in range(sent)]


def test_a_group_survives_a_restart_of_the_broker():
    with Broker() as broker:
        broker.create_topic("t")
        produce_all(Producer({"bootstrap.servers": broker.bootstrap_servers}), "t", [b"0", b"1"])
        settings = {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
        consumer = Consumer(settings)
        consumer.subscribe(["t"])
        assert len(consume(consumer, 2)) == 2
        consumer.commit(asynchronous=False)
        consumer.close()
        broker.kill()
        broker.start()
        (position,) = Consumer(settings).committed([TopicPartition("t", 0)], timeout=POLL_SECONDS)
        assert position.offset == 2
