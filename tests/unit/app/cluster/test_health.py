from dataclasses import replace

import pytest

from app.cluster.health import LONG_MS, HealthChecks, score_of
from app.cluster.snapshot import ClusterSnapshot, DamagedRange, Severity
from app.kafka.ports import LogDirInfo, QuorumInfo, QuorumReplica
from app.metrics.sampler import Sampler
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster

NOW_MS = 1_700_000_000_000


async def look(cluster: MemoryCluster, now_ms: int = NOW_MS) -> ClusterSnapshot:
    return await Sampler(cluster, clock=ManualClock(now_ms)).refresh()


def checks(snapshot: ClusterSnapshot) -> dict[str, str]:
    return {finding.check: finding.headline for finding in snapshot.findings}


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster(broker_count=3)


async def test_an_idle_embedded_broker_scores_100():
    alone = MemoryCluster(broker_count=1)
    alone.add_topic("orders", partitions=3)
    snapshot = await look(alone)
    assert snapshot.findings == ()
    assert snapshot.score == 100


async def test_numbers_are_those_of_kafkas_own_tool(cluster):
    cluster.add_topic("t", partitions=6, replication_factor=3, configs={"min.insync.replicas": "2"})
    cluster.add_topic("single", partitions=3, replication_factor=1)
    cluster.kill_broker(2)
    cluster.kill_broker(3)
    found = checks(await look(cluster))
    assert found["offline_partitions"] == "2 partitions have no leader."
    assert found["under_min_isr"] == "8 partitions have fewer in-sync replicas than min.insync.replicas."
    assert found["under_replicated"] == "6 partitions are under-replicated."


async def test_a_broker_never_seen_is_known_by_its_replicas(cluster):
    cluster.add_topic("t", partitions=3, replication_factor=3)
    cluster.kill_broker(2)
    assert checks(await look(cluster))["missing_brokers"] == "Broker 2 has not been seen since this started."


async def test_under_replication_becomes_critical_when_it_lasts(cluster):
    cluster.add_topic("t", partitions=3, replication_factor=3)
    cluster.kill_broker(2)
    snapshot, health = await look(cluster), HealthChecks()
    first = {one.check: one for one in health.examine(snapshot, now_ms=NOW_MS)}["under_replicated"]
    later = {one.check: one for one in health.examine(snapshot, now_ms=NOW_MS + LONG_MS)}["under_replicated"]
    assert (first.severity, first.penalty) == (Severity.WARNING, 8)
    assert (later.severity, later.penalty, later.since_ms) == (Severity.CRITICAL, 15, NOW_MS)


async def test_a_finding_that_went_away_begins_anew(cluster):
    cluster.add_topic("t", partitions=3, replication_factor=3)
    healthy = await look(cluster)
    cluster.kill_broker(2)
    broken, health = await look(cluster), HealthChecks()
    health.examine(broken, now_ms=NOW_MS)
    assert health.examine(healthy, now_ms=NOW_MS + 1) == ()
    again = {one.check: one for one in health.examine(broken, now_ms=NOW_MS + LONG_MS)}["under_replicated"]
    assert again.since_ms == NOW_MS + LONG_MS


@pytest.mark.parametrize(
    ("total", "usable", "severity"), [(100, 30, None), (100, 15, Severity.WARNING), (100, 8, Severity.CRITICAL)]
)
async def test_the_fullest_disk_counts(cluster, total, usable, severity):
    cluster.total_bytes, cluster.usable_bytes = total, usable
    found = {one.check: one.severity for one in (await look(cluster)).findings}
    assert found.get("disk") is severity


async def test_a_disk_that_fills_is_seen_coming(cluster):
    snapshot, health = await look(cluster), HealthChecks()
    findings = ()
    for minute in range(45):
        dirs = (LogDirInfo(1, "/data", 0, 1_000_000, 390_000 - minute * 2_000, ()),)
        findings = health.examine(replace(snapshot, log_dirs=dirs), now_ms=NOW_MS + minute * 60_000)
    (finding,) = findings
    assert finding.headline == "At this pace the disk of broker 1 is full in 3 h."


async def test_an_offline_log_directory_is_critical(cluster):
    snapshot = replace(await look(cluster), log_dirs=(LogDirInfo(1, "/data", 56, -1, -1, ()),))
    (finding,) = HealthChecks().examine(snapshot, now_ms=NOW_MS)
    assert finding.headline == "Broker 1 cannot use its log directory /data."


