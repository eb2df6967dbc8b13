"""Partitions as groups keep them, each by itself, and as messages list them: indexes by topic id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from broker.groups.assignors import TopicPartition


class ListedPartitions(Protocol):
    """How every message of assignments lists the partitions of a topic."""

    @property
    def topic_id(self) -> bytes:
        """The topic's id."""

    @property
    def partitions(self) -> Sequence[int]:
        """Indexes."""


def by_topic(partitions: Iterable[TopicPartition]) -> dict[bytes, list[int]]:
    """Partition indexes, ascending, by topic id."""
    grouped: dict[bytes, list[int]] = {}
    for topic_id, partition in sorted(partitions):
        grouped.setdefault(topic_id, []).append(partition)
    return grouped


def partitions_of(topics: Iterable[ListedPartitions]) -> frozenset[TopicPartition]:
    """The other way."""
    return frozenset(TopicPartition(bytes(each.topic_id), index) for each in topics for index in each.partitions)
