"""Incremental fetch sessions (KIP-227): the broker remembers what a consumer reads, so that only changes are sent.

A session holds the partitions of the last request and what was last answered about each; a response then lists only the
partitions with records, an error, or a high watermark or log start offset that moved.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from broker.errors import FetchSessionIdNotFound, FetchSessionTopicIdError, InvalidFetchSessionEpoch
from broker.protocol.messages.fetch import FetchPartition, FetchRequest

INITIAL_EPOCH: Final = 0
FINAL_EPOCH: Final = -1
EPOCH_MAX: Final = 2**31 - 1
SESSION_ID_MAX: Final = 2**31 - 1
EVICTION_MS: Final = 120_000
"""A session unused for this long makes room for a new one (Kafka's min.incremental.fetch.session.eviction.ms)."""

TopicKey: TypeAlias = "str | bytes"
"""A topic's name up to Fetch v12, its id (16 bytes) from v13."""

_NOTHING_SENT: Final = -2  # No offset, nor the -1 that goes with an error.


class FetchedPartition:
    """One partition a consumer reads, as it last asked, and what it was last told."""

    __slots__ = ("asked", "index", "sent_high_watermark", "sent_log_start_offset", "topic")

    def __init__(self, topic: TopicKey, asked: FetchPartition) -> None:
        self.topic = topic
        self.index = asked.partition
        self.asked = asked
        self.sent_high_watermark = _NOTHING_SENT
        self.sent_log_start_offset = _NOTHING_SENT


class FetchSession:
    """What one consumer reads, kept between its requests."""

    __slots__ = ("epoch", "last_used_ms", "partitions", "session_id", "uses_topic_ids")

    def __init__(self, session_id: int, *, uses_topic_ids: bool, now_ms: int) -> None:
        self.session_id = session_id
        self.uses_topic_ids = uses_topic_ids
        self.epoch = 1
        self.last_used_ms = now_ms
        self.partitions: dict[tuple[TopicKey, int], FetchedPartition] = {}

    def update(self, request: FetchRequest) -> None:
        """Take the partitions that an incremental request adds, changes or forgets."""
        for partition in partitions_of(request, uses_topic_ids=self.uses_topic_ids):
            known = self.partitions.get((partition.topic, partition.index))
            if known is None:
                self.partitions[partition.topic, partition.index] = partition
            else:
                known.asked = partition.asked
        for topic in request.forgotten_topics_data:
            key = topic.topic_id if self.uses_topic_ids else topic.topic
            for index in topic.partitions:
                self.partitions.pop((key, index), None)

    def move_to_end(self, partitions: Iterable[FetchedPartition]) -> None:
        """Serve these last next time, so that no partition starves when a response is full before its turn."""
        for partition in partitions:
            key = partition.topic, partition.index
            if self.partitions.pop(key, None) is not None:
                self.partitions[key] = partition


class FetchSessions:
    """All sessions, at most `slots_max`; the least recently used goes first."""

    def __init__(self, slots_max: int, new_id: Callable[[], int] | None = None) -> None:
        self._slots_max = slots_max
        self._new_id = new_id or (lambda: random.randint(1, SESSION_ID_MAX))
        self._sessions: OrderedDict[int, FetchSession] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def create(self, *, uses_topic_ids: bool, now_ms: int) -> FetchSession | None:
        """A new session, or None when all slots are in use (the client then goes on without one)."""
        if len(self._sessions) >= self._slots_max and not self._evict(now_ms):
            return None
        session_id = self._new_id()
        while session_id in self._sessions:
            session_id = self._new_id()
        session = self._sessions[session_id] = FetchSession(session_id, uses_topic_ids=uses_topic_ids, now_ms=now_ms)
        return session

    def resume(self, request: FetchRequest, *, uses_topic_ids: bool, now_ms: int) -> FetchSession:
        """The session of an incremental request, brought up to date with it.

        Raises FetchSessionIdNotFound, InvalidFetchSessionEpoch or FetchSessionTopicIdError.
        """
        session = self._sessions.get(request.session_id)
        if session is None:
            raise FetchSessionIdNotFound
        if session.epoch != request.session_epoch:
            raise InvalidFetchSessionEpoch
        if session.uses_topic_ids != uses_topic_ids:
            raise FetchSessionTopicIdError
        session.epoch = 1 if session.epoch == EPOCH_MAX else session.epoch + 1
        session.last_used_ms = now_ms
        self._sessions.move_to_end(session.session_id)
        session.update(request)
        return session

    def close(self, session_id: int) -> None:
        """Forget a session; one that does not exist is no error."""
        self._sessions.pop(session_id, None)

    def clear(self) -> None:
        """Forget all: what their partitions were allowed by has changed. Consumers begin anew by themselves."""
        self._sessions.clear()

    def _evict(self, now_ms: int) -> bool:
        oldest = next(iter(self._sessions.values()), None)
        if oldest is None or now_ms - oldest.last_used_ms < EVICTION_MS:
            return False
        del self._sessions[oldest.session_id]
        return True


def partitions_of(request: FetchRequest, *, uses_topic_ids: bool) -> Iterable[FetchedPartition]:
    """The partitions a request names, in its order."""
    for topic in request.topics:
        key = topic.topic_id if uses_topic_ids else topic.topic
        for asked in topic.partitions:
            yield FetchedPartition(key, asked)
