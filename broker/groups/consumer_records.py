"""The records of `__consumer_offsets` that KIP-848 consumer groups are kept in, as Apache Kafka 4.3 writes them.

Types 3 group epoch · 5 member · 6 epoch of the target assignment · 7 a member's target · 8 how far a member is ·
16 a resolved regular expression. `SavedConsumerGroup` gathers what they say of one group when the log is replayed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from broker.groups.assignors import TopicPartition
from broker.groups.consumer_member import ClassicPart, ConsumerMember, MemberState, PartitionEpochs
from broker.groups.members import Client, SupportedProtocol
from broker.groups.records import OffsetsRecord
from broker.groups.topic_partitions import by_topic, partitions_of
from broker.groups.typed_records import record_of, replay_records, type_of, value_of
from broker.protocol.messages.consumer_offsets import (
    ClassicMemberMetadata,
    ClassicProtocol,
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
    TopicPartitions,
)
from broker.protocol.messages.consumer_offsets import TopicPartition as TopicPartitionIndexes
from broker.protocol.primitives import DecodeError

_AnyKey: TypeAlias = (
    ConsumerGroupMetadataKey
    | ConsumerGroupMemberMetadataKey
    | ConsumerGroupTargetAssignmentMetadataKey
    | ConsumerGroupTargetAssignmentMemberKey
    | ConsumerGroupCurrentMemberAssignmentKey
    | ConsumerGroupRegularExpressionKey
)
_KEYS: Final[dict[int, type[_AnyKey]]] = {
    key.API_KEY: key
    for key in (
        ConsumerGroupMetadataKey,
        ConsumerGroupMemberMetadataKey,
        ConsumerGroupTargetAssignmentMetadataKey,
        ConsumerGroupTargetAssignmentMemberKey,
        ConsumerGroupCurrentMemberAssignmentKey,
        ConsumerGroupRegularExpressionKey,
    )
}


@dataclass(frozen=True, slots=True)
class ResolvedRegex:
    """The topics that an expression stood for when it was last looked at."""

    topics: frozenset[str]
    resolved_ms: int
    """Wall clock."""


@dataclass(slots=True)
class SavedConsumerGroup:
    """What the log says of one group."""

    epoch: int | None = None
    """None: the group has no epoch record, so it is none."""
    metadata_hash: int = 0
    target_epoch: int = 0
    target_ms: int = 0
    members: dict[str, ConsumerMember] = field(default_factory=dict)
    targets: dict[str, frozenset[TopicPartition]] = field(default_factory=dict)
    regexes: dict[str, ResolvedRegex] = field(default_factory=dict)


# Writing.


def epoch_record(group_id: str, epoch: int, metadata_hash: int) -> OffsetsRecord:
    """Type 3: the group exists and is in this epoch."""
    value = ConsumerGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return record_of(ConsumerGroupMetadataKey(group_id=group_id), value)


def is_epoch_key(key: bytes) -> bool:
    """Whether it is the key of an `epoch_record`."""
    return type_of(key) == ConsumerGroupMetadataKey.API_KEY


def member_record(group_id: str, member: ConsumerMember) -> OffsetsRecord:
    """Type 5: who the member is and what it subscribes to."""
    classic = None
    if member.classic is not None:
        classic = ClassicMemberMetadata(
            session_timeout_ms=member.classic.session_timeout_ms,
            supported_protocols=[
                ClassicProtocol(name=each.name, metadata=each.metadata) for each in member.classic.protocols
            ],
        )
    value = ConsumerGroupMemberMetadataValue(
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client.client_id,
        client_host=member.client.host,
        subscribed_topic_names=list(member.topic_names),
        subscribed_topic_regex=member.topic_regex,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        server_assignor=member.assignor,
        classic_member_metadata=classic,
    )
    return record_of(ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id), value)


def target_epoch_record(group_id: str, epoch: int, assigned_ms: int) -> OffsetsRecord:
    """Type 6: for which group epoch the targets were computed, and when."""
    value = ConsumerGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=assigned_ms)
    return record_of(ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def target_record(group_id: str, member_id: str, target: Collection[TopicPartition]) -> OffsetsRecord:
    """Type 7: what the member is meant to read."""
    value = ConsumerGroupTargetAssignmentMemberValue(
        topic_partitions=[
            TopicPartitionIndexes(topic_id=topic_id, partitions=partitions)
            for topic_id, partitions in by_topic(target).items()
        ]
    )
    return record_of(ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), value)


def progress_record(group_id: str, member: ConsumerMember) -> OffsetsRecord:
    """Type 8: the member's epochs and what it owns."""
    value = ConsumerGroupCurrentMemberAssignmentValue(
        member_epoch=member.epoch,
        previous_member_epoch=member.previous_epoch,
        state=member.state,
        assigned_partitions=_with_epochs(member.assigned),
        partitions_pending_revocation=_with_epochs(member.revoking),
    )
    return record_of(ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id), value)


