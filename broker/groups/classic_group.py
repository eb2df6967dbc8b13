"""One classic consumer group: its state, its generation, who may join, and when a rebalance is over.

Behaviour is that of Apache Kafka 4.3's group coordinator: the rebalance protocol before KIP-848, with KIP-62 rebalance
timeout, KIP-134 initial delay, KIP-345 static members, KIP-394 member ids, KIP-559 protocol names and KIP-814 skipped
assignment. Plain synchronous methods: time comes in as `Now`, answers that have to wait leave through callbacks.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from broker.errors import (
    NONE,
    FencedInstanceId,
    GroupMaxSizeReached,
    IllegalGeneration,
    InconsistentGroupProtocol,
    KafkaError,
    MemberIdRequired,
    NotCoordinator,
    RebalanceInProgress,
    UnknownMemberId,
)
from broker.groups.deadlines import Deadline, DeadlineQueue, Now
from broker.groups.members import (
    Client,
    JoinReply,
    Member,
    Membership,
    SyncReply,
    supported_protocols,
)
from broker.groups.saved_groups import restored_members, saved_group
from broker.groups.subscriptions import subscribed_topics
from broker.protocol.messages.consumer_offsets import GroupMetadataValue
from broker.protocol.messages.describe_groups import DescribedGroup, DescribedGroupMember
from broker.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember
from broker.protocol.messages.leave_group import MemberIdentity, MemberResponse
from broker.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse

if TYPE_CHECKING:
    from broker.config import BrokerConfig

log = logging.getLogger("broker.groups")

CONSUMER_PROTOCOL_TYPE: Final = "consumer"
NEW_MEMBER_JOIN_TIMEOUT_MS: Final = 300_000
"""How long a member that knows no member id may wait in JoinGroup: it cannot send heartbeats, so only this ends it."""
ABSENT_MEMBERS_WAIT_MS_MIN: Final = 1_000
"""Least time between two looks for absent static members, whose own rebalance timeout may be 0."""
MEMBER_ID_REQUIRED_VERSION: Final = 4  # JoinGroup, KIP-394
SKIP_ASSIGNMENT_VERSION: Final = 9  # JoinGroup, KIP-814

SaveGroup: TypeAlias = Callable[[str, GroupMetadataValue, Now], None]
"""Write a group's state to the log; raises KafkaError when it is not safely there."""


class GroupState(StrEnum):
    """The states of a classic group, spelt as DescribeGroups does."""

    EMPTY = "Empty"
    """No members; committed offsets may remain."""
    PREPARING_REBALANCE = "PreparingRebalance"
    """Waiting for all members to join again."""
    COMPLETING_REBALANCE = "CompletingRebalance"
    """All have joined; waiting for the leader's assignment."""
    STABLE = "Stable"
    DEAD = "Dead"
    """Deleted, or the broker is closing."""


