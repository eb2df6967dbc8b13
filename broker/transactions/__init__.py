"""Transactions (KIP-98, KIP-890): what a producer writes to many partitions counts as a whole, or not at all.

`TransactionCoordinator` is the entrance; `TransactionLog` keeps its state in the partitions of `__transaction_state`,
`Markers` writes the control batches that end a transaction in each partition.
"""

from broker.transactions.coordinator import ProducerIdAndEpoch, TransactionCoordinator
from broker.transactions.hanging import HangingTransactions
from broker.transactions.joining import join_transaction
from broker.transactions.markers import Markers
from broker.transactions.transaction import (
    EPOCH_BUMPING_VERSION,
    NO_PRODUCER_EPOCH,
    Transaction,
    TransactionState,
)
from broker.transactions.transaction_log import TRANSACTIONS_TOPIC, TransactionLog

__all__ = [
    "EPOCH_BUMPING_VERSION",
    "NO_PRODUCER_EPOCH",
    "TRANSACTIONS_TOPIC",
    "HangingTransactions",
    "Markers",
    "ProducerIdAndEpoch",
    "Transaction",
    "TransactionCoordinator",
    "TransactionLog",
    "TransactionState",
    "join_transaction",
]
