"""Topic and broker summaries, computed once per snapshot."""

import pytest

from app.cluster.broker_summaries import fullest_log_dir, summarise_brokers
from app.cluster.snapshot_facts import SnapshotFacts
from app.metrics.sampler import Sampler
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def cluster(clock):
    return MemoryCluster.seeded(broker_count=3, now_ms=clock.now_ms)


@pytest.fixture
def sampler(cluster, clock):
    return Sampler(cluster, clock=clock)


def by_name(topics):
    return {topic.name: topic for topic in topics}


async def test_a_topic_in_one_line(sampler):
    snapshot = await sampler.refresh()
    topics = by_name(SnapshotFacts().topics(snapshot))
    orders = topics["orders"]
    assert (orders.partition_count, orders.replication_factor, orders.record_count) == (3, 3, 300)
    assert {group.group.group_id for group in orders.groups} == {"billing", "backup-job"}
    assert orders.retention_ms == 86_400_000
    assert topics["customers"].cleanup_policy == "compact"
    assert topics["__consumer_offsets"].is_internal


async def test_missing_copies_are_counted(sampler, cluster):
    cluster.kill_broker(2)
    topics = by_name(SnapshotFacts().topics(await sampler.refresh()))
    assert topics["orders"].under_replicated_count == 3
    assert topics["orders"].offline_count == 0


async def test_the_same_snapshot_is_summarised_once(sampler, cluster, clock):
    facts = SnapshotFacts()
    first = await sampler.refresh()
    assert facts.topics(first) is facts.topics(first)
    assert facts.visible_topic_count(first) == 3
    partitions = facts.partitions(first)
    clock.advance(1_000)
    cluster.produce("orders", 0, b"x")
    second = await sampler.refresh()
    assert facts.topics(second) is not facts.topics(first) or second is first
    cluster.kill_broker(2)
    clock.advance(1_000)
    assert facts.partitions(await sampler.refresh()) is not partitions


async def test_brokers_that_are_away_are_kept_with_the_time_they_were_seen(sampler, cluster, clock):
    before = await sampler.refresh()
    cluster.kill_broker(2)
    clock.advance(60_000)
    snapshot = await sampler.refresh()
    brokers = {one.node.broker_id: one for one in summarise_brokers(snapshot, SnapshotFacts().partitions(snapshot))}
    assert [brokers[number].is_up for number in (1, 2, 3)] == [True, False, True]
    assert brokers[2].last_seen_ms == before.taken_at_ms
    assert brokers[2].leader_count == 0
    assert brokers[1].role == "controller"


async def test_the_fullest_disk_is_the_one_that_counts(sampler, cluster):
    cluster.usable_bytes = 10 * 1024**3
    fullest = fullest_log_dir(await sampler.refresh())
    assert fullest is not None
    assert fullest.used_share == pytest.approx(0.9)
