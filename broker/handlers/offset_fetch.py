"""OffsetFetch (API key 9): how far groups have read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from broker.dispatch import RequestContext, handles
from broker.errors import NONE, KafkaError, UnknownTopicId, UnstableOffsetCommit
from broker.groups import CommittedOffset
from broker.metadata.topics import Topic, TopicRegistry
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from broker.protocol.primitives import NULL_UUID

TOP_ERROR_VERSION = 2
MANY_GROUPS_VERSION = 8
TOPIC_IDS_VERSION = 10

NO_OFFSET = CommittedOffset(
    offset=-1, leader_epoch=-1, metadata="", committed_ms=-1, expires_ms=None, topic_id=NULL_UUID
)


class _TopicOffsets(NamedTuple):
    """What is answered about one topic, in whichever version."""

    name: str
    topic_id: bytes
    offsets: list[tuple[int, CommittedOffset]]
    error_code: int = NONE


@handles(ApiKey.OFFSET_FETCH, versions=range(1, 11))
def offset_fetch(request: OffsetFetchRequest, context: RequestContext) -> OffsetFetchResponse:
    """An unknown group, topic or partition has offset -1 and is no error.

    v2 null topics are all · v5 leader epoch (KIP-320) · v6 flexible · v7 require_stable (KIP-447) · v8 many groups
    (KIP-709) · v9 member epoch (KIP-848) · v10 topic ids.
    """
    if context.api_version >= MANY_GROUPS_VERSION:
        groups = [_group(asked, context) for asked in request.groups]
        if request.require_stable:
            for group in groups:
                _refuse_unstable(group.group_id, group.topics, context)
        return OffsetFetchResponse(groups=groups)
    try:
        committed = context.groups.committed_offsets(request.group_id)
    except KafkaError as error:
        if context.api_version >= TOP_ERROR_VERSION:
            raise
        return _error_per_partition(request, error.code)
    if request.topics is None:
        found = _all(committed, context.topics)
    else:
        found = [_of_topic(each.name, each.partition_indexes, committed, context) for each in request.topics]
    topics = [
        OffsetFetchResponseTopic(
            name=topic.name,
            partitions=[
                OffsetFetchResponsePartition(
                    partition_index=partition,
                    committed_offset=offset.offset,
                    committed_leader_epoch=offset.leader_epoch,
                    metadata=offset.metadata,
                )
                for partition, offset in topic.offsets
            ],
        )
        for topic in found
    ]
    if request.require_stable:
        _refuse_unstable(request.group_id, topics, context)
    return OffsetFetchResponse(topics=topics)


def _refuse_unstable(
    group_id: str,
    topics: Sequence[OffsetFetchResponseTopic | OffsetFetchResponseTopics],
    context: RequestContext,
) -> None:
    """An offset that an open transaction commits is answered UNSTABLE_OFFSET_COMMIT: ask again when it has ended."""
    for topic in topics:
        for partition in topic.partitions:
            if context.groups.is_pending(group_id, topic.name, partition.partition_index):
                partition.error_code = UnstableOffsetCommit.code
                partition.committed_offset = partition.committed_leader_epoch = NO_OFFSET.offset
                partition.metadata = ""


def _group(asked: OffsetFetchRequestGroup, context: RequestContext) -> OffsetFetchResponseGroup:
    try:
        committed = context.groups.committed_offsets(asked.group_id)
        context.groups.check_fetch(asked.group_id, asked.member_id, asked.member_epoch)
    except KafkaError as error:
        return OffsetFetchResponseGroup(group_id=asked.group_id, error_code=error.code)
    if asked.topics is None:
        found = _all(committed, context.topics)
    elif context.api_version >= TOPIC_IDS_VERSION:
        found = [_by_id(each.topic_id, each.partition_indexes, committed, context) for each in asked.topics]
    else:
        found = [_of_topic(each.name, each.partition_indexes, committed, context) for each in asked.topics]
    return OffsetFetchResponseGroup(
        group_id=asked.group_id,
        topics=[
            OffsetFetchResponseTopics(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetFetchResponsePartitions(
                        partition_index=partition,
                        committed_offset=offset.offset,
                        committed_leader_epoch=offset.leader_epoch,
                        metadata=offset.metadata,
                        error_code=topic.error_code,
                    )
                    for partition, offset in topic.offsets
                ],
            )
            for topic in found
        ],
    )


def _all(committed: Mapping[str, Mapping[int, CommittedOffset]], topics: TopicRegistry) -> list[_TopicOffsets]:
    """All offsets of topics that still exist."""
    found = []
    for name, partitions in committed.items():
        topic = topics.get(name)
        valid = [(index, offset) for index, offset in partitions.items() if _is_of(offset, topic)]
        if topic is not None and valid:
            found.append(_TopicOffsets(name, topic.topic_id, valid))
    return found


def _by_id(
    topic_id: bytes,
    partitions: Iterable[int],
    committed: Mapping[str, Mapping[int, CommittedOffset]],
    context: RequestContext,
) -> _TopicOffsets:
    topic = context.topics.by_id(topic_id)
    if topic is None:
        return _TopicOffsets("", topic_id, [(index, NO_OFFSET) for index in partitions], UnknownTopicId.code)
    return _of_topic(topic.name, partitions, committed, context)


def _of_topic(
    name: str,
    partitions: Iterable[int],
    committed: Mapping[str, Mapping[int, CommittedOffset]],
    context: RequestContext,
) -> _TopicOffsets:
    topic = context.topics.get(name)
    of_topic = committed.get(name, {})
    offsets = []
    for partition in partitions:
        offset = of_topic.get(partition, NO_OFFSET)
        offsets.append((partition, offset if _is_of(offset, topic) else NO_OFFSET))
    return _TopicOffsets(name, NULL_UUID if topic is None else topic.topic_id, offsets)


def _is_of(offset: CommittedOffset, topic: Topic | None) -> bool:
    """Whether it was committed for this topic, and not for a deleted one of the same name."""
    return topic is not None and offset.topic_id in (topic.topic_id, NULL_UUID)


def _error_per_partition(request: OffsetFetchRequest, error_code: int) -> OffsetFetchResponse:
    return OffsetFetchResponse(
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=partition, committed_offset=NO_OFFSET.offset, error_code=error_code
                    )
                    for partition in topic.partition_indexes
                ],
            )
            for topic in request.topics or ()
        ]
    )
