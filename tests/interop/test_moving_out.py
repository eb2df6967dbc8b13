"""docs/moving-out.md, run as it is written: a broker's topics go on in a genuine Apache Kafka."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from app.kafka.connection import ConnectionSettings
from app.kafka.ports import TopicPartition as ClusterPartition
from app.moving.target import Target
from caudal.testing import Broker
from tests.conftest import KIT, JavaTools

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "moving-out.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
TOPICS = ("plain", "latest", "ledger")
OPEN = TopicPartition("ledger", 2)
SECURED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "log.cleaner.backoff.ms": "100",
}
ACL = AclBinding(
    ResourceType.TOPIC,
    "plain",
    ResourcePatternType.LITERAL,
    "User:alice",
    "*",
    AclOperation.READ,
    AclPermissionType.ALLOW,
)
ANY_ACL = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)
SHARE_STARTS = {ClusterPartition("plain", 0): 8, ClusterPartition("plain", 1): 30}
GROUPS = {"classic group, quoted": "classic", "modern": "consumer"}
CONFIGS = {
    "plain": {"retention.ms": "86400000"},
    "latest": {"cleanup.policy": "compact", "segment.ms": "1", "min.cleanable.dirty.ratio": "0.01"},
    "ledger": {"max.message.bytes": "2000000"},
}


@pytest.fixture
def source() -> Iterator[Broker]:
    with Broker(settings=SECURED) as running:
        yield running


@pytest.fixture
def tools_on_path(tmp_path: Path, java_tools: JavaTools) -> dict[str, str]:
    """An environment in which `caudal` and Kafka's scripts are commands."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("topics", "acls", "configs", "consumer-groups", "delete-records", "transactions"):
        _program(folder / f"kafka-{name}.sh", f"{shlex.quote(str(KIT))} tool kafka-{name}.sh")
    _program(folder / "caudal", "-m app")
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def _program(path: Path, what: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {what} "$@"\n')
    path.chmod(0o755)


def kit(directory: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(KIT), *words, "--dir", str(directory)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fill(broker: Broker) -> None:
    """Records of every kind, offsets of both kinds of groups, a topic that begins inside a segment, an ACL."""
    for topic, configs in CONFIGS.items():
        broker.create_topic(topic, partitions=3, configs=configs)
    servers = {"bootstrap.servers": broker.bootstrap_servers}
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = Producer({**servers, "compression.type": codec, "enable.idempotence": codec == "zstd"})
        for number in range(20):
            headers = [("codec", codec.encode()), ("none", None)]
            producer.produce(
                "plain", b"v%d" % number * 20, b"k%d" % number, number % 2, headers=headers, timestamp=10_000
            )
        producer.flush()
    producer = Producer(servers)
    for number in range(30):
        producer.produce("latest", b"%d" % number, b"k%d" % (number % 3), number % 2)
        producer.flush()
    for is_committed in (True, False, True):
        producer = Producer({**servers, "transactional.id": "clerk", "compression.type": "lz4"})
        producer.init_transactions()
        producer.begin_transaction()
        for number in range(4):
            producer.produce("ledger", b"%s %d" % (str(is_committed).encode(), number), partition=number % 2)
        producer.flush()
        producer.commit_transaction() if is_committed else producer.abort_transaction()
    producer = Producer({**servers, "transactional.id": "never-ends"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(OPEN.topic, b"nobody will end this", partition=OPEN.partition)
    producer.flush()
    admin = AdminClient(servers)
    admin.delete_records([TopicPartition("plain", 0, 7)])[TopicPartition("plain", 0)].result(10)
    admin.create_acls([ACL])[ACL].result(10)
    for group_id, protocol in GROUPS.items():
        consumer = Consumer({**servers, "group.id": group_id, "group.protocol": protocol})
        consumer.subscribe(["plain"])
        deadline = time.monotonic() + 20
        while not consumer.assignment() and time.monotonic() < deadline:
            consumer.poll(0.1)
        consumer.commit(offsets=[TopicPartition("plain", 0, 9), TopicPartition("plain", 1, 11)], asynchronous=False)
        consumer.close()
    asyncio.run(set_share_starts(broker.bootstrap_servers))


async def set_share_starts(servers: str) -> None:
    target = Target(servers, ConnectionSettings())
    await target.set_share_starts("sharing", SHARE_STARTS)
    await target.close()


async def share_starts(servers: str) -> dict[ClusterPartition, int]:
    target = Target(servers, ConnectionSettings())
    found = await target.share_starts("sharing")
    await target.close()
    return found


def forget(servers: str) -> None:
    """Take away what the scripts have moved, so that the API has something to do."""
    admin = AdminClient({"bootstrap.servers": servers})
    admin.delete_consumer_groups(["modern"])["modern"].result(20)
    (removed,) = admin.delete_acls([ANY_ACL])[ANY_ACL].result(20)
    assert removed == ACL


def until_compacted(broker: Broker) -> None:
    checkpoint, deadline = broker.data_folder / "cleaner-offset-checkpoint", time.monotonic() + 20
    while not (checkpoint.exists() and "latest 0" in (text := checkpoint.read_text()) and "latest 1" in text):
        assert time.monotonic() < deadline, "nothing was compacted"
        time.sleep(0.05)


def seen(servers: str) -> dict[str, Any]:
    """All that clients see of the topics."""
    admin = AdminClient({"bootstrap.servers": servers})
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "onlooker"})
    partitions = [TopicPartition(topic, partition) for topic in TOPICS for partition in (0, 1)]
    groups = [ConsumerGroupTopicPartitions(group, None) for group in GROUPS]
    committed = {
        one.group_id: sorted((each.topic, each.partition, each.offset) for each in one.topic_partitions)
        for group in groups
        for one in [admin.list_consumer_group_offsets([group])[group.group_id].result(20)]
    }
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in TOPICS]
    configs = {
        resource.name: {name: entry.value for name, entry in done.result(20).items() if entry.source == 1}
        for resource, done in admin.describe_configs(resources).items()
    }
    offsets = {(each.topic, each.partition): consumer.get_watermark_offsets(each, 20) for each in partitions}
    consumer.close()
    return {
        "offsets": offsets,
        "all records": records(servers, partitions, "read_uncommitted"),
        "committed records": records(servers, partitions, "read_committed"),
        "committed offsets": committed,
        "configs": configs,
        "acls": sorted(map(str, admin.describe_acls(ANY_ACL).result(20))),
    }


def records(servers: str, partitions: list[TopicPartition], isolation: str) -> list[tuple[Any, ...]]:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "onlooker",
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(each.topic, each.partition, 0) for each in partitions])
    found, ended = [], 0
    deadline = time.monotonic() + 30
    while ended < len(partitions):
        assert time.monotonic() < deadline, f"only {ended} partitions were read"
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ended += 1
            continue
        where = message.topic(), message.partition(), message.offset()
        found.append((*where, message.timestamp(), message.key(), message.value(), message.headers()))
    consumer.close()
    return sorted(found, key=lambda record: record[:3])


