"""What must hold however often a broker dies: judged from what its clients saw, as a small Jepsen checker does.

Producers note what they sent and what was acknowledged, a reader notes what is in the log, members of groups note what
they owned and committed. Every rule returns its violations in words; a run is good when there are none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Value(NamedTuple):
    """What a record says: unique, and in which order its producer sent it."""

    producer: str
    sequence: int

    def encode(self) -> bytes:
        return f"{self.producer}:{self.sequence}".encode()

    @classmethod
    def decode(cls, data: bytes) -> "Value":
        producer, _, sequence = data.decode().rpartition(":")
        return cls(producer, int(sequence))


class Place(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


@dataclass(slots=True)
class LogHistory:
    """One topic: what was sent, what the broker acknowledged, and what a consumer read from the start to the end."""

    sent: set[Value] = field(default_factory=set)
    acknowledged: dict[Value, Place] = field(default_factory=dict)
    read: list[tuple[Place, Value]] = field(default_factory=list)

    def violations(self) -> list[str]:
        """Everything that is wrong with it."""
        return [
            *self._lost(),
            *self._never_sent(),
            *self._at_two_offsets(),
            *self._moved(),
            *self._out_of_order(),
            *self._gaps(),
        ]

    def _lost(self) -> Iterator[str]:
        found = {value for _, value in self.read}
        for value, place in self.acknowledged.items():
            if value not in found:
                yield f"{value} was acknowledged at {place} and is not there"

    def _never_sent(self) -> Iterator[str]:
        for place, value in self.read:
            if value not in self.sent:
                yield f"{value} at {place} was never sent"

    def _at_two_offsets(self) -> Iterator[str]:
        places: dict[Value, Place] = {}
        for place, value in self.read:
            earlier = places.setdefault(value, place)
            if earlier != place:
                yield f"{value} is at {earlier} and at {place}"

    def _moved(self) -> Iterator[str]:
        """An acknowledgement names the offset, so it must be this value that lies there."""
        at = dict(self.read)
        for value, place in self.acknowledged.items():
            if place.offset >= 0 and at.get(place, value) != value:
                yield f"{value} was acknowledged at {place}, where {at[place]} lies"

    def _out_of_order(self) -> Iterator[str]:
        latest: dict[tuple[str, int], int] = {}
        for place, value in sorted(self.read):
            key = value.producer, place.partition
            if latest.get(key, -1) >= value.sequence:
                yield f"{value} at {place} comes after sequence {latest[key]}"
            latest[key] = value.sequence

    def _gaps(self) -> Iterator[str]:
        expected: defaultdict[int, int] = defaultdict(int)
        for place, _ in sorted(self.read):
            if place.offset != expected[place.partition]:
                yield f"partition {place.partition} jumps from {expected[place.partition]} to {place.offset}"
            expected[place.partition] = place.offset + 1


class Owned(NamedTuple):
    """A member learnt that it owns these partitions in a generation."""

    member_id: str
    generation_id: int
    partitions: frozenset[int]


class Committed(NamedTuple):
    """A commit, between sending it and learning that it was taken."""

    partition: int
    offset: int
    sent_s: float
    acknowledged_s: float


class Fetched(NamedTuple):
    """What the broker answered when asked for a committed offset (-1: none)."""

    partition: int
    offset: int
    sent_s: float
    answered_s: float


@dataclass(slots=True)
class GroupHistory:
    """One consumer group: who owned what, and how its committed offsets moved. Times are of one monotonic clock."""

    owned: list[Owned] = field(default_factory=list)
    committed: list[Committed] = field(default_factory=list)
    fetched: list[Fetched] = field(default_factory=list)

    def violations(self) -> list[str]:
        """Everything that is wrong with it."""
        return [*self._owned_twice(), *self._gone_back(), *self._never_committed()]

    def _owned_twice(self) -> Iterator[str]:
        owners: dict[tuple[int, int], str] = {}
        for member_id, generation_id, partitions in self.owned:
            for partition in partitions:
                owner = owners.setdefault((generation_id, partition), member_id)
                if owner != member_id:
                    yield f"partition {partition} belongs to {owner} and {member_id} in generation {generation_id}"

    def _gone_back(self) -> Iterator[str]:
        """Whoever asks after a commit was acknowledged gets that offset or a later one."""
        for partition, commits in _by_partition(self.committed).items():
            fetches = sorted((fetch.sent_s, fetch.offset) for fetch in self.fetched if fetch.partition == partition)
            acknowledged = sorted((commit.acknowledged_s, commit.offset) for commit in commits)
            highest, at = -1, 0
            for sent_s, offset in fetches:
                while at < len(acknowledged) and acknowledged[at][0] <= sent_s:
                    highest = max(highest, acknowledged[at][1])
                    at += 1
                if offset < highest:
                    yield f"partition {partition} went back from committed offset {highest} to {offset}"

    def _never_committed(self) -> Iterator[str]:
        asked = {(commit.partition, commit.offset) for commit in self.committed}
        for fetch in self.fetched:
            if fetch.offset >= 0 and (fetch.partition, fetch.offset) not in asked:
                yield f"partition {fetch.partition} has committed offset {fetch.offset}, which nobody committed"


def _by_partition(commits: Iterable[Committed]) -> dict[int, list[Committed]]:
    grouped: defaultdict[int, list[Committed]] = defaultdict(list)
    for commit in commits:
        grouped[commit.partition].append(commit)
    return grouped
