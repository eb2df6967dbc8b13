"""Server-side assignors of KIP-848: which member of a consumer group is to read which partition.

Pure functions of who subscribes to what and of who was meant to read what before. `uniform` evens out the counts and
moves as few partitions as that takes; `range` gives each member neighbouring partitions of every topic.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias


class TopicPartition(NamedTuple):
    """A partition by its topic's id, which a new topic of the same name does not share."""

    topic_id: bytes
    partition: int


Assignment: TypeAlias = Mapping[str, frozenset[TopicPartition]]
"""Partitions by member id."""


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """What an assignor goes by."""

    subscriptions: Mapping[str, Collection[bytes]]
    """The ids of existing topics by member id; every member is in it."""
    partition_counts: Mapping[bytes, int]
    """By topic id."""
    previous: Assignment = field(default_factory=dict)
    """The target assignment until now."""
    instance_ids: Mapping[str, str] = field(default_factory=dict)
    """Names of static members by member id."""


Assignor: TypeAlias = Callable[[GroupSpec], dict[str, frozenset[TopicPartition]]]


def assign_uniform(spec: GroupSpec) -> dict[str, frozenset[TopicPartition]]:
    """Counts as even as the subscriptions allow by moving single partitions; what need not move stays where it was."""
    owned = _retained(spec)
    classes = topics_by_subscribers(spec)
    taken = {partition for partitions in owned.values() for partition in partitions}
    for members, topics in classes:
        free = [each for each in _partitions(topics, spec.partition_counts) if each not in taken]
        _hand_out(free, members, owned)
    while any(_even_out(members, topics, owned) for members, topics in classes):
        pass  # each move makes the sum of squared counts smaller, so this ends
    return {member_id: frozenset(partitions) for member_id, partitions in owned.items()}


def assign_range(spec: GroupSpec) -> dict[str, frozenset[TopicPartition]]:
    """Of each topic, neighbouring partitions in the order of the members; static ones first, by their names.

    Topics with as many partitions and the same subscribers are split alike, so that joins find both sides in one place.
    """
    assigned: dict[str, set[TopicPartition]] = {member_id: set() for member_id in spec.subscriptions}
    order = sorted(
        spec.subscriptions,
        key=lambda member_id: (member_id not in spec.instance_ids, spec.instance_ids.get(member_id, member_id)),
    )
    for topic_id, partition_count in spec.partition_counts.items():
        readers = [member_id for member_id in order if topic_id in spec.subscriptions[member_id]]
        if not readers:
            continue
        share, rest = divmod(partition_count, len(readers))
        start = 0
        for position, member_id in enumerate(readers):
            end = start + share + (position < rest)
            assigned[member_id].update(TopicPartition(topic_id, partition) for partition in range(start, end))
            start = end
    return {member_id: frozenset(partitions) for member_id, partitions in assigned.items()}


ASSIGNORS: Final[Mapping[str, Assignor]] = MappingProxyType({"uniform": assign_uniform, "range": assign_range})
"""By the name that clients ask for."""

_Class: TypeAlias = tuple[tuple[str, ...], frozenset[bytes]]
"""Members, and the topics that exactly these subscribe to."""


def _retained(spec: GroupSpec) -> dict[str, set[TopicPartition]]:
    """What each member was to read before and still may."""
    taken: set[TopicPartition] = set()
    owned: dict[str, set[TopicPartition]] = {}
    for member_id, topics in spec.subscriptions.items():
        kept = {
            each
            for each in spec.previous.get(member_id, ())
            if each.topic_id in topics and each.partition < spec.partition_counts.get(each.topic_id, 0)
        }
        owned[member_id] = kept - taken
        taken |= kept
    return owned


def topics_by_subscribers(spec: GroupSpec) -> list[_Class]:
    """Topics with the same subscribers together, those with the fewest first: they have the least choice."""
    readers: dict[bytes, list[str]] = {}
    for member_id in sorted(spec.subscriptions):
        for topic_id in spec.subscriptions[member_id]:
            if topic_id in spec.partition_counts:
                readers.setdefault(topic_id, []).append(member_id)
    classes: dict[tuple[str, ...], set[bytes]] = {}
    for topic_id, members in readers.items():
        classes.setdefault(tuple(members), set()).add(topic_id)
    return sorted(
        ((members, frozenset(topics)) for members, topics in classes.items()), key=lambda each: (len(each[0]), each[0])
    )


def _partitions(topics: Iterable[bytes], partition_counts: Mapping[bytes, int]) -> Iterator[TopicPartition]:
    for topic_id in sorted(topics):
        for partition in range(partition_counts[topic_id]):
            yield TopicPartition(topic_id, partition)


def _hand_out(
    free: Iterable[TopicPartition], members: tuple[str, ...], owned: Mapping[str, set[TopicPartition]]
) -> None:
    """Give each partition to the member that has the fewest."""
    by_count = [(len(owned[member_id]), member_id) for member_id in members]
    heapq.heapify(by_count)
    for partition in free:
        count, member_id = by_count[0]
        owned[member_id].add(partition)
        heapq.heapreplace(by_count, (count + 1, member_id))


def _even_out(members: tuple[str, ...], topics: frozenset[bytes], owned: Mapping[str, set[TopicPartition]]) -> bool:
    """Move partitions of these topics from who has most to who has fewest; False when nothing was to be gained."""
    movable = {member_id: sorted(each for each in owned[member_id] if each.topic_id in topics) for member_id in members}
    fewest = [(len(owned[member_id]), member_id) for member_id in members]
    most = [(-count, member_id) for count, member_id in fewest if movable[member_id]]
    heapq.heapify(fewest)
    heapq.heapify(most)
    has_moved = False
    while most:
        giver, taker = most[0][1], fewest[0][1]
        if -most[0][0] != len(owned[giver]) or not movable[giver]:
            heapq.heappop(most)
        elif fewest[0][0] != len(owned[taker]):
            heapq.heappop(fewest)
        elif len(owned[giver]) - len(owned[taker]) < 2:
            break
        else:
            has_moved = True
            partition = movable[giver].pop()
            owned[giver].remove(partition)
            owned[taker].add(partition)
            movable[taker].append(partition)
            for member_id in (giver, taker):
                heapq.heappush(fewest, (len(owned[member_id]), member_id))
                heapq.heappush(most, (-len(owned[member_id]), member_id))
    return has_moved
