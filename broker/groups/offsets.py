"""Committed offsets of all groups: in memory for reading, in `__consumer_offsets` for good.

Nothing counts as committed before the log has taken it: every change is appended first, as one batch a request, and
only then seen by readers. Opening replays the log; the last record of each key wins, whatever came before it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from broker.errors import KafkaError
from broker.groups.consumer_records import is_consumer_group_key
from broker.groups.pending_offsets import PendingOffsets
from broker.groups.records import (
    CommittedOffset,
    OffsetsRecord,
    group_record,
    group_tombstone,
    offset_record,
    offset_tombstone,
    read_group,
    read_key,
    read_offset,
)
from broker.groups.share_records import is_share_group_key
from broker.protocol.messages.consumer_offsets import GroupMetadataValue, OffsetCommitKey
from broker.protocol.primitives import DecodeError

if TYPE_CHECKING:
    from broker.groups.deadlines import Now

log = logging.getLogger("broker.groups")

OFFSETS_TOPIC: Final = "__consumer_offsets"
_RECORDS_PER_STEP: Final = 1_000
_NO_OFFSETS: Final[Mapping[str, Mapping[int, CommittedOffset]]] = MappingProxyType({})

WhenDurable: TypeAlias = Callable[[KafkaError | None], None]


class OffsetsLog(Protocol):
    """Where the records are kept."""

    def append(
        self,
        group_id: str,
        records: Sequence[OffsetsRecord],
        *,
        wall_ms: int,
        producer_id: int = ...,
        producer_epoch: int = ...,
    ) -> None:
        """Write the records of one group as one batch; on return they survive a crash of this process.

        With a producer id they are part of its transaction. Raises KafkaError when they were not written.
        """

    @property
    def is_strict(self) -> bool:
        """Whether what was appended counts only from the disk: answer it through `when_durable`."""

    def when_durable(self, group_id: str, callback: WhenDurable) -> None:
        """Call back with None once all that the group has appended is on disk, or with what prevents it."""

    def read(self) -> Iterator[OffsetsRecord]:
        """All records, in the order of their appending; none if nothing was ever written.

        Those of transactions that have not ended are in `open_transactions` afterwards.
        """

    @property
    def open_transactions(self) -> Sequence[OpenTransaction]:
        """What transactions that had not ended when the log was read have written."""

    def is_kept_in(self, group_id: str, partition: int) -> bool:
        """Whether that partition is where the group's records are."""

    def forget(self) -> None:
        """The log was deleted: begin a new one with the next append."""


class OpenTransaction(NamedTuple):
    """What a transaction that had not ended when the log was read has written."""

    producer_id: int
    records: list[OffsetsRecord]
    """Those after which nothing else was written for the same key."""


class PartitionOffset(NamedTuple):
    """A committed offset and the partition it is of."""

    topic: str
    partition: int
    committed: CommittedOffset


