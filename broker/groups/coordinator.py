"""The group coordinator: all groups of this broker, found by id, with their offsets and their deadlines.

Plain synchronous methods, one per API; a handler translates its request to one of them. Nothing here knows a socket, a
clock or an event loop: time comes in as `Now`, and whoever owns the coordinator calls `tick` at least as often as
`next_deadline_ms` asks.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from broker.errors import (
    NONE,
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    GroupIdNotFound,
    GroupSubscribedToTopic,
    IllegalGeneration,
    InconsistentGroupProtocol,
    InvalidGroupId,
    InvalidSessionTimeout,
    KafkaError,
    KafkaStorageError,
    MessageTooLarge,
    NonEmptyGroup,
    NotCoordinator,
    NotEnoughReplicas,
    NotLeaderOrFollower,
    OffsetMetadataTooLarge,
    RebalanceInProgress,
    RecordListTooLarge,
    RequestTimedOut,
    StaleMemberEpoch,
    UnknownMemberId,
    UnknownServerError,
    UnknownTopicOrPartition,
)
from broker.groups import classic_members
from broker.groups.classic_group import ClassicGroup
from broker.groups.consumer_group import MEMBER_EPOCH_COMMIT_VERSION, ConsumerGroup
from broker.groups.consumer_groups import ConsumerGroups
from broker.groups.consumer_records import SavedConsumerGroup, replay
from broker.groups.deadlines import DeadlineQueue, Now
from broker.groups.group_numbers import BrokerNumbers, GroupNumbers
from broker.groups.members import Client, JoinReply, SyncReply
from broker.groups.offsets import OFFSETS_TOPIC, OffsetStore, PartitionOffset, WhenDurable
from broker.groups.share_group import ShareGroup
from broker.groups.share_groups import ShareGroups
from broker.groups.share_records import SavedShareGroup
from broker.groups.share_records import replay as replay_share_groups
from broker.groups.share_states import NoShareStates, ShareStates
from broker.groups.subscribed_topics import NoTopics
from broker.protocol.messages.join_group import JoinGroupResponse
from broker.protocol.messages.leave_group import MemberResponse
from broker.protocol.messages.list_groups import ListedGroup
from broker.protocol.messages.sync_group import SyncGroupResponse

if TYPE_CHECKING:
    from broker.config import BrokerConfig
    from broker.groups.records import CommittedOffset
    from broker.groups.subscribed_topics import KnownTopics
    from broker.protocol.messages.consumer_group_describe import DescribedGroup as DescribedConsumerGroup
    from broker.protocol.messages.consumer_group_heartbeat import (
        ConsumerGroupHeartbeatRequest,
        ConsumerGroupHeartbeatResponse,
    )
    from broker.protocol.messages.consumer_offsets import GroupMetadataValue
    from broker.protocol.messages.describe_groups import DescribedGroup
    from broker.protocol.messages.heartbeat import HeartbeatRequest
    from broker.protocol.messages.join_group import JoinGroupRequest
    from broker.protocol.messages.leave_group import MemberIdentity
    from broker.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
    from broker.protocol.messages.sync_group import SyncGroupRequest

log = logging.getLogger("broker.groups")

CLASSIC_GROUP_TYPE: Final = "classic"
CONSUMER_GROUP_TYPE: Final = "consumer"
SHARE_GROUP_TYPE: Final = "share"

AnyGroup: TypeAlias = ClassicGroup | ConsumerGroup | ShareGroup

_OFFSETS_PER_STEP: Final = 2_000
"""How many offsets one tick looks at for expiry, so that many groups do not hold up the event loop."""

_CLOCK_JUMP_MS: Final = 86_400_000

_WRITE_ERRORS: Final[Mapping[type[KafkaError], type[KafkaError]]] = {
    UnknownTopicOrPartition: CoordinatorNotAvailable,
    NotEnoughReplicas: CoordinatorNotAvailable,
    RequestTimedOut: CoordinatorNotAvailable,
    NotLeaderOrFollower: NotCoordinator,
    KafkaStorageError: NotCoordinator,
    MessageTooLarge: UnknownServerError,
    RecordListTooLarge: UnknownServerError,
}
"""What a client is told when our log did not take a record: errors of Produce mean nothing to a group member."""


class GroupCoordinator:
    """All groups. Methods raise KafkaError to refuse a request, as the protocol's error code."""

    def __init__(
        self,
        store: OffsetStore,
        config: BrokerConfig,
        topics: KnownTopics | None = None,
        shares: ShareStates | None = None,
        numbers: GroupNumbers | None = None,
    ) -> None:
        self._store = store
        self._config = config
        self._groups: dict[str, AnyGroup] = {}
        self._deadlines = DeadlineQueue()
        self._consumer_groups = ConsumerGroups(
            self._groups,
            store=store,
            config=config,
            numbers=BrokerNumbers(config) if numbers is None else numbers,
            topics=NoTopics() if topics is None else topics,
            deadlines=self._deadlines,
            new_classic=self._new_classic,
        )
        self._assignments_given = 0
        self._shares: ShareStates = NoShareStates() if shares is None else shares
        self.share_groups = ShareGroups(
            self._groups,
            store=store,
            config=config,
            topics=NoTopics() if topics is None else topics,
            deadlines=self._deadlines,
            shares=self._shares,
        )
        self._retention = self._deadlines.deadline(self._begin_expiry)
        self._last_round = Now(0, 0)
        """When the last round of expiry began, or the groups were loaded."""
        self._to_expire: deque[str] = deque()
        """Groups whose offsets the running round of expiry has not looked at yet."""
        self._refusal: type[KafkaError] | None = CoordinatorLoadInProgress
        """Why no request can be served: the groups are not loaded yet, or not ours any more."""

    def load(self, now: Now) -> None:
        """Replay the log. Until this is done every request is refused with COORDINATOR_LOAD_IN_PROGRESS."""
        for _ in self.load_in_steps(now):
            pass

    def load_in_steps(self, now: Now) -> Iterator[None]:
        """As `load`, but yields every few milliseconds so that other work can go on meanwhile."""
        saved: dict[str, GroupMetadataValue] = {}
        consumer_records: list[tuple[bytes, bytes]] = []
        share_records: list[tuple[bytes, bytes]] = []
        yield from self._store.load(
            saved.__setitem__,
            lambda key, value: consumer_records.append((key, value)),
            lambda key, value: share_records.append((key, value)),
        )
        yield from self._shares.load_in_steps()
        consumer_groups: dict[str, SavedConsumerGroup] = {}
        for unreadable in replay(consumer_groups, consumer_records):
            log.error("record of %s cannot be read error=%s", OFFSETS_TOPIC, unreadable)
        self._consumer_groups.restore(consumer_groups, now)
        share_groups: dict[str, SavedShareGroup] = {}
        for unreadable in replay_share_groups(share_groups, share_records):
            log.error("record of %s cannot be read error=%s", OFFSETS_TOPIC, unreadable)
        self.share_groups.restore(share_groups, now)
        for group_id in self._store.group_ids():
            self._groups.setdefault(group_id, self._new_classic(group_id))
        for group_id, value in saved.items():
            group = self._find_or_create(group_id)
            if isinstance(group, ClassicGroup):
                group.restore(value, now)
        self._last_round = now
        self._retention.set(now.monotonic_ms + self._config.offsets_retention_check_interval_ms)
        self._refusal = None
        log.info("groups loaded groups=%d", len(self._groups))

    # Membership.

    def join(self, request: JoinGroupRequest, *, client: Client, api_version: int, now: Now, reply: JoinReply) -> None:
        """JoinGroup: `reply` gets the answer now, or when the group has gathered. Does not raise KafkaError."""
        try:
            self._check_group_id(request.group_id)
            config = self._config
            timeout_ms = request.session_timeout_ms
            if not config.group_min_session_timeout_ms <= timeout_ms <= config.group_max_session_timeout_ms:
                raise InvalidSessionTimeout(f"session timeout of {timeout_ms} ms is outside the broker's limits")
            known = self._groups.get(request.group_id)
            if isinstance(known, ShareGroup):
                raise InconsistentGroupProtocol(f"group '{request.group_id}' is a share group")
            if isinstance(known, ConsumerGroup):
                if not known.is_empty:
                    reply(
                        classic_members.join(
                            known, request, client=client, api_version=api_version, config=config, now=now
                        )
                    )
                    return
                group = self._consumer_groups.make_classic(known, now)
            elif request.member_id:
                group = self._classic_of_member(request.group_id, request.member_id)
            else:
                # Differs from Kafka: a new group is written to the log with its first assignment or offset, not when a
                # member asks for an id, because clients that only ask would fill the log.
                group = known or self._put_classic(request.group_id)
            group.join(request, client=client, api_version=api_version, now=now, reply=reply)
        except KafkaError as error:
            reply(JoinGroupResponse(error_code=error.code, member_id=request.member_id, protocol_name=None))

    def sync(self, request: SyncGroupRequest, *, now: Now, reply: SyncReply) -> None:
        """SyncGroup: `reply` gets the assignment now, or when the leader has sent it. Does not raise KafkaError."""
        try:
            self._check_group_id(request.group_id)
            group = self._of_member(request.group_id, request.member_id)
            if isinstance(group, ConsumerGroup):
                reply(classic_members.sync(group, request, now=now))
            else:
                group.sync(request, now=now, reply=reply)
        except KafkaError as error:
            reply(SyncGroupResponse(error_code=error.code))

    def heartbeat(self, request: HeartbeatRequest, now: Now) -> None:
        """Heartbeat; raises RebalanceInProgress when the member has to join again."""
        try:
            self._check_group_id(request.group_id)
        except CoordinatorLoadInProgress:
            return  # members would rejoin for nothing: their sessions begin anew when the groups are loaded
        group = self._of_member(request.group_id, request.member_id)
        if isinstance(group, ConsumerGroup):
            classic_members.heartbeat(group, request, now)
            return
        group.heartbeat(request.member_id, request.generation_id, request.group_instance_id, now)

    def leave(self, group_id: str, leaving: list[MemberIdentity], now: Now) -> list[MemberResponse]:
        """LeaveGroup: one answer for each member."""
        self._check_group_id(group_id)
        group = self._groups.get(group_id)
        if isinstance(group, ConsumerGroup):
            return classic_members.leave(group, leaving, now)
        if isinstance(group, ClassicGroup):
            return group.leave(leaving, now)
        return [
            MemberResponse(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                error_code=UnknownMemberId.code,
            )
            for member in leaving
        ]

    def consumer_heartbeat(
        self, request: ConsumerGroupHeartbeatRequest, *, client: Client, api_version: int, now: Now
    ) -> ConsumerGroupHeartbeatResponse:
        """ConsumerGroupHeartbeat: join, stay in or leave a KIP-848 group."""
        self._consumer_groups.check(request, api_version)
        self._check_served()
        try:
            return self._consumer_groups.heartbeat(request, client=client, now=now)
        except KafkaError as error:
            raise _for_members(error) from error

    def share_heartbeat(
        self, request: ShareGroupHeartbeatRequest, *, client: Client, now: Now
    ) -> ShareGroupHeartbeatResponse:
        """ShareGroupHeartbeat: join, stay in or leave a share group."""
        self.share_groups.check(request)
        self._check_served()
        try:
            return self.share_groups.heartbeat(request, client=client, now=now)
        except KafkaError as error:
            raise _for_members(error) from error

    # Offsets.

    def commit_offsets(
        self,
        group_id: str,
        commits: Sequence[PartitionOffset],
        *,
        member_id: str,
        group_instance_id: str | None,
        generation_id: int,
        now: Now,
        api_version: int = 9,
    ) -> list[int]:
        """OffsetCommit: one error code for each commit. Those with code 0 are in the log when this returns.

        The partitions must exist; that is for the caller to check. An unknown group comes into being if the commit is
        from outside the group protocol (generation -1), else GroupIdNotFound is raised.
        """
        # An empty group id is allowed here, unlike elsewhere: consumers without a group id used to commit under it.
        self._check_served()
        group = self._groups.get(group_id)
        stale: list[int] | None = None
        if isinstance(group, ShareGroup):
            raise GroupIdNotFound(f"Group {group_id} is not a consumer group.")
        if isinstance(group, ConsumerGroup):
            stale = group.commit_errors(commits, member_id=member_id, epoch=generation_id, api_version=api_version)
        elif group is not None:
            group.check_commit(member_id, group_instance_id, generation_id, now)
        elif generation_id >= 0:
            raise GroupIdNotFound(f"Group {group_id} not found.")
        if stale is not None and any(stale):
            return self._commit_those_in_time(group_id, commits, stale, now)
        return self._commit(group_id, commits, now)

    def _commit_those_in_time(
        self, group_id: str, commits: Sequence[PartitionOffset], stale: Sequence[int], now: Now
    ) -> list[int]:
        in_time = [commit for commit, error in zip(commits, stale, strict=True) if error == NONE]
        committed = iter(self._commit(group_id, in_time, now))
        return [error or next(committed) for error in stale]

    def _commit(self, group_id: str, commits: Sequence[PartitionOffset], now: Now) -> list[int]:
        metadata_chars_max = self._config.offset_metadata_max_bytes
        accepted = [commit for commit in commits if len(commit.committed.metadata) <= metadata_chars_max]
        if accepted:
            try:
                self._store.commit(group_id, accepted, now)
            except KafkaError as error:
                raise _for_members(error) from error
            self._find_or_create(group_id)
        if len(accepted) == len(commits):
            return [NONE] * len(commits)
        return [
            NONE if len(commit.committed.metadata) <= metadata_chars_max else OffsetMetadataTooLarge.code
            for commit in commits
        ]

    def commit_offsets_in_transaction(
        self,
        group_id: str,
        commits: Sequence[PartitionOffset],
        *,
        member_id: str,
        group_instance_id: str | None,
        generation_id: int,
        producer_id: int,
        producer_epoch: int,
        now: Now,
    ) -> list[int]:
        """TxnOffsetCommit: as `commit_offsets`, but the offsets count when the producer's transaction is committed.

        Whoever names no member (clients before v3) may commit into any group. Raises KafkaError.
        """
        self._check_group_id(group_id)
        group = self._groups.get(group_id)
        if isinstance(group, ShareGroup):
            raise GroupIdNotFound(f"Group {group_id} is not a consumer group.")
        if group is None:
            if generation_id >= 0:
                raise IllegalGeneration(f"there is no group '{group_id}'")
        elif generation_id >= 0 or member_id or group_instance_id is not None:
            _check_transactional_commit(group, commits, member_id, group_instance_id, generation_id, now)
        metadata_chars_max = self._config.offset_metadata_max_bytes
        accepted = [commit for commit in commits if len(commit.committed.metadata) <= metadata_chars_max]
        if accepted:
            try:
                self._store.commit_in_transaction(
                    group_id, accepted, producer_id=producer_id, producer_epoch=producer_epoch, now=now
                )
            except KafkaError as error:
                raise _for_members(error) from error
            self._find_or_create(group_id)
        return [
            NONE if len(commit.committed.metadata) <= metadata_chars_max else OffsetMetadataTooLarge.code
            for commit in commits
        ]

    def transaction_ended(self, producer_id: int, partition: int, *, commit: bool) -> None:
        """The marker of a producer's transaction is in that partition of the offsets' log."""
        for group_id in self._store.end_transaction(producer_id, partition, commit=commit):
            self._find_or_create(group_id)

    def is_pending(self, group_id: str, topic: str, partition: int) -> bool:
        """Whether an open transaction commits this offset: OffsetFetch with `require_stable` waits for its end."""
        pending = self._store.pending
        return bool(pending) and pending.is_pending(group_id, topic, partition)

    @property
    def commits_wait_for_disk(self) -> bool:
        """Whether a commit is to be answered through `when_durable` only, by the broker's flush policy."""
        return self._store.is_strict

    def when_durable(self, group_id: str, callback: WhenDurable) -> None:
        """Call back with None once all that the group has committed is on disk, or with what prevents it."""
        self._store.when_durable(group_id, lambda error: callback(None if error is None else _for_members(error)))

    def committed_offsets(self, group_id: str) -> Mapping[str, Mapping[int, CommittedOffset]]:
        """OffsetFetch: all that a group has committed, by topic and partition; nothing for an unknown group."""
        self._check_served()
        return self._store.of_group(group_id)

    @property
    def rebalances(self) -> dict[str, int]:
        """Since the start, by the type of group: assignments given, or epochs begun."""
        return {
            CLASSIC_GROUP_TYPE: self._assignments_given,
            CONSUMER_GROUP_TYPE: self._consumer_groups.epochs_begun,
        }

    def group_ids(self) -> list[str]:
        """Every group there is; never refused: while groups are loaded, those that are."""
        return list(self._groups)

    def type_and_state(self, group_id: str) -> tuple[str, str] | None:
        """As ListGroups has them; None when the group is gone. Never refused."""
        group = self._groups.get(group_id)
        return None if group is None else (_type_of(group), group.state)

    def offsets_of(self, group_id: str) -> Mapping[str, Mapping[int, CommittedOffset]]:
        """As `committed_offsets`, but never refused."""
        return self._store.of_group(group_id)

    def check_fetch(self, group_id: str, member_id: str | None, member_epoch: int) -> None:
        """OffsetFetch v9 and above: whether this caller may read a KIP-848 group's offsets.

        Raises UnknownMemberId or StaleMemberEpoch.
        """
        group = self._groups.get(group_id)
        if isinstance(group, ConsumerGroup):
            group.check_fetch(member_id, member_epoch)

    def delete_offsets(self, group_id: str, partitions: Sequence[tuple[str, int]], now: Now) -> list[int]:
        """OffsetDelete: one error code for each partition; those of topics that the group reads are refused.

        Raises GroupIdNotFound, or NonEmptyGroup for a group with members that is no consumer group.
        """
        self._check_group_id(group_id)
        group = self._known(group_id)
        if isinstance(group, ShareGroup):
            raise GroupIdNotFound(f"Group {group_id} is not a consumer group.")
        if not group.is_empty and not group.uses_consumer_protocol:
            raise NonEmptyGroup(f"group '{group_id}' has members")
        free = [(topic, partition) for topic, partition in partitions if not group.is_subscribed_to(topic)]
        try:
            self._store.delete(group_id, free, now)
        except KafkaError as error:
            raise _for_members(error) from error
        return [GroupSubscribedToTopic.code if group.is_subscribed_to(topic) else NONE for topic, _ in partitions]

    def topics_deleted(self, topics: Collection[str], now: Now) -> None:
        """Delete what groups committed for topics that are gone; the whole store if its own topic is."""
        if OFFSETS_TOPIC in topics:
            self._store.forget_all()
        if self._shares.topics_deleted(topics):
            self.share_groups.states_lost()
        self.share_groups.topics_deleted(now)
        for group_id in self._store.group_ids():
            committed = self._store.of_group(group_id)
            gone = [(topic, partition) for topic in topics for partition in committed.get(topic, ())]
            try:
                self._store.delete(group_id, gone, now)
            except KafkaError as error:
                # The topic's id, kept with each offset, keeps them from being taken for those of a new topic.
                log.warning("offsets of deleted topics not deleted group=%s error=%s", group_id, error)

    # Administration.

    def describe(self, group_id: str) -> DescribedGroup:
        """DescribeGroups; raises GroupIdNotFound, for a consumer group too."""
        self._check_served()
        group = self._known(group_id)
        if not isinstance(group, ClassicGroup):
            raise GroupIdNotFound(f"Group {group_id} is not a classic group.")
        return group.describe()

    def describe_consumer_group(self, group_id: str) -> DescribedConsumerGroup:
        """ConsumerGroupDescribe; raises GroupIdNotFound, for a classic group too."""
        self._check_served()
        return self._consumer_groups.describe(group_id)

    def list_groups(self, states: Collection[str] = (), types: Collection[str] = ()) -> list[ListedGroup]:
        """ListGroups, in these states and of these types (in any case; none named means all)."""
        self._check_served()
        wanted_types = {group_type.lower() for group_type in types}
        wanted = {state.lower() for state in states}
        return [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=_protocol_type(group),
                group_state=group.state,
                group_type=_type_of(group),
            )
            for group in self._groups.values()
            if (not wanted or group.state.lower() in wanted) and (not wanted_types or _type_of(group) in wanted_types)
        ]

    def delete_group(self, group_id: str, now: Now) -> None:
        """DeleteGroups: forget a group and its offsets; raises GroupIdNotFound or NonEmptyGroup."""
        self._check_served()
        group = self._known(group_id)
        if not group.is_empty:
            raise NonEmptyGroup(f"group '{group_id}' has members")
        try:
            self._forget(group, now)
        except KafkaError as error:
            raise _for_members(error) from error

    # Time.

    def next_deadline_ms(self) -> int | None:
        """When `tick` is needed next, on the monotonic clock (0: at once); None: not until a request has come."""
        if self._to_expire:
            return 0
        nexts = [at_ms for at_ms in (self._deadlines.next_ms(), self._shares.next_deadline_ms()) if at_ms is not None]
        return min(nexts, default=None)

    def tick(self, now: Now) -> None:
        """Expire members, finish rebalances whose time is up, expire offsets."""
        self._deadlines.run_due(now)
        self._shares.tick(now)
        if self._to_expire:
            self._expire_some(now)

    def close(self) -> None:
        """Answer every waiting JoinGroup and SyncGroup, and all requests from now on, with NOT_COORDINATOR."""
        self._refusal = NotCoordinator
        self._shares.close()
        for group in self._groups.values():
            group.close()
        self._retention.cancel()
        self._to_expire.clear()

    # Shared by the above.

    def _check_served(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _check_group_id(self, group_id: str) -> None:
        if not group_id:
            raise InvalidGroupId("the group id is empty")
        self._check_served()

    def _of_member(self, group_id: str, member_id: str) -> ClassicGroup | ConsumerGroup:
        group = self._groups.get(group_id)
        if group is None or isinstance(group, ShareGroup):
            raise UnknownMemberId(f"no group '{group_id}', so no member '{member_id}' in it")
        return group

    def _classic_of_member(self, group_id: str, member_id: str) -> ClassicGroup:
        group = self._of_member(group_id, member_id)
        assert isinstance(group, ClassicGroup), "consumer groups are asked apart"
        return group

    def _known(self, group_id: str) -> AnyGroup:
        group = self._groups.get(group_id)
        if group is None:
            raise GroupIdNotFound(f"Group {group_id} not found.")
        return group

    def _find_or_create(self, group_id: str) -> AnyGroup:
        return self._groups.get(group_id) or self._put_classic(group_id)

    def _put_classic(self, group_id: str) -> ClassicGroup:
        group = self._groups[group_id] = self._new_classic(group_id)
        return group

    def _new_classic(self, group_id: str) -> ClassicGroup:
        return ClassicGroup(group_id, config=self._config, deadlines=self._deadlines, save=self._save_group)

    def _save_group(self, group_id: str, value: GroupMetadataValue, now: Now) -> None:
        try:
            self._store.save_group(group_id, value, now)
            self._assignments_given += bool(value.members)
        except KafkaError as error:
            raise _for_members(error) from error

    def _forget(self, group: AnyGroup, now: Now) -> None:
        others = () if isinstance(group, ClassicGroup) else group.tombstones()
        if isinstance(group, ShareGroup):
            self.share_groups.deleted(group.group_id, now)
        self._store.delete_group(group.group_id, now, others)
        group.close()
        del self._groups[group.group_id]

    # Expiry of offsets.

    def _begin_expiry(self, now: Now) -> None:
        """Have the offsets of all groups looked at, and see to the next round.

        Differs from Kafka: a wall clock that jumped more than a day ahead is not believed until the next round, because
        setting it back cannot bring the offsets back.
        """
        earlier, self._last_round = self._last_round, now
        self._retention.set(now.monotonic_ms + self._config.offsets_retention_check_interval_ms)
        if (now.wall_ms - earlier.wall_ms) - (now.monotonic_ms - earlier.monotonic_ms) > _CLOCK_JUMP_MS:
            log.warning("expiry of offsets waits for the next round: the clock jumped by more than a day")
        elif not self._to_expire:
            self._to_expire.extend(self._groups)

    def _expire_some(self, now: Now) -> None:
        looked_at = 0
        while self._to_expire and looked_at < _OFFSETS_PER_STEP:
            group = self._groups.get(self._to_expire.popleft())
            if group is None or isinstance(group, ShareGroup):
                continue  # share groups stay until they are deleted, as in Kafka
            looked_at += 1 + sum(map(len, self._store.of_group(group.group_id).values()))
            try:
                self._expire_offsets(group, now)
            except KafkaError as error:
                log.warning("expired offsets not deleted group=%s error=%s", group.group_id, error)

    def _expire_offsets(self, group: ClassicGroup | ConsumerGroup, now: Now) -> None:
        if self._store.pending and self._store.pending.of_group(group.group_id):
            return
        committed = self._store.of_group(group.group_id)
        expired = [
            (topic, partition)
            for topic, partitions in committed.items()
            if not group.is_subscribed_to(topic)
            for partition, offset in partitions.items()
            if self._is_expired(group, offset, now)
        ]
        is_left_empty = len(expired) == sum(map(len, committed.values()))
        if is_left_empty and group.is_empty and not group.has_pending_members:
            log.info("group expired group=%s offsets=%d", group.group_id, len(expired))
            self._forget(group, now)
        elif expired:
            log.info("offsets expired group=%s offsets=%d", group.group_id, len(expired))
            self._store.delete(group.group_id, expired, now)

    def _is_expired(self, group: ClassicGroup | ConsumerGroup, committed: CommittedOffset, now: Now) -> bool:
        since_ms = group.retained_since_ms(committed.committed_ms)
        if since_ms is None:
            return False
        if committed.expires_ms is not None:
            return now.wall_ms >= committed.expires_ms
        return now.wall_ms - since_ms >= self._config.offsets_retention_minutes * 60_000


def _type_of(group: AnyGroup) -> str:
    if isinstance(group, ShareGroup):
        return SHARE_GROUP_TYPE
    return CONSUMER_GROUP_TYPE if isinstance(group, ConsumerGroup) else CLASSIC_GROUP_TYPE


def _protocol_type(group: AnyGroup) -> str:
    return group.protocol_type or "" if isinstance(group, ClassicGroup) else _type_of(group)


def _check_transactional_commit(
    group: ClassicGroup | ConsumerGroup,
    commits: Sequence[PartitionOffset],
    member_id: str,
    group_instance_id: str | None,
    generation_id: int,
    now: Now,
) -> None:
    """Whether this member may commit within a transaction; a stale epoch is an IllegalGeneration there, as in Kafka."""
    if isinstance(group, ClassicGroup):
        with contextlib.suppress(RebalanceInProgress):  # no reason to abort the transaction
            group.check_commit(member_id, group_instance_id, generation_id, now)
        return
    stale = IllegalGeneration(f"epoch {generation_id} of member '{member_id}' of group '{group.group_id}' is stale")
    try:
        errors = group.commit_errors(
            commits, member_id=member_id, epoch=generation_id, api_version=MEMBER_EPOCH_COMMIT_VERSION
        )
    except StaleMemberEpoch as error:
        raise stale from error
    if any(errors):
        raise stale


def _for_members(error: KafkaError) -> KafkaError:
    """The error of an append in words that a group member understands."""
    return _WRITE_ERRORS.get(type(error), type(error))(str(error))
