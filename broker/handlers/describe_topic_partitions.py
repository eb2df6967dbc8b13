"""DescribeTopicPartitions (KIP-966): topics in pages; Java admin clients from 3.8 on describe topics with it."""

from __future__ import annotations

from typing import Final

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, InvalidTopicException, UnknownTopicOrPartition
from broker.handlers.metadata import TOPIC_OPERATIONS
from broker.metadata.topics import check_topic_name
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

PARTITIONS_MAX: Final = 2_000
"""Kafka's max.request.partition.size.limit: partitions in one page, whatever the client asks for."""


@handles(ApiKey.DESCRIBE_TOPIC_PARTITIONS, versions=range(1))
def describe_topic_partitions(
    request: DescribeTopicPartitionsRequest, context: RequestContext
) -> DescribeTopicPartitionsResponse:
    """Describe topics in the order of their names, from the cursor on; the answer's cursor says where to go on.

    No topics named means all of them. A cursor at a topic that is not among those named is an INVALID_REQUEST for each.
    """
    names = {topic.name for topic in request.topics} or {topic.name for topic in context.topics}
    first_name, first_partition = "", 0
    if request.cursor is not None:
        first_name, first_partition = request.cursor.topic_name, request.cursor.partition_index
        if first_partition < 0 or (request.topics and first_name not in names):
            refused = [DescribeTopicPartitionsResponseTopic(InvalidRequest.code, name) for name in sorted(names)]
            return DescribeTopicPartitionsResponse(topics=refused)
    left = max(1, min(request.response_partition_limit, PARTITIONS_MAX))
    response = DescribeTopicPartitionsResponse(topics=[])
    for name in sorted(name for name in names if name >= first_name):
        start = first_partition if name == first_name else 0
        if left == 0:
            response.next_cursor = Cursor(topic_name=name, partition_index=start)
            break
        answer = _describe(name, start, start + left, context)
        response.topics.append(answer)
        left -= len(answer.partitions)
        topic = context.topics.get(name)
        end = start + len(answer.partitions)
        if topic is not None and end < topic.partition_count:
            response.next_cursor = Cursor(topic_name=name, partition_index=end)
            break
    return response


def _describe(name: str, start: int, stop: int, context: RequestContext) -> DescribeTopicPartitionsResponseTopic:
    """One topic with its partitions from `start` to before `stop`, or why it cannot be described."""
    answer = DescribeTopicPartitionsResponseTopic(name=name, topic_authorized_operations=TOPIC_OPERATIONS)
    topic = context.topics.get(name)
    if topic is None:
        try:
            check_topic_name(name)
            answer.error_code = UnknownTopicOrPartition.code
        except InvalidTopicException as error:
            answer.error_code = error.code
        return answer
    node_id = context.config.node_id
    answer.topic_id, answer.is_internal = topic.topic_id, topic.is_internal
    answer.partitions = [
        DescribeTopicPartitionsResponsePartition(
            partition_index=index,
            leader_id=node_id,
            leader_epoch=0,
            replica_nodes=[node_id],
            isr_nodes=[node_id],
            eligible_leader_replicas=[],
            last_known_elr=[],
        )
        for index in range(start, min(stop, topic.partition_count))
    ]
    return answer
