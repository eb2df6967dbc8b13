"""The sampler against brokers that live and die."""

import asyncio
import time
from collections.abc import Callable

import aiokafka

from app.clock import Clock
from app.cluster.snapshot import ClusterSnapshot
from app.kafka.admin import KafkaClusterAdmin
from app.kafka.ports import CommittedOffset, NewTopic, RecordToSend, TopicPartition
from app.metrics.sampler import Cadence, Sampler
from caudal.testing import Broker

QUICK = Cadence(metadata_s=0.3, quorum_s=0.5, configs_s=5, log_starts_s=0.5, offsets_s=0.3, groups_s=0.3, log_dirs_s=1)


async def until(sampler: Sampler, claim: Callable[[ClusterSnapshot], object], *, timeout_s: float = 20.0) -> float:
    """Wait until the snapshot is as claimed; returns the seconds that took."""
    started = time.monotonic()
    while not claim(sampler.snapshot):
        assert time.monotonic() - started < timeout_s, sampler.snapshot.findings
        await asyncio.sleep(0.05)
    return time.monotonic() - started


async def test_what_clients_do_is_seen(servers, admin, producer, name):
    await admin.create_topic(NewTopic(name, 2, 1))
    sampler = Sampler(admin, clock=Clock(), cadence=QUICK)
    await sampler.start()
    await producer.append(name, 0, [RecordToSend(None, b"x")] * 100)
    await admin.commit_offsets(f"{name}-simple", {TopicPartition(name, 0): CommittedOffset(40)})
    await until(sampler, lambda one: one.groups.get(f"{name}-simple") and one.groups[f"{name}-simple"].total_lag == 60)
    assert sampler.snapshot.record_count(name) == 100
    consumer = aiokafka.AIOKafkaConsumer(
        name, bootstrap_servers=servers, group_id=name, auto_offset_reset="earliest", client_id="reader"
    )
    await consumer.start()
    while len(await consumer.getmany(timeout_ms=500)):
        pass
    await consumer.commit()
    await until(sampler, lambda one: name in one.groups and one.groups[name].group.members)
    await until(sampler, lambda one: one.groups[name].total_lag == 0 and one.groups[name].status_words == "keeping up")
    assert {one.client_id for one in sampler.snapshot.groups[name].partitions} == {"reader"}
    await consumer.stop()
    await admin.delete_topic(name)
    await until(sampler, lambda one: name not in one.topics)
    await sampler.stop()


async def test_a_broker_that_dies_and_returns():
    with Broker() as broker:
        broker.create_topic("t", partitions=3)
        admin = KafkaClusterAdmin(broker.bootstrap_servers)
        sampler = Sampler(admin, clock=Clock(), cadence=QUICK)
        await sampler.start()
        assert sampler.snapshot.score == 100
        broker.kill()
        assert await until(sampler, lambda one: one.unreachable_since_ms is not None) < 3
        assert "t" in sampler.snapshot.topics
        assert "refused" in sampler.snapshot.unreachable_reason
        await asyncio.to_thread(broker.start)
        assert await until(sampler, lambda one: one.unreachable_since_ms is None) < 5
        assert sampler.snapshot.score == 100
        await sampler.stop()
        await admin.close()


async def test_one_of_three_killed(three_brokers, java_tools):
    """The dead broker is named and the numbers are those of Kafka's own tool; all clears when it is back."""
    admin = KafkaClusterAdmin(three_brokers.bootstrap_servers)
    for topic in ("a", "b"):
        await admin.create_topic(NewTopic(topic, 6, 3, {"min.insync.replicas": "2"}))
    sampler = Sampler(admin, clock=Clock())
    await sampler.start()
    assert sampler.snapshot.findings == ()
    await asyncio.to_thread(three_brokers.kill_broker, 2)
    assert await until(sampler, lambda one: len(one.brokers) == 2) < 15
    await until(sampler, lambda one: any(finding.check == "under_replicated" for finding in one.findings))
    await asyncio.sleep(6)
    printed = java_tools.run(
        "topics", "--bootstrap-server", three_brokers.bootstrap_servers, "--describe", "--under-replicated-partitions"
    ).stdout
    counted = sum("Partition:" in line for line in printed.splitlines())
    findings = {one.check: one for one in sampler.snapshot.findings}
    assert findings["under_replicated"].headline == f"{counted} partitions are under-replicated."
    assert findings["missing_brokers"].headline.startswith("Broker 2 has been away for ")
    assert "voter_missing" in findings
    assert "under_min_isr" not in findings
    await asyncio.to_thread(three_brokers.start_broker, 2)
    await until(sampler, lambda one: not one.findings, timeout_s=40)
    await sampler.stop()
    await admin.close()
