"""Where transactions are kept for good: the partitions of `__transaction_state`, in Kafka's record format."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from broker.errors import CorruptMessage, KafkaError
from broker.groups import partition_of
from broker.protocol.primitives import DecodeError
from broker.protocol.record_batch import Record, build_batch, check_crc, iter_batches, iter_records, read_header
from broker.transactions.transaction import (
    Transaction,
    read_transaction,
    read_transactional_id,
    transaction_key,
    transaction_value,
)

if TYPE_CHECKING:
    from broker.log import PartitionLog

log = logging.getLogger("broker.transactions")

TRANSACTIONS_TOPIC: Final = "__transaction_state"
_READ_BYTES_MAX: Final = 1 << 20
_RECORDS_PER_STEP: Final = 1_000

WhenDurable: TypeAlias = Callable[[KafkaError | None], None]


class TransactionLog:
    """Keeps each transactional id in one partition, chosen as Kafka chooses it.

    `existing` gives the topic's partitions in order, none if it does not exist; `ensure` makes the topic first if need
    be. Nothing is created before the first transactional producer comes.
    """

    def __init__(
        self, *, existing: Callable[[], Sequence[PartitionLog]], ensure: Callable[[], Sequence[PartitionLog]]
    ) -> None:
        self._existing = existing
        self._ensure = ensure
        self._partitions: Sequence[PartitionLog] = ()

    def save(self, transaction: Transaction, *, wall_ms: int) -> None:
        """Remember the transaction; on return it survives a crash of this process. Raises KafkaError: it was not."""
        self._append(transaction.transactional_id, transaction_value(transaction), wall_ms)

    def delete(self, transactional_id: str, *, wall_ms: int) -> None:
        """Forget a transactional id. Raises KafkaError."""
        self._append(transactional_id, None, wall_ms)

    @property
    def is_strict(self) -> bool:
        """Whether what was saved counts only from the disk: see `when_durable`."""
        return bool(self._partitions) and self._partitions[0].is_strict

    def when_durable(self, transactional_id: str, callback: WhenDurable) -> None:
        """Call back with None once all that was saved of this id is on disk, or with what prevents it."""
        partition = self._partition_of(transactional_id)
        partition.when_durable(partition.log_end_offset, callback)

    def load(self, found: dict[str, Transaction]) -> Iterator[None]:
        """Put all transactions into `found`; yields from time to time, so that other work can go on.

        A record that cannot be read is logged and passed over.
        """
        latest: dict[bytes, bytes] = {}
        for read_count, record in enumerate(self._records(), start=1):
            if record.key is not None and record.value is not None:
                latest[bytes(record.key)] = bytes(record.value)
            elif record.key is not None:
                latest.pop(bytes(record.key), None)
            if read_count % _RECORDS_PER_STEP == 0:
                yield
        for read_count, (key, value) in enumerate(latest.items(), start=1):
            try:
                transactional_id = read_transactional_id(key)
                if transactional_id is not None:
                    found[transactional_id] = read_transaction(transactional_id, value)
            except DecodeError as error:
                log.error("record of %s cannot be read key=%s error=%s", TRANSACTIONS_TOPIC, key.hex(), error)
            if read_count % _RECORDS_PER_STEP == 0:
                yield

    def forget(self) -> None:
        """The topic was deleted; the next record makes it anew."""
        self._partitions = ()

    def _append(self, transactional_id: str, value: bytes | None, wall_ms: int) -> None:
        batch = bytearray(build_batch([Record(0, wall_ms, transaction_key(transactional_id), value)]))
        self._partition_of(transactional_id).append(batch, read_header(batch), now_ms=wall_ms)

    def _partition_of(self, transactional_id: str) -> PartitionLog:
        if not self._partitions:
            self._partitions = self._ensure()
        return self._partitions[partition_of(transactional_id, len(self._partitions))]

    def _records(self) -> Iterator[Record]:
        for partition in self._existing():
            offset = partition.log_start_offset
            while offset < partition.high_watermark:
                begun_at = offset
                try:
                    for batch in iter_batches(partition.read(offset=offset, bytes_max=_READ_BYTES_MAX)):
                        header = read_header(batch)
                        if not check_crc(batch, header):
                            log.error("damaged batch passed over offset=%d", header.base_offset)
                        elif not header.is_control:
                            yield from iter_records(batch)
                        offset = header.last_offset + 1
                except CorruptMessage as error:
                    log.error("damaged offset passed over offset=%d error=%s", offset, error)
                    offset += 1
                if offset == begun_at:
                    break  # compaction has left nothing up to the high watermark
