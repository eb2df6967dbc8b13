"""One transactional id: its producer, its transaction, and the record of it in Kafka's format."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby
from typing import Final, TypeAlias

from broker.protocol.codec import decode, encode
from broker.protocol.messages.transaction_state import PartitionsSchema, TransactionLogKey, TransactionLogValue
from broker.protocol.primitives import DecodeError

NO_PRODUCER_ID: Final = -1
NO_PRODUCER_EPOCH: Final = -1
EPOCH_MAX: Final = 32_767
EPOCH_BUMPING_VERSION: Final = 2
"""The transaction.version (KIP-890) in which every transaction has an epoch of its own."""

TopicPartition: TypeAlias = tuple[str, int]

_TYPE_BYTES: Final = 2
_KEY_VERSION: Final = 0
_VALUE_VERSION: Final = 1  # flexible, so that the fields of KIP-890 fit in


class TransactionState(IntEnum):
    """What becomes of a transaction; the numbers are those of Kafka's records."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def label(self) -> str:
        """Kafka's spelling, for people."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def is_prepared(self) -> bool:
        """Whether the outcome is settled and markers are being written."""
        return self in (TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transactional id as of now; a change makes a new one."""

    transactional_id: str
    producer_id: int
    producer_epoch: int = NO_PRODUCER_EPOCH
    last_producer_epoch: int = NO_PRODUCER_EPOCH
    """The epoch before, from which a producer that missed our answer may ask again; not kept over a restart."""
    previous_producer_id: int = NO_PRODUCER_ID
    next_producer_id: int = NO_PRODUCER_ID
    """Takes over when this transaction is complete, because the producer id has no epoch left."""
    timeout_ms: int = 0
    state: TransactionState = TransactionState.EMPTY
    partitions: frozenset[TopicPartition] = field(default_factory=frozenset)
    started_ms: int = -1
    """Wall clock; -1 before the first transaction."""
    updated_ms: int = -1
    client_version: int = 0
    """The transaction.version by whose rules its producer plays."""

    @property
    def is_epoch_exhausted(self) -> bool:
        """Whether the next producer needs a new id; the last epoch is kept back for fencing."""
        return is_epoch_exhausted(self.producer_epoch)


def is_epoch_exhausted(producer_epoch: int) -> bool:
    """Whether no producer may be given the epoch after this one."""
    return producer_epoch >= EPOCH_MAX - 1


def transaction_key(transactional_id: str) -> bytes:
    """The record key of a transactional id."""
    key = TransactionLogKey(transactional_id=transactional_id)
    return TransactionLogKey.API_KEY.to_bytes(_TYPE_BYTES) + encode(key, _KEY_VERSION)


def transaction_value(transaction: Transaction) -> bytes:
    """The record value that remembers a transaction."""
    by_topic = groupby(sorted(transaction.partitions), key=lambda partition: partition[0])
    value = TransactionLogValue(
        producer_id=transaction.producer_id,
        previous_producer_id=transaction.previous_producer_id,
        next_producer_id=transaction.next_producer_id,
        producer_epoch=transaction.producer_epoch,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_status=transaction.state,
        transaction_partitions=None
        if transaction.state is TransactionState.EMPTY
        else [PartitionsSchema(topic, [partition for _, partition in found]) for topic, found in by_topic],
        transaction_last_update_timestamp_ms=transaction.updated_ms,
        transaction_start_timestamp_ms=transaction.started_ms,
        client_transaction_version=transaction.client_version,
    )
    return _VALUE_VERSION.to_bytes(_TYPE_BYTES) + encode(value, _VALUE_VERSION)


def read_transactional_id(key: bytes) -> str | None:
    """Whom a record is about; None for a record type that is not ours. Raises DecodeError."""
    if int.from_bytes(key[:_TYPE_BYTES], signed=True) != TransactionLogKey.API_KEY:
        return None
    return decode(TransactionLogKey, _KEY_VERSION, key, _TYPE_BYTES).transactional_id


def read_transaction(transactional_id: str, value: bytes) -> Transaction:
    """A transaction from its record's value, in any version Kafka ever wrote. Raises DecodeError."""
    version = int.from_bytes(value[:_TYPE_BYTES], signed=True)
    if version not in TransactionLogValue.VERSIONS:
        raise DecodeError(f"transaction state has version {version}, known are {TransactionLogValue.VERSIONS}")
    read = decode(TransactionLogValue, version, value, _TYPE_BYTES)
    try:
        state = TransactionState(read.transaction_status)
    except ValueError:
        raise DecodeError(f"transaction state {read.transaction_status} is unknown") from None
    return Transaction(
        transactional_id=transactional_id,
        producer_id=read.producer_id,
        producer_epoch=read.producer_epoch,
        previous_producer_id=read.previous_producer_id,
        next_producer_id=read.next_producer_id,
        timeout_ms=read.transaction_timeout_ms,
        state=state,
        partitions=frozenset(
            (found.topic, partition) for found in read.transaction_partitions or () for partition in found.partition_ids
        ),
        started_ms=read.transaction_start_timestamp_ms,
        updated_ms=read.transaction_last_update_timestamp_ms,
        client_version=read.client_transaction_version,
    )
