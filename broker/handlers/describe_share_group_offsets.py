"""DescribeShareGroupOffsets (API key 90): how far share groups are (KIP-932). v1 lag (KIP-1226)."""

from __future__ import annotations

from typing import Final

from broker.dispatch import RequestContext, handles
from broker.errors import KafkaError
from broker.metadata.topics import Topic
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsResponse,
    DescribeShareGroupOffsetsResponseGroup,
    DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
)
from broker.protocol.primitives import NULL_UUID
from broker.share import ShareKey
from broker.share.state_records import LEADER_EPOCH

UNKNOWN_OFFSET: Final = -1


@handles(ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS, versions=range(2))
def describe_share_group_offsets(
    request: DescribeShareGroupOffsetsRequest, context: RequestContext
) -> DescribeShareGroupOffsetsResponse:
    """Each group by itself, with the asked partitions, or all that it reads. What it does not read has offset -1."""
    return DescribeShareGroupOffsetsResponse(groups=[_group(group, context) for group in request.groups])


def _group(
    asked: DescribeShareGroupOffsetsRequestGroup, context: RequestContext
) -> DescribeShareGroupOffsetsResponseGroup:
    answer = DescribeShareGroupOffsetsResponseGroup(group_id=asked.group_id, topics=[])
    try:
        read = context.shares.of_group(asked.group_id)
        wanted: list[tuple[str, list[int]]]
        if asked.topics is None:
            by_name: dict[str, list[int]] = {}
            for topic_id, partition in sorted(read):
                topic = context.topics.by_id(topic_id)
                if topic is not None:
                    by_name.setdefault(topic.name, []).append(partition)
            wanted = list(by_name.items())
        else:
            wanted = [(topic.topic_name, topic.partitions) for topic in asked.topics]
        answer.topics = [
            DescribeShareGroupOffsetsResponseTopic(
                topic_name=name,
                topic_id=known.topic_id if (known := context.topics.get(name)) is not None else NULL_UUID,
                partitions=[_partition(asked.group_id, known, name, index, context) for index in indexes],
            )
            for name, indexes in wanted
        ]
    except KafkaError as error:
        answer.error_code, answer.error_message = error.code, str(error) or None
    return answer


def _partition(
    group_id: str, topic: Topic | None, name: str, index: int, context: RequestContext
) -> DescribeShareGroupOffsetsResponsePartition:
    answer = DescribeShareGroupOffsetsResponsePartition(partition_index=index, start_offset=UNKNOWN_OFFSET)
    try:
        log = context.topics.partition(name, index)
        share = context.shares.get(ShareKey(group_id, topic.topic_id, index)) if topic is not None else None
        if share is not None and share.is_started:
            answer.start_offset, answer.leader_epoch = share.at.start_offset, LEADER_EPOCH
            if share.at.start_offset >= 0:
                answer.lag = max(0, log.high_watermark - share.at.start_offset - share.at.done_count)
    except KafkaError as error:
        answer.error_code, answer.error_message = error.code, str(error) or None
    return answer
