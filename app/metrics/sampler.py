"""The one task that asks a cluster how it is; everything that pages show comes from the snapshot it keeps.

Each part of the picture has its own cadence. A round never takes longer than its budget, a cluster that is away leaves
the last picture standing with the time since when, and nothing here is ever awaited by a page.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from app.clock import Clock
from app.cluster.events import broker_events, is_recreated, topic_events
from app.cluster.health import HealthChecks, score_of
from app.cluster.partitions import PartitionFacts
from app.cluster.snapshot import ClusterEvent, ClusterSnapshot, DamagedRange
from app.kafka.ports import (
    EARLIEST,
    LATEST,
    BrokerNode,
    ClusterAdmin,
    ClusterMetadata,
    ClusterUnreachable,
    ConfigEntry,
    LogDirInfo,
    QuorumInfo,
    TopicInfo,
    TopicPartition,
)
from app.metrics.commit_tail import CommitTail
from app.metrics.group_watch import GroupWatch
from app.metrics.history import History
from app.metrics.offset_watch import OffsetWatch
from broker.errors import KafkaError

log = logging.getLogger("caudal.metrics")

PART_BUDGET_S = 5.0
AWAY_RETRY_S = 1.0
EVENTS_KEPT = 50
BROKER_REMEMBERED_MS = 24 * 3_600_000


class Part(StrEnum):
    """Parts of the picture, in the order in which they are asked for: later ones need the earlier."""

    METADATA = "metadata"
    QUORUM = "quorum"
    CONFIGS = "configs"
    LOG_STARTS = "log_starts"
    OFFSETS = "offsets"
    GROUPS = "groups"
    LOG_DIRS = "log_dirs"
    DAMAGE = "damage"


@dataclass(frozen=True, slots=True)
class Cadence:
    """Seconds between two looks at each part."""

    metadata_s: float = 5.0
    quorum_s: float = 10.0
    configs_s: float = 60.0
    log_starts_s: float = 15.0
    offsets_s: float = 5.0
    groups_s: float = 5.0
    log_dirs_s: float = 60.0
    damage_s: float = 30.0

    def of(self, part: Part) -> float:
        return float(getattr(self, f"{part.value}_s"))


FindDamage = Callable[[Iterable[TopicPartition]], Awaitable[tuple[DamagedRange, ...]]]


class Sampler:
    """Watches one cluster. `snapshot` is always there; it is empty before the first answer."""

    def __init__(
        self,
        admin: ClusterAdmin,
        *,
        clock: Clock,
        history: History | None = None,
        is_embedded: bool = False,
        version_words: str = "",
        cadence: Cadence | None = None,
        find_damage: FindDamage | None = None,
    ) -> None:
        """find_damage: how to learn which ranges of the partitions cannot be read; None where there is no way."""
        self.history = history or History(now_ms=clock.now_ms)
        self._admin = admin
        self._now_ms = clock.now_ms
        self._cadence = cadence or Cadence()
        self._find_damage = find_damage
        self._offsets = OffsetWatch()
        self._tail = CommitTail(admin)
        self._groups = GroupWatch(admin, self._offsets, self._tail)
        self._health = HealthChecks()
        self._events: deque[ClusterEvent] = deque(maxlen=EVENTS_KEPT)
        self._metadata: ClusterMetadata | None = None
        self._answered_ms = 0
        self._away_since_ms: int | None = None
        self._away_reason = ""
        self._known_brokers: Mapping[int, tuple[BrokerNode, int]] = {}
        self._topics: Mapping[str, TopicInfo] = {}
        self._topic_configs: Mapping[str, tuple[ConfigEntry, ...]] = {}
        self._log_dirs: tuple[LogDirInfo, ...] = ()
        self._damaged: tuple[DamagedRange, ...] = ()
        self._quorum: QuorumInfo | None = None
        self._due: dict[Part, float] = dict.fromkeys(Part, 0.0)
        self._failing: set[Part] = set()
        self._round = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.snapshot = ClusterSnapshot(
            number=0,
            taken_at_ms=0,
            cluster_id="",
            controller_id=None,
            brokers=(),
            known_brokers={},
            topics={},
            offsets={},
            topic_configs={},
            groups={},
            committed={},
            log_dirs=(),
            quorum=None,
            produce_rates={},
            sizes={},
            findings=(),
            is_embedded=is_embedded,
            version_words=version_words,
        )

    # --- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take the first picture, then go on in the background."""
        await self.history.start()
        await self.refresh()
        self._task = asyncio.create_task(self._run(), name="sampler")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.history.stop()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(max(0.05, min(self._due.values()) - time.monotonic()))
            try:
                await self._sample([part for part in Part if self._due[part] <= time.monotonic()])
            except Exception:  # the outermost loop: one failed round must not end the watch
                log.exception("sampling failed")

    async def refresh(self, *parts: str) -> ClusterSnapshot:
        """Look again now, at all parts or at those named; for forms that just changed something. Never raises for a
        cluster that is away: the snapshot says so."""
        wanted = {Part(name) for name in parts} if parts else set(Part)
        if wanted & {Part.OFFSETS, Part.GROUPS}:
            wanted |= {Part.OFFSETS, Part.LOG_STARTS}
        await self._sample([part for part in Part if part in wanted])
        return self.snapshot

    # --- one round -------------------------------------------------------------------------------------------------

    async def _sample(self, parts: list[Part]) -> None:
        async with self._round:
            for part in Part:
                if part not in parts and self._due[part] > 0:
                    continue
                is_answered = await self._look_at(part)
                self._due[part] = time.monotonic() + self._cadence.of(part)
                if part is Part.METADATA and not is_answered:
                    # A cluster that is away answers nothing else either; when it is back, everything is looked at.
                    self._due = dict.fromkeys(Part, time.monotonic() + AWAY_RETRY_S)
                    break
            self._publish(is_round=Part.OFFSETS in parts)

    async def _look_at(self, part: Part) -> bool:
        """Ask for one part within the budget; False when that failed."""
        look: Callable[[], Awaitable[None]] = getattr(self, f"_look_at_{part.value}")
        try:
            async with asyncio.timeout(PART_BUDGET_S):
                await look()
        except (ClusterUnreachable, TimeoutError, KafkaError) as error:
            reason = str(error) or f"no answer within {PART_BUDGET_S:g} s"
            if part is Part.METADATA:
                self._note_absence(reason)
            elif part not in self._failing:
                self._failing.add(part)
                log.warning("sampling failed part=%s error=%s", part.value, reason)
            return False
        self._failing.discard(part)
        return True

    def _note_absence(self, reason: str) -> None:
        if self._away_since_ms is None:
            self._away_since_ms = self._now_ms()
            log.warning("cluster unreachable reason=%s", reason)
        self._away_reason = reason
        self._offsets.interrupt()
        self._groups.interrupt()

    async def _look_at_metadata(self) -> None:
        metadata = await self._admin.metadata()
        before, now_ms = self._metadata, self._now_ms()
        if self._away_since_ms is not None:
            log.info("cluster answers again")
        self._metadata, self._answered_ms, self._away_since_ms = metadata, now_ms, None
        self._known_brokers = _remember(self._known_brokers, metadata.brokers, now_ms)
        if before is metadata:
            return
        if before is not None:
            self._events.extend(broker_events(_by_id(before.brokers), _by_id(metadata.brokers), now_ms=now_ms))
            self._events.extend(topic_events(before.topics, metadata.topics, now_ms=now_ms))
        if self._topics != metadata.topics:
            self._take_topics(metadata.topics)

    def _take_topics(self, topics: Mapping[str, TopicInfo]) -> None:
        """Forget what was known of topics that are gone or are others now, and ask about new ones in this round."""
        before, self._topics = self._topics, topics
        recreated = [name for name, old in before.items() if name in topics and is_recreated(old, topics[name])]
        gone = [*recreated, *(before.keys() - topics.keys())]
        self._offsets.expect(topics, recreated)
        self._tail.forget((), [one for name in gone for one in _partitions(before[name])])
        if recreated or topics.keys() != before.keys():
            self._due |= dict.fromkeys((Part.CONFIGS, Part.LOG_STARTS, Part.OFFSETS), 0.0)

    async def _look_at_quorum(self) -> None:
        self._quorum = await self._admin.quorum()

    async def _look_at_configs(self) -> None:
        configs = await self._admin.topic_configs_of_all(sorted(self._topics))
        if self._topic_configs != configs:
            self._topic_configs = configs

    async def _look_at_log_starts(self) -> None:
        found = await self._admin.list_offsets(dict.fromkeys(self._offsets.partitions, EARLIEST))
        self._offsets.see_log_starts(found)

    async def _look_at_offsets(self) -> None:
        found = await self._admin.list_offsets(dict.fromkeys(self._offsets.partitions, LATEST))
        self._offsets.see_ends(found, self._now_ms())

    async def _look_at_groups(self) -> None:
        await self._groups.ask(self._now_ms())
        await self._tail.follow(self._offsets.offsets, self._offsets.ends)
        self._groups.measure(self._now_ms())
        if await self._groups.date_old_commits():
            self._groups.measure(self._now_ms())

    async def _look_at_log_dirs(self) -> None:
        log_dirs = await self._admin.log_dirs()
        if log_dirs != self._log_dirs:
            self._log_dirs = log_dirs

    async def _look_at_damage(self) -> None:
        if self._find_damage is None:
            return
        found = await self._find_damage(one for topic in self._topics.values() for one in _partitions(topic))
        self._damaged = tuple(one for one in found if not self._is_deleted(one))

    def _is_deleted(self, damage: DamagedRange) -> bool:
        """Whether retention or DeleteRecords has gone past it: then nothing is lost that was to be kept."""
        offsets = self._offsets.offsets.get(TopicPartition(damage.topic, damage.partition))
        return offsets is not None and damage.end_offset <= offsets.log_start_offset

    # --- the picture -----------------------------------------------------------------------------------------------

    def _publish(self, *, is_round: bool) -> None:
        """Put the new picture up in one step; its number rises when something that pages show has changed."""
        before, snapshot = self.snapshot, self._picture()
        if self._away_since_ms is not None:
            findings = self._health.unreachable(self._away_reason, since_ms=self._away_since_ms)
        else:
            findings = self._health.examine(snapshot, now_ms=self._answered_ms)
        findings = before.findings if before.findings == findings else findings
        snapshot = replace(snapshot, findings=findings, score=score_of(findings))
        is_changed = any(getattr(snapshot, name) is not getattr(before, name) for name in _SHOWN)
        self.snapshot = replace(snapshot, number=before.number + 1) if is_changed else snapshot
        if is_round and self._away_since_ms is None:
            values = series_of(snapshot, self._health.facts)
            self.history.record(self._answered_ms, values, partition_series_of(snapshot))

    def _picture(self) -> ClusterSnapshot:
        """All parts as they are now; equal values keep the object that is shown already."""
        before, metadata = self.snapshot, self._metadata
        controller_id = metadata.controller_id if metadata is not None else None
        if self._quorum is not None:  # in KRaft, Metadata names any broker as the controller
            controller_id = self._quorum.leader_id
        fresh = replace(
            before,
            taken_at_ms=self._answered_ms,
            cluster_id=metadata.cluster_id if metadata is not None else "",
            controller_id=controller_id,
            brokers=metadata.brokers if metadata is not None else (),
            known_brokers=self._known_brokers,
            topics=self._topics,
            offsets=self._offsets.offsets,
            topic_configs=self._topic_configs,
            groups=self._groups.groups,
            committed=self._groups.committed,
            log_dirs=self._log_dirs,
            damaged=self._damaged,
            quorum=self._quorum,
            produce_rates=self._offsets.topic_rates(self._topics),
            sizes=logical_sizes(self._topics, self._log_dirs),
            events=tuple(self._events),
            unreachable_since_ms=self._away_since_ms,
            unreachable_reason=self._away_reason if self._away_since_ms is not None else "",
        )
        kept = {name: old for name in _COMPARED if (old := getattr(before, name)) == getattr(fresh, name)}
        return replace(fresh, **kept)


