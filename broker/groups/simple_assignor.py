"""The assignor of share groups (KIP-932): a partition may have many readers, and no member goes without one.

With more partitions than members each partition has one reader; with more members, as many readers as it takes for
every member to have a partition. What a member was to read before it keeps as far as the numbers allow.
"""

from __future__ import annotations

import heapq
from typing import Final

from broker.groups.assignors import GroupSpec, TopicPartition, topics_by_subscribers

SIMPLE: Final = "simple"


def assign_simple(spec: GroupSpec) -> dict[str, frozenset[TopicPartition]]:
    """Who is to read what; a pure function of the subscriptions and of what was assigned before."""
    owned: dict[str, set[TopicPartition]] = {member_id: set() for member_id in spec.subscriptions}
    for members, topics in topics_by_subscribers(spec):
        partitions = [
            TopicPartition(topic_id, index)
            for topic_id in sorted(topics)
            for index in range(spec.partition_counts[topic_id])
        ]
        if partitions:
            _share_out(spec, members, partitions, owned)
    return {member_id: frozenset(partitions) for member_id, partitions in owned.items()}


def _share_out(
    spec: GroupSpec, members: tuple[str, ...], partitions: list[TopicPartition], owned: dict[str, set[TopicPartition]]
) -> None:
    """Give each of these partitions to as many of these members, who all subscribe to it, as have to share it."""
    readers_each = -(-len(members) // len(partitions))
    most_each = -(-len(partitions) * readers_each // len(members))
    wanted = set(partitions)
    readers = dict.fromkeys(partitions, 0)
    given: dict[str, set[TopicPartition]] = {member_id: set() for member_id in members}
    for member_id in members:
        for each in sorted(spec.previous.get(member_id, ())):
            if each in wanted and readers[each] < readers_each and len(given[member_id]) < most_each:
                given[member_id].add(each)
                readers[each] += 1
    by_count = [(len(given[member_id]), len(owned[member_id]), member_id) for member_id in members]
    heapq.heapify(by_count)
    for each in sorted(partitions, key=lambda partition: readers[partition]):
        passed_over = []
        while readers[each] < readers_each and by_count:
            count, elsewhere, member_id = heapq.heappop(by_count)
            if each not in given[member_id]:
                given[member_id].add(each)
                readers[each] += 1
                count += 1
            passed_over.append((count, elsewhere, member_id))
        for entry in passed_over:
            heapq.heappush(by_count, entry)
    for member_id in members:
        owned[member_id] |= given[member_id]
