"""The log cleaner of a real broker process: clients read a compacted topic back, Kafka's own tool finds it sound."""

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from caudal.testing import Broker
from tests.conftest import JavaTools
from tests.integration.broker.test_clients_librdkafka import produce_all

SETTINGS = {"log.cleaner.backoff.ms": "50"}


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(settings=SETTINGS) as running:
        yield running


def log_bytes(broker: Broker, topic: str) -> int:
    return sum(path.stat().st_size for path in (broker.data_folder / f"{topic}-0").glob("*.log"))


def eventually(is_so: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def cleaned_offset(broker: Broker, topic: str) -> int:
    path = broker.data_folder / "cleaner-offset-checkpoint"
    found = re.search(rf"^{topic} 0 (\d+)$", path.read_text() if path.exists() else "", re.MULTILINE)
    return int(found[1]) if found else 0


def fill(broker: Broker, topic: str, codec: str, count: int = 12_000) -> dict[bytes, bytes]:
    """Write so much that segments close; the last value of each key."""
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "compression.type": codec,
            "enable.idempotence": True,
            "batch.size": 20_000,
        }
    )
    last: dict[bytes, bytes] = {}
    errors = []
    for number in range(count):
        key, value = b"key-%d" % (number % 300), b"%06d" % number + random.Random(number).randbytes(100)
        producer.produce(topic, value, key, on_delivery=lambda error, _: errors.append(error) if error else None)
        last[key] = value
        producer.poll(0)
    assert producer.flush(60) == 0
    assert not errors
    return last


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_a_compacted_topic_is_read_back_with_the_last_value_of_each_key(broker: Broker, codec: str) -> None:
    topic = f"compacted-{codec}"
    configs = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "internal.segment.bytes": "40000"}
    broker.create_topic(topic, configs=configs)
    last = fill(broker, topic, codec)
    eventually(lambda: cleaned_offset(broker, topic) > 9_000, "not compacted")
    messages = [message for message in read_whole(broker, topic) if message.value() is not None]
    found = {message.key(): message.value() for message in messages}
    assert found == last
    assert len(messages) < 6_000
    offsets = [message.offset() for message in messages]
    assert offsets == sorted(offsets)


def read_whole(broker: Broker, topic: str) -> list:
    """Everything up to the high watermark."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "whole"})
    _, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages, deadline = [], time.monotonic() + 60
    try:
        while (not messages or messages[-1].offset() < high - 1) and time.monotonic() < deadline:
            messages += consumer.consume(1000, 0.2)
    finally:
        consumer.close()
    assert all(message.error() is None for message in messages)
    return messages


def test_committed_offsets_survive_the_compaction_of_their_topic(broker: Broker) -> None:
    broker.create_topic("read")
    produce_all(Producer({"bootstrap.servers": broker.bootstrap_servers}), "read", [b"x"] * 200)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "committer"})
    consumer.commit(offsets=[TopicPartition("read", 0, 0)], asynchronous=False)
    small = ConfigEntry("internal.segment.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, "__consumer_offsets", incremental_configs=[small])
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.incremental_alter_configs([resource])[resource].result(10)
    for offset in range(1, 201):
        consumer.commit(offsets=[TopicPartition("read", 0, offset)], asynchronous=False)
    consumer.close()
    eventually(lambda: cleaned_offset(broker, "__consumer_offsets") > 100, "not compacted")
    broker.restart()
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "committer"})
    assert consumer.committed([TopicPartition("read", 0)], 10)[0].offset == 200
    consumer.close()


def test_nothing_of_the_worker_is_left_when_the_broker_is_killed(tmp_path: Path) -> None:
    with Broker(settings={"log.cleaner.backoff.ms": "1"}, data_folder=tmp_path / "data") as killed:
        killed.create_topic("t", configs={"cleanup.policy": "compact", "internal.segment.bytes": "50000"})
        last = fill(killed, "t", "none", 6_000)
        for _ in range(5):
            killed.kill()
            killed.start()
            last |= fill(killed, "t", "none", 3_000)
        found = {message.key(): message.value() for message in read_whole(killed, "t")}
        assert found == last


@pytest.mark.java
def test_kafkas_own_tool_finds_the_compacted_segments_sound(broker: Broker, java_tools: JavaTools) -> None:
    topic = "dumped"
    configs = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "internal.segment.bytes": "40000"}
    broker.create_topic(topic, configs=configs)
    last = fill(broker, topic, "lz4", 10_000)
    produce_all(Producer({"bootstrap.servers": broker.bootstrap_servers}), topic, [None], key=b"key-0")
    del last[b"key-0"]
    fill(broker, topic, "gzip", 3_000)
    eventually(lambda: cleaned_offset(broker, topic) > 11_000, "not compacted")
    broker.stop()  # or the cleaner would go on changing the files while the tool starts
    try:
        segments = sorted((broker.data_folder / f"{topic}-0").glob("*.log"))
        files = ",".join(str(path) for segment in segments for path in _files_of(segment))
        dumped = java_tools.run("dump-log", "--deep-iteration", "--files", files)
    finally:
        broker.start()
    text = dumped.stdout + dumped.stderr
    assert "isvalid: false" not in text
    # Gaps are what compaction leaves; a time index entry may name a batch of which only the header is left.
    assert "Mismatches" not in text
    assert "Exception" not in text
    assert text.count("baseOffset:") >= sum(segment.stat().st_size > 0 for segment in segments), text


def _files_of(segment: Path) -> list[Path]:
    """The segment with its indexes; the tool refuses to look at an empty one."""
    indexes = (segment.with_suffix(suffix) for suffix in (".index", ".timeindex"))
    return [segment, *(index for index in indexes if index.exists() and index.stat().st_size)]
