"""What the partitions of a cluster are like, in one pass: offline, under-replicated, short of in-sync replicas, skewed.

The definitions are those of Apache Kafka's own tools (`kafka-topics --describe --unavailable-partitions` and so on).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from app.cluster.snapshot import ClusterSnapshot
from app.kafka.ports import ConfigEntry, PartitionInfo, TopicInfo, TopicPartition

SKEW_PARTITIONS_LEAST = 50


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """Partitions by what is wrong with them, topics by risky configs, counts by broker.

    missing_brokers: ids that partitions are assigned to, but that are not among the live brokers.
    """

    partition_count: int
    offline: tuple[TopicPartition, ...]
    under_replicated: tuple[TopicPartition, ...]
    under_min_isr: tuple[TopicPartition, ...]
    at_min_isr: tuple[TopicPartition, ...]
    missing_brokers: frozenset[int]
    replica_counts: Mapping[int, int]
    leader_counts: Mapping[int, int]
    preferred_counts: Mapping[int, int]
    not_preferred_counts: Mapping[int, int]
    min_isr_above_replicas: tuple[str, ...]
    min_isr_equals_replicas: tuple[str, ...]
    single_replica: tuple[str, ...]
    unclean_election: tuple[str, ...]

    @property
    def replica_skew(self) -> Mapping[int, float]:
        """By broker: percent above or below the mean of all live brokers; empty for fewer than 50 replicas."""
        return _skew(self.replica_counts)

    @property
    def leader_skew(self) -> Mapping[int, float]:
        return _skew(self.leader_counts)

    @property
    def leader_imbalance(self) -> Mapping[int, float]:
        """By broker: percent of the partitions that prefer it as leader and are led by another."""
        return {
            broker_id: 100 * self.not_preferred_counts.get(broker_id, 0) / preferred
            for broker_id, preferred in self.preferred_counts.items()
        }


def examine_partitions(snapshot: ClusterSnapshot) -> PartitionFacts:
    live = frozenset(broker.broker_id for broker in snapshot.brokers)
    found: dict[str, list[TopicPartition]] = {
        name: [] for name in ("offline", "under_replicated", "under_min_isr", "at_min_isr")
    }
    replicas, leaders, preferred, not_preferred = (Counter(dict.fromkeys(live, 0)) for _ in range(4))
    assigned: set[int] = set()
    for topic in snapshot.topics.values():
        min_isr = min_insync_replicas(snapshot.topic_configs.get(topic.name, ()))
        for partition in topic.partitions:
            for word in _words_for(partition, live, min_isr):
                found[word].append(TopicPartition(topic.name, partition.partition))
            assigned.update(partition.replicas)
            replicas.update(partition.replicas)
            leaders[partition.leader_id] += 1
            first = partition.replicas[0] if partition.replicas else -1
            preferred[first] += 1
            not_preferred[first] += partition.leader_id != first
    risky = _risky_topics(snapshot, len(live))
    return PartitionFacts(
        partition_count=sum(len(topic.partitions) for topic in snapshot.topics.values()),
        offline=tuple(found["offline"]),
        under_replicated=tuple(found["under_replicated"]),
        under_min_isr=tuple(found["under_min_isr"]),
        at_min_isr=tuple(found["at_min_isr"]),
        missing_brokers=frozenset(assigned) - live,
        replica_counts={broker_id: replicas[broker_id] for broker_id in live},
        leader_counts={broker_id: leaders[broker_id] for broker_id in live},
        preferred_counts={broker_id: preferred[broker_id] for broker_id in live if preferred[broker_id]},
        not_preferred_counts=dict(not_preferred),
        min_isr_above_replicas=risky["above"],
        min_isr_equals_replicas=risky["equal"],
        single_replica=risky["single"],
        unclean_election=risky["unclean"],
    )


def _words_for(partition: PartitionInfo, live: frozenset[int], min_isr: int | None) -> tuple[str, ...]:
    is_offline = partition.leader_id not in live
    in_sync, replicas = len(partition.isr), len(partition.replicas)
    if not is_offline and in_sync == replicas and (min_isr is None or in_sync >= min_isr):
        return ()
    found = ["offline"] if is_offline else []
    if in_sync < replicas:
        found.append("under_replicated")
    if is_offline or (min_isr is not None and in_sync < min_isr):
        found.append("under_min_isr")
    elif min_isr is not None and in_sync == min_isr and in_sync < replicas:
        found.append("at_min_isr")
    return tuple(found)


def _risky_topics(snapshot: ClusterSnapshot, broker_count: int) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {"above": [], "equal": [], "single": [], "unclean": []}
    for topic in snapshot.topics.values():
        configs = snapshot.topic_configs.get(topic.name, ())
        for word in _risks_of(topic, configs, broker_count):
            found[word].append(topic.name)
    return {word: tuple(names) for word, names in found.items()}


def _risks_of(topic: TopicInfo, configs: tuple[ConfigEntry, ...], broker_count: int) -> tuple[str, ...]:
    min_isr, factor = min_insync_replicas(configs), topic.replication_factor
    found = []
    if min_isr is not None and min_isr > factor:
        found.append("above")
    if min_isr is not None and min_isr == factor > 1:
        found.append("equal")
    if factor == 1 and broker_count > 1:
        found.append("single")
    if any(entry.name == "unclean.leader.election.enable" and entry.value == "true" for entry in configs):
        found.append("unclean")
    return tuple(found)


def min_insync_replicas(configs: tuple[ConfigEntry, ...]) -> int | None:
    """The effective `min.insync.replicas` of a topic, None while its configs are not known."""
    for entry in configs:
        if entry.name == "min.insync.replicas":
            return int(entry.value) if entry.value and entry.value.isdigit() else None
    return None


def _skew(counts: Mapping[int, int]) -> Mapping[int, float]:
    total = sum(counts.values())
    if total < SKEW_PARTITIONS_LEAST or not counts:
        return {}
    mean = total / len(counts)
    return {broker_id: 100 * (count - mean) / mean for broker_id, count in counts.items()}
