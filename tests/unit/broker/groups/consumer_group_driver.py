"""Members of KIP-848 groups as tests play them, and the topics they subscribe to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from broker.config import BrokerConfig
from broker.groups.assignors import TopicPartition
from broker.groups.consumer_group import ConsumerGroup
from broker.groups.coordinator import GroupCoordinator
from broker.groups.deadlines import Now
from broker.groups.offsets import OffsetStore, PartitionOffset
from broker.groups.records import CommittedOffset
from broker.protocol.messages.consumer_group_describe import DescribedGroup
from broker.protocol.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from tests.unit.broker.groups.group_driver import CLIENT, GroupDriver, MemoryOffsetsLog

REBALANCE_MS = 60_000


@dataclass(frozen=True)
class MemoryTopic:
    name: str
    topic_id: bytes
    partition_count: int


class MemoryTopics:
    """Topics that come, grow and go as a test says; ids are never given twice."""

    def __init__(self, **partition_counts: int) -> None:
        self.version = 0
        self._topics: dict[str, MemoryTopic] = {}
        for name, count in partition_counts.items():
            self.create(name, count)

    def __iter__(self) -> Iterator[MemoryTopic]:
        return iter(self._topics.values())

    def create(self, name: str, partition_count: int) -> None:
        self.version += 1
        self._topics[name] = MemoryTopic(name, self.version.to_bytes(16), partition_count)

    def grow(self, name: str, partition_count: int) -> None:
        self.version += 1
        self._topics[name] = replace(self._topics[name], partition_count=partition_count)

    def delete(self, name: str) -> None:
        self.version += 1
        self._topics.pop(name, None)

    def get(self, name: str) -> MemoryTopic | None:
        return self._topics.get(name)

    def by_id(self, topic_id: bytes) -> MemoryTopic | None:
        return next((topic for topic in self if topic.topic_id == topic_id), None)

    def partitions(self, name: str) -> frozenset[TopicPartition]:
        topic = self._topics[name]
        return frozenset(TopicPartition(topic.topic_id, index) for index in range(topic.partition_count))


class ConsumerDriver(GroupDriver):
    """A coordinator that knows topics; `t` has four partitions unless a test says otherwise."""

    def __init__(
        self,
        log: MemoryOffsetsLog | None = None,
        at_ms: int = 0,
        topics: MemoryTopics | None = None,
        **config: int | str | tuple[str, ...],
    ) -> None:
        self.log = log or MemoryOffsetsLog()
        self.topics = MemoryTopics(t=4) if topics is None else topics
        self.settings = config
        self.at_ms = at_ms
        self.coordinator = GroupCoordinator(OffsetStore(self.log), BrokerConfig(**config), self.topics)
        self.coordinator.load(self.now)

    def restarted(self) -> ConsumerDriver:
        return ConsumerDriver(self.log, self.at_ms, self.topics, **self.settings)

    def beat(self, member_id: str, epoch: int, group_id: str = "g", **fields) -> ConsumerGroupHeartbeatResponse:
        """A heartbeat; raises KafkaError."""
        owned = fields.pop("owned", None)
        if owned is not None:
            fields["topic_partitions"] = [TopicPartitions(topic_id=each, partitions=[index]) for each, index in owned]
        request = ConsumerGroupHeartbeatRequest(group_id=group_id, member_id=member_id, member_epoch=epoch, **fields)
        return self.coordinator.consumer_heartbeat(request, client=CLIENT, api_version=1, now=self.now)

    def enter(self, member_id: str, *topics: str, group_id: str = "g", **fields) -> ConsumerGroupHeartbeatResponse:
        """Join a group, by default as a reader of `t`."""
        fields.setdefault("subscribed_topic_names", list(topics or ("t",)))
        return self.beat(member_id, 0, group_id, owned=(), **{"rebalance_timeout_ms": REBALANCE_MS, **fields})

    def shown(self, group_id: str = "g") -> DescribedGroup:
        return self.coordinator.describe_consumer_group(group_id)

    def group(self, group_id: str = "g") -> ConsumerGroup:
        group = self.coordinator._groups[group_id]
        assert isinstance(group, ConsumerGroup)
        return group

    def commit_as(self, member_id: str, epoch: int, *partitions: int, api_version: int = 9) -> list[int]:
        """Commit offset 5 of these partitions of `t`; the error codes."""
        topic = self.topics.get("t")
        assert topic is not None
        committed = CommittedOffset(5, -1, "", self.now.wall_ms, None, topic.topic_id)
        return self.coordinator.commit_offsets(
            "g",
            [PartitionOffset("t", partition, committed) for partition in partitions],
            member_id=member_id,
            group_instance_id=None,
            generation_id=epoch,
            now=Now(self.at_ms, self.now.wall_ms),
            api_version=api_version,
        )


def given(response: ConsumerGroupHeartbeatResponse) -> set[int] | None:
    """The partition indexes in an answer, of whichever topics; None when it has no assignment."""
    if response.assignment is None:
        return None
    return {index for topic in response.assignment.topic_partitions for index in topic.partitions}
