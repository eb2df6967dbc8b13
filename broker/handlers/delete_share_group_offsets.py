"""DeleteShareGroupOffsets (API key 92): let an empty share group forget what it has done with topics (KIP-932)."""

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import InvalidGroupId, KafkaError, UnknownTopicOrPartition
from broker.groups import Now
from broker.handlers.share_acknowledgements import when_durable
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse,
    DeleteShareGroupOffsetsResponseTopic,
)


@handles(ApiKey.DELETE_SHARE_GROUP_OFFSETS, versions=range(1))
def delete_share_group_offsets(
    request: DeleteShareGroupOffsetsRequest, context: RequestContext
) -> DeleteShareGroupOffsetsResponse | DelayedResponse:
    """Topics that do not exist are refused by themselves; those that the group does not read are no error.

    Raises InvalidGroupId, GroupIdNotFound or NonEmptyGroup.
    """
    if not request.group_id:
        raise InvalidGroupId("The group id is empty.")
    response = DeleteShareGroupOffsetsResponse(responses=[])
    topic_ids = set()
    for asked in request.topics:
        result = DeleteShareGroupOffsetsResponseTopic(topic_name=asked.topic_name)
        response.responses.append(result)
        topic = context.topics.get(asked.topic_name)
        if topic is None:
            unknown = UnknownTopicOrPartition("This server does not host this topic-partition.")
            result.error_code, result.error_message = unknown.code, str(unknown)
        else:
            result.topic_id = topic.topic_id
            topic_ids.add(topic.topic_id)
    context.groups.share_groups.delete_offsets(request.group_id, topic_ids, Now.by(context.clock))

    def fail(error: KafkaError) -> None:
        response.error_code, response.error_message = error.code, str(error) or None

    return when_durable(response, [fail], context)
