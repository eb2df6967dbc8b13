"""What changed between two looks at a cluster, as events with a time: the answer to "what happened just before"."""

from collections.abc import Iterator, Mapping

from app.cluster import words
from app.cluster.snapshot import ClusterEvent
from app.kafka.ports import BrokerNode, TopicInfo


def broker_events(
    before: Mapping[int, BrokerNode], after: Mapping[int, BrokerNode], *, now_ms: int
) -> Iterator[ClusterEvent]:
    """Brokers that left and brokers that came."""
    for broker_id in sorted(before.keys() - after.keys()):
        yield ClusterEvent(now_ms, f"Broker {broker_id} left", "broker", str(broker_id))
    for broker_id in sorted(after.keys() - before.keys()):
        yield ClusterEvent(now_ms, f"Broker {broker_id} joined", "broker", str(broker_id))


def topic_events(
    before: Mapping[str, TopicInfo], after: Mapping[str, TopicInfo], *, now_ms: int
) -> Iterator[ClusterEvent]:
    """Topics created, deleted, recreated under the same name, and given more partitions."""
    for name in sorted(before.keys() - after.keys()):
        yield ClusterEvent(now_ms, f"Topic {name} was deleted", "topic", name)
    for name, topic in after.items():
        old = before.get(name)
        if old is topic:
            continue
        if old is None:
            yield ClusterEvent(now_ms, f"Topic {name} was created", "topic", name)
        elif is_recreated(old, topic):
            yield ClusterEvent(now_ms, f"Topic {name} was deleted and created again", "topic", name)
        elif len(old.partitions) < len(topic.partitions):
            count = words.plural(len(topic.partitions), "partition")
            yield ClusterEvent(now_ms, f"Topic {name} now has {count}", "topic", name)


def is_recreated(before: TopicInfo, after: TopicInfo) -> bool:
    """The same name is another topic now: its id changed or, where the cluster has no ids, it has fewer partitions."""
    return before.topic_id != after.topic_id or len(after.partitions) < len(before.partitions)
