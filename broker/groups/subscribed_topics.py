"""What consumer groups know of topics: who exists, with which id and how many partitions, and whether that changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol


class KnownTopic(Protocol):
    """One topic as the registry shows it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def topic_id(self) -> bytes:
        """16 bytes, never given twice."""

    @property
    def partition_count(self) -> int:
        """How many partitions it has now."""


class KnownTopics(Protocol):
    """All topics; `TopicRegistry` is one."""

    @property
    def version(self) -> int:
        """Rises with every change of any topic."""

    def __iter__(self) -> Iterator[KnownTopic]:
        """All topics."""

    def get(self, name: str) -> KnownTopic | None:
        """The topic of that name."""

    def by_id(self, topic_id: bytes) -> KnownTopic | None:
        """The topic of that id."""


class NoTopics:
    """For groups whose members assign to themselves: nothing is known of topics."""

    version = 0

    def __iter__(self) -> Iterator[KnownTopic]:
        return iter(())

    def get(self, name: str) -> KnownTopic | None:
        """None."""
        return None

    def by_id(self, topic_id: bytes) -> KnownTopic | None:
        """None."""
        return None


def metadata_hash(topics: Iterable[KnownTopic]) -> int:
    """A signed 64-bit number that changes when a topic is made anew or grows; 0 for no topics.

    Differs from Kafka: the hash is another one, so a group moved to Kafka rebalances once.
    """
    known = sorted((topic.name, topic.topic_id, topic.partition_count) for topic in topics)
    if not known:
        return 0
    return int.from_bytes(hashlib.blake2b(repr(known).encode(), digest_size=8).digest(), signed=True)