class OffsetStore:
    """Committed offsets by group, topic and partition, and the metadata records of groups."""

    def __init__(self, offsets_log: OffsetsLog) -> None:
        self._log = offsets_log
        self._offsets: dict[str, dict[str, dict[int, CommittedOffset]]] = {}
        self._saved_groups: set[str] = set()
        """Groups with a metadata record in the log."""
        self.pending = PendingOffsets()

    def load(
        self,
        on_group: Callable[[str, GroupMetadataValue], None],
        on_consumer_group: Callable[[bytes, bytes], None] | None = None,
        on_share_group: Callable[[bytes, bytes], None] | None = None,
    ) -> Iterator[None]:
        """Replay the log; `on_group` gets every group that has a metadata record.

        `on_consumer_group` gets the live records (key and value) that KIP-848 groups are kept in, `on_share_group`
        those of share groups.

        Yields from time to time, so that a caller with other work can go about it. A record that cannot be read is
        logged and passed over: one damaged record must not take all groups down.
        """
        latest: dict[bytes, bytes] = {}
        for read_count, record in enumerate(self._log.read(), start=1):
            if record.value is None:
                latest.pop(record.key, None)
            else:
                latest[record.key] = record.value
            if read_count % _RECORDS_PER_STEP == 0:
                yield
        for read_count, (key, value) in enumerate(latest.items(), start=1):
            try:
                if on_consumer_group is not None and is_consumer_group_key(key):
                    on_consumer_group(key, value)
                elif on_share_group is not None and is_share_group_key(key):
                    on_share_group(key, value)
                else:
                    self._replay(key, value, on_group)
            except DecodeError as error:
                log.error("record of %s cannot be read key=%s error=%s", OFFSETS_TOPIC, key.hex(), error)
            if read_count % _RECORDS_PER_STEP == 0:
                yield
        for producer_id, records in self._log.open_transactions:
            self._replay_pending(producer_id, records)

    def group_ids(self) -> list[str]:
        """Groups that have committed offsets."""
        return list(self._offsets)

    def get(self, group_id: str, topic: str, partition: int) -> CommittedOffset | None:
        """What the group has committed for the partition."""
        return self.of_group(group_id).get(topic, {}).get(partition)

    def of_group(self, group_id: str) -> Mapping[str, Mapping[int, CommittedOffset]]:
        """All that the group has committed, by topic and partition; a live view."""
        return self._offsets.get(group_id, _NO_OFFSETS)

    def commit(self, group_id: str, commits: Sequence[PartitionOffset], now: Now) -> None:
        """Store offsets. Raises KafkaError when the log did not take them; then none of them counts."""
        self._log.append(
            group_id,
            [offset_record(group_id, topic, partition, committed) for topic, partition, committed in commits],
            wall_ms=now.wall_ms,
        )
        topics = self._offsets.setdefault(group_id, {})
        for topic, partition, committed in commits:
            topics.setdefault(topic, {})[partition] = committed
        if self.pending:
            for topic, partition, _ in commits:
                self.pending.supersede(group_id, topic, partition)

    def commit_in_transaction(
        self, group_id: str, commits: Sequence[PartitionOffset], *, producer_id: int, producer_epoch: int, now: Now
    ) -> None:
        """Store offsets that count when the producer's transaction is committed. Raises KafkaError."""
        self._log.append(
            group_id,
            [offset_record(group_id, topic, partition, committed) for topic, partition, committed in commits],
            wall_ms=now.wall_ms,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
        )
        for topic, partition, committed in commits:
            self.pending.add(producer_id, group_id, topic, partition, committed)

    def end_transaction(self, producer_id: int, partition: int, *, commit: bool) -> list[str]:
        """The producer's marker is in that partition of the log; return the groups whose offsets it committed."""
        ended = self.pending.take(producer_id, lambda group_id: self._log.is_kept_in(group_id, partition))
        if not commit:
            return []
        for group_id, topic, index, committed in ended:
            self._offsets.setdefault(group_id, {}).setdefault(topic, {})[index] = committed
        return list({group_id: None for group_id, *_ in ended})

    @property
    def is_strict(self) -> bool:
        """Whether a commit counts only from the disk: answer it through `when_durable`."""
        return self._log.is_strict

    def when_durable(self, group_id: str, callback: WhenDurable) -> None:
        """Call back with None once all that the group has committed is on disk, or with what prevents it."""
        self._log.when_durable(group_id, callback)

    def delete(self, group_id: str, partitions: Sequence[tuple[str, int]], now: Now) -> None:
        """Delete the offsets of these partitions, as far as there are any. Raises KafkaError; then all remain."""
        found = [
            (topic, partition)
            for topic, partition in dict.fromkeys(partitions)
            if self.get(group_id, topic, partition) is not None
        ]
        if not found:
            return
        tombstones = [offset_tombstone(group_id, topic, partition) for topic, partition in found]
        self._log.append(group_id, tombstones, wall_ms=now.wall_ms)
        topics = self._offsets[group_id]
        for topic, partition in found:
            self.pending.supersede(group_id, topic, partition)
            topics.get(topic, {}).pop(partition, None)
            if not topics.get(topic):
                topics.pop(topic, None)
        if not topics:
            del self._offsets[group_id]

    def append(self, group_id: str, records: Sequence[OffsetsRecord], now: Now) -> None:
        """Store other records of a group as one batch. Raises KafkaError."""
        self._log.append(group_id, records, wall_ms=now.wall_ms)

    def has_classic_record(self, group_id: str) -> bool:
        """Whether the log holds a metadata record of the group."""
        return group_id in self._saved_groups

    def classic_record_deleted(self, group_id: str) -> None:
        """The group's metadata record was deleted by records of somebody else."""
        self._saved_groups.discard(group_id)

    def save_group(
        self, group_id: str, value: GroupMetadataValue, now: Now, *, after: Sequence[OffsetsRecord] = ()
    ) -> None:
        """Store a group's metadata, in one batch with the records that go before. Raises KafkaError."""
        self._log.append(group_id, [*after, group_record(group_id, value)], wall_ms=now.wall_ms)
        self._saved_groups.add(group_id)

    def delete_group(self, group_id: str, now: Now, others: Sequence[OffsetsRecord] = ()) -> None:
        """Delete a group's metadata and all its offsets in one batch, with the tombstones of its `others`.

        Raises KafkaError; then all is still there.
        """
        keys = {(topic, partition) for topic, partitions in self.of_group(group_id).items() for partition in partitions}
        pending = self.pending.of_group(group_id)
        tombstones = [offset_tombstone(group_id, topic, partition) for topic, partition in sorted(keys | pending)]
        if group_id in self._saved_groups:
            tombstones.append(group_tombstone(group_id))
        tombstones += others
        if tombstones:
            self._log.append(group_id, tombstones, wall_ms=now.wall_ms)
        for topic, partition in pending:
            self.pending.supersede(group_id, topic, partition)
        self._offsets.pop(group_id, None)
        self._saved_groups.discard(group_id)

    def forget_all(self) -> None:
        """The log itself was deleted, and all that was in it."""
        self.pending.clear()
        self._offsets.clear()
        self._saved_groups.clear()
        self._log.forget()

    def _replay_pending(self, producer_id: int, records: Sequence[OffsetsRecord]) -> None:
        for key, value in records:
            try:
                about = read_key(key)
                if isinstance(about, OffsetCommitKey) and value is not None:
                    self.pending.add(producer_id, about.group, about.topic, about.partition, read_offset(value))
            except DecodeError as error:
                log.error("record of %s cannot be read key=%s error=%s", OFFSETS_TOPIC, key.hex(), error)

    def _replay(self, key: bytes, value: bytes, on_group: Callable[[str, GroupMetadataValue], None]) -> None:
        about = read_key(key)
        if about is None:
            return
        if isinstance(about, OffsetCommitKey):
            committed = read_offset(value)
            topics = self._offsets.setdefault(about.group, {})
            topics.setdefault(about.topic, {})[about.partition] = committed
        else:
            on_group(about.group, read_group(value))
            self._saved_groups.add(about.group)
