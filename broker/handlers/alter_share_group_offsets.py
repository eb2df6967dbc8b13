"""AlterShareGroupOffsets (API key 91): let an empty share group go on from other offsets (KIP-932)."""

from __future__ import annotations

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import InvalidGroupId, KafkaError
from broker.groups import Now
from broker.handlers.share_acknowledgements import when_durable
from broker.metadata.topics import Topic
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsResponse,
    AlterShareGroupOffsetsResponsePartition,
    AlterShareGroupOffsetsResponseTopic,
)
from broker.protocol.primitives import NULL_UUID


@handles(ApiKey.ALTER_SHARE_GROUP_OFFSETS, versions=range(1))
def alter_share_group_offsets(
    request: AlterShareGroupOffsetsRequest, context: RequestContext
) -> AlterShareGroupOffsetsResponse | DelayedResponse:
    """Partitions that do not exist are refused by themselves; the group is made if there is none.

    Raises InvalidGroupId, GroupIdNotFound for a group of another kind, or NonEmptyGroup.
    """
    if not request.group_id:
        raise InvalidGroupId("The group id is empty.")
    response = AlterShareGroupOffsetsResponse(responses=[])
    starts: dict[bytes, tuple[Topic, dict[int, int]]] = {}
    for asked in request.topics:
        topic = context.topics.get(asked.topic_name)
        results = []
        for partition in asked.partitions:
            result = AlterShareGroupOffsetsResponsePartition(partition_index=partition.partition_index)
            results.append(result)
            try:
                context.topics.partition(asked.topic_name, partition.partition_index)
            except KafkaError as error:
                result.error_code, result.error_message = error.code, str(error) or None
            else:
                assert topic is not None
                starts.setdefault(topic.topic_id, (topic, {}))[1][partition.partition_index] = partition.start_offset
        response.responses.append(
            AlterShareGroupOffsetsResponseTopic(
                topic_name=asked.topic_name,
                topic_id=NULL_UUID if topic is None else topic.topic_id,
                partitions=results,
            )
        )
    context.groups.share_groups.set_start_offsets(request.group_id, starts, Now.by(context.clock))

    def fail(error: KafkaError) -> None:
        response.error_code, response.error_message = error.code, str(error) or None

    return when_durable(response, [fail], context)
