"""`caudal export --bootstrap-servers`: a genuine Kafka is told by its API what is not in the segments, and only once.

Where the segments would be copied, the same records are produced here: what counts is that they are there.
"""

import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.connection import ConnectionSettings
from app.kafka.ports import (
    EARLIEST,
    CommittedOffset,
    ConfigChange,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicPartition,
)
from app.moving.plan import PlannedAcl, PlannedQuota
from app.moving.target import Target
from caudal.testing import Broker
from tests.conftest import RealKafka
from tests.interop.test_moving_out import SECURED

_numbers = itertools.count()
ACL = PlannedAcl(
    resource_type=2, resource_name="moved", pattern_type=4, principal="User:a", host="*", operation=3, permission=3
)
RECORDS, DELETED, READ = 6, 2, 4


class Cluster:
    """One side of the move, with all that is asked of it."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self.admin = KafkaClusterAdmin(servers, ConnectionSettings(request_timeout_s=15))
        self.more = Target(servers, ConnectionSettings(request_timeout_s=15))

    def produce(self, topic: str) -> None:
        """Six records in partition 0, and an unfinished transaction in partition 1."""
        producer = Producer({"bootstrap.servers": self.servers})
        for number in range(RECORDS):
            producer.produce(topic, b"%d" % number, partition=0)
        assert producer.flush(20) == 0
        producer = Producer({"bootstrap.servers": self.servers, "transactional.id": topic})
        producer.init_transactions(20)
        producer.begin_transaction()
        producer.produce(topic, b"nobody will end this", partition=1)
        assert producer.flush(20) == 0

    async def close(self) -> None:
        await self.more.close()
        await self.admin.close()


@pytest.fixture
def name() -> str:
    """Of a topic, a group and a user that no other test has."""
    return f"moved-{next(_numbers)}"


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(settings=SECURED) as running:
        yield running


@pytest.fixture
async def source(broker: Broker) -> AsyncIterator[Cluster]:
    cluster = Cluster(broker.bootstrap_servers)
    yield cluster
    await cluster.close()


@pytest.fixture
async def target(real_kafka: RealKafka) -> AsyncIterator[Cluster]:
    cluster = Cluster(real_kafka.bootstrap_servers)
    yield cluster
    await cluster.close()


Export = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def export(broker: Broker, tmp_path: Path) -> Export:
    """`caudal export` of the broker, which must be stopped, to a Kafka."""

    def run(servers: str, *more: str) -> subprocess.CompletedProcess[str]:
        words = ["export", "--data-dir", str(broker.data_folder), "--to", str(tmp_path / "moving")]
        return subprocess.run(
            [sys.executable, "-m", "app", *words, "--bootstrap-servers", servers, *more],
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


async def fill(source: Cluster, name: str) -> None:
    first = TopicPartition(name, 0)
    await source.admin.create_topic(NewTopic(name, 3, 1, {"retention.ms": "86400000"}))
    source.produce(name)
    await source.admin.delete_records({first: DELETED})
    await source.admin.commit_offsets(name, {first: CommittedOffset(READ, metadata="a note")})
    await source.more.set_share_starts(f"{name}-share", {first: READ + 1})
    await source.more.set_quotas([PlannedQuota({"user": name}, {"producer_byte_rate": 1000.0})])
    await source.more.create_acls([ACL])


async def test_what_is_not_in_the_segments_goes_by_the_api_and_only_once(
    broker: Broker, source: Cluster, target: Cluster, export: Export, name: str
) -> None:
    await fill(source, name)
    broker.stop()

    begun = export(target.servers)
    assert begun.stderr == ("caudal export: not moved: 1 ACL: the target has no authorizer (authorizer.class.name)\n")
    assert begun.returncode == 1
    assert f"{target.servers}: 1 topic created, 1 client quota set\n" in begun.stdout
    assert "2 partitions wait for the records" in begun.stdout
    assert name not in {one.group_id for one in await target.admin.list_groups()}

    target.produce(name)
    there = export(target.servers)
    assert there.stdout == (
        f"{target.servers}: 1 log start moved, 1 open transaction aborted, 1 group given its offsets, "
        "1 share group given its progress\n"
    )
    first, open_one = TopicPartition(name, 0), TopicPartition(name, 1)
    assert (await target.admin.list_offsets({first: EARLIEST}))[first].offset == DELETED
    assert (await target.admin.group_offsets([name]))[name] == {first: CommittedOffset(READ, metadata="a note")}
    assert await target.more.share_starts(f"{name}-share") == {first: READ + 1}
    assert (await target.more.quotas())[frozenset({("user", name)})] == {"producer_byte_rate": 1000.0}
    committed = await target.admin.fetch(open_one, offset=0, bytes_max=1 << 20, read_committed=True)
    assert committed.high_watermark == 2, "the record, and the marker that aborts its transaction"

    await target.admin.commit_offsets(name, {first: CommittedOffset(READ + 2)})
    again = export(target.servers)
    assert again.stdout == (
        f"{target.servers}: nothing to do\n  group {name} stays where it is on 1 partition: it went on there\n"
    )
    assert (await target.admin.group_offsets([name]))[name][first].offset == READ + 2


async def test_a_topic_that_is_there_and_is_another_stops_all(
    broker: Broker, source: Cluster, target: Cluster, export: Export, name: str
) -> None:
    await fill(source, name)
    await source.admin.create_topic(NewTopic(f"{name}-new", 1, 1))
    broker.stop()
    await target.admin.create_topic(NewTopic(name, 2, 1))
    resource = ConfigResource(ResourceType.TOPIC, name)
    await target.admin.alter_configs({resource: [ConfigChange("cleanup.policy", "compact")]})
    refused = export(target.servers)
    assert (refused.returncode, refused.stderr) == (
        1,
        f"caudal export: nothing was changed, because topic {name} has 2 partitions there, 3 here; topic {name} has "
        f"cleanup.policy compact there, unset here; topic {name} has retention.ms unset there, 86400000 here. "
        "Make them alike, or leave them out (--exclude)\n",
    )
    assert f"{name}-new" not in (await target.admin.metadata()).topics
    other = export(target.servers, "--exclude", name)
    assert "was exported with other topics or groups" in other.stderr


async def test_a_kafka_that_is_away_is_named_and_the_export_waits_for_it(
    broker: Broker, source: Cluster, export: Export, name: str, tmp_path: Path
) -> None:
    await source.admin.create_topic(NewTopic(name, 1, 1))
    broker.stop()
    refused = export("127.0.0.1:1")
    assert refused.returncode == 1
    assert refused.stderr.startswith("caudal export: no broker could be reached: 127.0.0.1:1: ")
    assert "Check --bootstrap-servers" in refused.stderr
    assert (tmp_path / "moving" / "plan.json").exists()
