import asyncio
import time

import pytest

from app.cluster.snapshot import LagStatus
from app.kafka.ports import ConfigChange, ConfigResource, NewTopic, ResourceType, TopicPartition


def headlines(sampler) -> list[str]:
    return [finding.headline for finding in sampler.snapshot.findings]


async def test_before_the_first_answer_there_is_an_empty_snapshot(sampler):
    assert sampler.snapshot.number == 0
    assert sampler.snapshot.topics == {}


async def test_a_round_sees_everything(sampler):
    snapshot = await sampler.refresh()
    assert set(snapshot.topics) == {"orders", "pageviews", "customers", "__consumer_offsets"}
    assert snapshot.record_count("orders") == 300
    assert snapshot.groups["analytics"].total_lag == 240
    assert snapshot.groups["billing"].status is LagStatus.OK
    assert snapshot.topic_config("orders", "retention.ms") == "86400000"
    assert snapshot.controller_id == 1
    assert snapshot.sizes["orders"] > 0
    assert snapshot.score == 100


async def test_an_unchanged_cluster_keeps_its_number(sampler, cluster, clock):
    for partition in range(6):
        cluster.commit("analytics", "pageviews", partition, 100)
    cluster.commit("backup-job", "orders", 0, 100)
    await sampler.refresh()
    clock.advance(5_000)
    before = await sampler.refresh()  # rates appear with the second round
    clock.advance(5_000)
    after = await sampler.refresh()
    assert after.number == before.number
    assert after.taken_at_ms == before.taken_at_ms + 5_000
    assert after.offsets is before.offsets
    assert after.groups["billing"] is before.groups["billing"]


async def test_no_question_is_asked_per_topic(sampler, cluster):
    for number in range(200):
        cluster.add_topic(f"t{number}", partitions=3)
    await sampler.refresh()
    cluster.calls.clear()
    await sampler.refresh()
    assert len(cluster.calls) <= 20


async def test_produce_rates_come_from_two_rounds(sampler, cluster, clock):
    await sampler.refresh()
    cluster.produce("orders", 0, *[b"x"] * 50)
    clock.advance(5_000)
    snapshot = await sampler.refresh()
    assert snapshot.produce_rates["orders"] == 10.0
    assert snapshot.produce_rates["pageviews"] == 0.0


async def test_a_cluster_that_is_away_leaves_the_last_picture(sampler, cluster, clock):
    before = await sampler.refresh()
    cluster.away = True
    clock.advance(7_000)
    away = await sampler.refresh()
    clock.advance(60_000)
    later = await sampler.refresh()
    assert later.unreachable_since_ms == away.unreachable_since_ms == before.taken_at_ms + 7_000
    assert later.topics is before.topics
    assert later.taken_at_ms == before.taken_at_ms
    assert later.score == 0
    assert "no broker answered" in later.unreachable_reason
    cluster.away = False
    back = await sampler.refresh()
    assert back.unreachable_since_ms is None
    assert back.score == 100


async def test_no_rate_is_computed_over_an_absence(sampler, cluster, clock):
    await sampler.refresh()
    cluster.away = True
    clock.advance(5_000)
    await sampler.refresh()
    cluster.away = False
    cluster.produce("orders", 0, *[b"x"] * 100_000)
    clock.advance(5_000)
    assert "orders" not in (await sampler.refresh()).produce_rates


async def test_a_dead_broker_is_named_with_what_it_leaves(sampler, cluster, clock):
    await sampler.refresh()
    cluster.kill_broker(2)
    clock.advance(240_000)
    snapshot = await sampler.refresh()
    assert "Broker 2 has been away for 4 min." in headlines(sampler)
    assert any(event.words == "Broker 2 left" for event in snapshot.events)
    under_replicated = next(one for one in snapshot.findings if one.check == "under_replicated")
    assert under_replicated.headline == "11 partitions are under-replicated."
    cluster.start_broker(2)
    clock.advance(5_000)
    await sampler.refresh()
    assert not any("roker 2" in headline or "replicated" in headline for headline in headlines(sampler))


async def test_a_recreated_topic_begins_anew(sampler, cluster, clock):
    await sampler.refresh()
    await cluster.delete_topic("orders")
    await cluster.create_topic(NewTopic("orders", 3))
    cluster.produce("orders", 0, b"x")
    clock.advance(5_000)
    snapshot = await sampler.refresh()
    assert snapshot.record_count("orders") == 1
    assert snapshot.produce_rates["orders"] >= 0
    assert any("created again" in event.words for event in snapshot.events)
    lag = snapshot.groups["billing"].partitions[0]
    assert lag.is_beyond_end
    assert lag.lag == 0


