"""What the sampler last saw of a cluster: one immutable value that every page reads.

Pages never ask Kafka. A snapshot is replaced as a whole, so a page always shows one consistent moment, and says which.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.kafka.ports import (
    BrokerNode,
    CommittedOffset,
    ConfigEntry,
    GroupDescription,
    LogDirInfo,
    PartitionInfo,
    QuorumInfo,
    TopicInfo,
    TopicPartition,
)


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """log_start_offset and high_watermark of one partition, and when (wall clock, ms) they were first seen so."""

    log_start_offset: int
    high_watermark: int
    seen_at_ms: int

    @property
    def record_count(self) -> int:
        """Offsets between log start and high watermark: an upper bound where the log is compacted or transactional."""
        return max(0, self.high_watermark - self.log_start_offset)


class LagStatus(StrEnum):
    """Status of a partition or group by the rules of Burrow (no thresholds on lag)."""

    UNKNOWN = "UNKNOWN"
    OK = "OK"
    WARN = "WARN"
    ERR = "ERR"
    STOP = "STOP"
    STALL = "STALL"
    REWIND = "REWIND"


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far one group is behind on one partition.

    lag is None when nothing was ever committed there. lost_count > 0: records between the committed offset and the log
    start are gone unread. time_lag_s: seconds between now and the moment the committed offset was the end of the log
    (None: not known). status_words says the status as a sentence fragment for the page.
    """

    topic: str
    partition: int
    committed_offset: int | None
    log_start_offset: int | None
    high_watermark: int | None
    lag: int | None
    lost_count: int
    is_beyond_end: bool
    lead: int | None
    time_lag_s: float | None
    status: LagStatus
    status_words: str
    member_id: str | None
    instance_id: str | None
    client_id: str | None
    client_host: str | None


@dataclass(frozen=True, slots=True)
class GroupLag:
    """One consumer group with its lag. total_lag sums the partitions with a commit; the others are counted apart."""

    group: GroupDescription
    partitions: tuple[PartitionLag, ...]
    total_lag: int
    partitions_without_commit: int
    max_lag: PartitionLag | None
    time_lag_s: float | None
    status: LagStatus
    status_words: str
    produce_rate: float | None
    consume_rate: float | None

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(sorted({partition.topic for partition in self.partitions}))


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class FindingObject:
    """Something a finding is about: kind is 'topic', 'partition', 'group', 'broker'; name as the page shows it."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why the cluster is not healthy.

    check is its stable id, headline the sentence with numbers, detail why it matters, remedy what to do, link a path
    below the cluster's page (for example 'topics?only=under-replicated') with the button's words in link_words.
    """

    check: str
    severity: Severity
    penalty: int
    headline: str
    detail: str
    remedy: str
    since_ms: int
    objects: tuple[FindingObject, ...] = ()
    link: str = ""
    link_words: str = ""


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """Something that changed between two snapshots: a broker left or came, a topic was created, deleted, recreated."""

    at_ms: int
    words: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class DamagedRange:
    """Offsets that can no longer be read, and where their bytes are; both ends are exclusive.

    found_at_ms: wall clock, when the broker last noted something about this partition's damage.
    """

    topic: str
    partition: int
    start_offset: int
    end_offset: int
    path: str
    start_position: int
    end_position: int
    found_at_ms: int


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """Everything the pages show of one cluster at one moment.

    number rises with every change of what pages show; taken_at_ms is the time of the last answer of the cluster.
    unreachable_since_ms is set while the cluster does not answer: the rest is then the last that was seen.
    known_brokers holds every broker seen in the last 24 h with the time it was last seen.
    rates are records a second by topic; size_bytes is the logical size (leaders only) by topic.
    damaged: what the embedded broker cannot read any more; always empty for an attached cluster.
    """

    number: int
    taken_at_ms: int
    cluster_id: str
    controller_id: int | None
    brokers: tuple[BrokerNode, ...]
    known_brokers: Mapping[int, tuple[BrokerNode, int]]
    topics: Mapping[str, TopicInfo]
    offsets: Mapping[TopicPartition, PartitionOffsets]
    topic_configs: Mapping[str, tuple[ConfigEntry, ...]]
    groups: Mapping[str, GroupLag]
    committed: Mapping[str, Mapping[TopicPartition, CommittedOffset]]
    log_dirs: tuple[LogDirInfo, ...]
    quorum: QuorumInfo | None
    produce_rates: Mapping[str, float]
    sizes: Mapping[str, int]
    findings: tuple[Finding, ...]
    events: tuple[ClusterEvent, ...] = ()
    score: int = 100
    unreachable_since_ms: int | None = None
    unreachable_reason: str = ""
    is_embedded: bool = False
    version_words: str = ""
    damaged: tuple[DamagedRange, ...] = ()

    def topic_config(self, topic: str, name: str) -> str | None:
        """The effective value of a topic's config, or None when it was not seen yet."""
        return next((entry.value for entry in self.topic_configs.get(topic, ()) if entry.name == name), None)

    def record_count(self, topic: str) -> int | None:
        """Offsets held by all partitions of the topic, or None while some are not known."""
        info = self.topics.get(topic)
        if info is None:
            return None
        known = [self.offsets.get(TopicPartition(topic, partition.partition)) for partition in info.partitions]
        return None if any(one is None for one in known) else sum(one.record_count for one in known if one)

    def is_offline(self, partition: PartitionInfo) -> bool:
        return partition.leader_id < 0 or partition.leader_id not in {broker.broker_id for broker in self.brokers}


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One bucket of a history series: start of the bucket and the lowest, highest and last value in it."""

    at_ms: int
    low: float
    high: float
    last: float


@dataclass(frozen=True, slots=True)
class Series:
    """A history series as a chart wants it: evenly spaced points, None where nothing was sampled."""

    name: str
    step_ms: int
    points: tuple[SeriesPoint | None, ...] = field(default=())
    start_ms: int = 0
