"""Transactions that are open in a partition while no coordinator knows of them: they would hold readers back for ever.

When power is lost and `caudal.flush.mode` is not `always`, a partition may keep more of the last moment than
`__transaction_state` does; the same is left when that topic is deleted. `kafka-transactions find-hanging` and `abort`
(KIP-664) are for the operator.

Differs from Kafka: a transaction that only its partitions know is aborted after its timeout, because nobody else can.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from broker.errors import KafkaError

if TYPE_CHECKING:
    from broker.groups import Now
    from broker.log import PartitionLog
    from broker.transactions.coordinator import TransactionCoordinator
    from broker.transactions.markers import Markers

log = logging.getLogger("broker.transactions")


class _Hanging(NamedTuple):
    topic: str
    partition: int
    producer_id: int
    first_offset: int


class HangingTransactions:
    """Finds and aborts them; `opened_logs` are the partitions in use: in others they hold nobody back."""

    def __init__(
        self,
        coordinator: TransactionCoordinator,
        markers: Markers,
        opened_logs: Callable[[], Iterable[PartitionLog]],
        timeout_ms_max: int,
    ) -> None:
        self._coordinator = coordinator
        self._markers = markers
        self._opened_logs = opened_logs
        self._timeout_ms_max = timeout_ms_max
        self._since_ms: dict[_Hanging, int] = {}
        """When each was first seen, in monotonic time."""

    def tick(self, now: Now) -> None:
        """Abort those that nobody can end any more and whose time is over.

        That is the timeout of their producer or, when the coordinator has forgotten him too, the longest allowed.
        A batch is only taken once its transaction is in the coordinator's log with this partition, and it stays there
        until the marker is written: so whatever is open and not there was lost.
        """
        found = self._find()
        self._since_ms = {each: self._since_ms.get(each, now.monotonic_ms) for each in found}
        for each, epoch in found.items():
            timeout_ms = self._coordinator.timeout_of(each.producer_id) or self._timeout_ms_max
            if now.monotonic_ms - self._since_ms[each] >= timeout_ms:
                self._abort(each, epoch, now)

    def _find(self) -> dict[_Hanging, int]:
        """Each with the epoch of its producer."""
        known: set[tuple[int, str, int]] | None = None
        found: dict[_Hanging, int] = {}
        for partition_log in self._opened_logs():
            state = partition_log.producer_state
            if state.first_open_transaction_offset is None:
                continue
            if known is None:
                known = set(self._coordinator.open_partitions())
            topic, partition = partition_log.topic, partition_log.partition
            for producer_id, producer in state.in_transaction():
                if (producer_id, topic, partition) not in known:
                    found[_Hanging(topic, partition, producer_id, producer.transaction_first_offset)] = producer.epoch
        return found

    def _abort(self, hanging: _Hanging, epoch: int, now: Now) -> None:
        log.warning(
            "hanging transaction is aborted topic=%s partition=%d producer_id=%d first_offset=%d: its coordinator's "
            "record of it was lost",
            *hanging,
        )
        try:
            self._markers.write(
                hanging.topic,
                hanging.partition,
                commit=False,
                producer_id=hanging.producer_id,
                producer_epoch=epoch,
                now=now,
            )
        except KafkaError as error:
            log.warning("hanging transaction not aborted, it will be tried again error=%s", error)
