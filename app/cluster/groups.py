"""Consumer groups with their lag: what the groups pages show, computed from what the sampler saw."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.cluster import words
from app.cluster.lag import EndOffsets, Lag, lag_of, time_lag_s
from app.cluster.lag_status import (
    END_OFFSETS_KEPT_MS,
    WINDOW_COMMITS,
    Commit,
    CommitWindow,
    judge_group,
    judge_partition,
    rewind_of,
    severity_rank,
)
from app.cluster.snapshot import GroupLag, LagStatus, PartitionLag, PartitionOffsets
from app.kafka.ports import CommittedOffset, GroupDescription, GroupMember, GroupState, TopicPartition

_NO_COMMITS: Sequence[Commit] = ()
_NO_READER = ", no member reads it"


@dataclass(slots=True)
class GroupSights:
    """Everything the sampler knows that bears on lag, beside the group itself.

    windows: commits seen in `__consumer_offsets` by (group, partition); it stays empty where that topic may not be
    read. record_times_ms: timestamps of records at committed offsets that are older than the history of end offsets.
    """

    offsets: Mapping[TopicPartition, PartitionOffsets] = field(default_factory=dict)
    ends: Mapping[TopicPartition, EndOffsets] = field(default_factory=dict)
    windows: Mapping[tuple[str, TopicPartition], CommitWindow] = field(default_factory=dict)
    record_times_ms: Mapping[tuple[TopicPartition, int], int] = field(default_factory=dict)
    commits_are_seen: bool = False


def measure_group(
    group: GroupDescription,
    committed: Mapping[TopicPartition, CommittedOffset],
    sights: GroupSights,
    *,
    now_ms: int,
    produce_rate: float | None,
    consume_rate: float | None,
    before: GroupLag | None = None,
) -> GroupLag:
    """The group's lag on every partition that it committed on or that a member is assigned.

    before: the last measurement; its partitions are taken over where nothing changed and nothing ages.
    """
    owners = {partition: member for member in group.members for partition in member.assignment}
    known = {TopicPartition(one.topic, one.partition): one for one in before.partitions} if before else {}
    rates = (produce_rate, consume_rate)
    partitions = tuple(
        _measure_partition(group.group_id, partition, committed.get(partition), owners.get(partition), sights, now_ms,
                           rates, known.get(partition))
        for partition in sorted(committed.keys() | owners.keys())
    )  # fmt: skip
    is_same = before is not None and before.group is group and before.partitions == partitions
    if before is not None and is_same and (before.produce_rate, before.consume_rate) == rates:
        return before
    status = judge_group(one.status for one in partitions if one.committed_offset is not None)
    behind = [one for one in partitions if one.lag]
    return GroupLag(
        group=group,
        partitions=partitions,
        total_lag=sum(one.lag or 0 for one in partitions),
        partitions_without_commit=sum(one.committed_offset is None for one in partitions),
        max_lag=max(behind, key=lambda one: one.lag or 0, default=None),
        time_lag_s=_worst_time_lag_s(partitions),
        status=status,
        status_words=_group_words(group, partitions, status, produce_rate, consume_rate),
        produce_rate=produce_rate,
        consume_rate=consume_rate,
    )


def _measure_partition(
    group_id: str,
    partition: TopicPartition,
    committed: CommittedOffset | None,
    owner: GroupMember | None,
    sights: GroupSights,
    now_ms: int,
    rates: tuple[float | None, float | None],
    before: PartitionLag | None,
) -> PartitionLag:
    offsets = sights.offsets.get(partition)
    committed_offset = committed.offset if committed else None
    lag = lag_of(
        committed_offset=committed_offset,
        log_start_offset=offsets.log_start_offset if offsets else None,
        high_watermark=offsets.high_watermark if offsets else None,
    )
    if before is not None and lag.records == 0 and _is_same(before, lag, committed_offset, offsets, owner):
        return before
    commits = _commits_of(sights, group_id, partition)
    status = _judge(partition, committed_offset, lag, commits, sights, now_ms)
    return PartitionLag(
        topic=partition.topic,
        partition=partition.partition,
        committed_offset=committed_offset,
        log_start_offset=offsets.log_start_offset if offsets else None,
        high_watermark=offsets.high_watermark if offsets else None,
        lag=lag.records,
        lost_count=lag.lost_count,
        is_beyond_end=lag.is_beyond_end,
        lead=lag.lead,
        time_lag_s=_time_lag_s(partition, committed_offset, lag, sights, now_ms),
        status=status,
        status_words=_partition_words(status, lag, committed_offset, commits, owner, sights, now_ms, rates),
        member_id=owner.member_id if owner else None,
        instance_id=owner.instance_id if owner else None,
        client_id=owner.client_id if owner else None,
        client_host=owner.client_host if owner else None,
    )


def _is_same(
    before: PartitionLag,
    lag: Lag,
    committed_offset: int | None,
    offsets: PartitionOffsets | None,
    owner: GroupMember | None,
) -> bool:
    return (
        before.lag == lag.records
        and before.committed_offset == committed_offset
        and offsets is not None
        and before.high_watermark == offsets.high_watermark
        and before.log_start_offset == offsets.log_start_offset
        and before.member_id == (owner.member_id if owner else None)
    )


def _commits_of(sights: GroupSights, group_id: str, partition: TopicPartition) -> Sequence[Commit]:
    window = sights.windows.get((group_id, partition))
    return tuple(window.commits) if window is not None else _NO_COMMITS


def _judge(
    partition: TopicPartition,
    committed_offset: int | None,
    lag: Lag,
    commits: Sequence[Commit],
    sights: GroupSights,
    now_ms: int,
) -> LagStatus:
    if committed_offset is None or lag.records is None:
        return LagStatus.UNKNOWN
    ends = sights.ends.get(partition)
    oldest_end = ends.end_at(now_ms - END_OFFSETS_KEPT_MS) if ends is not None else None
    end_offsets = () if oldest_end is None else (oldest_end,)
    return judge_partition(commits, end_offsets=end_offsets, lag_now=lag.records, now_ms=now_ms)


def _time_lag_s(
    partition: TopicPartition, committed_offset: int | None, lag: Lag, sights: GroupSights, now_ms: int
) -> float | None:
    if committed_offset is None or lag.records is None:
        return None
    return time_lag_s(
        sights.ends.get(partition),
        committed_offset=committed_offset,
        lag=lag.records,
        now_ms=now_ms,
        record_ms=sights.record_times_ms.get((partition, committed_offset)),
    )


def _worst_time_lag_s(partitions: Iterable[PartitionLag]) -> float | None:
    """The worst that is known; None when a partition has lag of unknown age or nothing was committed."""
    committed = [one for one in partitions if one.lag is not None]
    if not committed or any(one.time_lag_s is None for one in committed):
        return None
    return max(one.time_lag_s or 0.0 for one in committed)


# --- words ---------------------------------------------------------------------------------------------------------


def _partition_words(
    status: LagStatus,
    lag: Lag,
    committed_offset: int | None,
    commits: Sequence[Commit],
    owner: GroupMember | None,
    sights: GroupSights,
    now_ms: int,
    rates: tuple[float | None, float | None],
) -> str:
    if committed_offset is None:
        return "nothing committed here yet"
    if lag.records is None:
        return "the end of the log is not known"
    if lag.is_beyond_end:
        return "committed beyond the end: the topic was recreated or cut short"
    if lag.lost_count:
        return f"{words.plural(lag.lost_count, 'record')} deleted before they were read"
    if status is LagStatus.OK:
        return "keeping up" if lag.records == 0 else _catching_up(lag.records, rates)
    if status is LagStatus.WARN:
        return _falling_behind(rates)
    if status is LagStatus.UNKNOWN:
        return _not_known_yet(commits, sights)
    return _error_words(status, commits, owner, now_ms)


def _error_words(status: LagStatus, commits: Sequence[Commit], owner: GroupMember | None, now_ms: int) -> str:
    if status is LagStatus.STOP:
        silent = words.duration((now_ms - commits[-1].at_ms) / 1000)
        by = f", last from {owner.client_id} at {owner.client_host.lstrip('/')}" if owner else _NO_READER
        return f"no commit for {silent}{by}"
    if status is LagStatus.STALL:
        return f"committing but not moving since {_clock(commits[0].at_ms)}"
    rewind = rewind_of(commits)
    if rewind is None:
        return "went back"
    before, after = rewind
    return f"went back {words.plural(before.offset - after.offset, 'record')} at {_clock(after.at_ms)}"


def _catching_up(lag: int, rates: tuple[float | None, float | None]) -> str:
    seconds = drain_time_s(lag, produce_rate=rates[0], consume_rate=rates[1])
    if seconds is None:
        return f"reading, {words.plural(lag, 'record')} behind"
    return f"catching up, about {words.duration(seconds)} left"


def _falling_behind(rates: tuple[float | None, float | None]) -> str:
    produce_rate, consume_rate = rates
    if produce_rate is None or consume_rate is None:
        return "falling behind"
    return f"falling behind: {words.rate(produce_rate)} in, {words.rate(consume_rate)} out"


def _not_known_yet(commits: Sequence[Commit], sights: GroupSights) -> str:
    if not sights.commits_are_seen:
        return "not known: commit times cannot be read"
    if not commits:
        return "not known yet: no commit seen"
    return f"not known yet: {len(commits)} of {WINDOW_COMMITS} commits seen"


def _group_words(
    group: GroupDescription,
    partitions: Sequence[PartitionLag],
    status: LagStatus,
    produce_rate: float | None,
    consume_rate: float | None,
) -> str:
    committed = [one for one in partitions if one.committed_offset is not None]
    if not committed:
        return "nothing committed yet"
    worst = min(committed, key=lambda one: (severity_rank(one.status), -(one.lag or 0)))
    if status is LagStatus.OK:
        total_lag = sum(one.lag or 0 for one in committed)
        return "keeping up" if total_lag == 0 else _catching_up(total_lag, (produce_rate, consume_rate))
    if status is LagStatus.WARN:
        return _falling_behind((produce_rate, consume_rate))
    if status is LagStatus.ERR and group.state is GroupState.EMPTY:
        return f"no members; {worst.status_words.removesuffix(_NO_READER)}"
    where = "" if len(committed) == 1 else f", {worst.topic} partition {worst.partition}"
    return worst.status_words + (where if status is LagStatus.ERR else "")


def drain_time_s(lag: int, *, produce_rate: float | None, consume_rate: float | None) -> float | None:
    """Seconds until the lag is gone at the present rates; None when it is growing or the rates are not known."""
    if produce_rate is None or consume_rate is None or consume_rate <= produce_rate:
        return None
    return lag / (consume_rate - produce_rate)


def _clock(at_ms: int) -> str:
    return time.strftime("%H:%M", time.localtime(at_ms / 1000))