def regex_record(group_id: str, expression: str, resolved: ResolvedRegex, version: int) -> OffsetsRecord:
    """Type 16: what an expression stood for, at which version of the topics."""
    value = ConsumerGroupRegularExpressionValue(
        topics=sorted(resolved.topics), version=version, timestamp=resolved.resolved_ms
    )
    return record_of(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=expression), value)


def regex_tombstone(group_id: str, expression: str) -> OffsetsRecord:
    """Nobody uses the expression any more."""
    return record_of(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=expression), None)


def member_tombstones(group_id: str, member_id: str) -> list[OffsetsRecord]:
    """The member is gone; in the order in which Kafka deletes its records."""
    return [
        record_of(ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None),
        record_of(ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None),
        record_of(ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None),
    ]


def group_tombstones(group_id: str) -> list[OffsetsRecord]:
    """The group is gone; its members' records and expressions are deleted apart."""
    return [
        record_of(ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), None),
        record_of(ConsumerGroupMetadataKey(group_id=group_id), None),
    ]


# Reading.


def is_consumer_group_key(key: bytes) -> bool:
    """Whether a record of this key is about a consumer group."""
    return type_of(key) in _KEYS


def replay(groups: dict[str, SavedConsumerGroup], records: Iterable[tuple[bytes, bytes]]) -> Iterator[DecodeError]:
    """Take in the live records of a log, in their order; yields what cannot be read, which is passed over."""

    def take(key: _AnyKey, raw: bytes) -> None:
        _replay(groups.setdefault(key.group_id, SavedConsumerGroup()), key, raw)

    return replay_records(records, _KEYS, take, last=ConsumerGroupCurrentMemberAssignmentKey)


def _replay(group: SavedConsumerGroup, key: _AnyKey, raw: bytes) -> None:
    match key:
        case ConsumerGroupMetadataKey():
            saved = value_of(ConsumerGroupMetadataValue, raw)
            group.epoch, group.metadata_hash = saved.epoch, saved.metadata_hash
        case ConsumerGroupMemberMetadataKey():
            group.members[key.member_id] = _member(key.member_id, value_of(ConsumerGroupMemberMetadataValue, raw))
        case ConsumerGroupTargetAssignmentMetadataKey():
            target = value_of(ConsumerGroupTargetAssignmentMetadataValue, raw)
            group.target_epoch, group.target_ms = target.assignment_epoch, target.assignment_timestamp
        case ConsumerGroupTargetAssignmentMemberKey():
            members_target = value_of(ConsumerGroupTargetAssignmentMemberValue, raw)
            group.targets[key.member_id] = partitions_of(members_target.topic_partitions)
        case ConsumerGroupCurrentMemberAssignmentKey():
            member = group.members.get(key.member_id)
            if member is not None:
                progress = value_of(ConsumerGroupCurrentMemberAssignmentValue, raw)
                group.members[key.member_id] = _at(member, progress)
        case ConsumerGroupRegularExpressionKey():
            regex = value_of(ConsumerGroupRegularExpressionValue, raw)
            group.regexes[key.regular_expression] = ResolvedRegex(frozenset(regex.topics), regex.timestamp)


def _member(member_id: str, value: ConsumerGroupMemberMetadataValue) -> ConsumerMember:
    classic = value.classic_member_metadata
    return ConsumerMember(
        member_id=member_id,
        instance_id=value.instance_id,
        rack_id=value.rack_id,
        client=Client(value.client_id, value.client_host),
        rebalance_timeout_ms=value.rebalance_timeout_ms,
        topic_names=tuple(sorted(set(value.subscribed_topic_names))),
        topic_regex=value.subscribed_topic_regex or "",
        assignor=value.server_assignor,
        classic=None
        if classic is None
        else ClassicPart(
            classic.session_timeout_ms,
            tuple(SupportedProtocol(each.name, bytes(each.metadata)) for each in classic.supported_protocols),
        ),
    )


def _at(member: ConsumerMember, value: ConsumerGroupCurrentMemberAssignmentValue) -> ConsumerMember:
    try:
        state = MemberState(value.state)
    except ValueError as error:
        raise DecodeError(str(error)) from error
    return replace(
        member,
        state=state,
        epoch=value.member_epoch,
        previous_epoch=value.previous_member_epoch,
        assigned=_read_epochs(value.assigned_partitions, value.member_epoch),
        revoking=_read_epochs(value.partitions_pending_revocation, value.member_epoch),
    )


def _with_epochs(partitions: PartitionEpochs) -> list[TopicPartitions]:
    return [
        TopicPartitions(
            topic_id=topic_id,
            partitions=indexes,
            assignment_epochs=[partitions[TopicPartition(topic_id, index)] for index in indexes],
        )
        for topic_id, indexes in by_topic(partitions).items()
    ]


def _read_epochs(saved: list[TopicPartitions], member_epoch: int) -> dict[TopicPartition, int]:
    """Records of Kafka before 4.3 say no epochs; the member's own is the latest it can have been."""
    return {
        TopicPartition(each.topic_id, partition): epoch
        for each in saved
        for partition, epoch in zip(
            each.partitions, each.assignment_epochs or [member_epoch] * len(each.partitions), strict=False
        )
    }
