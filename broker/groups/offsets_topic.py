"""The `OffsetsLog` of a real broker: the partitions of `__consumer_offsets`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from broker.errors import CorruptMessage
from broker.groups.offsets import OpenTransaction, WhenDurable
from broker.groups.records import OffsetsRecord
from broker.protocol.record_batch import (
    NO_PRODUCER_ID,
    Record,
    build_batch,
    check_crc,
    iter_batches,
    iter_records,
    read_header,
)

if TYPE_CHECKING:
    from broker.log import PartitionLog

log = logging.getLogger("broker.groups")

_READ_BYTES_MAX: Final = 1 << 20
_COMMIT_MARKER_KEY: Final = b"\0\0\0\1"  # control record: version 0, type 1; an abort has type 0


class PartitionOffsetsLog:
    """Keeps each group's records in one partition, chosen as Kafka chooses it.

    `existing` gives the topic's partitions in order, none if it does not exist; `ensure` makes the topic first if need
    be. Nothing is created before the first group has something to keep.
    """

    def __init__(
        self,
        *,
        existing: Callable[[], Sequence[PartitionLog]],
        ensure: Callable[[], Sequence[PartitionLog]],
    ) -> None:
        self._existing = existing
        self._ensure = ensure
        self._partitions: Sequence[PartitionLog] = ()
        self.open_transactions: list[OpenTransaction] = []
        """As `read` found them."""

    def append(
        self,
        group_id: str,
        records: Sequence[OffsetsRecord],
        *,
        wall_ms: int,
        producer_id: int = NO_PRODUCER_ID,
        producer_epoch: int = -1,
    ) -> None:
        """Write the records of one group as one batch, with a producer id as part of its transaction.

        Raises KafkaError when they were not written.
        """
        batch = bytearray(
            build_batch(
                [Record(offset, wall_ms, key, value, ()) for offset, (key, value) in enumerate(records)],
                producer_id=producer_id,
                producer_epoch=producer_epoch,
                transactional=producer_id != NO_PRODUCER_ID,
            )
        )
        self._partition_of(group_id).append(batch, read_header(batch), now_ms=wall_ms)

    @property
    def is_strict(self) -> bool:
        """Whether the flush policy makes commits wait for the disk."""
        return bool(self._partitions) and self._partitions[0].is_strict

    def when_durable(self, group_id: str, callback: WhenDurable) -> None:
        """Call back with None once all that the group has appended is on disk, or with what prevents it."""
        partition = self._partition_of(group_id)
        partition.when_durable(partition.log_end_offset, callback)

    def read(self) -> Iterator[OffsetsRecord]:
        """All records, partition after partition; those of transactions that are open are in `open_transactions`."""
        self.open_transactions = []
        for partition in self._existing():
            yield from _records_of(partition, self.open_transactions)

    def is_kept_in(self, group_id: str, partition: int) -> bool:
        """Whether that partition is where the group's records are."""
        return partition_of(group_id, len(self._partitions or self._existing()) or 1) == partition

    def forget(self) -> None:
        """The topic was deleted; the next append makes it anew."""
        self._partitions = ()

    def _partition_of(self, group_id: str) -> PartitionLog:
        if not self._partitions:
            self._partitions = self._ensure()
        return self._partitions[partition_of(group_id, len(self._partitions))]


def partition_of(group_id: str, partition_count: int) -> int:
    """The partition that holds a group: Java's hash of its id, made positive, modulo the count."""
    hashed = 0
    utf16 = group_id.encode("utf-16-be", "surrogatepass")
    for at in range(0, len(utf16), 2):
        hashed = (hashed * 31 + (utf16[at] << 8 | utf16[at + 1])) & 0xFFFF_FFFF
    if hashed >= 1 << 31:
        hashed = (1 << 32) - hashed
    # Kafka's abs() gives 0 for the one negative number that has no positive counterpart.
    return 0 if hashed == 1 << 31 else hashed % partition_count


def _records_of(partition: PartitionLog, still_open: list[OpenTransaction]) -> Iterator[OffsetsRecord]:
    """The partition's records as far as they count: those of a transaction when its commit marker comes.

    One after which another was written for the same key, outside the transaction, does not count any more.
    """
    transactions: dict[int, list[tuple[int, OffsetsRecord]]] = {}
    written_at: dict[bytes, int] = {}  # by key, while there are transactions
    for batch in sound_batches(partition):
        header = read_header(batch)
        records = [
            (record.offset, OffsetsRecord(bytes(record.key), None if record.value is None else bytes(record.value)))
            for record in iter_records(batch)
            if record.key is not None
        ]
        if header.is_control:
            finished = transactions.pop(header.producer_id, [])
            if not records or records[0][1].key != _COMMIT_MARKER_KEY:
                continue
            records = finished
        elif header.is_transactional:
            transactions.setdefault(header.producer_id, []).extend(records)
            continue
        for offset, record in records:
            if written_at.get(record.key, -1) < offset:
                if transactions:
                    written_at[record.key] = offset
                yield record
        if not transactions:
            written_at.clear()
    for producer_id, unfinished in transactions.items():
        valid = [record for offset, record in unfinished if written_at.get(record.key, -1) < offset]
        still_open.append(OpenTransaction(producer_id, valid))


def sound_batches(partition: PartitionLog) -> Iterator[memoryview]:
    """The partition's sound batches; damaged ones are reported and passed over."""
    offset = partition.log_start_offset
    while offset < partition.high_watermark:
        begun_at = offset
        try:
            for batch in iter_batches(partition.read(offset=offset, bytes_max=_READ_BYTES_MAX)):
                header = read_header(batch)
                if check_crc(batch, header):
                    yield batch
                else:
                    log.error("damaged batch passed over topic=%s offset=%d", partition.topic, header.base_offset)
                offset = header.last_offset + 1
        except CorruptMessage as error:
            log.error("damaged offset passed over topic=%s offset=%d error=%s", partition.topic, offset, error)
            offset += 1
        if offset == begun_at:
            return  # compaction has left nothing up to the high watermark
