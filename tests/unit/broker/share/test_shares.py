"""What a broker remembers of share partitions, and where a group begins to read."""

import pytest

from broker.config import BrokerConfig
from broker.errors import CoordinatorLoadInProgress, CoordinatorNotAvailable, NotEnoughReplicas, UnknownTopicOrPartition
from broker.groups.records import OffsetsRecord
from broker.share import ShareConfigs, ShareKey, Shares
from broker.share.share_partition import Acknowledgement, Asked, FetchedBatch
from broker.share.share_sessions import SessionKey, ShareSessions, TopicPartitionKey
from tests.unit.broker.share.memory_state_log import WALL_START_MS, MemoryStateLog, SameForAllGroups, at, shares_on

TOPIC = b"t" * 16
KEY = ShareKey("g", TOPIC, 0)
TENS = [FetchedBatch(first, first + 9) for first in range(0, 300, 10)]


class Partition:
    """A partition's log as far as `Shares.start` asks."""

    log_start_offset, high_watermark = 5, 50

    def offset_for_timestamp(self, timestamp_ms: int):
        self.asked_ms = timestamp_ms
        return None if timestamp_ms > WALL_START_MS - 1_000 else type("Found", (), {"offset": 20})


def begun(log: MemoryStateLog, **settings) -> Shares:
    shares = shares_on(log, **settings)
    shares.set_start(*KEY, 0, at(0))
    return shares


def lend(shares: Shares, member_id: str = "m", lock_until_ms: int = 1_000) -> None:
    shares.acquire(shares.get(KEY), TENS[:1], Asked(member_id, 500, 500, False, lock_until_ms))


def states(shares: Shares) -> list[tuple]:
    return [tuple(each[:4]) for each in shares.get(KEY).at.ranges]


@pytest.mark.parametrize("updates", [1, 2, 500])
def test_a_restart_finds_what_was_acknowledged(updates):
    log = MemoryStateLog()
    shares = begun(log, updates_per_snapshot=updates)
    lend(shares)
    for offset, kind in ((3, 1), (5, 2), (7, 3), (0, 1)):
        shares.acknowledge(KEY, "m", [Acknowledgement(offset, offset, [kind])], at(1))
    again = shares_on(log).get(KEY).at
    assert (again.start_offset, again.done_count) == (1, 2)
    assert again.next_fetch_offset(shares.configs.share_limits("g")) == 1, "what was only lent is free"
    assert again.end_offset == 8


def test_old_updates_are_pruned_once_all_have_newer_snapshots(monkeypatch):
    monkeypatch.setattr("broker.share.shares._UPDATES_PER_PRUNING", 10)
    log = MemoryStateLog()
    shares = begun(log, updates_per_snapshot=4)
    shares.set_start("idle", TOPIC, 0, 77, at(0))
    for offset in range(200):
        shares.acquire(shares.get(KEY), [FetchedBatch(offset, offset)], Asked("m", 1, 1, True, 0))
        shares.acknowledge(KEY, "m", [Acknowledgement(offset, offset, [1])], at(1))
    assert log.start > 100
    again = shares_on(log)
    assert again.get(KEY).at.start_offset == 200
    assert again.get(ShareKey("idle", TOPIC, 0)).at.start_offset == 77


def test_a_refused_write_changes_nothing():
    log = MemoryStateLog()
    shares = begun(log)
    lend(shares)
    before = states(shares)
    log.failure = NotEnoughReplicas("no")
    with pytest.raises(CoordinatorNotAvailable):
        shares.acknowledge(KEY, "m", [Acknowledgement(0, 9, [1])], at(1))
    assert states(shares) == before


def test_a_lock_that_expires_frees_the_records_and_wakes_who_waits():
    shares = begun(MemoryStateLog())
    lend(shares, lock_until_ms=1_000)
    woken = []
    shares.get(KEY).waiters.add(lambda: woken.append(1))
    assert shares.next_deadline_ms() == 1_000
    shares.tick(at(999))
    assert not woken
    shares.tick(at(1_000))
    assert (woken, states(shares)) == ([1], [(0, 9, 0, 1)])
    assert shares.next_deadline_ms() is None


def test_the_end_of_a_session_frees_what_its_member_held_there():
    shares = begun(MemoryStateLog())
    lend(shares)
    shares.release_all("g", "other", [(TOPIC, 0)], at(1))
    shares.release_all("g", "m", [(TOPIC, 7)], at(1))
    assert states(shares) == [(0, 9, 1, 1)]
    shares.release_all("g", "m", [(TOPIC, 0)], at(1))
    assert states(shares) == [(0, 9, 0, 1)]