async def test_a_topic_that_is_gone_is_forgotten(sampler, cluster):
    await sampler.refresh()
    await cluster.delete_topic("customers")
    snapshot = await sampler.refresh()
    assert "customers" not in snapshot.topics
    assert TopicPartition("customers", 0) not in snapshot.offsets
    assert "customers" not in snapshot.topic_configs


async def test_a_form_sees_its_change_at_once(sampler, cluster):
    await sampler.refresh()
    await cluster.alter_configs({ConfigResource(ResourceType.TOPIC, "orders"): [ConfigChange("retention.ms", "1000")]})
    await sampler.refresh("configs")
    assert sampler.snapshot.topic_config("orders", "retention.ms") == "1000"


async def test_a_new_topic_is_seen_whole_in_one_round(sampler, cluster):
    await sampler.refresh()
    await cluster.create_topic(NewTopic("fresh", 2))
    cluster.produce("fresh", 0, b"x")
    snapshot = await sampler.refresh("metadata")
    assert snapshot.topic_config("fresh", "retention.ms") == "604800000"
    assert snapshot.record_count("fresh") == 1


async def test_deleted_records_are_seen_by_the_next_refresh_of_offsets(sampler, cluster):
    await sampler.refresh()
    await cluster.delete_records({TopicPartition("orders", 0): 40})
    snapshot = await sampler.refresh("offsets")
    assert snapshot.offsets[TopicPartition("orders", 0)].log_start_offset == 40


async def test_history_is_recorded_by_the_names_of_the_contract(sampler, cluster, clock):
    for _ in range(4):
        await sampler.refresh()
        clock.advance(10_000)
    names = set(sampler.history.names())
    assert {"topic.rate:orders", "cluster.rate", "cluster.urp", "cluster.offline", "topic.size:orders"} <= names
    assert {"group.lag:analytics", "group.produce_rate:analytics", "group.consume_rate:analytics"} <= names
    assert "group.partition_lag:analytics:pageviews:0" in names
    assert sampler.history.series("group.lag:analytics", from_ms=clock.now_ms() - 40_000, to_ms=clock.now_ms()).points[
        0
    ]


@pytest.mark.parametrize("lag_per_round", [0, 5])
async def test_a_group_that_stops_committing_is_found(sampler, cluster, clock, lag_per_round):
    cluster.add_topic("t")
    for number in range(10):
        cluster.produce("t", 0, *[b"x"] * 20)
        cluster.commit("g", "t", 0, number * 15)
        await sampler.refresh()
        clock.advance(10_000)
    assert sampler.snapshot.groups["g"].status is LagStatus.WARN
    for _ in range(12):
        cluster.produce("t", 0, *[b"x"] * lag_per_round)
        clock.advance(10_000)
        await sampler.refresh()
    group = sampler.snapshot.groups["g"]
    assert group.status is LagStatus.ERR
    assert group.partitions[0].status is LagStatus.STOP
    assert "no commit for 2 min" in group.status_words


async def test_status_is_unknown_where_commits_cannot_be_read(sampler, cluster, clock, monkeypatch):
    from broker.errors import TopicAuthorizationFailed

    async def refuse(*_, **__):
        raise TopicAuthorizationFailed

    monkeypatch.setattr(cluster, "fetch", refuse)
    await sampler.refresh()
    group = sampler.snapshot.groups["analytics"]
    assert group.status is LagStatus.UNKNOWN
    assert "cannot be read" in group.partitions[0].status_words


async def test_lag_older_than_the_history_is_dated_by_its_record(sampler, cluster, clock):
    clock.advance(60_000)
    await sampler.refresh()
    assert sampler.snapshot.groups["analytics"].time_lag_s == pytest.approx(60, abs=1)


async def test_a_cluster_that_is_away_is_asked_one_thing_a_second(sampler, cluster):
    await sampler.start()
    cluster.away = True
    await sampler.refresh()
    cluster.calls.clear()
    await asyncio.sleep(0.3)
    assert cluster.calls == []
    assert {due > time.monotonic() for due in sampler._due.values()} == {True}
    await sampler.stop()


async def test_start_and_stop(sampler):
    await sampler.start()
    assert sampler.snapshot.topics
    await sampler.stop()
