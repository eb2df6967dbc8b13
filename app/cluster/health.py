"""Why a cluster is not healthy, in sentences: one finding per check, each with what to do, and a score.

The state of a cluster is its worst finding; the score is 100 less one penalty per check. A check says what is so now;
HealthChecks remembers since when.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from app.cluster import words
from app.cluster.damage import CHECK as DAMAGED_RANGE
from app.cluster.damage import damage_finding
from app.cluster.partitions import PartitionFacts, examine_partitions
from app.cluster.snapshot import ClusterSnapshot, Finding, FindingObject, GroupLag, LagStatus, PartitionLag, Severity
from app.kafka.ports import TopicPartition

LONG_MS = 10 * 60_000
VOTER_SILENT_MS = 8_000
DISK_CRITICAL, DISK_WARNING = 0.90, 0.80
DISK_TREND_FROM = 0.60  # below this share a fast hour is no reason to worry
DISK_TREND_MS = 30 * 60_000
DISK_FULL_CRITICAL_S, DISK_FULL_WARNING_S = 6 * 3600, 48 * 3600
LOSS_CRITICAL_S, LOSS_WARNING_S = 3600, 24 * 3600
IMBALANCE_PERCENT = 10
SKEW_PERCENT = 25
OBJECTS_MAX = 100


def score_of(findings: Iterable[Finding]) -> int:
    """100 less the penalties, never below 0."""
    return max(0, 100 - sum(finding.penalty for finding in findings))


class HealthChecks:
    """The checks of one cluster and since when each has found something."""

    def __init__(self) -> None:
        self._since_ms: dict[str, int] = {}
        self._facts: PartitionFacts | None = None
        self._facts_of: tuple[object, ...] = ()
        self._usable_bytes: dict[tuple[int, str], deque[tuple[int, int]]] = {}

    def unreachable(self, reason: str, *, since_ms: int) -> tuple[Finding, ...]:
        """No broker answers: nothing else can be said then."""
        return (
            Finding(
                check="unreachable",
                severity=Severity.CRITICAL,
                penalty=100,
                headline="No broker answers.",
                detail=reason,
                remedy="Check that the brokers run and that their addresses can be reached from here.",
                since_ms=since_ms,
            ),
        )

    def examine(self, snapshot: ClusterSnapshot, *, now_ms: int) -> tuple[Finding, ...]:
        """All findings, the worst first."""
        look = _Look(snapshot, self._facts_for(snapshot), now_ms, self._since_ms)
        self._note_disks(snapshot, now_ms)
        found = [finding for check in _CHECKS for finding in check(look)]
        found += _disk_trend(look, self._usable_bytes) if not any(one.check == "disk" for one in found) else ()
        self._since_ms = look.kept
        return tuple(sorted(found, key=lambda one: (one.severity is not Severity.CRITICAL, -one.penalty)))

    @property
    def facts(self) -> PartitionFacts | None:
        """What the partitions were like at the last examination."""
        return self._facts

    def _facts_for(self, snapshot: ClusterSnapshot) -> PartitionFacts:
        """Partitions are gone through again only when something about them changed."""
        about = (snapshot.topics, snapshot.brokers, snapshot.topic_configs)
        if self._facts is None or any(now is not then for now, then in zip(about, self._facts_of, strict=True)):
            self._facts, self._facts_of = examine_partitions(snapshot), about
        return self._facts

    def _note_disks(self, snapshot: ClusterSnapshot, now_ms: int) -> None:
        for one in snapshot.log_dirs:
            seen = self._usable_bytes.setdefault((one.broker_id, one.path), deque(maxlen=120))
            if one.usable_bytes >= 0 and (not seen or now_ms - seen[-1][0] >= 60_000):
                seen.append((now_ms, one.usable_bytes))


class _Look:
    """One examination: what is looked at, and the times of what was found before."""

    def __init__(self, snapshot: ClusterSnapshot, facts: PartitionFacts, now_ms: int, since_ms: dict[str, int]) -> None:
        self.snapshot = snapshot
        self.facts = facts
        self.now_ms = now_ms
        self.kept: dict[str, int] = {}
        self._since_ms = since_ms

    def since_ms(self, check: str, known_ms: int | None = None) -> int:
        """When the check began to find something: now, unless it did before (or is known better)."""
        self.kept[check] = known_ms or self._since_ms.get(check, self.now_ms)
        return self.kept[check]

    def lasts_long(self, check: str) -> bool:
        return self.now_ms - self.since_ms(check) >= LONG_MS

    def ago(self, since_ms: int) -> str:
        return words.duration((self.now_ms - since_ms) / 1000)


Check = Callable[[_Look], Iterator[Finding]]


def _offline_partitions(look: _Look) -> Iterator[Finding]:
    offline = look.facts.offline
    if not offline:
        return
    verb = "has" if len(offline) == 1 else "have"
    yield Finding(
        check="offline_partitions",
        severity=Severity.CRITICAL,
        penalty=40,
        headline=f"{words.plural(len(offline), 'partition')} {verb} no leader.",
        detail="Nobody can write to or read from them.",
        remedy="Start the brokers that hold their replicas.",
        since_ms=look.since_ms("offline_partitions"),
        objects=_partition_objects(offline),
        link="topics?only=offline",
        link_words=words.plural(len(offline), "partition"),
    )


def _quorum(look: _Look) -> Iterator[Finding]:
    quorum = look.snapshot.quorum
    if quorum is None or not quorum.voters:
        return
    newest_ms = max(voter.last_caught_up_ms for voter in quorum.voters)
    silent = [
        voter.node_id
        for voter in quorum.voters
        if voter.node_id != quorum.leader_id and newest_ms - voter.last_caught_up_ms > VOTER_SILENT_MS
    ]
    if quorum.leader_id < 0 or 2 * len(silent) >= len(quorum.voters):
        yield Finding(
            check="quorum",
            severity=Severity.CRITICAL,
            penalty=40,
            headline="The controller quorum has no majority." if quorum.leader_id >= 0 else "There is no controller.",
            detail="Topics cannot be changed and failed leaders are not replaced.",
            remedy="Start the controllers that are away.",
            since_ms=look.since_ms("quorum"),
            objects=tuple(FindingObject("broker", str(node_id)) for node_id in silent),
            link="brokers",
            link_words="brokers",
        )
    elif silent:
        since_ms = look.since_ms("voter_missing")
        yield Finding(
            check="voter_missing",
            severity=Severity.WARNING,
            penalty=15,
            headline=f"{_one_or_many('Controller', silent)} of the quorum "
            f"{'does' if len(silent) == 1 else 'do'} not follow the leader.",
            detail=f"{len(quorum.voters) - len(silent)} of {len(quorum.voters)} voters are there; "
            f"{len(quorum.voters) // 2 + 1} are needed.",
            remedy="Start it again before another one fails.",
            since_ms=since_ms,
            objects=tuple(FindingObject("broker", str(node_id)) for node_id in silent),
            link="brokers",
            link_words="brokers",
        )


def _min_isr(look: _Look) -> Iterator[Finding]:
    under, at = look.facts.under_min_isr, look.facts.at_min_isr
    if under:
        verb = "has" if len(under) == 1 else "have"
        yield Finding(
            check="under_min_isr",
            severity=Severity.CRITICAL,
            penalty=30,
            headline=f"{words.plural(len(under), 'partition')} {verb} fewer in-sync replicas than min.insync.replicas.",
            detail="Writes with acks=all are refused there (NOT_ENOUGH_REPLICAS).",
            remedy="Start the brokers that hold their other replicas, or lower min.insync.replicas.",
            since_ms=look.since_ms("under_min_isr"),
            objects=_partition_objects(under),
            link="topics?only=under-min-isr",
            link_words=words.plural(len(under), "partition"),
        )
    if at and look.lasts_long("at_min_isr"):
        verb = "has" if len(at) == 1 else "have"
        yield Finding(
            check="at_min_isr",
            severity=Severity.WARNING,
            penalty=5,
            headline=f"{words.plural(len(at), 'partition')} {verb} just min.insync.replicas in sync.",
            detail="One more failure and writes with acks=all stop there.",
            remedy="Bring the missing replicas back.",
            since_ms=look.since_ms("at_min_isr"),
            objects=_partition_objects(at),
            link="topics?only=under-replicated",
            link_words=words.plural(len(at), "partition"),
        )


def _under_replicated(look: _Look) -> Iterator[Finding]:
    partitions = look.facts.under_replicated
    if not partitions:
        return
    is_long = look.lasts_long("under_replicated")
    verb = "is" if len(partitions) == 1 else "are"
    yield Finding(
        check="under_replicated",
        severity=Severity.CRITICAL if is_long else Severity.WARNING,
        penalty=15 if is_long else 8,
        headline=f"{words.plural(len(partitions), 'partition')} {verb} under-replicated.",
        detail="They are served, with fewer copies than asked for.",
        remedy="Start the brokers that hold the other replicas; replicas that are back catch up by themselves.",
        since_ms=look.since_ms("under_replicated"),
        objects=_partition_objects(partitions),
        link="topics?only=under-replicated",
        link_words=words.plural(len(partitions), "partition"),
    )


def _missing_brokers(look: _Look) -> Iterator[Finding]:
    live = {broker.broker_id for broker in look.snapshot.brokers}
    known = look.snapshot.known_brokers
    missing = sorted((known.keys() | look.facts.missing_brokers) - live)
    if not missing:
        return
    last_seen_ms = [known[broker_id][1] for broker_id in missing if broker_id in known]
    since_ms = look.since_ms("missing_brokers", min(last_seen_ms, default=None))
    have = "has" if len(missing) == 1 else "have"
    # A broker that was away before we looked for the first time has been so for nobody knows how long.
    how_long = f"been away for {look.ago(since_ms)}" if last_seen_ms else "not been seen since this started"
    yield Finding(
        check="missing_brokers",
        severity=Severity.CRITICAL if len(missing) > 1 else Severity.WARNING,
        penalty=20 if len(missing) > 1 else 12,
        headline=f"{_one_or_many('Broker', missing)} {have} {how_long}.",
        detail=f"{words.plural(len(live), 'broker')} of {len(live) + len(missing)} "
        f"{'answers' if len(live) == 1 else 'answer'}.",
        remedy="Start it again, or move its replicas if it will not come back.",
        since_ms=since_ms,
        objects=tuple(FindingObject("broker", str(broker_id)) for broker_id in missing),
        link="brokers",
        link_words="brokers",
    )


def _disks(look: _Look) -> Iterator[Finding]:
    for one in look.snapshot.log_dirs:
        if one.error_code:
            yield Finding(
                check="offline_log_dir",
                severity=Severity.CRITICAL,
                penalty=20,
                headline=f"Broker {one.broker_id} cannot use its log directory {one.path}.",
                detail="The replicas in it are offline.",
                remedy="Replace the disk and restart the broker.",
                since_ms=look.since_ms("offline_log_dir"),
                objects=(FindingObject("broker", str(one.broker_id)),),
                link=f"brokers/{one.broker_id}",
                link_words=f"broker {one.broker_id}",
            )
            break
    sized = [one for one in look.snapshot.log_dirs if one.total_bytes > 0 and one.usable_bytes >= 0]
    fullest = max(sized, key=lambda one: 1 - one.usable_bytes / one.total_bytes, default=None)
    if fullest is None:
        return
    share = 1 - fullest.usable_bytes / fullest.total_bytes
    if share < DISK_WARNING:
        return
    is_critical = share >= DISK_CRITICAL
    yield Finding(
        check="disk",
        severity=Severity.CRITICAL if is_critical else Severity.WARNING,
        penalty=20 if is_critical else 8,
        headline=f"The disk of broker {fullest.broker_id} is {int(100 * share)} % full.",
        detail=f"{words.size(fullest.usable_bytes)} of {words.size(fullest.total_bytes)} are free under "
        f"{fullest.path}; a broker with a full disk stops.",
        remedy="Shorten retention of the largest topics, or add disk.",
        since_ms=look.since_ms("disk"),
        objects=(FindingObject("broker", str(fullest.broker_id)),),
        link="topics?sort=size&dir=desc",
        link_words="largest topics",
    )


def _disk_trend(look: _Look, usable_bytes: dict[tuple[int, str], deque[tuple[int, int]]]) -> Iterator[Finding]:
    """A disk that will be full soon if it goes on like the last hours."""
    soonest: tuple[float, int] | None = None
    for one in look.snapshot.log_dirs:
        seen = usable_bytes.get((one.broker_id, one.path))
        if not seen or one.total_bytes <= 0 or 1 - one.usable_bytes / one.total_bytes < DISK_TREND_FROM:
            continue
        (first_ms, first_bytes), (last_ms, last_bytes) = seen[0], seen[-1]
        if last_ms - first_ms < DISK_TREND_MS or first_bytes <= last_bytes:
            continue
        left_s = last_bytes / (first_bytes - last_bytes) * (last_ms - first_ms) / 1000
        if left_s < DISK_FULL_WARNING_S and (soonest is None or left_s < soonest[0]):
            soonest = (left_s, one.broker_id)
    if soonest is None:
        return
    left_s, broker_id = soonest
    is_critical = left_s < DISK_FULL_CRITICAL_S
    yield Finding(
        check="disk_trend",
        severity=Severity.CRITICAL if is_critical else Severity.WARNING,
        penalty=20 if is_critical else 8,
        headline=f"At this pace the disk of broker {broker_id} is full in {words.duration(left_s)}.",
        detail="A broker with a full disk stops.",
        remedy="Shorten retention of the largest topics, or add disk.",
        since_ms=look.since_ms("disk_trend"),
        objects=(FindingObject("broker", str(broker_id)),),
        link="topics?sort=size&dir=desc",
        link_words="largest topics",
    )


def _damaged_ranges(look: _Look) -> Iterator[Finding]:
    damaged = look.snapshot.damaged
    if damaged:
        found_at_ms = min(one.found_at_ms for one in damaged)
        yield damage_finding(damaged, since_ms=look.since_ms(DAMAGED_RANGE, found_at_ms))


def _balance(look: _Look) -> Iterator[Finding]:
    imbalance = look.facts.leader_imbalance
    worst = max(imbalance, key=lambda broker_id: imbalance[broker_id], default=None)
    if worst is not None and imbalance[worst] > IMBALANCE_PERCENT and look.lasts_long("leader_imbalance"):
        yield Finding(
            check="leader_imbalance",
            severity=Severity.WARNING,
            penalty=3,
            headline=f"{round(imbalance[worst])} % of the partitions that prefer broker {worst} are led by others.",
            detail="The load of leaders is not where it was planned.",
            remedy="Elect preferred leaders, or switch auto.leader.rebalance.enable on.",
            since_ms=look.since_ms("leader_imbalance"),
            objects=(FindingObject("broker", str(worst)),),
            link="brokers",
            link_words="brokers",
        )
    skew = look.facts.replica_skew
    most = max(skew, key=lambda broker_id: abs(skew[broker_id]), default=None)
    if most is not None and abs(skew[most]) > SKEW_PERCENT:
        more = "more" if skew[most] > 0 else "fewer"
        yield Finding(
            check="partition_skew",
            severity=Severity.WARNING,
            penalty=2,
            headline=f"Broker {most} has {round(abs(skew[most]))} % {more} replicas than the mean.",
            detail="Brokers with more replicas do more of the work.",
            remedy="Reassign partitions.",
            since_ms=look.since_ms("partition_skew"),
            objects=(FindingObject("broker", str(most)),),
            link="brokers",
            link_words="brokers",
        )


def _late_groups(look: _Look) -> Iterator[Finding]:
    groups = look.snapshot.groups.values()
    failing = [one for one in groups if one.status is LagStatus.ERR and one.group.members]
    behind = [one for one in groups if one.status is LagStatus.WARN]
    if failing:
        worst = max(failing, key=lambda one: one.total_lag)
        others = "" if len(failing) == 1 else f" {words.plural(len(failing) - 1, 'other group')} too."
        yield Finding(
            check="groups_failing",
            severity=Severity.CRITICAL,
            penalty=10,
            headline=f"{worst.group.group_id} does not read as it should: {worst.status_words}.{others}",
            detail=f"Its lag is {words.plural(worst.total_lag, 'record')}.",
            remedy="Look at the group's members and their logs.",
            since_ms=look.since_ms("groups_failing"),
            objects=_group_objects(failing),
            link="groups?sort=status",
            link_words=words.plural(len(failing), "group"),
        )
    if behind:
        worst = max(behind, key=lambda one: one.total_lag)
        others = "" if len(behind) == 1 else f" {words.plural(len(behind) - 1, 'other group')} too."
        yield Finding(
            check="groups_behind",
            severity=Severity.WARNING,
            penalty=4,
            headline=f"{worst.group.group_id} is {worst.status_words}.{others}",
            detail=f"Its lag is {words.plural(worst.total_lag, 'record')} and does not fall.",
            remedy="Add members (up to the number of partitions), or make them faster.",
            since_ms=look.since_ms("groups_behind"),
            objects=_group_objects(behind),
            link="groups?sort=status",
            link_words=words.plural(len(behind), "group"),
        )


def _data_loss(look: _Look) -> Iterator[Finding]:
    """A group whose oldest unread records will be deleted soon: what is left of retention when its time lag is off."""
    soonest: tuple[float, float, GroupLag, PartitionLag] | None = None
    for group in look.snapshot.groups.values():
        for one in group.partitions:
            if not one.lag or one.time_lag_s is None:
                continue
            retention_s = _retention_s(look.snapshot, one.topic)
            if retention_s is None:
                continue
            left_s = max(0.0, retention_s - one.time_lag_s)
            if left_s < min(LOSS_WARNING_S, retention_s / 2) and (soonest is None or left_s < soonest[0]):
                soonest = (left_s, retention_s, group, one)
    if soonest is None:
        return
    left_s, retention_s, group, partition = soonest
    is_critical = left_s < min(LOSS_CRITICAL_S, retention_s / 10)
    yield Finding(
        check="data_loss",
        severity=Severity.CRITICAL if is_critical else Severity.WARNING,
        penalty=15 if is_critical else 5,
        headline=f"The oldest unread records of {group.group.group_id} expire in {words.duration(left_s)}.",
        detail=f"Retention deletes them from {partition.topic}, partition {partition.partition}, whether read or not.",
        remedy="Raise retention.ms of the topic until the group has caught up.",
        since_ms=look.since_ms("data_loss"),
        objects=_group_objects([group]),
        link=f"groups/{words.in_path(group.group.group_id)}",
        link_words=group.group.group_id,
    )


def _risky_configs(look: _Look) -> Iterator[Finding]:
    facts = look.facts
    if facts.min_isr_above_replicas:
        names = facts.min_isr_above_replicas
        yield Finding(
            check="min_isr_above_replicas",
            severity=Severity.CRITICAL,
            penalty=10,
            headline=f"{words.listing(names)} can never be written with acks=all: "
            "min.insync.replicas is above the number of replicas.",
            detail="Every such write is refused (NOT_ENOUGH_REPLICAS).",
            remedy="Lower min.insync.replicas or add replicas.",
            since_ms=look.since_ms("min_isr_above_replicas"),
            objects=_topic_objects(names),
            link="topics",
            link_words=words.plural(len(names), "topic"),
        )
    yield from _risk(
        look, "single_replica", facts.single_replica, "one replica only", "A broker that fails takes their data away.",
        "Raise the replication factor.",
    )  # fmt: skip
    yield from _risk(
        look, "min_isr_equals_replicas", facts.min_isr_equals_replicas, "as many min.insync.replicas as replicas",
        "One broker away, even for a restart, stops their writes.", "Set min.insync.replicas one below the replicas.",
    )  # fmt: skip
    yield from _risk(
        look, "unclean_election", facts.unclean_election, "unclean leader election switched on",
        "A replica that lags may become leader and acknowledged records are lost.",
        "Switch unclean.leader.election.enable off.",
    )  # fmt: skip


def _risk(look: _Look, check: str, topics: Sequence[str], what: str, detail: str, remedy: str) -> Iterator[Finding]:
    if topics:
        verb = "has" if len(topics) == 1 else "have"
        yield Finding(
            check=check,
            severity=Severity.WARNING,
            penalty=2,
            headline=f"{words.plural(len(topics), 'topic')} {verb} {what}.",
            detail=detail,
            remedy=remedy,
            since_ms=look.since_ms(check),
            objects=_topic_objects(topics),
            link="topics",
            link_words=words.plural(len(topics), "topic"),
        )


_CHECKS: tuple[Check, ...] = (
    _offline_partitions,
    _quorum,
    _min_isr,
    _under_replicated,
    _missing_brokers,
    _disks,
    _damaged_ranges,
    _balance,
    _late_groups,
    _data_loss,
    _risky_configs,
)


def _retention_s(snapshot: ClusterSnapshot, topic: str) -> float | None:
    """Seconds after which records of the topic are deleted; None for never, and where it is not known."""
    policy, retention_ms = snapshot.topic_config(topic, "cleanup.policy"), snapshot.topic_config(topic, "retention.ms")
    if policy is None or "delete" not in policy or retention_ms is None or not retention_ms.isdigit():
        return None
    return int(retention_ms) / 1000


def _one_or_many(kind: str, ids: Sequence[int]) -> str:
    return f"{kind} {ids[0]}" if len(ids) == 1 else f"{kind}s {words.listing(ids)}"


def _partition_objects(partitions: Sequence[TopicPartition]) -> tuple[FindingObject, ...]:
    return tuple(FindingObject("partition", f"{one.topic}-{one.partition}") for one in partitions[:OBJECTS_MAX])


def _topic_objects(names: Sequence[str]) -> tuple[FindingObject, ...]:
    return tuple(FindingObject("topic", name) for name in names[:OBJECTS_MAX])


def _group_objects(groups: Sequence[GroupLag]) -> tuple[FindingObject, ...]:
    return tuple(FindingObject("group", one.group.group_id) for one in groups[:OBJECTS_MAX])
