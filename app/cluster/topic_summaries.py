"""One line about each topic: what the list of topics shows, sorts and exports."""

from collections import defaultdict
from dataclasses import dataclass

from app.cluster.snapshot import ClusterSnapshot, GroupLag, LagStatus
from app.kafka.ports import ConfigEntry, TopicInfo

PLATFORM_TOPICS = frozenset({"_schemas", "_schema_encoders"})
LATE_STATUSES = frozenset({LagStatus.WARN, LagStatus.ERR, LagStatus.STOP, LagStatus.STALL, LagStatus.REWIND})


@dataclass(frozen=True, slots=True)
class TopicSummary:
    """None means not known (yet). size_bytes counts leaders only; record_count is at most that on compacted topics."""

    name: str
    is_internal: bool
    partition_count: int
    replication_factor: int
    record_count: int | None
    size_bytes: int | None
    produce_rate: float | None
    groups: tuple[GroupLag, ...]
    under_replicated_count: int
    offline_count: int
    cleanup_policy: str | None
    retention_ms: int | None

    @property
    def late_group_count(self) -> int:
        return sum(group.status in LATE_STATUSES for group in self.groups)


def is_internal_topic(topic: TopicInfo) -> bool:
    """Topics that Kafka or this platform keeps for itself."""
    return topic.is_internal or topic.name.startswith("__") or topic.name in PLATFORM_TOPICS


def summarise_topics(snapshot: ClusterSnapshot) -> tuple[TopicSummary, ...]:
    groups_by_topic: dict[str, list[GroupLag]] = defaultdict(list)
    for group in snapshot.groups.values():
        for topic in {partition.topic for partition in group.partitions}:
            groups_by_topic[topic].append(group)
    live_brokers = frozenset(broker.broker_id for broker in snapshot.brokers)
    return tuple(
        _summarise(snapshot, snapshot.topics[name], tuple(groups_by_topic.get(name, ())), live_brokers)
        for name in sorted(snapshot.topics)
    )


def _summarise(
    snapshot: ClusterSnapshot, topic: TopicInfo, groups: tuple[GroupLag, ...], live_brokers: frozenset[int]
) -> TopicSummary:
    configs = snapshot.topic_configs.get(topic.name, ())
    return TopicSummary(
        name=topic.name,
        is_internal=is_internal_topic(topic),
        partition_count=len(topic.partitions),
        replication_factor=topic.replication_factor,
        record_count=snapshot.record_count(topic.name),
        size_bytes=snapshot.sizes.get(topic.name),
        produce_rate=snapshot.produce_rates.get(topic.name),
        groups=groups,
        under_replicated_count=sum(len(partition.isr) < len(partition.replicas) for partition in topic.partitions),
        offline_count=sum(partition.leader_id not in live_brokers for partition in topic.partitions),
        cleanup_policy=config_value(configs, "cleanup.policy"),
        retention_ms=_whole_number(config_value(configs, "retention.ms")),
    )


def config_value(configs: tuple[ConfigEntry, ...], name: str) -> str | None:
    return next((entry.value for entry in configs if entry.name == name), None)


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None
