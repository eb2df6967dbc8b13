"""Write the control batches that end a transaction, and tell the groups when offsets were part of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from broker.groups import OFFSETS_TOPIC

if TYPE_CHECKING:
    from broker.groups import Now
    from broker.log import PartitionLog

COORDINATOR_EPOCH: Final = 0
"""The leader epoch of `__transaction_state`, which never changes on a single node."""


class OffsetsOfTransactions(Protocol):
    """Who must know that a transaction has ended in a partition of `__consumer_offsets`."""

    def transaction_ended(self, producer_id: int, partition: int, *, commit: bool) -> None:
        """The producer's marker is in that partition."""


class Markers:
    """Ends transactions in their partitions. `find_log` may raise KafkaError."""

    def __init__(self, find_log: Callable[[str, int], PartitionLog], groups: OffsetsOfTransactions) -> None:
        self._find_log = find_log
        self._groups = groups

    def write(
        self,
        topic: str,
        partition: int,
        *,
        commit: bool,
        producer_id: int,
        producer_epoch: int,
        coordinator_epoch: int = COORDINATOR_EPOCH,
        now: Now,
    ) -> PartitionLog:
        """End the producer's transaction in one partition; return its log, which knows when the marker is on disk.

        Raises KafkaError: it was not written.
        """
        partition_log = self._find_log(topic, partition)
        partition_log.end_transaction(
            commit=commit,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            coordinator_epoch=coordinator_epoch,
            now_ms=now.wall_ms,
        )
        if topic == OFFSETS_TOPIC:
            self._groups.transaction_ended(producer_id, partition, commit=commit)
        return partition_log