_COMPARED = (
    "cluster_id",
    "controller_id",
    "brokers",
    "produce_rates",
    "sizes",
    "events",
    "unreachable_since_ms",
    "unreachable_reason",
    "damaged",
)
_SHOWN = (*_COMPARED, "topics", "offsets", "topic_configs", "groups", "log_dirs", "findings")


def logical_sizes(topics: Mapping[str, TopicInfo], log_dirs: Iterable[LogDirInfo]) -> dict[str, int]:
    """Bytes by topic, leaders only: how much data there is, however often it is copied. {} before it is known."""
    sizes: dict[str, int] = {}
    for log_dir in log_dirs:
        for one in log_dir.replicas:
            topic = topics.get(one.topic)
            if topic is None or one.is_future or one.partition >= len(topic.partitions):
                continue
            if topic.partitions[one.partition].leader_id == log_dir.broker_id:
                sizes[one.topic] = sizes.get(one.topic, 0) + one.size_bytes
    return sizes


def series_of(snapshot: ClusterSnapshot, facts: PartitionFacts | None = None) -> dict[str, float]:
    """The values of one round for the history, by the names of its series."""
    values = {f"topic.rate:{topic}": rate for topic, rate in snapshot.produce_rates.items()}
    if snapshot.produce_rates:
        values["cluster.rate"] = sum(snapshot.produce_rates.values())
    if facts is not None:
        values["cluster.urp"] = float(len(facts.under_replicated))
        values["cluster.offline"] = float(len(facts.offline))
    values |= {f"topic.size:{topic}": float(size) for topic, size in snapshot.sizes.items()}
    for group_id, group in snapshot.groups.items():
        values[f"group.lag:{group_id}"] = float(group.total_lag)
        for name, value in (
            ("time_lag", group.time_lag_s),
            ("produce_rate", group.produce_rate),
            ("consume_rate", group.consume_rate),
        ):
            if value is not None:
                values[f"group.{name}:{group_id}"] = value
    return values


def partition_series_of(snapshot: ClusterSnapshot) -> dict[str, float]:
    """Lag per partition, kept for an hour only."""
    return {
        f"group.partition_lag:{group_id}:{one.topic}:{one.partition}": float(one.lag)
        for group_id, group in snapshot.groups.items()
        for one in group.partitions
        if one.lag is not None
    }


def _remember(
    known: Mapping[int, tuple[BrokerNode, int]], brokers: Iterable[BrokerNode], now_ms: int
) -> dict[int, tuple[BrokerNode, int]]:
    remembered = {
        broker_id: (node, seen_ms)
        for broker_id, (node, seen_ms) in known.items()
        if now_ms - seen_ms <= BROKER_REMEMBERED_MS
    }
    return remembered | {node.broker_id: (node, now_ms) for node in brokers}


def _by_id(brokers: Iterable[BrokerNode]) -> dict[int, BrokerNode]:
    return {node.broker_id: node for node in brokers}


def _partitions(topic: TopicInfo) -> list[TopicPartition]:
    return [TopicPartition(topic.name, one.partition) for one in topic.partitions]