def test_what_a_group_does_not_read_cannot_be_acknowledged():
    shares = shares_on(MemoryStateLog())
    shares.initialize("g", TOPIC, [0], at(0))
    for key in (KEY, ShareKey("g", TOPIC, 1), ShareKey("none", TOPIC, 0)):
        with pytest.raises(UnknownTopicOrPartition):
            shares.acknowledge(key, "m", [Acknowledgement(0, 0, [1])], at(0))


def test_deleted_groups_and_topics_are_forgotten_for_good():
    log = MemoryStateLog()
    shares = begun(log)
    shares.initialize("g", b"u" * 16, [0, 1], at(0))
    shares.delete("g", [TOPIC], at(1))
    assert sorted(shares.of_group("g")) == sorted(shares_on(log).of_group("g")) == [(b"u" * 16, 0), (b"u" * 16, 1)]
    shares.delete("g", None, at(2))
    assert not shares.of_group("g")
    assert not shares_on(log).of_group("g")


def test_offsets_set_from_outside_count_from_then_on():
    log = MemoryStateLog()
    shares = begun(log)
    lend(shares)
    shares.set_start(*KEY, 30, at(1))
    for each in (shares, shares_on(log)):
        assert (each.get(KEY).at.start_offset, states(each)) == (30, [])
        assert each.get(KEY).saved.state_epoch == 2


def test_damaged_records_are_passed_over():
    log = MemoryStateLog()
    begun(log)
    log.records += [
        OffsetsRecord(b"\0\0x", b""),
        OffsetsRecord(b"\0\7", b""),
        OffsetsRecord(log.records[-1].key, b"\0\1"),
    ]
    assert shares_on(log).get(KEY).at.start_offset == 0


def test_nothing_is_answered_before_the_log_is_read():
    shares = Shares(MemoryStateLog(), ShareConfigs(SameForAllGroups(BrokerConfig())))
    with pytest.raises(CoordinatorLoadInProgress):
        shares.get(KEY)


@pytest.mark.parametrize(
    ("reset", "start_offset"),
    [
        (None, 50),
        ("latest", 50),
        ("earliest", 5),
        ("by_duration:PT1H", 20),
        ("by_duration:P1DT0.5S", 20),
        ("by_duration:PT0S", 50),
    ],
)
def test_where_a_group_begins(reset, start_offset):
    log = MemoryStateLog()
    shares = shares_on(log, {} if reset is None else {"share.auto.offset.reset": reset})
    shares.initialize("g", TOPIC, [0], at(0))
    shares.start(shares.get(KEY), Partition(), at(0))
    assert shares.get(KEY).at.start_offset == start_offset
    assert shares_on(log).get(KEY).at.start_offset == start_offset, "a restart does not begin elsewhere"


@pytest.mark.parametrize("text", ["", "1h", "P", "PT", "P1DT", "-PT1S", "PT1.5H", "P1Y"])
def test_what_is_no_duration_is_refused(text):
    shares = shares_on(MemoryStateLog(), {"share.auto.offset.reset": f"by_duration:{text}"})
    with pytest.raises(ValueError, match="no duration"):
        shares.configs.share_auto_offset_reset("g")


def test_a_groups_own_configs_come_before_the_brokers():
    own = {"share.record.lock.duration.ms": "20000", "share.isolation.level": "READ_COMMITTED"}
    configs = shares_on(MemoryStateLog(), own, group_share_delivery_count_limit=3).configs
    assert configs.share_record_lock_duration_ms("g") == 20_000
    assert configs.share_reads_committed("g")
    assert configs.share_limits("g") == (3, 2_000, True)


def test_a_session_takes_up_and_gives_up_partitions_in_turn():
    sessions = ShareSessions(10)
    session = sessions.open(SessionKey("g", "m"), connection=1)
    keys = [TopicPartitionKey(TOPIC, index) for index in range(3)]
    session.update(keys, [])
    firsts = [sessions.resume(SessionKey("g", "m"), epoch).in_turn()[0] for epoch in (1, 2, 3)]
    assert set(firsts) == set(keys), "each is first once"
    session.update([], keys[:2])
    assert session.in_turn() == keys[2:]
    assert sessions.of_connection(1) == [session]
    sessions.close(session.key)
    assert (len(sessions), sessions.of_connection(1)) == (0, [])
