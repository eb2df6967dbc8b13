"""One share group (KIP-932): who is in it, which epoch it is in, and who reads what.

Members share partitions, so none has to give one up before another may read it: a member goes to its target at once.
Behaviour is that of Apache Kafka 4.3. Plain synchronous methods; what changes is in the log as one batch before anybody
is told, or has not happened.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

from broker.errors import FencedMemberEpoch, GroupMaxSizeReached, KafkaError, UnknownMemberId
from broker.groups.assignors import GroupSpec, TopicPartition
from broker.groups.share_records import (
    ReadTopic,
    ReadTopics,
    SavedShareGroup,
    ShareMember,
    epoch_record,
    group_tombstones,
    member_record,
    member_tombstones,
    progress_record,
    read_topics_record,
    target_epoch_record,
    target_record,
)
from broker.groups.simple_assignor import SIMPLE, assign_simple
from broker.groups.subscribed_topics import KnownTopic, KnownTopics, metadata_hash
from broker.groups.topic_partitions import by_topic
from broker.protocol.messages import share_group_describe as described
from broker.protocol.messages.share_group_heartbeat import (
    Assignment,
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
    TopicPartitions,
)

if TYPE_CHECKING:
    from broker.config import BrokerConfig
    from broker.groups.consumer_group import AppendRecords
    from broker.groups.deadlines import Deadline, DeadlineQueue, Now
    from broker.groups.members import Client
    from broker.groups.records import OffsetsRecord
    from broker.groups.share_states import ShareGroupConfigs

log = logging.getLogger("broker.groups")

JOIN_EPOCH: Final = 0
_RETRY_MS: Final = 1_000
"""When an expiry that the log refused is tried again."""

Initialize = Callable[[str, bytes, frozenset[int], "Now"], None]
"""Let a group begin with partitions (group, topic id, partitions); raises KafkaError when that was not written."""


class ShareGroupState(StrEnum):
    """The states of a share group, spelt as ShareGroupDescribe does."""

    EMPTY = "Empty"
    STABLE = "Stable"
    DEAD = "Dead"


class ShareGroup:
    """One group. Methods raise KafkaError to refuse; then nothing has changed."""

    uses_consumer_protocol: Final = False
    has_pending_members: Final = False

    def __init__(
        self,
        group_id: str,
        *,
        config: BrokerConfig,
        configs: ShareGroupConfigs,
        topics: KnownTopics,
        deadlines: DeadlineQueue,
        append: AppendRecords,
        initialize: Initialize,
    ) -> None:
        self.group_id = group_id
        self.epoch = 1
        self.target_epoch = 0
        self.members: dict[str, ShareMember] = {}
        self.targets: dict[str, frozenset[TopicPartition]] = {}
        self.read_topics: dict[bytes, ReadTopic] = {}
        """The partitions that the group has begun to read, which are those that it assigns."""
        self._config = config
        self._configs = configs
        self._topics = topics
        self._deadlines = deadlines
        self._append = append
        self._initialize = initialize
        self._is_dead = False
        self._metadata_hash = 0
        self._seen_topics_version: int | None = None
        self._target_monotonic_ms: int | None = None
        self._sessions: dict[str, Deadline] = {}

    # What requests ask.

    def heartbeat(
        self, request: ShareGroupHeartbeatRequest, *, client: Client, now: Now
    ) -> ShareGroupHeartbeatResponse:
        """Join, or stay: take in what the member says, and tell it what it reads.

        Raises GroupMaxSizeReached, UnknownMemberId or FencedMemberEpoch.
        """
        before = self._member_of(request)
        names = request.subscribed_topic_names
        asked = replace(
            before,
            rack_id=before.rack_id if request.rack_id is None else request.rack_id,
            client=client,
            topic_names=before.topic_names if names is None else tuple(sorted(set(names))),
        )
        member = self._advance(before, asked, now)
        self._keep_alive(member.member_id, now)
        is_told = request.member_epoch == JOIN_EPOCH or names is not None or before.assigned != member.assigned
        return ShareGroupHeartbeatResponse(
            member_id=member.member_id,
            member_epoch=member.epoch,
            heartbeat_interval_ms=self._configs.share_heartbeat_interval_ms(self.group_id),
            assignment=_assignment(member.assigned) if is_told else None,
        )

    def leave(self, member_id: str, now: Now) -> None:
        """Let a member go. Raises UnknownMemberId."""
        self._known(member_id)
        log.info("member leaves share group group=%s member=%s", self.group_id, member_id)
        records = member_tombstones(self.group_id, member_id)
        members = {each: member for each, member in self.members.items() if each != member_id}
        records.append(epoch_record(self.group_id, self.epoch + 1, self._hash_of(members)))
        self._append(self.group_id, records, now)
        self.members = members
        self.targets.pop(member_id, None)
        self.epoch += 1
        self._metadata_hash = self._hash_of(members)
        session = self._sessions.pop(member_id, None)
        if session is not None:
            session.cancel()

    def describe(self) -> described.DescribedGroup:
        """The group as ShareGroupDescribe shows it."""
        return described.DescribedGroup(
            group_id=self.group_id,
            group_state=self.state,
            group_epoch=self.epoch,
            assignment_epoch=self.target_epoch,
            assignor_name=SIMPLE,
            members=[
                described.Member(
                    member_id=member.member_id,
                    rack_id=member.rack_id,
                    member_epoch=member.epoch,
                    client_id=member.client.client_id,
                    client_host=member.client.host,
                    subscribed_topic_names=list(member.topic_names),
                    assignment=self._described(member.assigned),
                )
                for member in self.members.values()
            ],
        )

    @property
    def state(self) -> ShareGroupState:
        """Empty, Stable or Dead."""
        if self._is_dead:
            return ShareGroupState.DEAD
        return ShareGroupState.STABLE if self.members else ShareGroupState.EMPTY

    @property
    def is_empty(self) -> bool:
        return not self.members

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic."""
        return any(topic in member.topic_names for member in self.members.values())

    def retained_since_ms(self, committed_ms: int) -> int | None:
        """A share group commits no offsets, so none of them expires."""
        return None

    # What the coordinator does to it.

    def restore(self, saved: SavedShareGroup, now: Now) -> None:
        """Become what the log says; members get a full session anew."""
        assert saved.epoch is not None
        self.epoch, self.target_epoch = saved.epoch, saved.target_epoch
        self._metadata_hash = saved.metadata_hash
        self.members = dict(saved.members)
        self.targets = {member_id: saved.targets.get(member_id, frozenset()) for member_id in saved.members}
        self.read_topics = dict(saved.read_topics)
        for member_id in self.members:
            self._keep_alive(member_id, now)

    def create(self, now: Now) -> None:
        """Be in the log, without members (AlterShareGroupOffsets makes groups)."""
        self._append(self.group_id, [epoch_record(self.group_id, self.epoch, 0)], now)

    def set_read_topics(self, read_topics: ReadTopics, now: Now) -> None:
        """Remember which partitions the group has begun to read."""
        self._append(self.group_id, [read_topics_record(self.group_id, read_topics)], now)
        self.read_topics = dict(read_topics)

    def keep_read_topics(self, begun: Collection[tuple[bytes, int]]) -> None:
        """Have only begun with these, whatever the log says: their state is there. The rest is begun anew."""
        self.read_topics = {
            topic_id: ReadTopic(topic.name, kept)
            for topic_id, topic in self.read_topics.items()
            if (kept := frozenset(index for index in topic.partitions if (topic_id, index) in begun))
        }
        self._seen_topics_version = None

    def close(self) -> None:
        """Become Dead: forget all deadlines."""
        self._is_dead = True
        for deadline in self._sessions.values():
            deadline.cancel()
        self._sessions.clear()

    def tombstones(self) -> list[OffsetsRecord]:
        """The records that delete the group."""
        records = [each for member_id in self.members for each in member_tombstones(self.group_id, member_id)]
        return records + group_tombstones(self.group_id)

    # Members.

    def _member_of(self, request: ShareGroupHeartbeatRequest) -> ShareMember:
        member = self.members.get(request.member_id)
        if request.member_epoch == JOIN_EPOCH:
            if member is None and len(self.members) >= self._config.group_share_max_size:
                limit = self._config.group_share_max_size
                raise GroupMaxSizeReached(f"The share group has reached its maximum capacity of {limit} members.")
            return member or ShareMember(request.member_id)
        member = self._known(request.member_id)
        if request.member_epoch > member.epoch:
            raise FencedMemberEpoch(
                f"The share group member has a greater member epoch ({request.member_epoch}) than the one known by "
                f"the group coordinator ({member.epoch}). The member must abandon all its partitions and rejoin."
            )
        # The answer that raised its epoch may have been lost.
        if request.member_epoch not in (member.epoch, member.previous_epoch):
            raise FencedMemberEpoch(
                f"The share group member has a smaller member epoch ({request.member_epoch}) than the one known by "
                f"the group coordinator ({member.epoch}), and it does not match the previous member epoch "
                f"({member.previous_epoch}). The member must abandon all its partitions and rejoin."
            )
        return member

    def _known(self, member_id: str) -> ShareMember:
        member = self.members.get(member_id)
        if member is None:
            raise UnknownMemberId(f"Member {member_id} is not a member of group {self.group_id}.")
        return member

    def _advance(self, before: ShareMember, asked: ShareMember, now: Now) -> ShareMember:
        """Take in the member as it is now, raise the epoch if need be, assign, and let it go to its target."""
        is_known = asked.member_id in self.members
        is_current = self._seen_topics_version == self._topics.version
        if is_known and asked == before and is_current and self.epoch == self.target_epoch == before.epoch:
            return before  # what nearly every heartbeat comes to
        members = {**self.members, asked.member_id: asked}
        records = [] if is_known and asked == before else [member_record(self.group_id, asked)]
        read_topics = self._begun(members, now)
        if read_topics != self.read_topics:
            records.append(read_topics_record(self.group_id, read_topics))
        topics_hash = self._hash_of(members)
        epoch, targets, target_epoch = self.epoch, self.targets, self.target_epoch
        if (
            not is_known
            or asked.topic_names != before.topic_names
            or topics_hash != self._metadata_hash
            or read_topics != self.read_topics
        ):
            epoch += 1
            records.append(epoch_record(self.group_id, epoch, topics_hash))
        is_assigned = epoch > target_epoch and self._may_assign(members, now)
        if is_assigned:
            targets, target_epoch = self._assigned(members, read_topics), epoch
            records += [
                target_record(self.group_id, member_id, target)
                for member_id, target in targets.items()
                if self.targets.get(member_id) != target
            ]
            records.append(target_epoch_record(self.group_id, epoch, now.wall_ms))
        member = asked
        if asked.epoch != target_epoch or not is_known:
            member = replace(
                asked,
                epoch=target_epoch,
                previous_epoch=asked.epoch,
                assigned=targets.get(asked.member_id, frozenset()),
            )
            records.append(progress_record(self.group_id, member))
        if records:
            self._append(self.group_id, records, now)
        members[member.member_id] = member
        self.members, self.targets, self.target_epoch, self.epoch = members, dict(targets), target_epoch, epoch
        self.read_topics, self._metadata_hash = read_topics, topics_hash
        self._seen_topics_version = self._topics.version
        if is_assigned:
            self._target_monotonic_ms = now.monotonic_ms
        return member

    def _begun(self, members: Mapping[str, ShareMember], now: Now) -> dict[bytes, ReadTopic]:
        """The partitions that the group reads, with those begun that it now subscribes to.

        Differs from Kafka: a share group begins with a partition, and assigns it, in the heartbeat that subscribes to
        it and not in the next one, because the state is kept by this broker.
        """
        begun = dict(self.read_topics)
        for topic in self._subscribed(members.values()):
            partitions = frozenset(range(topic.partition_count))
            known = begun.get(topic.topic_id)
            if known is None or known.partitions != partitions:
                self._initialize(self.group_id, topic.topic_id, partitions, now)
                begun[topic.topic_id] = ReadTopic(topic.name, partitions)
        return begun

    def _subscribed(self, members: Iterable[ShareMember]) -> list[KnownTopic]:
        names = {name for member in members for name in member.topic_names}
        return [topic for name in sorted(names) if (topic := self._topics.get(name)) is not None]

    def _hash_of(self, members: Mapping[str, ShareMember]) -> int:
        return metadata_hash(self._subscribed(members.values()))

    def _may_assign(self, members: Mapping[str, ShareMember], now: Now) -> bool:
        """Whether it is time: many members that come at once are assigned together; one alone need not wait."""
        if self._target_monotonic_ms is None or len(members) == 1:
            return True
        interval_ms = self._config.group_share_assignment_interval_ms
        return now.monotonic_ms - self._target_monotonic_ms >= interval_ms

    def _assigned(
        self, members: Mapping[str, ShareMember], read_topics: ReadTopics
    ) -> dict[str, frozenset[TopicPartition]]:
        subscriptions = {
            member_id: frozenset(topic.topic_id for topic in self._subscribed([member]))
            for member_id, member in members.items()
        }
        counts = {
            topic_id: len(topic.partitions)
            for topic_id, topic in read_topics.items()
            if self._topics.by_id(topic_id) is not None
        }
        log.info("targets computed group=%s epoch=%d members=%d", self.group_id, self.epoch, len(members))
        return assign_simple(GroupSpec(subscriptions=subscriptions, partition_counts=counts, previous=self.targets))

    def _described(self, partitions: Iterable[TopicPartition]) -> described.Assignment:
        return described.Assignment(
            topic_partitions=[
                described.TopicPartitions(topic_id=topic_id, topic_name=topic.name, partitions=indexes)
                for topic_id, indexes in by_topic(partitions).items()
                if (topic := self._topics.by_id(topic_id)) is not None
            ]
        )

    # Time.

    def _keep_alive(self, member_id: str, now: Now) -> None:
        session = self._sessions.get(member_id)
        if session is None:
            session = self._sessions[member_id] = self._deadlines.deadline(partial(self._expire, member_id))
        session.set(now.monotonic_ms + self._configs.share_session_timeout_ms(self.group_id))

    def _expire(self, member_id: str, now: Now) -> None:
        if member_id not in self.members:
            return
        log.info("member's session timeout has passed group=%s member=%s", self.group_id, member_id)
        try:
            self.leave(member_id, now)
        except KafkaError as error:
            log.warning("member not removed yet group=%s member=%s error=%s", self.group_id, member_id, error)
            self._sessions[member_id].set(now.monotonic_ms + _RETRY_MS)


def _assignment(partitions: Iterable[TopicPartition]) -> Assignment:
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, partitions=indexes) for topic_id, indexes in by_topic(partitions).items()
        ]
    )