def test_every_record_and_offset_goes_on_in_a_genuine_kafka(
    source: Broker, tools_on_path: dict[str, str], tmp_path: Path
) -> None:
    fill(source)
    until_compacted(source)
    before = seen(source.bootstrap_servers)
    assert len(before["all records"]) > len(before["committed records"]) > 60
    assert before["offsets"]["plain", 0] == (7, 50)
    assert before["committed offsets"] == {group: [("plain", 0, 9), ("plain", 1, 11)] for group in GROUPS}
    assert len(before["acls"]) == 1
    latest = [record for record in before["all records"] if record[:2] == ("latest", 0)]
    assert len(latest) < before["offsets"]["latest", 0][1], "compaction has left gaps"
    source.stop()
    (tmp_path / "caudal-data").mkdir()
    (tmp_path / "caudal-data" / "kafka").symlink_to(source.data_folder)

    kafka = tmp_path / "kafka"
    servers = kit(kafka, "start", "--port", "0", "--acls")
    try:
        for command in COMMANDS:
            is_copying, is_by_api = "copy-segments" in command, "--bootstrap-servers" in command
            if is_by_api:
                assert seen(servers) == before, "the scripts have moved all that clients see"
                forget(servers)
            if is_copying:
                kit(kafka, "kill-broker", "1", "--term")
            words = command.replace("localhost:9092", servers).replace("/var/lib/kafka/data", str(kafka / "data-1"))
            done = subprocess.run(
                ["bash", "-c", words], cwd=tmp_path, env=tools_on_path, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            if is_copying:
                kit(kafka, "start-broker", "1")
            if is_by_api:
                told = "1 ACL added, 1 group given its offsets, 1 share group given its progress"
                assert done.stdout == f"{servers}: {told}\n"
        assert seen(servers) == before
        assert asyncio.run(share_starts(servers)) == SHARE_STARTS
        end_offset = Consumer({"bootstrap.servers": servers, "group.id": "onlooker"}).get_watermark_offsets(OPEN, 20)[1]
        assert end_offset == 2, "the record, and the marker that aborts its transaction"
    finally:
        kit(kafka, "stop", "--wipe")
