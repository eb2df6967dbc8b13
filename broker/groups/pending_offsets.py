"""Offsets that open transactions have committed (KIP-98): nobody sees them until the transaction is.

What was committed later wins, whenever its transaction ends: Kafka compares the offsets of the records, here a number
that rises with each of them does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from broker.groups.records import CommittedOffset

_Key: TypeAlias = tuple[str, str, int]
"""Group, topic, partition."""


class _Pending(NamedTuple):
    order: int
    committed: CommittedOffset | None
    """None: something was committed or deleted after it."""


class PendingOffsets:
    """The pending offsets of all groups, by producer id."""

    __slots__ = ("_by_producer", "_order")

    def __init__(self) -> None:
        self._by_producer: dict[int, dict[_Key, _Pending]] = {}
        self._order = 0

    def __bool__(self) -> bool:
        return bool(self._by_producer)

    def add(self, producer_id: int, group_id: str, topic: str, partition: int, committed: CommittedOffset) -> None:
        """Remember what the producer's transaction would commit; it replaces what that said before."""
        self._order += 1
        self._by_producer.setdefault(producer_id, {})[group_id, topic, partition] = _Pending(self._order, committed)

    def supersede(self, group_id: str, topic: str, partition: int, order: int | None = None) -> None:
        """Something was committed or deleted after these (or after those before `order`), so they will not count."""
        key = group_id, topic, partition
        for pending in self._by_producer.values():
            if key in pending and (order is None or pending[key].order < order):
                pending[key] = pending[key]._replace(committed=None)

    def take(
        self, producer_id: int, is_ended: Callable[[str], bool]
    ) -> Iterable[tuple[str, str, int, CommittedOffset]]:
        """Remove the producer's pending offsets of these groups; return those that a commit makes valid."""
        pending = self._by_producer.get(producer_id, {})
        ended = {key: offset for key, offset in pending.items() if is_ended(key[0])}
        for key in ended:
            del pending[key]
        if not pending:
            self._by_producer.pop(producer_id, None)
        valid = []
        for key, (order, committed) in ended.items():
            if committed is not None:
                valid.append((*key, committed))
                self.supersede(*key, order)
        return valid

    def is_pending(self, group_id: str, topic: str, partition: int) -> bool:
        """Whether an open transaction commits this offset, so that it is not stable."""
        key = group_id, topic, partition
        return any(key in pending for pending in self._by_producer.values())

    def of_group(self, group_id: str) -> set[tuple[str, int]]:
        """The (topic, partition) whose offsets open transactions commit for the group."""
        return {key[1:] for pending in self._by_producer.values() for key in pending if key[0] == group_id}

    def clear(self) -> None:
        """Forget all."""
        self._by_producer.clear()
