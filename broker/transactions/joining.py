"""May a transactional batch go into a partition? Only as part of an open transaction (KIP-890).

A partition that is part of it already, for this producer and epoch, knows so by itself, and nobody is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.errors import InvalidProducerEpoch, InvalidTxnState, ProducerFenced, TransactionAbortable
from broker.transactions.transaction import EPOCH_BUMPING_VERSION

if TYPE_CHECKING:
    from broker.groups import Now
    from broker.transactions.coordinator import ProducerIdAndEpoch, TransactionCoordinator
    from broker.transactions.transaction import TopicPartition


def join_transaction(
    transactions: TransactionCoordinator,
    transactional_id: str,
    producer: ProducerIdAndEpoch,
    partition: TopicPartition,
    now: Now,
    *,
    adds_partitions: bool,
    knows_abortable: bool,
) -> None:
    """Add the partition to the producer's transaction, or see that it was added, as the request's version has it.

    Raises InvalidProducerIdMapping, InvalidProducerEpoch, ConcurrentTransactions, and for a partition that was not
    added TransactionAbortable, or InvalidTxnState to clients that do not know that.
    """
    try:
        if adds_partitions:
            transactions.add_partitions(
                transactional_id, producer, (partition,), now, client_version=EPOCH_BUMPING_VERSION
            )
        else:
            transactions.verify_partition(transactional_id, producer, partition)
    except ProducerFenced as error:
        raise InvalidProducerEpoch(str(error)) from error
    except TransactionAbortable as error:
        if knows_abortable:
            raise
        raise InvalidTxnState(str(error)) from error