@pytest.mark.parametrize(
    ("silent", "leader", "check"),
    [((), 1, None), ((3,), 1, "voter_missing"), ((2, 3), 1, "quorum"), ((), -1, "quorum")],
)
async def test_the_quorum(cluster, silent, leader, check):
    voters = tuple(QuorumReplica(n, 9, NOW_MS - 60_000 if n in silent else NOW_MS) for n in (1, 2, 3))
    snapshot = replace(await look(cluster), quorum=QuorumInfo(leader, 1, voters, ()))
    assert [one.check for one in HealthChecks().examine(snapshot, now_ms=NOW_MS)] == ([check] if check else [])


async def test_risky_configs(cluster):
    cluster.add_topic("impossible", replication_factor=2, configs={"min.insync.replicas": "3"})
    cluster.add_topic("brittle", replication_factor=2, configs={"min.insync.replicas": "2"})
    cluster.add_topic("single", replication_factor=1)
    cluster.add_topic("unclean", replication_factor=3, configs={"unclean.leader.election.enable": "true"})
    snapshot = await look(cluster)
    found = {one.check: one.penalty for one in snapshot.findings}
    assert found == {
        "under_min_isr": 30,
        "min_isr_above_replicas": 10,
        "min_isr_equals_replicas": 2,
        "single_replica": 2,
        "unclean_election": 2,
    }
    assert snapshot.score == 100 - sum(found.values())


async def test_unread_records_that_will_expire_are_said(cluster):
    clock = ManualClock(NOW_MS)
    cluster.now_ms = clock.now_ms
    cluster.add_topic("t", replication_factor=3, configs={"retention.ms": str(48 * 3_600_000)})
    cluster.produce("t", 0, b"x", b"y")
    cluster.commit("g", "t", 0, 1)
    clock.advance(30 * 3_600_000)
    found = checks(await look(cluster, clock.now_ms()))
    assert found["data_loss"] == "The oldest unread records of g expire in 18 h."


def test_the_score_never_falls_below_zero():
    (finding,) = HealthChecks().unreachable("gone", since_ms=NOW_MS)
    assert score_of([finding, finding]) == 0


def damage(topic: str, start_offset: int, end_offset: int, *, found_at_ms: int = NOW_MS - 5) -> DamagedRange:
    return DamagedRange(topic, 0, start_offset, end_offset, f"/data/{topic}-0/0.log", 100, 180, found_at_ms)


async def test_a_damaged_range_says_what_is_lost_where_it_lies_and_what_to_do(cluster):
    snapshot = replace(await look(cluster), damaged=(damage("orders", 1200, 1300),))
    (finding,) = HealthChecks().examine(snapshot, now_ms=NOW_MS)
    assert (finding.severity, finding.since_ms) == (Severity.CRITICAL, NOW_MS - 5)
    assert finding.headline.replace("\u202f", "") == "Offsets 1200 to 1299 of orders, partition 0, cannot be read."
    assert "CORRUPT_MESSAGE" in finding.detail
    assert "Bytes 100 to 179 of /data/orders-0/0.log." in finding.detail
    assert "at offset 1300," in finding.remedy.replace("\u202f", "")
    assert (finding.link, finding.link_words) == ("topics/orders/partitions", "1 partition")


async def test_many_damaged_ranges_are_one_finding(cluster):
    found = tuple(damage(topic, at, at + 1) for topic in ("orders", "payments") for at in range(60))
    (finding,) = HealthChecks().examine(replace(await look(cluster), damaged=found), now_ms=NOW_MS)
    assert finding.headline == "120 ranges of orders-0 and payments-0 cannot be read."
    assert "First offset 0 of orders, partition 0: bytes" in finding.detail
    assert [one.name for one in finding.objects] == ["orders-0", "payments-0"]


async def test_damage_that_retention_has_passed_is_no_loss_any_more(cluster):
    cluster.add_topic("orders", partitions=1)
    asked = []

    async def find_damage(partitions):
        asked.extend(partitions)
        return (damage("orders", 0, 5), damage("orders", 7, 8))

    sampler = Sampler(cluster, clock=ManualClock(NOW_MS), find_damage=find_damage)
    cluster.produce("orders", 0, *[b"value"] * 20)
    assert [one.start_offset for one in (await sampler.refresh()).damaged] == [0, 7]
    await cluster.delete_records({asked[0]: 6})
    assert [one.start_offset for one in (await sampler.refresh()).damaged] == [7]
