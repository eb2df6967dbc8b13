"""A consumer group as ConsumerGroupDescribe shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from broker.groups.topic_partitions import by_topic
from broker.protocol.messages.consumer_group_describe import Assignment, DescribedGroup, Member, TopicPartitions

if TYPE_CHECKING:
    from broker.groups.assignors import TopicPartition
    from broker.groups.consumer_group import ConsumerGroup

_CLASSIC_MEMBER: Final = 0  # ConsumerGroupDescribe v1, MemberType
_CONSUMER_MEMBER: Final = 1


def described_group(group: ConsumerGroup) -> DescribedGroup:
    """What it is and who is in it; a member shows what it has yet to revoke as its own."""
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state,
        group_epoch=group.epoch,
        assignment_epoch=group.target_epoch,
        assignor_name=group.assignor_name,
        members=[
            Member(
                member_id=member.member_id,
                instance_id=member.instance_id,
                rack_id=member.rack_id,
                member_epoch=member.epoch,
                client_id=member.client.client_id,
                client_host=member.client.host,
                subscribed_topic_names=list(member.topic_names),
                subscribed_topic_regex=member.topic_regex,
                assignment=_assignment(group, member.owned),
                target_assignment=_assignment(group, group.targets.get(member.member_id, ())),
                member_type=_CONSUMER_MEMBER if member.classic is None else _CLASSIC_MEMBER,
            )
            for member in group.members.values()
        ],
    )


def _assignment(group: ConsumerGroup, partitions: Iterable[TopicPartition]) -> Assignment:
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, topic_name=topic.name, partitions=indexes)
            for topic_id, indexes in by_topic(partitions).items()
            if (topic := group.topic_of(topic_id)) is not None
        ]
    )