class ClassicGroup:
    """One group. Methods raise KafkaError to refuse; `join` and `sync` answer through their `reply`, now or later."""

    def __init__(self, group_id: str, *, config: BrokerConfig, deadlines: DeadlineQueue, save: SaveGroup) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.generation_id = 0
        self.protocol_type: str | None = None
        """None until somebody joins: a group that only commits offsets, or none at all yet."""
        self.protocol_name: str | None = None
        self.members = Membership()
        self.emptied_ms: int | None = None
        """When (wall clock) the last member left."""
        self._config = config
        self._deadlines = deadlines
        self._save = save
        self._pending: dict[str, Deadline] = {}
        """Member ids handed out by MEMBER_ID_REQUIRED that have not come back yet."""
        self._not_synced: set[str] = set()
        """Member ids of this generation that have not asked for their assignment."""
        self._subscribed_topics: frozenset[str] | None = None
        self._join_deadline = deadlines.deadline(self._end_join_phase)
        self._sync_deadline = deadlines.deadline(self._expire_sync)
        self._is_first_rebalance = False
        self._initial_delay_left_ms = 0
        self._has_new_member = False

    # What requests ask.

    def join(self, request: JoinGroupRequest, *, client: Client, api_version: int, now: Now, reply: JoinReply) -> None:
        """Take a member into the next generation; `reply` gets that generation once all have joined.

        Raises InconsistentGroupProtocol, UnknownMemberId or FencedInstanceId.
        """
        if not self._has_room_for(request.member_id):
            self._turn_away(request.member_id, now)
            reply(JoinGroupResponse(error_code=GroupMaxSizeReached.code, protocol_name=None))
            return
        self._check_protocols(request)
        if request.member_id:
            self._join_known(request, client=client, now=now, reply=reply)
        else:
            self._join_unknown(request, client=client, api_version=api_version, now=now, reply=reply)

    def sync(self, request: SyncGroupRequest, *, now: Now, reply: SyncReply) -> None:
        """Give a member its assignment, as soon as the leader has sent it.

        Raises UnknownMemberId, FencedInstanceId, IllegalGeneration, InconsistentGroupProtocol or RebalanceInProgress.
        """
        member = self._checked(request.member_id, request.group_instance_id, request.generation_id)
        self._check_same("protocol type", request.protocol_type, self.protocol_type)
        self._check_same("protocol", request.protocol_name, self.protocol_name)
        if self.state is GroupState.PREPARING_REBALANCE:
            raise RebalanceInProgress(f"group '{self.group_id}' is rebalancing")
        self._not_synced.discard(member.member_id)
        if not self._not_synced:
            self._sync_deadline.cancel()
        if self.state is GroupState.STABLE:
            reply(self._assigned(member))
            return
        member.answer_sync(SyncGroupResponse(error_code=RebalanceInProgress.code))  # given up by its client
        member.sync_reply = reply
        if member.member_id == self.members.leader:
            self._assign({each.member_id: bytes(each.assignment) for each in request.assignments}, now)

    def heartbeat(self, member_id: str, generation_id: int, group_instance_id: str | None, now: Now) -> None:
        """Keep a member alive for another session timeout.

        Raises UnknownMemberId, FencedInstanceId, IllegalGeneration, or RebalanceInProgress to have it join again.
        """
        member = self._checked(member_id, group_instance_id, generation_id)
        member.session.set(now.monotonic_ms + member.session_timeout_ms)
        if self.state is GroupState.PREPARING_REBALANCE:
            raise RebalanceInProgress(f"group '{self.group_id}' is rebalancing")

    def leave(self, leaving: list[MemberIdentity], now: Now) -> list[MemberResponse]:
        """Let members go, each with its own answer; the rest rebalance once for all of them."""
        answers = [
            MemberResponse(
                member_id=identity.member_id,
                group_instance_id=identity.group_instance_id,
                error_code=self._leave(identity),
            )
            for identity in leaving
        ]
        if any(answer.error_code == NONE for answer in answers):
            if self.state in (GroupState.STABLE, GroupState.COMPLETING_REBALANCE):
                self._prepare_rebalance(now)
            else:
                self._maybe_end_join_phase(now)
        return answers

    def check_commit(self, member_id: str, group_instance_id: str | None, generation_id: int, now: Now) -> None:
        """Whether this caller may commit offsets; a member that may is kept alive by it.

        Raises UnknownMemberId, FencedInstanceId, IllegalGeneration, or RebalanceInProgress.
        """
        if generation_id < 0 and self.state is GroupState.EMPTY:
            return  # an admin tool, or a consumer that assigns partitions to itself
        if generation_id < 0 and not member_id and group_instance_id is None:
            raise UnknownMemberId(f"group '{self.group_id}' has members; only they may commit")
        member = self._checked(member_id, group_instance_id, generation_id)
        if self.state is GroupState.COMPLETING_REBALANCE:
            raise RebalanceInProgress(f"group '{self.group_id}' is rebalancing")
        member.session.set(now.monotonic_ms + member.session_timeout_ms)

    def describe(self) -> DescribedGroup:
        """The group as DescribeGroups shows it; subscriptions only while Stable, bytes unchanged."""
        protocol_name = self.protocol_name if self.state is GroupState.STABLE else None
        return DescribedGroup(
            group_id=self.group_id,
            group_state=self.state,
            protocol_type=self.protocol_type or "",
            protocol_data=protocol_name or "",
            members=[
                DescribedGroupMember(
                    member_id=member.member_id,
                    group_instance_id=member.group_instance_id,
                    client_id=member.client.client_id,
                    client_host=member.client.host,
                    member_metadata=b"" if protocol_name is None else member.metadata(protocol_name),
                    member_assignment=member.assignment,
                )
                for member in self.members
            ],
        )

    @property
    def uses_consumer_protocol(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    @property
    def is_empty(self) -> bool:
        return self.state is GroupState.EMPTY

    @property
    def has_pending_members(self) -> bool:
        return bool(self._pending)

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic; a consumer group whose subscriptions we cannot read may read any."""
        if self._subscribed_topics is None:
            return self.uses_consumer_protocol
        return topic in self._subscribed_topics

    def retained_since_ms(self, committed_ms: int) -> int | None:
        """From when (wall clock) the retention of an offset committed at `committed_ms` counts; None: it is kept.

        Offsets age from the moment the last member left (KIP-211); those of a group that never had members, and those
        of topics that a Stable consumer group reads no more, from their commit.
        """
        if self.protocol_type is None:
            return committed_ms
        if self.state is GroupState.EMPTY:
            return committed_ms if self.emptied_ms is None else self.emptied_ms
        if self.state is GroupState.STABLE and self.uses_consumer_protocol and self._subscribed_topics is not None:
            return committed_ms
        return None

    # What the coordinator does to it.

    def restore(self, value: GroupMetadataValue, now: Now) -> None:
        """Become what the log says; members get a full session timeout to come back."""
        self.generation_id = value.generation
        self.protocol_type = value.protocol_type or None
        self.protocol_name = value.protocol
        for member in restored_members(value, self._session_of):
            member.session.set(now.monotonic_ms + member.session_timeout_ms)
            self.members.add(member)
        if value.leader is not None and value.leader in self.members:
            self.members.leader = value.leader
        self._subscribed_topics = self._topics_of_members()
        if self.members:
            self.state = GroupState.STABLE
        elif value.current_state_timestamp >= 0:
            self.emptied_ms = value.current_state_timestamp
        if len(self.members) > self._config.group_max_size:
            self._prepare_rebalance(now)

    def begin_rebalance(self, now: Now) -> None:
        """Have all members join again: the group was another kind of group until now."""
        self._prepare_rebalance(now)

    def close(self, error_code: int = NotCoordinator.code) -> None:
        """Become Dead: forget all deadlines; who waits for an answer is sent to look for the coordinator."""
        self.state = GroupState.DEAD
        for deadline in (self._join_deadline, self._sync_deadline, *self._pending.values()):
            deadline.cancel()
        self._pending.clear()
        for member in self.members:
            member.session.cancel()
            self._answer_waiting(member, error_code)

    # Joining.

    def _has_room_for(self, member_id: str) -> bool:
        if self.state is GroupState.PREPARING_REBALANCE:
            # Only those that have joined count: when the limit was lowered, the last to rejoin are turned away.
            member = self.members.get(member_id)
            is_joined = member is not None and member.join_reply is not None
            return is_joined or self.members.joined_count < self._config.group_max_size
        return not self.members or member_id in self.members or len(self.members) < self._config.group_max_size

    def _turn_away(self, member_id: str, now: Now) -> None:
        member = self.members.get(member_id)
        if member is not None:
            self._remove(member)
        elif member_id in self._pending:
            self._pending.pop(member_id).cancel()
        self._maybe_end_join_phase(now)

    def _check_protocols(self, request: JoinGroupRequest) -> None:
        if self.state is GroupState.EMPTY:
            if not request.protocol_type or not request.protocols:
                raise InconsistentGroupProtocol("a member must name a protocol type and at least one protocol")
            return
        if request.protocol_type != self.protocol_type:
            raise InconsistentGroupProtocol(
                f"group '{self.group_id}' is of protocol type '{self.protocol_type}', not '{request.protocol_type}'"
            )
        if not self.members.all_support_one_of(request.protocols):
            raise InconsistentGroupProtocol(
                f"group '{self.group_id}' has no protocol that all its members and the new one support"
            )

    def _join_unknown(
        self, request: JoinGroupRequest, *, client: Client, api_version: int, now: Now, reply: JoinReply
    ) -> None:
        if request.group_instance_id is not None:
            member_id = f"{request.group_instance_id}-{uuid.uuid4()}"
            owner = self.members.get(self.members.static_member_id(request.group_instance_id) or "")
            if owner is None:
                self._add_member(request, member_id, client=client, now=now, reply=reply)
            else:
                self._replace_static_member(
                    owner, request, member_id, client=client, api_version=api_version, now=now, reply=reply
                )
            return
        member_id = f"{client.client_id}-{uuid.uuid4()}"
        if api_version < MEMBER_ID_REQUIRED_VERSION:
            self._add_member(request, member_id, client=client, now=now, reply=reply)
            return
        self._pending[member_id] = self._deadlines.deadline(partial(self._expire_pending, member_id))
        self._pending[member_id].set(now.monotonic_ms + request.session_timeout_ms)
        reply(JoinGroupResponse(error_code=MemberIdRequired.code, member_id=member_id, protocol_name=None))

    def _join_known(self, request: JoinGroupRequest, *, client: Client, now: Now, reply: JoinReply) -> None:
        if request.member_id in self._pending and request.group_instance_id is None:
            self._pending.pop(request.member_id).cancel()
            self._add_member(request, request.member_id, client=client, now=now, reply=reply)
            return
        member = self.members.checked(request.member_id, request.group_instance_id)
        is_leader = member.member_id == self.members.leader
        has_changed = member.protocols != supported_protocols(request.protocols)
        # A leader that joins again in Stable wants a rebalance for a reason of its own, as new partitions. Any other
        # member that asks the same again has lost its answer and has only missed which generation it is in.
        if (
            self.state is GroupState.PREPARING_REBALANCE
            or has_changed
            or (is_leader and self.state is GroupState.STABLE)
        ):
            self._update_member(member, request)
            self._await_join(member, reply)
            self._rebalance_or_end_join_phase(now)
        else:
            reply(self._joined(member, with_members=is_leader))

    def _add_member(
        self, request: JoinGroupRequest, member_id: str, *, client: Client, now: Now, reply: JoinReply
    ) -> None:
        if not self.members:
            self.protocol_type = request.protocol_type
        member = Member(
            member_id=member_id,
            group_instance_id=request.group_instance_id,
            client=client,
            session_timeout_ms=request.session_timeout_ms,
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            protocols=supported_protocols(request.protocols),
            session=self._session_of(member_id),
            is_new=True,
            join_reply=reply,
        )
        member.session.set(now.monotonic_ms + NEW_MEMBER_JOIN_TIMEOUT_MS)
        self.members.add(member)
        self._has_new_member = True
        log.info("member joins group=%s member=%s state=%s", self.group_id, member_id, self.state)
        self._rebalance_or_end_join_phase(now)

    def _replace_static_member(
        self,
        owner: Member,
        request: JoinGroupRequest,
        member_id: str,
        *,
        client: Client,
        api_version: int,
        now: Now,
        reply: JoinReply,
    ) -> None:
        """Give a static member's place to the process that has come back under its name."""
        leader_before = self.members.leader
        self._answer_waiting(owner, FencedInstanceId.code)
        # Differs from Kafka: the member shows the client id and host it has now, because Kafka keeps showing those of
        # the process that is gone.
        member = Member(
            member_id=member_id,
            group_instance_id=owner.group_instance_id,
            client=client,
            session_timeout_ms=request.session_timeout_ms,
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            protocols=supported_protocols(request.protocols),
            session=self._session_of(member_id),
            assignment=owner.assignment,
        )
        self.members.replace(owner, member)
        if owner.member_id in self._not_synced:
            self._not_synced.remove(owner.member_id)
            self._not_synced.add(member_id)
        log.info("static member returns group=%s member=%s", self.group_id, member_id)
        member.session.set(now.monotonic_ms + member.session_timeout_ms)
        if self.state is not GroupState.STABLE or self.members.choose_protocol() != self.protocol_name:
            self._await_join(member, reply)
            self._rebalance_or_end_join_phase(now)
            return
        try:
            self._save(self.group_id, saved_group(self, wall_ms=now.wall_ms), now)
        except KafkaError:
            self.members.replace(member, owner)
            owner.session.set(now.monotonic_ms + owner.session_timeout_ms)
            raise
        leads = member.member_id == self.members.leader
        answer = self._joined(member, with_members=leads and api_version >= SKIP_ASSIGNMENT_VERSION)
        if api_version >= SKIP_ASSIGNMENT_VERSION:
            answer.skip_assignment = leads
        else:
            # An old client would assign anew if it were told that it leads, for a rebalance that does not happen.
            answer.leader = leader_before or ""
        reply(answer)

    def _update_member(self, member: Member, request: JoinGroupRequest) -> None:
        self.members.offer(member, supported_protocols(request.protocols))
        member.session_timeout_ms = request.session_timeout_ms
        member.rebalance_timeout_ms = request.rebalance_timeout_ms

    def _await_join(self, member: Member, reply: JoinReply) -> None:
        # Differs from Kafka: a JoinGroup or SyncGroup that its client has repeated is answered, because Kafka leaves
        # the first one without an answer for ever.
        given_up = self.members.await_join(member, reply)
        if given_up is not None:
            given_up(self._refused(member, RebalanceInProgress.code))

    # Rebalancing.

    def _rebalance_or_end_join_phase(self, now: Now) -> None:
        if self.state is GroupState.PREPARING_REBALANCE:
            self._maybe_end_join_phase(now)
        else:
            self._prepare_rebalance(now)

    def _prepare_rebalance(self, now: Now) -> None:
        if self.state is GroupState.COMPLETING_REBALANCE:
            self._refuse_assignments(RebalanceInProgress.code, now)
        self._not_synced.clear()
        self._sync_deadline.cancel()
        self._is_first_rebalance = self.state is GroupState.EMPTY
        self.state = GroupState.PREPARING_REBALANCE
        log.info("rebalance begins group=%s generation=%d", self.group_id, self.generation_id)
        if self._is_first_rebalance:
            self._initial_delay_left_ms = self.members.rebalance_timeout_ms
            self._delay_first_rebalance(now)
        elif not self._maybe_end_join_phase(now):
            self._join_deadline.set(now.monotonic_ms + self.members.rebalance_timeout_ms)

    def _delay_first_rebalance(self, now: Now) -> None:
        """Wait a little for the other members of a new group, again while more come (KIP-134)."""
        delay_ms = min(self._config.group_initial_rebalance_delay_ms, self._initial_delay_left_ms)
        self._initial_delay_left_ms -= delay_ms
        self._has_new_member = False
        if delay_ms > 0:
            self._join_deadline.set(now.monotonic_ms + delay_ms)
        else:
            self._complete_join_phase(now)

    def _maybe_end_join_phase(self, now: Now) -> bool:
        """Go on to the next generation if nobody is missing; the first rebalance ends by its delay only."""
        if self.state is not GroupState.PREPARING_REBALANCE or self._is_first_rebalance:
            return False
        if self._pending or not self.members.have_all_joined:
            return False
        self._complete_join_phase(now)
        return True

    def _end_join_phase(self, now: Now) -> None:
        """The join deadline has come."""
        if self._is_first_rebalance and self._has_new_member and self._initial_delay_left_ms > 0:
            self._delay_first_rebalance(now)
        else:
            self._complete_join_phase(now)

    def _complete_join_phase(self, now: Now) -> None:
        self._join_deadline.cancel()
        for member in self.members:
            if member.join_reply is None and member.group_instance_id is None:
                log.info("member did not rejoin group=%s member=%s", self.group_id, member.member_id)
                self._remove(member)
        if self.members and not self.members.elect_joined_leader():
            # Only absent static members are left, and nobody to assign to them: wait on.
            wait_ms = max(self.members.rebalance_timeout_ms, ABSENT_MEMBERS_WAIT_MS_MIN)
            self._join_deadline.set(now.monotonic_ms + wait_ms)
            return
        self._is_first_rebalance = False
        self.generation_id += 1
        if self.members:
            self._begin_generation(now)
        else:
            self._become_empty(now)

    def _begin_generation(self, now: Now) -> None:
        self.state = GroupState.COMPLETING_REBALANCE
        self.protocol_name = self.members.choose_protocol()
        self._subscribed_topics = self._topics_of_members()
        self._not_synced = {member.member_id for member in self.members}
        self._sync_deadline.set(now.monotonic_ms + self.members.rebalance_timeout_ms)
        log.info(
            "generation begins group=%s generation=%d members=%d protocol=%s",
            self.group_id,
            self.generation_id,
            len(self.members),
            self.protocol_name,
        )
        for member in self.members:
            member.is_new = False
            member.session.set(now.monotonic_ms + member.session_timeout_ms)
            if member.join_reply is not None:
                is_leader = member.member_id == self.members.leader
                self.members.answer_join(member, self._joined(member, with_members=is_leader))

    def _become_empty(self, now: Now) -> None:
        self.state = GroupState.EMPTY
        self.protocol_name = None
        self._subscribed_topics = self._topics_of_members()
        self.emptied_ms = now.wall_ms
        log.info("group is empty group=%s generation=%d", self.group_id, self.generation_id)
        try:
            self._save(self.group_id, saved_group(self, wall_ms=now.wall_ms), now)
        except KafkaError as error:
            # After a crash the previous generation would come back and expire; nothing is lost by going on.
            log.warning("empty group not saved group=%s error=%s", self.group_id, error)

    # Assigning.

    def _assign(self, assignments: dict[str, bytes], now: Now) -> None:
        """Hand out what the leader has decided, once it is in the log."""
        for member in self.members:
            member.assignment = assignments.get(member.member_id, b"")
        try:
            self._save(self.group_id, saved_group(self, wall_ms=now.wall_ms), now)
        except KafkaError as error:
            log.warning("assignment not saved group=%s error=%s", self.group_id, error)
            self._refuse_assignments(error.code, now)
            self._prepare_rebalance(now)
            return
        self.state = GroupState.STABLE
        for member in self.members:
            if member.answer_sync(self._assigned(member)):
                member.session.set(now.monotonic_ms + member.session_timeout_ms)

    def _refuse_assignments(self, error_code: int, now: Now) -> None:
        for member in self.members:
            member.assignment = b""
            if member.answer_sync(SyncGroupResponse(error_code=error_code)):
                member.session.set(now.monotonic_ms + member.session_timeout_ms)

    def _expire_sync(self, now: Now) -> None:
        """The rebalance timeout has passed since the generation began: who has not synced is gone."""
        for member in self.members:
            if member.member_id in self._not_synced:
                log.info("member did not sync group=%s member=%s", self.group_id, member.member_id)
                self._remove(member)
        self._prepare_rebalance(now)

    # Leaving.

    def _leave(self, identity: MemberIdentity) -> int:
        """Remove one member as it asks, or as an administrator asks by its static name alone; gives the error code."""
        if identity.member_id in self._pending:
            self._pending.pop(identity.member_id).cancel()
            return NONE
        member_id = identity.member_id or self.members.static_member_id(identity.group_instance_id) or ""
        try:
            member = self.members.checked(member_id, identity.group_instance_id)
        except KafkaError as error:
            return error.code
        log.info("member leaves group=%s member=%s reason=%s", self.group_id, member_id, identity.reason or "not given")
        self._remove(member)
        return NONE

    def _expire_session(self, member_id: str, now: Now) -> None:
        member = self.members.get(member_id)
        if member is None or member.is_awaited:
            return  # its session begins anew when it is answered
        log.info("member's session expired group=%s member=%s", self.group_id, member_id)
        self._remove(member)
        if self.state is GroupState.PREPARING_REBALANCE:
            self._maybe_end_join_phase(now)
        else:
            self._prepare_rebalance(now)

    def _expire_pending(self, member_id: str, now: Now) -> None:
        del self._pending[member_id]
        self._maybe_end_join_phase(now)

    def _remove(self, member: Member) -> None:
        self._answer_waiting(member, UnknownMemberId.code, member_id="")
        self._not_synced.discard(member.member_id)
        self.members.remove(member)

    def _answer_waiting(self, member: Member, error_code: int, member_id: str | None = None) -> None:
        """End what a member waits for with an error; `member_id` is what a JoinGroup is answered with."""
        self.members.answer_join(member, self._refused(member, error_code, member_id))
        member.answer_sync(SyncGroupResponse(error_code=error_code))

    # Shared by the above.

    def _checked(self, member_id: str, group_instance_id: str | None, generation_id: int) -> Member:
        member = self.members.checked(member_id, group_instance_id)
        if generation_id != self.generation_id:
            raise IllegalGeneration(
                f"group '{self.group_id}' is in generation {self.generation_id}, asked for {generation_id}"
            )
        return member

    def _check_same(self, what: str, asked: str | None, ours: str | None) -> None:
        if asked is not None and ours is not None and asked != ours:
            raise InconsistentGroupProtocol(f"the {what} of group '{self.group_id}' is '{ours}', asked for '{asked}'")

    def _session_of(self, member_id: str) -> Deadline:
        return self._deadlines.deadline(partial(self._expire_session, member_id))

    def _topics_of_members(self) -> frozenset[str] | None:
        """The topics all members together subscribe to; None when this is no consumer group or they cannot be read."""
        if not self.uses_consumer_protocol:
            return None
        if self.members and self.protocol_name is None:
            return None
        topics = subscribed_topics(member.metadata(self.protocol_name or "") for member in self.members)
        if topics is None:
            log.info("subscriptions cannot be read group=%s generation=%d", self.group_id, self.generation_id)
        return topics

    def _joined(self, member: Member, *, with_members: bool) -> JoinGroupResponse:
        return JoinGroupResponse(
            generation_id=self.generation_id,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol_name,
            leader=self.members.leader or "",
            member_id=member.member_id,
            members=[
                JoinGroupResponseMember(
                    member_id=each.member_id,
                    group_instance_id=each.group_instance_id,
                    metadata=each.metadata(self.protocol_name or ""),
                )
                for each in self.members
            ]
            if with_members
            else [],
        )

    @staticmethod
    def _refused(member: Member, error_code: int, member_id: str | None = None) -> JoinGroupResponse:
        return JoinGroupResponse(
            error_code=error_code,
            member_id=member.member_id if member_id is None else member_id,
            protocol_name=None,
        )

    def _assigned(self, member: Member) -> SyncGroupResponse:
        return SyncGroupResponse(
            protocol_type=self.protocol_type, protocol_name=self.protocol_name, assignment=member.assignment
        )
