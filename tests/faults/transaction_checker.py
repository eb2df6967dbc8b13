"""What must hold of transactions however often the broker dies: judged from what their clients saw.

The rules of Elle's list-append check that apply to a log: a transaction is in it as a whole or not at all, nobody reads
what was aborted, nothing committed is lost, and no transactions read from each other in a circle.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from tests.faults.checker import Place, Value


class Outcome(Enum):
    """How a transaction ended, as far as its producer knows."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"
    """Its producer was told neither: either is right."""


@dataclass(slots=True)
class Transacted:
    """One transaction: what it wrote, and what it had read by then."""

    name: str
    wrote: set[Value] = field(default_factory=set)
    read: set[Value] = field(default_factory=set)
    outcome: Outcome = Outcome.UNKNOWN


@dataclass(slots=True)
class TransactionHistory:
    """All transactions on one topic, and what a read_committed consumer found in it at the end."""

    transactions: list[Transacted] = field(default_factory=list)
    read: list[tuple[Place, Value]] = field(default_factory=list)

    def violations(self) -> list[str]:
        """Everything that is wrong with it."""
        return [*self._torn(), *self._twice(), *self._never_written(), *self._aborted_reads(), *self._circles()]

    def _torn(self) -> Iterator[str]:
        found = {value for _, value in self.read}
        for transaction in self.transactions:
            there = transaction.wrote & found
            missing = transaction.wrote - found
            if there and transaction.outcome is Outcome.ABORTED:
                yield f"{transaction.name} was aborted and {min(there)} is there"
            elif missing and transaction.outcome is Outcome.COMMITTED:
                yield f"{transaction.name} was committed and {min(missing)} is not there"
            elif there and missing:
                yield f"{transaction.name} is torn: {min(there)} is there and {min(missing)} is not"

    def _twice(self) -> Iterator[str]:
        for value, count in Counter(value for _, value in self.read).items():
            if count > 1:
                yield f"{value} is there {count} times"

    def _never_written(self) -> Iterator[str]:
        written = set().union(*(transaction.wrote for transaction in self.transactions))
        for place, value in self.read:
            if value not in written:
                yield f"{value} at {place} was never written"

    def _aborted_reads(self) -> Iterator[str]:
        aborted = {
            value
            for transaction in self.transactions
            if transaction.outcome is Outcome.ABORTED
            for value in transaction.wrote
        }
        for transaction in self.transactions:
            for value in transaction.read & aborted:
                yield f"{transaction.name} has read {value}, which was aborted"

    def _circles(self) -> Iterator[str]:
        """A transaction that read another's records came after it; nobody can come after himself."""
        writers = {value: transaction.name for transaction in self.transactions for value in transaction.wrote}
        before = {
            transaction.name: {writers[value] for value in transaction.read if value in writers}
            for transaction in self.transactions
        }
        settled: set[str] = set()
        for start in before:
            path = {start: iter(before[start])}  # in order of reading
            while path:
                name = next(reversed(path))
                following = next((each for each in path[name] if each not in settled), None)
                if following is None:
                    settled.add(name)
                    del path[name]
                elif following in path:
                    names = list(path)
                    yield " read from ".join([*names[names.index(following) :], following])
                    return
                else:
                    path[following] = iter(before.get(following, ()))
