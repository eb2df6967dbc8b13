"""The records of `__consumer_offsets` that share groups are kept in, as Apache Kafka 4.3 writes them (KIP-932).

Types 10 member · 11 group epoch · 12 epoch of the target assignment · 13 a member's target · 14 what a member has ·
15 which partitions the group has begun to read. `SavedShareGroup` gathers what they say of one group at a replay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from broker.groups.assignors import TopicPartition
from broker.groups.members import Client
from broker.groups.records import OffsetsRecord
from broker.groups.topic_partitions import by_topic, partitions_of
from broker.groups.typed_records import record_of, replay_records, type_of, value_of
from broker.protocol.messages.share_group_records import (
    ShareGroupCurrentMemberAssignmentKey,
    ShareGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey,
    ShareGroupMemberMetadataValue,
    ShareGroupMetadataKey,
    ShareGroupMetadataValue,
    ShareGroupStatePartitionMetadataKey,
    ShareGroupStatePartitionMetadataValue,
    ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMetadataKey,
    ShareGroupTargetAssignmentMetadataValue,
    TopicPartitions,
    TopicPartitionsInfo,
)
from broker.protocol.primitives import DecodeError

_AnyKey: TypeAlias = (
    ShareGroupMemberMetadataKey
    | ShareGroupMetadataKey
    | ShareGroupTargetAssignmentMetadataKey
    | ShareGroupTargetAssignmentMemberKey
    | ShareGroupCurrentMemberAssignmentKey
    | ShareGroupStatePartitionMetadataKey
)
_KEYS: Final[dict[int, type[_AnyKey]]] = {
    key.API_KEY: key
    for key in (
        ShareGroupMemberMetadataKey,
        ShareGroupMetadataKey,
        ShareGroupTargetAssignmentMetadataKey,
        ShareGroupTargetAssignmentMemberKey,
        ShareGroupCurrentMemberAssignmentKey,
        ShareGroupStatePartitionMetadataKey,
    )
}
_NO_CLIENT: Final = Client("", "")


@dataclass(frozen=True, slots=True)
class ShareMember:
    """One member of a share group as of now."""

    member_id: str
    rack_id: str | None = None
    client: Client = _NO_CLIENT
    topic_names: tuple[str, ...] = ()
    """Sorted, each once."""
    epoch: int = 0
    previous_epoch: int = 0
    assigned: frozenset[TopicPartition] = frozenset()


class ReadTopic(NamedTuple):
    """A topic that a group has begun to read, and which of its partitions."""

    name: str
    partitions: frozenset[int]


ReadTopics: TypeAlias = Mapping[bytes, ReadTopic]
"""By topic id."""


@dataclass(slots=True)
class SavedShareGroup:
    """What the log says of one group."""

    epoch: int | None = None
    """None: the group has no epoch record, so it is none."""
    metadata_hash: int = 0
    target_epoch: int = 0
    members: dict[str, ShareMember] = field(default_factory=dict)
    targets: dict[str, frozenset[TopicPartition]] = field(default_factory=dict)
    read_topics: dict[bytes, ReadTopic] = field(default_factory=dict)


# Writing.


def member_record(group_id: str, member: ShareMember) -> OffsetsRecord:
    """Type 10: who the member is and what it subscribes to."""
    value = ShareGroupMemberMetadataValue(
        rack_id=member.rack_id,
        client_id=member.client.client_id,
        client_host=member.client.host,
        subscribed_topic_names=list(member.topic_names),
    )
    return record_of(ShareGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id), value)


def epoch_record(group_id: str, epoch: int, metadata_hash: int) -> OffsetsRecord:
    """Type 11: the group exists and is in this epoch."""
    value = ShareGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return record_of(ShareGroupMetadataKey(group_id=group_id), value)


def target_epoch_record(group_id: str, epoch: int, assigned_ms: int) -> OffsetsRecord:
    """Type 12: for which group epoch the targets were computed, and when."""
    value = ShareGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=assigned_ms)
    return record_of(ShareGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def target_record(group_id: str, member_id: str, target: Collection[TopicPartition]) -> OffsetsRecord:
    """Type 13: what the member is meant to read."""
    value = ShareGroupTargetAssignmentMemberValue(topic_partitions=_by_topic(target))
    return record_of(ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), value)


def progress_record(group_id: str, member: ShareMember) -> OffsetsRecord:
    """Type 14: the member's epochs and what it reads."""
    value = ShareGroupCurrentMemberAssignmentValue(
        member_epoch=member.epoch,
        previous_member_epoch=member.previous_epoch,
        assigned_partitions=_by_topic(member.assigned),
    )
    return record_of(ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id), value)


