"""Status of a consumer group without thresholds on lag: the rules of LinkedIn's Burrow 1.9.

A partition is judged by its last ten commits: does the group still commit, does it move, does its lag ever fall. Pure
functions over what the sampler has seen; tests/golden/lag-status-vectors.json holds answers of the real evaluator.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from app.cluster.snapshot import LagStatus

WINDOW_COMMITS = 10
LAG_ALLOWED = 0
COMMIT_DISTANCE_MIN_MS = 1_000
WINDOW_SPAN_ASSUMED_MS = 100_000  # ten commits at Burrow's interval of 10 s
END_OFFSETS_KEPT_MS = 100_000  # ten end offsets at Burrow's interval of 10 s

_ERRORS = frozenset({LagStatus.STOP, LagStatus.STALL, LagStatus.REWIND})
_WORST_FIRST = (
    LagStatus.STOP,
    LagStatus.STALL,
    LagStatus.REWIND,
    LagStatus.ERR,
    LagStatus.WARN,
    LagStatus.UNKNOWN,
    LagStatus.OK,
)


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed offset, when it was committed (wall clock, ms) and the lag at that moment (None: not known)."""

    offset: int
    at_ms: int
    lag: int | None


@dataclass(slots=True)
class CommitWindow:
    """The last ten commits of one group on one partition, at least a second apart (but for the newest).

    The distance keeps a group that commits after every record from shrinking its window to milliseconds, which would
    call it stopped at the first pause.
    """

    commits: deque[Commit] = field(default_factory=lambda: deque(maxlen=WINDOW_COMMITS))

    def add(self, commit: Commit) -> None:
        commits = self.commits
        if commits and commit.at_ms < commits[-1].at_ms:
            return  # read twice, or a broker whose clock went back
        if len(commits) >= 2 and commits[-1].at_ms - commits[-2].at_ms < COMMIT_DISTANCE_MIN_MS:
            commits[-1] = commit
        else:
            commits.append(commit)


def judge_partition(commits: Sequence[Commit], *, end_offsets: Sequence[int], lag_now: int, now_ms: int) -> LagStatus:
    """Status of one partition. end_offsets: the log ends seen of late, lag_now: records not read at this moment.

    The first rule that fits wins. Differs from Burrow: a window that is not full is UNKNOWN instead of OK (and its span
    is taken as 100 s for STOP), because "not enough seen" is not "fine".
    """
    if lag_now <= LAG_ALLOWED:
        return LagStatus.OK
    if not commits:
        return LagStatus.UNKNOWN
    is_full = len(commits) == WINDOW_COMMITS
    if _has_stopped(commits, end_offsets, now_ms, is_full):
        return LagStatus.STOP
    return _judge_movement(commits) if is_full else LagStatus.UNKNOWN


def _has_stopped(commits: Sequence[Commit], end_offsets: Sequence[int], now_ms: int, is_full: bool) -> bool:
    last = commits[-1]
    span_ms = last.at_ms - commits[0].at_ms
    if not is_full:
        span_ms = max(span_ms, WINDOW_SPAN_ASSUMED_MS)
    was_caught_up = any(end_offset <= last.offset for end_offset in end_offsets)
    return now_ms - last.at_ms > span_ms and not was_caught_up


def _judge_movement(commits: Sequence[Commit]) -> LagStatus:
    if rewind_of(commits) is not None:
        return LagStatus.REWIND
    lags = [commit.lag for commit in commits if commit.lag is not None]
    if any(lag <= LAG_ALLOWED for lag in lags):
        return LagStatus.OK
    if len({commit.offset for commit in commits}) == 1:
        return LagStatus.STALL
    if len(lags) < len(commits):
        return LagStatus.UNKNOWN  # commits from before we watched the log: whether it falls behind cannot be said yet
    if all(after >= before for before, after in pairwise(lags)):
        return LagStatus.WARN
    return LagStatus.OK


def rewind_of(commits: Sequence[Commit]) -> tuple[Commit, Commit] | None:
    """The commits before and after the first step back that was not made good since, or None."""
    for index, (before, after) in enumerate(pairwise(commits), start=1):
        if after.offset < before.offset:
            recovered = any(commit.offset >= before.offset for commit in list(commits)[index + 1 :])
            return None if recovered else (before, after)
    return None


def judge_group(statuses: Iterable[LagStatus]) -> LagStatus:
    """ERR when any partition is STOP, STALL or REWIND; else WARN, else UNKNOWN, else OK."""
    found = set(statuses)
    if found & _ERRORS:
        return LagStatus.ERR
    if LagStatus.WARN in found:
        return LagStatus.WARN
    if not found or LagStatus.UNKNOWN in found:
        return LagStatus.UNKNOWN
    return LagStatus.OK


def severity_rank(status: LagStatus) -> int:
    """0 for the status that needs a person first; for sorting worst first."""
    return _WORST_FIRST.index(status)
