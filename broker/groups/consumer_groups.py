"""The coordinator's part for KIP-848 groups: who becomes one, who ceases to be one, and what is asked of them.

They share one registry with the classic groups, because a group id stands for one group of whichever kind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Final

from broker.errors import GroupIdNotFound, InvalidRequest, RebalanceInProgress, UnsupportedAssignor
from broker.groups import migration
from broker.groups.classic_group import ClassicGroup
from broker.groups.consumer_group import ConsumerGroup
from broker.groups.consumer_member import JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH
from broker.groups.consumer_records import is_epoch_key
from broker.groups.records import group_tombstone
from broker.groups.share_group import ShareGroup
from broker.protocol.messages import consumer_group_describe as described

if TYPE_CHECKING:
    from broker.config import BrokerConfig
    from broker.groups.consumer_records import SavedConsumerGroup
    from broker.groups.deadlines import DeadlineQueue, Now
    from broker.groups.group_numbers import GroupNumbers
    from broker.groups.members import Client
    from broker.groups.offsets import OffsetStore
    from broker.groups.records import OffsetsRecord
    from broker.groups.subscribed_topics import KnownTopics
    from broker.protocol.messages.consumer_group_heartbeat import (
        ConsumerGroupHeartbeatRequest,
        ConsumerGroupHeartbeatResponse,
    )

log = logging.getLogger("broker.groups")

CLIENT_MEMBER_ID_VERSION: Final = 1  # ConsumerGroupHeartbeat: from here on the client makes its member id


class ConsumerGroups:
    """All KIP-848 groups. Methods raise KafkaError to refuse a request."""

    def __init__(
        self,
        groups: MutableMapping[str, ClassicGroup | ConsumerGroup | ShareGroup],
        *,
        store: OffsetStore,
        config: BrokerConfig,
        numbers: GroupNumbers,
        topics: KnownTopics,
        deadlines: DeadlineQueue,
        new_classic: Callable[[str], ClassicGroup],
    ) -> None:
        self._groups = groups
        self._store = store
        self._config = config
        self._numbers = numbers
        self._topics = topics
        self._deadlines = deadlines
        self._new_classic = new_classic
        self.epochs_begun = 0
        """How often a group's epoch was written since the start, which begins a rebalance."""

    def restore(self, saved: Mapping[str, SavedConsumerGroup], now: Now) -> None:
        """Bring back the groups that the log holds; records of a group without an epoch are remains and left alone."""
        for group_id, each in saved.items():
            if each.epoch is not None:
                group = self._groups[group_id] = self._new(group_id)
                group.restore(each, now)

    def heartbeat(
        self, request: ConsumerGroupHeartbeatRequest, *, client: Client, now: Now
    ) -> ConsumerGroupHeartbeatResponse:
        """Join, stay or leave. Raises GroupIdNotFound, and what the group raises."""
        if request.member_epoch in (LEAVE_EPOCH, STATIC_LEAVE_EPOCH):
            return self.known(request.group_id).leave(request, now)
        group = self._groups.get(request.group_id)
        if isinstance(group, ConsumerGroup):
            return group.heartbeat(request, client=client, now=now)
        if request.member_epoch != JOIN_EPOCH and group is None:
            raise GroupIdNotFound(f"Consumer group {request.group_id} not found.")
        if request.member_epoch != JOIN_EPOCH or isinstance(group, ShareGroup):
            raise _no_consumer_group(request.group_id)
        return self._join_new(group, request, client, now)

    def check(self, request: ConsumerGroupHeartbeatRequest, api_version: int) -> None:
        """Whether the request makes sense by itself. Raises InvalidRequest or UnsupportedAssignor, in Kafka's words."""
        epoch = request.member_epoch
        if not request.member_id and (api_version >= CLIENT_MEMBER_ID_VERSION or epoch != JOIN_EPOCH):
            raise InvalidRequest("MemberId can't be empty.")
        if not request.group_id.strip():
            raise InvalidRequest("GroupId can't be empty.")
        if request.instance_id == "":
            raise InvalidRequest("InstanceId can't be empty.")
        if request.rack_id == "":
            raise InvalidRequest("RackId can't be empty.")
        if epoch == JOIN_EPOCH:
            if request.rebalance_timeout_ms == -1:
                raise InvalidRequest("RebalanceTimeoutMs must be provided in first request.")
            if request.topic_partitions is None or request.topic_partitions:
                raise InvalidRequest("TopicPartitions must be empty when (re-)joining.")
            if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
                raise InvalidRequest(
                    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
                )
        elif epoch == STATIC_LEAVE_EPOCH and request.instance_id is None:
            raise InvalidRequest("InstanceId can't be null.")
        elif epoch < STATIC_LEAVE_EPOCH:
            raise InvalidRequest("MemberEpoch is invalid.")
        supported = self._config.group_consumer_assignors
        if request.server_assignor is not None and request.server_assignor not in supported:
            raise UnsupportedAssignor(
                f"ServerAssignor {request.server_assignor} is not supported. "
                f"Supported assignors: {', '.join(supported)}."
            )

    def describe(self, group_id: str) -> described.DescribedGroup:
        """ConsumerGroupDescribe; raises GroupIdNotFound."""
        return self.known(group_id).describe()

    def known(self, group_id: str) -> ConsumerGroup:
        """The consumer group of that id; raises GroupIdNotFound, for a classic group too."""
        group = self._groups.get(group_id)
        if group is None:
            raise GroupIdNotFound(f"Group {group_id} not found.")
        if not isinstance(group, ConsumerGroup):
            raise _no_consumer_group(group_id)
        return group

    def make_classic(self, group: ConsumerGroup, now: Now) -> ClassicGroup:
        """Put a classic group in the place of an empty consumer group; its offsets remain."""
        tombstones = group.tombstones()
        if tombstones:
            self._store.append(group.group_id, tombstones, now)
        group.close()
        classic = self._groups[group.group_id] = self._new_classic(group.group_id)
        return classic

    def _join_new(
        self, classic: ClassicGroup | None, request: ConsumerGroupHeartbeatRequest, client: Client, now: Now
    ) -> ConsumerGroupHeartbeatResponse:
        """The first member of the consumer protocol: the group begins, in the place of a classic one if need be."""
        if classic is not None and not classic.is_empty:
            migration.check_upgrade(classic, self._config)
        group = self._new(request.group_id)

        def take_over() -> None:
            if self._store.has_classic_record(group.group_id):
                group.write(group_tombstone(group.group_id))
            if classic is not None and not classic.is_empty:
                migration.take_members(group, classic)

        answer = group.heartbeat(request, client=client, now=now, take_over=take_over)
        self._groups[group.group_id] = group
        if classic is not None:
            self._store.classic_record_deleted(group.group_id)
            log.info("group becomes a consumer group group=%s members=%d", group.group_id, len(group.members) - 1)
            classic.close(RebalanceInProgress.code)
            for member in group.members.values():
                group.keep_alive(member, now)
        return answer

    def _downgrade(self, group: ConsumerGroup, leaving: Collection[str], now: Now) -> bool:
        """Become a classic group again instead of letting these members go, if only classic ones are left."""
        if not migration.can_downgrade(group, leaving, self._config):
            return False
        value = migration.classic_value(group, leaving, now)
        self._store.save_group(group.group_id, value, now, after=group.tombstones())
        group.close()
        classic = self._groups[group.group_id] = self._new_classic(group.group_id)
        classic.restore(value, now)
        log.info("group downgraded group=%s members=%d", group.group_id, len(value.members))
        classic.begin_rebalance(now)
        return True

    def _new(self, group_id: str) -> ConsumerGroup:
        return ConsumerGroup(
            group_id,
            config=self._config,
            numbers=self._numbers,
            topics=self._topics,
            deadlines=self._deadlines,
            append=self._append,
            downgrade=self._downgrade,
        )

    def _append(self, group_id: str, records: Sequence[OffsetsRecord], now: Now) -> None:
        self._store.append(group_id, records, now)
        self.epochs_begun += sum(each.value is not None and is_epoch_key(each.key) for each in records)


def _no_consumer_group(group_id: str) -> GroupIdNotFound:
    return GroupIdNotFound(f"Group {group_id} is not a consumer group.")
