"""The classic protocol's requests in a KIP-848 group: members that have not been moved to the new protocol yet.

The broker assigns, so nobody leads: JoinGroup takes in the subscription and moves the member on, SyncGroup hands out
what it may read, Heartbeat tells it to join again when there is more to do.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from broker.errors import (
    FencedInstanceId,
    GroupMaxSizeReached,
    IllegalGeneration,
    InconsistentGroupProtocol,
    KafkaError,
    MemberIdRequired,
    RebalanceInProgress,
    UnknownMemberId,
)
from broker.groups.consumer_member import ClassicPart, ConsumerMember, MemberState
from broker.groups.members import supported_protocols
from broker.groups.migration import (
    CONSUMER_PROTOCOL_TYPE,
    classic_assignment,
    common_protocol,
    owned_partitions,
    read_subscription,
)
from broker.protocol.messages.join_group import JoinGroupResponse
from broker.protocol.messages.leave_group import MemberResponse
from broker.protocol.messages.sync_group import SyncGroupResponse
from broker.protocol.primitives import DecodeError

if TYPE_CHECKING:
    from broker.config import BrokerConfig
    from broker.groups.consumer_group import ConsumerGroup
    from broker.groups.deadlines import Now
    from broker.groups.members import Client
    from broker.protocol.messages.heartbeat import HeartbeatRequest
    from broker.protocol.messages.join_group import JoinGroupRequest
    from broker.protocol.messages.leave_group import MemberIdentity
    from broker.protocol.messages.sync_group import SyncGroupRequest

MEMBER_ID_REQUIRED_VERSION: Final = 4  # JoinGroup, KIP-394


def join(
    group: ConsumerGroup,
    request: JoinGroupRequest,
    *,
    client: Client,
    api_version: int,
    config: BrokerConfig,
    now: Now,
) -> JoinGroupResponse:
    """Take in a classic member; it is answered at once, because it waits for nobody.

    Raises GroupMaxSizeReached, InconsistentGroupProtocol, UnknownMemberId or FencedInstanceId.
    """
    if request.member_id not in group.members and len(group.members) >= config.group_consumer_max_size:
        raise GroupMaxSizeReached("the group is full")
    protocols = supported_protocols(request.protocols)
    others = [
        member
        for member_id, member in group.members.items()
        if member_id != request.member_id and member.classic is not None
    ]
    classic = ClassicPart(request.session_timeout_ms, protocols)
    joining = ConsumerMember("", classic=classic)
    if request.protocol_type != CONSUMER_PROTOCOL_TYPE or not common_protocol([joining, *others]):
        raise InconsistentGroupProtocol(f"group '{group.group_id}' has no protocol in common with the new member")
    if not request.member_id and request.group_instance_id is None and api_version >= MEMBER_ID_REQUIRED_VERSION:
        return JoinGroupResponse(error_code=MemberIdRequired.code, member_id=str(uuid.uuid4()), protocol_name=None)
    try:
        subscription = read_subscription(protocols[0].metadata)
    except DecodeError as error:
        raise InconsistentGroupProtocol(f"the subscription cannot be read: {error}") from error
    with group.saving(now):
        before = _member_of(group, request)
        is_of_epoch = subscription.generation_id in (-1, before.epoch)
        asked = replace(
            before,
            instance_id=request.group_instance_id,
            rack_id=subscription.rack_id,
            client=client,
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            topic_names=tuple(sorted(set(subscription.topics))),
            topic_regex="",
            classic=classic,
        )
        reported = owned_partitions(group, subscription) if is_of_epoch else frozenset()
        member = group.advance(before, asked, reported, now)
    group.keep_alive(member, now)
    group.stop_expecting(member)
    group.expect(member, now)
    return JoinGroupResponse(
        generation_id=member.epoch,
        protocol_type=CONSUMER_PROTOCOL_TYPE,
        protocol_name=common_protocol([member, *others]),
        member_id=member.member_id,
    )


def sync(group: ConsumerGroup, request: SyncGroupRequest, *, now: Now) -> SyncGroupResponse:
    """What the member may read. Raises UnknownMemberId, FencedInstanceId, IllegalGeneration or RebalanceInProgress."""
    member = _checked(group, request.member_id, request.group_instance_id, request.generation_id)
    if group.epoch > member.epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
        group.expect(member, now)
        raise RebalanceInProgress(f"group '{group.group_id}' is in epoch {group.epoch}")
    group.stop_expecting(member)
    group.keep_alive(member, now)
    return SyncGroupResponse(
        protocol_type=CONSUMER_PROTOCOL_TYPE,
        protocol_name=request.protocol_name or common_protocol(group.members.values()),
        assignment=classic_assignment(group, member),
    )


def heartbeat(group: ConsumerGroup, request: HeartbeatRequest, now: Now) -> None:
    """Keep the member alive; raises RebalanceInProgress when it has to join again, and what `sync` raises."""
    member = _checked(group, request.member_id, request.group_instance_id, request.generation_id)
    group.keep_alive(member, now)
    missing = group.targets.get(member.member_id, frozenset()) - member.assigned.keys()
    may_go_on = member.state is MemberState.UNRELEASED_PARTITIONS and all(map(group.is_free, missing))
    if member.epoch < group.epoch or member.state is MemberState.UNREVOKED_PARTITIONS or may_go_on:
        group.expect(member, now)
        raise RebalanceInProgress(f"group '{group.group_id}' is in epoch {group.epoch}")


def leave(group: ConsumerGroup, leaving: list[MemberIdentity], now: Now) -> list[MemberResponse]:
    """Let members go, static ones also by name alone, as an administrator asks; one answer for each."""
    gone: dict[str, None] = {}
    answers = []
    for identity in leaving:
        answer = MemberResponse(member_id=identity.member_id, group_instance_id=identity.group_instance_id)
        try:
            gone[_leaving(group, identity).member_id] = None
        except KafkaError as error:
            answer.error_code = error.code
        answers.append(answer)
    if gone:
        group.remove(list(gone), now)
    return answers


def _leaving(group: ConsumerGroup, identity: MemberIdentity) -> ConsumerMember:
    if identity.member_id:
        return _checked(group, identity.member_id, identity.group_instance_id, None)
    member = group.static_member(identity.group_instance_id) if identity.group_instance_id is not None else None
    if member is None:
        raise UnknownMemberId(f"no static member '{identity.group_instance_id}'")
    return member


def _member_of(group: ConsumerGroup, request: JoinGroupRequest) -> ConsumerMember:
    """The member that joins, inside the group's `saving`."""
    owner = None if request.group_instance_id is None else group.static_member(request.group_instance_id)
    if owner is not None and not request.member_id:
        return group.with_new_id(owner, f"{request.group_instance_id}-{uuid.uuid4()}")
    if owner is not None and owner.member_id != request.member_id:
        raise FencedInstanceId(f"group.instance.id '{request.group_instance_id}' belongs to '{owner.member_id}' now")
    if request.group_instance_id is not None and owner is None and request.member_id:
        raise UnknownMemberId(f"no static member '{request.group_instance_id}'")
    member = group.members.get(request.member_id)
    if member is not None:
        return member
    prefix = f"{request.group_instance_id}-" if request.group_instance_id is not None else ""
    return ConsumerMember(request.member_id or f"{prefix}{uuid.uuid4()}")


def _checked(
    group: ConsumerGroup, member_id: str, group_instance_id: str | None, generation_id: int | None
) -> ConsumerMember:
    """The classic member that a request speaks for; of generation None anything is believed."""
    if group_instance_id is not None:
        owner = group.static_member(group_instance_id)
        if owner is None:
            raise UnknownMemberId(f"no static member '{group_instance_id}'")
        if owner.member_id != member_id:
            raise FencedInstanceId(f"group.instance.id '{group_instance_id}' belongs to '{owner.member_id}' now")
    member = group.members.get(member_id)
    if member is None or member.classic is None:
        raise UnknownMemberId(f"no classic member '{member_id}' in group '{group.group_id}'")
    if generation_id is not None and generation_id != member.epoch:
        raise IllegalGeneration(f"member '{member_id}' is in epoch {member.epoch}, asked for {generation_id}")
    return member