def read_topics_record(group_id: str, read_topics: ReadTopics) -> OffsetsRecord:
    """Type 15: which partitions have share-group state."""
    value = ShareGroupStatePartitionMetadataValue(
        initialized_topics=[
            TopicPartitionsInfo(topic_id=topic_id, topic_name=topic.name, partitions=sorted(topic.partitions))
            for topic_id, topic in read_topics.items()
        ]
    )
    return record_of(ShareGroupStatePartitionMetadataKey(group_id=group_id), value)


def member_tombstones(group_id: str, member_id: str) -> list[OffsetsRecord]:
    """The member is gone."""
    return [
        record_of(ShareGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None),
        record_of(ShareGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None),
        record_of(ShareGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None),
    ]


def group_tombstones(group_id: str) -> list[OffsetsRecord]:
    """The group is gone; its members' records are deleted apart."""
    return [
        record_of(ShareGroupStatePartitionMetadataKey(group_id=group_id), None),
        record_of(ShareGroupTargetAssignmentMetadataKey(group_id=group_id), None),
        record_of(ShareGroupMetadataKey(group_id=group_id), None),
    ]


# Reading.


def is_share_group_key(key: bytes) -> bool:
    """Whether a record of this key is about a share group."""
    return type_of(key) in _KEYS


def replay(groups: dict[str, SavedShareGroup], records: Iterable[tuple[bytes, bytes]]) -> Iterator[DecodeError]:
    """Take in the live records of a log, in their order; yields what cannot be read, which is passed over."""

    def take(key: _AnyKey, raw: bytes) -> None:
        _replay(groups.setdefault(key.group_id, SavedShareGroup()), key, raw)

    return replay_records(records, _KEYS, take, last=ShareGroupCurrentMemberAssignmentKey)


def _replay(group: SavedShareGroup, key: _AnyKey, raw: bytes) -> None:
    match key:
        case ShareGroupMetadataKey():
            saved = value_of(ShareGroupMetadataValue, raw)
            group.epoch, group.metadata_hash = saved.epoch, saved.metadata_hash
        case ShareGroupMemberMetadataKey():
            member = value_of(ShareGroupMemberMetadataValue, raw)
            group.members[key.member_id] = ShareMember(
                member_id=key.member_id,
                rack_id=member.rack_id,
                client=Client(member.client_id, member.client_host),
                topic_names=tuple(sorted(set(member.subscribed_topic_names))),
            )
        case ShareGroupTargetAssignmentMetadataKey():
            group.target_epoch = value_of(ShareGroupTargetAssignmentMetadataValue, raw).assignment_epoch
        case ShareGroupTargetAssignmentMemberKey():
            target = value_of(ShareGroupTargetAssignmentMemberValue, raw)
            group.targets[key.member_id] = partitions_of(target.topic_partitions)
        case ShareGroupCurrentMemberAssignmentKey():
            known = group.members.get(key.member_id)
            if known is not None:
                progress = value_of(ShareGroupCurrentMemberAssignmentValue, raw)
                group.members[key.member_id] = replace(
                    known,
                    epoch=progress.member_epoch,
                    previous_epoch=progress.previous_member_epoch,
                    assigned=partitions_of(progress.assigned_partitions),
                )
        case ShareGroupStatePartitionMetadataKey():
            topics = value_of(ShareGroupStatePartitionMetadataValue, raw)
            group.read_topics = {
                bytes(each.topic_id): ReadTopic(each.topic_name, frozenset(each.partitions))
                for each in topics.initialized_topics
            }


def _by_topic(partitions: Collection[TopicPartition]) -> list[TopicPartitions]:
    return [
        TopicPartitions(topic_id=topic_id, partitions=indexes) for topic_id, indexes in by_topic(partitions).items()
    ]
