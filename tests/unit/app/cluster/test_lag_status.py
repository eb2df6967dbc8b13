import json
from pathlib import Path

import pytest

from app.cluster.lag_status import Commit, CommitWindow, judge_group, judge_partition
from app.cluster.snapshot import LagStatus

GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "lag-status-vectors.json").read_text())


@pytest.mark.parametrize("vector", GOLDEN["vectors"], ids=lambda vector: vector["id"])
def test_golden_vectors_of_the_real_evaluator(vector):
    commits = [
        Commit(offset, at_ms, lag)
        for offset, at_ms, lag in zip(vector["offsets"], GOLDEN["commit_times_ms"], vector["lag"], strict=True)
    ]
    status = judge_partition(
        commits, end_offsets=vector["end_offsets"], lag_now=vector["current_lag"], now_ms=vector["now"] * 1000
    )
    assert status == vector["status"]


def commits_of(*offsets: int, lag: int = 50, every_ms: int = 10_000) -> list[Commit]:
    return [Commit(offset, index * every_ms, lag) for index, offset in enumerate(offsets)]


def test_a_window_that_is_not_full_is_unknown():
    assert judge_partition(commits_of(1, 2, 3), end_offsets=[99], lag_now=50, now_ms=21_000) is LagStatus.UNKNOWN


def test_no_commit_seen_is_unknown():
    assert judge_partition([], end_offsets=[99], lag_now=50, now_ms=21_000) is LagStatus.UNKNOWN


def test_a_short_window_without_commits_for_long_is_stop():
    assert judge_partition(commits_of(1, 2), end_offsets=[99], lag_now=50, now_ms=110_001) is LagStatus.STOP


def test_frequent_commits_do_not_shrink_the_window():
    window = CommitWindow()
    for at_ms in range(0, 60_000, 100):
        window.add(Commit(at_ms, at_ms, 0))
    assert window.commits[-1].at_ms - window.commits[0].at_ms >= 8_000
    assert window.commits[-1].offset == 59_900


def test_a_commit_from_the_past_is_left_out():
    window = CommitWindow()
    window.add(Commit(5, 20_000, 0))
    window.add(Commit(4, 10_000, 0))
    assert [commit.offset for commit in window.commits] == [5]


@pytest.mark.parametrize(
    ("partitions", "group"),
    [
        (["OK", "OK"], "OK"),
        (["OK", "WARN"], "WARN"),
        (["WARN", "STALL"], "ERR"),
        (["OK", "REWIND"], "ERR"),
        (["OK", "STOP"], "ERR"),
        (["OK", "UNKNOWN"], "UNKNOWN"),
        ([], "UNKNOWN"),
    ],
)
def test_the_worst_partition_is_the_groups_status(partitions, group):
    assert judge_group(LagStatus(status) for status in partitions) == group
