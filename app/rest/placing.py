"""From records to batches: which partition each goes to, and one append per partition."""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.kafka.ports import ClusterUnreachable, Producer, RecordToSend
from app.rest.errors import TopicNotFound
from app.rest.partitioner import StickyPartitions, partition_of_key
from broker.errors import KafkaError, UnknownTopicOrPartition

LARGE_RECORD_BYTES = 1_000_000  # just below Kafka's default of max.message.bytes

Placed: TypeAlias = tuple[RecordToSend, int | None]
"""A record and the partition that its sender asked for."""


@dataclass(slots=True)
class PartitionRecords:
    """The records of one request for one partition, and where in the request they stand."""

    partition: int
    records: list[RecordToSend]
    indexes: Sequence[int]


@dataclass(slots=True)
class Appended:
    """What became of records of one partition: an offset for each, or an error for all of them."""

    partition: int
    indexes: Sequence[int]
    offsets: Sequence[int] = ()
    error: KafkaError | ClusterUnreachable | None = None


async def partition_count(producer: Producer, topic: str) -> int:
    """Raises TopicNotFound where the topic neither exists nor is created by asking for it."""
    try:
        return await producer.partition_count(topic)
    except UnknownTopicOrPartition:
        raise TopicNotFound from None


def place(
    topic: str, records: Sequence[Placed], partition_count: int, sticky: StickyPartitions
) -> list[PartitionRecords]:
    """Group records by partition, in order. Those without key and wish stay together."""
    if len(records) == 1:
        record, wish = records[0]
        return [PartitionRecords(_partition(topic, record, wish, partition_count, sticky), [record], (0,))]
    if partition_count == 1 and all(not wish for _, wish in records):
        return [PartitionRecords(0, [record for record, _ in records], range(len(records)))]
    keyless = -1
    groups: dict[int, tuple[list[RecordToSend], list[int]]] = {}
    for index, (record, wish) in enumerate(records):
        if wish is not None:
            partition = wish
        elif record.key is not None:
            partition = partition_of_key(record.key, partition_count)
        else:
            if keyless < 0:
                size_bytes = sum(len(other.value or b"") for other, _ in records)
                keyless = sticky.next(topic, partition_count, size_bytes)
            partition = keyless
        group = groups.get(partition)
        if group is None:
            group = groups[partition] = ([], [])
        group[0].append(record)
        group[1].append(index)
    return [PartitionRecords(partition, of_it, indexes) for partition, (of_it, indexes) in groups.items()]


def _partition(
    topic: str, record: RecordToSend, wish: int | None, partition_count: int, sticky: StickyPartitions
) -> int:
    if wish is not None:
        return wish
    if record.key is not None:
        return partition_of_key(record.key, partition_count)
    return sticky.next(topic, partition_count, len(record.value or b""))


@dataclass(slots=True)
class Started:
    """An append on its way; offsets None: there is no such partition."""

    group: PartitionRecords
    offsets: Awaitable[Sequence[int]] | None
    partition_count: int

    async def outcome(self, topic: str) -> Appended:
        """Errors of the cluster are outcomes, not raised."""
        outcome = Appended(self.group.partition, self.group.indexes)
        if self.offsets is None:
            outcome.error = UnknownTopicOrPartition(
                f"Topic {topic} has {self.partition_count} partitions, and none with number {outcome.partition}"
            )
            return outcome
        try:
            outcome.offsets = await self.offsets
        except (KafkaError, ClusterUnreachable) as error:
            outcome.error = error
        return outcome


def start_appends(
    producer: Producer, topic: str, groups: Iterable[PartitionRecords], partition_count: int
) -> list[Started]:
    """Hand every group to the producer, all at once and in order; each is to be awaited by `outcome`."""
    return [
        Started(
            group,
            producer.append(topic, group.partition, group.records) if group.partition < partition_count else None,
            partition_count,
        )
        for whole in groups
        for group in _isolate_large(whole)
    ]


def _isolate_large(group: PartitionRecords) -> Iterable[PartitionRecords]:
    """Append a record that may be too large for the topic by itself, so that the others do not share its error."""
    if len(group.records) == 1 or not any(len(record.value or b"") >= LARGE_RECORD_BYTES for record in group.records):
        return (group,)
    parts: list[PartitionRecords] = []
    was_large = True
    for index, record in zip(group.indexes, group.records, strict=True):
        is_large = len(record.value or b"") >= LARGE_RECORD_BYTES
        if is_large or was_large:
            parts.append(PartitionRecords(group.partition, [], []))
        parts[-1].records.append(record)
        parts[-1].indexes = [*parts[-1].indexes, index]
        was_large = is_large
    return parts
