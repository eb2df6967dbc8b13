"""A group's way from the classic protocol to the consumer protocol and back, while its members go on reading.

The first member of the consumer protocol turns a classic group into a KIP-848 group, whose classic members keep what
they have been assigned; when the last one goes and only classic members are left, the group turns back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from broker.errors import GroupIdNotFound
from broker.groups.assignors import TopicPartition
from broker.groups.consumer_member import ClassicPart, ConsumerMember
from broker.groups.subscriptions import VERSION_BYTES
from broker.protocol.codec import decode, encode
from broker.protocol.messages.consumer_offsets import GroupMetadataValue, MemberMetadata
from broker.protocol.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from broker.protocol.messages.consumer_protocol_assignment import TopicPartition as AssignedTopic
from broker.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription
from broker.protocol.primitives import DecodeError

if TYPE_CHECKING:
    from broker.config import BrokerConfig
    from broker.groups.classic_group import ClassicGroup
    from broker.groups.consumer_group import ConsumerGroup
    from broker.groups.deadlines import Now
    from broker.groups.members import Member

CONSUMER_PROTOCOL_TYPE: Final = "consumer"
_CONSUMER_PROTOCOL_VERSION_MAX: Final = 3
UPGRADE_POLICIES: Final = frozenset({"bidirectional", "upgrade"})
DOWNGRADE_POLICIES: Final = frozenset({"bidirectional", "downgrade"})


def check_upgrade(classic: ClassicGroup, config: BrokerConfig) -> None:
    """Whether a group with classic members may become a consumer group. Raises GroupIdNotFound, as Kafka does."""
    cannot = f"Cannot upgrade classic group {classic.group_id} to consumer group because "
    if config.group_consumer_migration_policy.lower() not in UPGRADE_POLICIES:
        raise GroupIdNotFound(f"{cannot}the online upgrade is disabled.")
    if not classic.uses_consumer_protocol:
        raise GroupIdNotFound(f"{cannot}the group does not use the consumer embedded protocol.")
    if len(classic.members) > config.group_consumer_max_size:
        raise GroupIdNotFound(f"{cannot}the group exceeds the consumer group maximum size.")
    try:
        for member in classic.members:
            read_subscription(member.protocols[0].metadata)
            _read_assignment(member.assignment)
    except DecodeError as error:
        raise GroupIdNotFound(f"{cannot}a member's subscription or assignment cannot be read.") from error


def take_members(group: ConsumerGroup, classic: ClassicGroup) -> None:
    """Let the members of a classic group into a new consumer group as they are, inside its `saving`."""
    targets: dict[str, frozenset[TopicPartition]] = {}
    epoch = max(classic.generation_id, 1)
    for member in classic.members:
        taken = _taken(group, member, epoch)
        group.put(taken)
        targets[member.member_id] = frozenset(taken.assigned)
    group.set_epoch(epoch, 0)
    group.set_targets(targets, epoch, 0)


def can_downgrade(group: ConsumerGroup, leaving: Collection[str], config: BrokerConfig) -> bool:
    """Whether without these members the group is one of classic members only, and may become a classic group."""
    left = [member for member_id, member in group.members.items() if member_id not in leaving]
    return (
        bool(left)
        and config.group_consumer_migration_policy.lower() in DOWNGRADE_POLICIES
        and all(member.classic is not None for member in left)
        and any(group.members[member_id].classic is None for member_id in leaving)
        and len(left) <= config.group_max_size
    )


def classic_value(group: ConsumerGroup, leaving: Collection[str], now: Now) -> GroupMetadataValue:
    """What a classic group is restored from that takes over the classic members of `group`."""
    left = {member_id: member for member_id, member in group.members.items() if member_id not in leaving}
    protocol_name = common_protocol(left.values())
    return GroupMetadataValue(
        protocol_type=CONSUMER_PROTOCOL_TYPE,
        generation=group.epoch,
        protocol=protocol_name,
        leader=next(iter(left)),
        current_state_timestamp=now.wall_ms,
        members=[
            MemberMetadata(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client.client_id,
                client_host=member.client.host,
                rebalance_timeout=member.rebalance_timeout_ms,
                session_timeout=member.classic.session_timeout_ms,
                subscription=subscription_of(member, protocol_name),
                assignment=classic_assignment(group, member),
            )
            for member in left.values()
            if member.classic is not None
        ],
    )


def common_protocol(members: Collection[ConsumerMember]) -> str:
    """The assignor that all classic members support and the first of them prefers; "" if there is none."""
    offers = [[each.name for each in member.classic.protocols] for member in members if member.classic is not None]
    return next((name for name in offers[0] if all(name in others for others in offers)), "") if offers else ""


def subscription_of(member: ConsumerMember, protocol_name: str) -> bytes:
    """What a classic member says in that protocol."""
    protocols = member.classic.protocols if member.classic is not None else ()
    return next((each.metadata for each in protocols if each.name == protocol_name), b"")


def classic_assignment(group: ConsumerGroup, member: ConsumerMember) -> bytes:
    """What a member may read, as the classic protocol says it; in the version of the member's subscription."""
    topics: dict[str, list[int]] = {}
    for topic_id, partition in sorted(member.assigned):
        topic = group.topic_of(topic_id)
        if topic is not None:
            topics.setdefault(topic.name, []).append(partition)
    subscription = member.classic.protocols[0].metadata if member.classic is not None else b""
    version = min(max(int.from_bytes(subscription[:VERSION_BYTES]), 0), _CONSUMER_PROTOCOL_VERSION_MAX)
    assigned = [AssignedTopic(topic=name, partitions=partitions) for name, partitions in topics.items()]
    body = encode(ConsumerProtocolAssignment(assigned_partitions=assigned, user_data=None), version)
    return version.to_bytes(VERSION_BYTES) + body


