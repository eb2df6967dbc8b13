"""What the coordinator knows of the records that share groups lend their members: `broker.share.Shares` is it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Protocol

from broker.errors import CoordinatorNotAvailable

if TYPE_CHECKING:
    from broker.groups.deadlines import Now


class ShareGroupConfigs(Protocol):
    """The configs of a share group that concern its members."""

    def share_heartbeat_interval_ms(self, group_id: str) -> int:
        """How often they say that they are there."""

    def share_session_timeout_ms(self, group_id: str) -> int:
        """How long one may be silent."""


class ShareStates(Protocol):
    """How far each share group is with each partition. Methods raise KafkaError when the log did not take it."""

    @property
    def configs(self) -> ShareGroupConfigs:
        """What holds for each group."""

    def load_in_steps(self) -> Iterator[None]:
        """Replay the log; yields from time to time."""

    def initialize(self, group_id: str, topic_id: bytes, partitions: Collection[int], now: Now) -> None:
        """Let the group begin with these partitions, as far as it has not."""

    def set_start(self, group_id: str, topic_id: bytes, partition: int, start_offset: int, now: Now) -> None:
        """Let the group go on from this offset."""

    def delete(self, group_id: str, topic_ids: Collection[bytes] | None, now: Now) -> None:
        """Forget what the group did with these topics; with all if None."""

    def check_served(self) -> None:
        """Raise CoordinatorLoadInProgress before all is loaded, NotCoordinator once the broker stops."""

    def partitions_of(self, group_id: str) -> Collection[tuple[bytes, int]]:
        """What a group has begun to read, by topic id and partition."""

    def topics_deleted(self, topics: Collection[str]) -> bool:
        """Whether the log's own topic is among them: then all that was in it is gone."""

    def next_deadline_ms(self) -> int | None:
        """When `tick` is needed next (monotonic); None: not until something is lent."""

    def tick(self, now: Now) -> None:
        """Take back what was held for too long."""

    def close(self) -> None:
        """Refuse everything from now on."""


class NoShareStates:
    """For coordinators without a place for the state of share groups: they have none."""

    def share_heartbeat_interval_ms(self, group_id: str) -> int:
        """Never asked: there are no groups."""
        return 0

    def share_session_timeout_ms(self, group_id: str) -> int:
        """Never asked: there are no groups."""
        return 0

    @property
    def configs(self) -> NoShareStates:
        """Itself."""
        return self

    def load_in_steps(self) -> Iterator[None]:
        """Nothing."""
        return iter(())

    def initialize(self, group_id: str, topic_id: bytes, partitions: Collection[int], now: Now) -> None:
        """Refuse it."""
        raise CoordinatorNotAvailable("there is no place for the state of share groups")

    def set_start(self, group_id: str, topic_id: bytes, partition: int, start_offset: int, now: Now) -> None:
        """Refuse it."""
        raise CoordinatorNotAvailable("there is no place for the state of share groups")

    def delete(self, group_id: str, topic_ids: Collection[bytes] | None, now: Now) -> None:
        """Nothing."""

    def check_served(self) -> None:
        """Nothing."""

    def partitions_of(self, group_id: str) -> Collection[tuple[bytes, int]]:
        """None."""
        return ()

    def topics_deleted(self, topics: Collection[str]) -> bool:
        """There is no such topic."""
        return False

    def next_deadline_ms(self) -> int | None:
        """Never."""
        return None

    def tick(self, now: Now) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
