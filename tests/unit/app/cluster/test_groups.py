import pytest

from app.cluster.groups import GroupSights, drain_time_s, measure_group
from app.cluster.lag import EndOffsets
from app.cluster.lag_status import Commit, CommitWindow
from app.cluster.snapshot import GroupLag, LagStatus, PartitionOffsets
from app.kafka.ports import (
    CommittedOffset,
    GroupDescription,
    GroupMember,
    GroupState,
    GroupType,
    TopicPartition,
)

NOW_MS = 1_700_000_000_000
P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


def group(*assignment: TopicPartition) -> GroupDescription:
    members = (GroupMember("m-1", None, "app", "/10.0.0.7", assignment),) if assignment else ()
    state = GroupState.STABLE if members else GroupState.EMPTY
    return GroupDescription("g", GroupType.CLASSIC, "consumer", state, "range", 1, members)


def measure(
    description: GroupDescription, sights: GroupSights, before: GroupLag | None = None, **rates: float
) -> GroupLag:
    committed = {P0: CommittedOffset(40)}
    return measure_group(
        description,
        committed,
        sights,
        now_ms=NOW_MS,
        produce_rate=rates.get("produce_rate"),
        consume_rate=rates.get("consume_rate"),
        before=before,
    )


def sights(*commits: Commit, end: int = 100, start: int = 0) -> GroupSights:
    window = CommitWindow()
    for commit in commits:
        window.add(commit)
    return GroupSights(
        offsets={P0: PartitionOffsets(start, end, NOW_MS), P1: PartitionOffsets(0, 7, NOW_MS)},
        windows={("g", P0): window} if commits else {},
        commits_are_seen=True,
    )


def ten(offset_step: int, *lags: int, ago_ms: int = 0) -> list[Commit]:
    return [
        Commit(40 - (9 - number) * offset_step, NOW_MS - ago_ms - (9 - number) * 10_000, lags[number % len(lags)])
        for number in range(10)
    ]


def test_assigned_partitions_without_a_commit_are_shown_and_counted_apart():
    found = measure(group(P0, P1), sights())
    assert [(one.partition, one.lag, one.member_id) for one in found.partitions] == [(0, 60, "m-1"), (1, None, "m-1")]
    assert (found.total_lag, found.partitions_without_commit) == (60, 1)
    assert found.partitions[1].status_words == "nothing committed here yet"


def test_committed_partitions_without_a_member_are_shown():
    found = measure(group(), sights())
    assert [(one.partition, one.client_id) for one in found.partitions] == [(0, None)]


def test_keeping_up():
    found = measure(group(P0), sights(end=40))
    assert (found.status, found.status_words, found.time_lag_s) == (LagStatus.OK, "keeping up", 0.0)


def test_a_stopped_group_names_its_last_reader():
    found = measure(group(P0), sights(*ten(1, 50, ago_ms=840_000)))
    assert found.status is LagStatus.ERR
    assert found.partitions[0].status is LagStatus.STOP
    assert found.status_words == "no commit for 14 min, last from app at 10.0.0.7"


def test_a_stopped_group_without_members_says_so():
    found = measure(group(), sights(*ten(1, 50, ago_ms=840_000)))
    assert found.status_words == "no members; no commit for 14 min"


def test_falling_behind_is_said_with_both_rates():
    commits = [Commit(one.offset, one.at_ms, 50 + index) for index, one in enumerate(ten(1, 0))]
    found = measure(group(P0), sights(*commits), produce_rate=120.0, consume_rate=80.0)
    assert found.status is LagStatus.WARN
    assert found.status_words == "falling behind: 120/s in, 80/s out"


def test_catching_up_is_said_with_the_time_left():
    found = measure(group(P0), sights(*ten(1, 60, 50)), produce_rate=1.0, consume_rate=1.25)
    assert found.status is LagStatus.OK
    assert found.status_words == "catching up, about 4 min left"


def test_a_stalled_group():
    found = measure(group(P0), sights(*ten(0, 50)))
    assert found.partitions[0].status is LagStatus.STALL
    assert found.status_words.startswith("committing but not moving since ")


def test_a_rewind_is_said_with_its_size():
    commits = [Commit(100, NOW_MS - 95_000, 9), *ten(0, 60, 59)[1:]]
    found = measure(group(P0), sights(*commits))
    assert found.partitions[0].status is LagStatus.REWIND
    assert found.status_words.startswith("went back 60 records at ")


def test_lost_records_are_said():
    found = measure(group(P0), sights(start=70)).partitions[0]
    assert (found.lag, found.lost_count) == (30, 30)
    assert found.status_words == "30 records deleted before they were read"


def test_a_commit_beyond_the_end_is_said():
    found = measure(group(P0), sights(end=10)).partitions[0]
    assert (found.lag, found.is_beyond_end) == (0, True)
    assert "recreated" in found.status_words


def test_few_commits_are_said_to_be_few():
    found = measure(group(P0), sights(Commit(40, NOW_MS, 60)))
    assert found.status_words == "not known yet: 1 of 10 commits seen"


def test_the_time_lag_of_a_group_is_its_worst():
    ends = EndOffsets()
    ends.see(40, NOW_MS - 60_000)
    ends.see(100, NOW_MS)
    found = measure(group(P0), GroupSights(offsets=sights().offsets, ends={P0: ends}))
    assert found.time_lag_s == 60.0


def test_nothing_new_is_the_same_object():
    description, seen = group(P0), sights(end=40)
    first = measure(description, seen)
    assert measure(description, seen, before=first) is first
    assert measure(description, sights(end=41), before=first) is not first


@pytest.mark.parametrize(
    ("produce_rate", "consume_rate", "seconds"), [(10.0, 20.0, 6.0), (20.0, 20.0, None), (None, 20.0, None)]
)
def test_drain_time(produce_rate, consume_rate, seconds):
    assert drain_time_s(60, produce_rate=produce_rate, consume_rate=consume_rate) == seconds