def read_subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    """A classic consumer's subscription; of newer versions than ours what they share. Raises DecodeError."""
    if len(metadata) < VERSION_BYTES:
        raise DecodeError("a subscription without a version")
    version = min(int.from_bytes(metadata[:VERSION_BYTES]), _CONSUMER_PROTOCOL_VERSION_MAX)
    return decode(ConsumerProtocolSubscription, version, metadata, VERSION_BYTES)


def owned_partitions(group: ConsumerGroup, subscription: ConsumerProtocolSubscription) -> frozenset[TopicPartition]:
    """What a classic consumer says it owns, of topics that exist."""
    return frozenset(
        TopicPartition(topic.topic_id, partition)
        for owned in subscription.owned_partitions
        if (topic := group.topic_named(owned.topic)) is not None
        for partition in owned.partitions
    )


def _taken(group: ConsumerGroup, member: Member, epoch: int) -> ConsumerMember:
    subscription = read_subscription(member.protocols[0].metadata)
    assigned = {
        TopicPartition(topic.topic_id, partition): epoch
        for each in _read_assignment(member.assignment)
        if (topic := group.topic_named(each.topic)) is not None
        for partition in each.partitions
    }
    return ConsumerMember(
        member_id=member.member_id,
        instance_id=member.group_instance_id,
        rack_id=subscription.rack_id,
        client=member.client,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        topic_names=tuple(sorted(set(subscription.topics))),
        classic=ClassicPart(member.session_timeout_ms, member.protocols),
        epoch=epoch,
        previous_epoch=epoch,
        # Where a client's assignor gave a partition to two members, the first one keeps it.
        assigned={each: given for each, given in assigned.items() if group.is_free(each)},
    )


def _read_assignment(assignment: bytes) -> list[AssignedTopic]:
    if not assignment:
        return []
    return decode(ConsumerProtocolAssignment, 0, assignment, VERSION_BYTES).assigned_partitions
