"""The coordinator's part for share groups: who becomes one, and what is asked of them (KIP-932).

They share one registry with the other groups, because a group id stands for one group of whichever kind.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, MutableMapping
from typing import TYPE_CHECKING, Final

from broker.errors import GroupIdNotFound, InvalidRequest, KafkaError, NonEmptyGroup
from broker.groups.share_group import JOIN_EPOCH, ShareGroup
from broker.groups.share_records import ReadTopic
from broker.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse

if TYPE_CHECKING:
    from broker.config import BrokerConfig
    from broker.groups.classic_group import ClassicGroup
    from broker.groups.consumer_group import ConsumerGroup
    from broker.groups.deadlines import DeadlineQueue, Now
    from broker.groups.members import Client
    from broker.groups.offsets import OffsetStore
    from broker.groups.share_records import SavedShareGroup
    from broker.groups.share_states import ShareStates
    from broker.groups.subscribed_topics import KnownTopic, KnownTopics
    from broker.protocol.messages.share_group_describe import DescribedGroup

log = logging.getLogger("broker.groups")

LEAVE_EPOCH: Final = -1
MEMBER_ID_CHARS_MAX: Final = 36


class ShareGroups:
    """All share groups. Methods raise KafkaError to refuse a request."""

    def __init__(
        self,
        groups: MutableMapping[str, ClassicGroup | ConsumerGroup | ShareGroup],
        *,
        store: OffsetStore,
        config: BrokerConfig,
        topics: KnownTopics,
        deadlines: DeadlineQueue,
        shares: ShareStates,
    ) -> None:
        self._groups = groups
        self._store = store
        self._config = config
        self._topics = topics
        self._deadlines = deadlines
        self._shares = shares

    def restore(self, saved: Mapping[str, SavedShareGroup], now: Now) -> None:
        """Bring back the groups that the log holds; records of a group without an epoch are remains and left alone."""
        for group_id, each in saved.items():
            if each.epoch is not None:
                group = self._new(group_id)
                group.restore(each, now)
                group.keep_read_topics(self._shares.partitions_of(group_id))
                self._groups[group_id] = group

    def check(self, request: ShareGroupHeartbeatRequest) -> None:
        """Whether the request makes sense by itself. Raises InvalidRequest, in Kafka's words."""
        if not request.member_id or len(request.member_id) > MEMBER_ID_CHARS_MAX:
            raise InvalidRequest
        if not request.group_id:
            raise InvalidRequest("GroupId can't be empty.")
        if request.rack_id == "":
            raise InvalidRequest("RackId can't be empty.")
        if request.member_epoch == JOIN_EPOCH and not request.subscribed_topic_names:
            raise InvalidRequest("SubscribedTopicNames must be set in first request.")
        if request.member_epoch < LEAVE_EPOCH:
            raise InvalidRequest("MemberEpoch is invalid.")

    def heartbeat(
        self, request: ShareGroupHeartbeatRequest, *, client: Client, now: Now
    ) -> ShareGroupHeartbeatResponse:
        """Join, stay or leave. Raises GroupIdNotFound, and what the group raises."""
        if request.member_epoch == LEAVE_EPOCH:
            self.known(request.group_id).leave(request.member_id, now)
            return ShareGroupHeartbeatResponse(member_id=request.member_id, member_epoch=LEAVE_EPOCH)
        if request.group_id in self._groups:
            return self.known(request.group_id).heartbeat(request, client=client, now=now)
        if request.member_epoch != JOIN_EPOCH:
            raise GroupIdNotFound(f"Share group {request.group_id} not found.")
        group = self._new(request.group_id)
        answer = group.heartbeat(request, client=client, now=now)
        self._groups[request.group_id] = group
        return answer

    def describe(self, group_id: str) -> DescribedGroup:
        """ShareGroupDescribe; raises GroupIdNotFound."""
        return self.known(group_id).describe()

    def known(self, group_id: str) -> ShareGroup:
        """The share group of that id; raises GroupIdNotFound, for a group of another kind too."""
        self._shares.check_served()
        group = self._groups.get(group_id)
        if group is None:
            raise GroupIdNotFound(f"Group {group_id} not found.")
        if not isinstance(group, ShareGroup):
            raise GroupIdNotFound(f"Group {group_id} is not a share group.")
        return group

    # What it has done with the partitions.

    def set_start_offsets(
        self, group_id: str, offsets: Mapping[bytes, tuple[KnownTopic, Mapping[int, int]]], now: Now
    ) -> None:
        """AlterShareGroupOffsets: go on from these offsets (by topic id and partition); makes the group if need be.

        Raises NonEmptyGroup or GroupIdNotFound.
        """
        self._shares.check_served()
        if group_id in self._groups:
            group = self._empty(group_id)
        else:
            group = self._new(group_id)
            group.create(now)
            self._groups[group_id] = group
        read_topics = dict(group.read_topics)
        for topic_id, (topic, starts) in offsets.items():
            for partition, start_offset in starts.items():
                self._shares.set_start(group_id, topic_id, partition, start_offset, now)
            known = read_topics.get(topic_id)
            begun = frozenset(starts) | (known.partitions if known is not None else frozenset())
            read_topics[topic_id] = ReadTopic(topic.name, begun)
        if read_topics != group.read_topics:
            group.set_read_topics(read_topics, now)

    def delete_offsets(self, group_id: str, topic_ids: Collection[bytes], now: Now) -> None:
        """DeleteShareGroupOffsets: forget these topics. Raises NonEmptyGroup or GroupIdNotFound."""
        group = self._empty(group_id)
        read_topics = {each: topic for each, topic in group.read_topics.items() if each not in topic_ids}
        if read_topics != group.read_topics:
            group.set_read_topics(read_topics, now)
        self._shares.delete(group_id, topic_ids, now)

    def deleted(self, group_id: str, now: Now) -> None:
        """The group is gone, and so is what it did."""
        self._shares.delete(group_id, None, now)

    def topics_deleted(self, now: Now) -> None:
        """Forget what groups did with topics that are gone."""
        for group in list(self._groups.values()):
            if not isinstance(group, ShareGroup):
                continue
            gone = {topic_id for topic_id in group.read_topics if self._topics.by_id(topic_id) is None}
            if gone:
                left = {topic_id: topic for topic_id, topic in group.read_topics.items() if topic_id not in gone}
                try:
                    self._shares.delete(group.group_id, gone, now)
                    group.set_read_topics(left, now)
                except KafkaError as error:
                    # The topic's id keeps its state from being taken for that of a new topic.
                    log.warning("state of deleted topics not deleted group=%s error=%s", group.group_id, error)

    def states_lost(self) -> None:
        """What all groups have done is gone: they begin anew."""
        for group in self._groups.values():
            if isinstance(group, ShareGroup):
                group.keep_read_topics(())

    def _empty(self, group_id: str) -> ShareGroup:
        group = self.known(group_id)
        if not group.is_empty:
            raise NonEmptyGroup("The group is not empty.")
        return group

    def _new(self, group_id: str) -> ShareGroup:
        return ShareGroup(
            group_id,
            config=self._config,
            configs=self._shares.configs,
            topics=self._topics,
            deadlines=self._deadlines,
            append=self._store.append,
            initialize=self._shares.initialize,
        )
