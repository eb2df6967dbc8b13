"""A group's members as its metadata record keeps them, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from broker.groups.deadlines import Deadline
from broker.groups.members import Client, Member, SupportedProtocol
from broker.protocol.messages.consumer_offsets import GroupMetadataValue, MemberMetadata

if TYPE_CHECKING:
    from broker.groups.classic_group import ClassicGroup


def saved_group(group: ClassicGroup, *, wall_ms: int) -> GroupMetadataValue:
    """What is written of a group at `wall_ms`; of its members' protocols only the chosen one."""
    protocol_name = group.protocol_name or ""
    return GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id,
        protocol=group.protocol_name,
        leader=group.members.leader,
        current_state_timestamp=wall_ms,
        members=[
            MemberMetadata(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                client_id=member.client.client_id,
                client_host=member.client.host,
                rebalance_timeout=member.rebalance_timeout_ms,
                session_timeout=member.session_timeout_ms,
                subscription=member.metadata(protocol_name),
                assignment=member.assignment,
            )
            for member in group.members
        ],
    )


def restored_members(value: GroupMetadataValue, session_of: Callable[[str], Deadline]) -> Iterator[Member]:
    """The members that were written; `session_of` makes the session deadline of a member id."""
    for saved in value.members:
        # Records before version 1 know no rebalance timeout.
        rebalance_timeout_ms = saved.rebalance_timeout if saved.rebalance_timeout >= 0 else saved.session_timeout
        yield Member(
            member_id=saved.member_id,
            group_instance_id=saved.group_instance_id,
            client=Client(saved.client_id, saved.client_host),
            session_timeout_ms=saved.session_timeout,
            rebalance_timeout_ms=rebalance_timeout_ms,
            protocols=(SupportedProtocol(value.protocol or "", bytes(saved.subscription)),),
            session=session_of(saved.member_id),
            assignment=bytes(saved.assignment),
        )
