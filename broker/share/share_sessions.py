"""Share sessions: which partitions a member fetches, remembered between its requests (KIP-932).

A session belongs to the connection that opened it and ends with it, so that what a lost client holds is free at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from broker.errors import InvalidShareSessionEpoch, ShareSessionLimitReached, ShareSessionNotFound

INITIAL_EPOCH: Final = 0
FINAL_EPOCH: Final = -1
EPOCH_MAX: Final = 2**31 - 1


class SessionKey(NamedTuple):
    """Whose session it is."""

    group_id: str
    member_id: str


class TopicPartitionKey(NamedTuple):
    """A partition that a session reads."""

    topic_id: bytes
    partition: int


class ShareSession:
    """What one member fetches."""

    __slots__ = ("connection", "epoch", "key", "partitions")

    def __init__(self, key: SessionKey, connection: int) -> None:
        self.key = key
        self.connection = connection
        self.epoch = 1
        self.partitions: dict[TopicPartitionKey, bool] = {}
        """Each with whether the member has yet to be told of it."""

    def update(self, added: Iterable[TopicPartitionKey], forgotten: Iterable[TopicPartitionKey]) -> None:
        """Read more partitions, and some no longer."""
        for each in added:
            self.partitions.setdefault(each, True)
        for each in forgotten:
            self.partitions.pop(each, None)

    def in_turn(self) -> list[TopicPartitionKey]:
        """All partitions, beginning with another one each time, so that none starves."""
        known = list(self.partitions)
        at = self.epoch % len(known) if known else 0
        return known[at:] + known[:at]


class ShareSessions:
    """All sessions, at most `sessions_max`."""

    def __init__(self, sessions_max: int) -> None:
        self._sessions_max = sessions_max
        self._sessions: dict[SessionKey, ShareSession] = {}
        self._by_connection: dict[int, set[SessionKey]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, group_id: str, member_id: str) -> ShareSession | None:
        """The session of a member, if there is one."""
        return self._sessions.get(SessionKey(group_id, member_id))

    def open(self, key: SessionKey, connection: int) -> ShareSession:
        """A new session in the place of an earlier one. Raises ShareSessionLimitReached."""
        self.close(key)
        if len(self._sessions) >= self._sessions_max:
            raise ShareSessionLimitReached("The limit of share sessions has been reached.")
        session = self._sessions[key] = ShareSession(key, connection)
        self._by_connection.setdefault(connection, set()).add(key)
        return session

    def resume(self, key: SessionKey, epoch: int) -> ShareSession:
        """The session for its next request, or its last one.

        Raises ShareSessionNotFound, InvalidShareSessionEpoch.
        """
        session = self._sessions.get(key)
        if session is None:
            raise ShareSessionNotFound("The share session was not found.")
        if epoch != FINAL_EPOCH:
            if epoch != session.epoch:
                raise InvalidShareSessionEpoch("The share session epoch is invalid.")
            session.epoch = 1 if epoch == EPOCH_MAX else epoch + 1
        return session

    def close(self, key: SessionKey) -> None:
        """Forget a session; one that does not exist is no error."""
        session = self._sessions.pop(key, None)
        if session is not None:
            keys = self._by_connection[session.connection]
            keys.discard(key)
            if not keys:
                del self._by_connection[session.connection]

    def of_connection(self, connection: int) -> list[ShareSession]:
        """The sessions that were opened on it."""
        return [self._sessions[key] for key in self._by_connection.get(connection, ())]
