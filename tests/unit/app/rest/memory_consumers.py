"""Group consumers over a MemoryCluster: the whole group is one member, and waiting turns the clock."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from app.kafka.ports import (
    ClusterUnreachable,
    CommittedOffset,
    ConsumedRecords,
    GroupConsumer,
    OffsetReset,
    TopicPartition,
)
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster

Revoked = Callable[[Collection[TopicPartition]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class MemoryConsumed:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class MemoryConsumer:
    """See ports.GroupConsumer. Partitions are assigned by the first poll, as in a real group."""

    def __init__(
        self, cluster: MemoryCluster, clock: ManualClock, group_id: str, offset_reset: OffsetReset, on_revoked: Revoked
    ) -> None:
        self.polls: list[float] = []
        self.releases = 0
        self.is_stopped = False
        self._cluster = cluster
        self._clock = clock
        self._group_id = group_id
        self._offset_reset = offset_reset
        self._on_revoked = on_revoked
        self._topics: tuple[str, ...] = ()
        self._pattern: str | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._is_joining = False

    async def start(self) -> None:
        if self._cluster.away:
            raise ClusterUnreachable("no broker answered")

    async def stop(self) -> None:
        self.is_stopped = True

    def subscribe(self, topics: Sequence[str]) -> None:
        self._topics, self._positions, self._is_joining = tuple(topics), {}, True

    def subscribe_matching(self, is_wanted: Callable[[str], bool]) -> None:
        self.subscribe(sorted(filter(is_wanted, self._cluster.topics)))

    def unsubscribe(self) -> None:
        self._topics, self._positions, self._is_joining = (), {}, False

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._positions = {partition: self._start_offset(partition) for partition in partitions}

    def subscription(self) -> tuple[str, ...]:
        return self._topics

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition in self._positions
        self._positions[partition] = offset

    def release(self) -> None:
        self.releases += 1

    async def poll(self, *, wait_s: float, records_max: int) -> list[ConsumedRecords]:
        self.polls.append(wait_s)
        if self._is_joining:
            self._is_joining = False
            for topic in self._topics:
                for number in range(len(self._cluster.topics[topic].partitions)):
                    partition = TopicPartition(topic, number)
                    self._positions[partition] = self._start_offset(partition)
        found: list[ConsumedRecords] = []
        for partition in sorted(self._positions):
            records = [
                MemoryConsumed(record.offset, record.timestamp_ms, record.key, record.value, record.headers)
                for record in self._log(partition).records
                if record.offset >= self._positions[partition]
            ][:records_max]
            if records:
                found.append(ConsumedRecords(partition.topic, partition.partition, records))
                self._positions[partition] = records[-1].offset + 1
                records_max -= len(records)
        if not found:
            self._clock.advance(int(wait_s * 1000))
        return found

    async def has_read_to(self, end_offsets: Mapping[TopicPartition, int]) -> bool:
        return all(at >= end_offsets.get(partition, 0) for partition, at in self._positions.items())

    async def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        if self._cluster.away:
            raise ClusterUnreachable("no broker answered")
        for partition, committed in offsets.items():
            assert partition in self._positions
            self._cluster.commit(self._group_id, partition.topic, partition.partition, committed.offset)

    async def revoke(self, *partitions: TopicPartition) -> None:
        """What the group does when another member wants some of the partitions."""
        await self._on_revoked(partitions)
        for partition in partitions:
            del self._positions[partition]

    def _log(self, partition: TopicPartition):  # type: ignore[no-untyped-def]
        return self._cluster.topics[partition.topic].partitions[partition.partition]

    def _start_offset(self, partition: TopicPartition) -> int:
        group = self._cluster.groups.get(self._group_id)
        if group is not None and partition in group.offsets:
            return group.offsets[partition].offset
        log = self._log(partition)
        offset: int = log.log_start_offset if self._offset_reset is OffsetReset.EARLIEST else log.high_watermark
        return offset


class MemoryConsumers:
    """See ports.ConsumerFactory; `made` are all consumers so far, the last one last."""

    def __init__(self, cluster: MemoryCluster, clock: ManualClock) -> None:
        self.made: list[MemoryConsumer] = []
        self._cluster = cluster
        self._clock = clock

    def __call__(self, group_id: str, *, offset_reset: OffsetReset, on_revoked: Revoked) -> GroupConsumer:
        self.made.append(MemoryConsumer(self._cluster, self._clock, group_id, offset_reset, on_revoked))
        return self.made[-1]
