"""From records to appends: which partition each goes to, and one append per partition."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

from app.kafka.partitioner import partition_of_key
from app.kafka.ports import ClusterUnreachable, Producer, RecordToSend
from app.rest.errors import TopicNotFound
from app.rest.partitioner import StickyPartitions
from broker.errors import KafkaError, UnknownTopicOrPartition

LARGE_RECORD_BYTES = 1_000_000  # just below Kafka's default of max.message.bytes


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


@dataclass(slots=True)
class Started:
    """An append on its way; offsets None: there is no such partition."""

    group: PartitionRecords
    offsets: Awaitable[Sequence[int]] | None

    @property
    def is_done(self) -> bool:
        """True when outcome() is known not to wait."""
        return self.offsets is None or (isinstance(self.offsets, asyncio.Future) and self.offsets.done())

    async def outcome(self) -> Appended:
        """Errors of the cluster are outcomes, not raised."""
        outcome = Appended(self.group.partition, self.group.indexes)
        if self.offsets is None:
            outcome.error = UnknownTopicOrPartition(f"The topic has no partition {outcome.partition}")
            return outcome
        try:
            outcome.offsets = await self.offsets
        except (KafkaError, ClusterUnreachable) as error:
            outcome.error = error
        return outcome


async def partition_count(producer: Producer, topic: str) -> int:
    """Raises TopicNotFound where the topic neither exists nor is created by asking for it."""
    try:
        return await producer.partition_count(topic)
    except UnknownTopicOrPartition:
        raise TopicNotFound from None


@dataclass(slots=True)
class Placement:
    """Where the records of one request for one topic may go."""

    producer: Producer
    sticky: StickyPartitions
    topic: str
    partition_count: int

    def start(
        self, records: list[RecordToSend], wishes: Sequence[int | None] | None, *, size_bytes: int
    ) -> list[Started]:
        """Hand all records to the producer, at once and in order; each append is to be awaited by `outcome`.

        wishes: the partition that the sender asks for, per record; None when nobody asks. size_bytes: about how much
        the records are together.
        """
        groups = self._group(records, wishes, size_bytes)
        if size_bytes >= LARGE_RECORD_BYTES:
            groups = [part for group in groups for part in _isolate_large(group)]
        return [
            Started(
                group,
                self.producer.append(self.topic, group.partition, group.records)
                if group.partition < self.partition_count
                else None,
            )
            for group in groups
        ]

    def _group(
        self, records: list[RecordToSend], wishes: Sequence[int | None] | None, size_bytes: int
    ) -> list[PartitionRecords]:
        """Group records by partition, in order: by wish, else by key, else all together where it is sticky."""
        if wishes is None and self.partition_count == 1:
            return [PartitionRecords(0, records, range(len(records)))]
        keyless: int | None = None
        groups: dict[int, tuple[list[RecordToSend], list[int]]] = {}
        for index, record in enumerate(records):
            partition = wishes[index] if wishes is not None else None
            if partition is None:
                if record.key is not None:
                    partition = partition_of_key(record.key, self.partition_count)
                else:
                    if keyless is None:
                        keyless = self.sticky.next(self.topic, self.partition_count, size_bytes)
                    partition = keyless
            group = groups.get(partition)
            if group is None:
                group = groups[partition] = ([], [])
            group[0].append(record)
            group[1].append(index)
        return [PartitionRecords(partition, of_it, indexes) for partition, (of_it, indexes) in groups.items()]


def _isolate_large(group: PartitionRecords) -> Iterable[PartitionRecords]:
    """Append a record that may be too large for the topic by itself, so that the others do not share its error."""
    parts: list[tuple[list[RecordToSend], list[int]]] = []
    was_large = True
    for index, record in zip(group.indexes, group.records, strict=True):
        is_large = len(record.key or b"") + len(record.value or b"") >= LARGE_RECORD_BYTES
        if is_large or was_large:
            parts.append(([], []))
        parts[-1][0].append(record)
        parts[-1][1].append(index)
        was_large = is_large
    return [PartitionRecords(group.partition, records, indexes) for records, indexes in parts]
