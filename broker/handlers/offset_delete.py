"""OffsetDelete (API key 47): forget how far a group has read some partitions."""

from broker.dispatch import RequestContext, handles
from broker.errors import UnknownTopicOrPartition
from broker.groups import Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)


@handles(ApiKey.OFFSET_DELETE, versions=range(1))
def offset_delete(request: OffsetDeleteRequest, context: RequestContext) -> OffsetDeleteResponse:
    """Topics that a member of the group reads are refused with GROUP_SUBSCRIBED_TO_TOPIC."""
    known: list[tuple[str, int]] = []
    deleting: list[OffsetDeleteResponsePartition] = []
    response = OffsetDeleteResponse()
    for asked in request.topics:
        answered = OffsetDeleteResponseTopic(name=asked.name)
        response.topics.append(answered)
        topic = context.topics.get(asked.name)
        for partition in asked.partitions:
            part = OffsetDeleteResponsePartition(partition_index=partition.partition_index)
            answered.partitions.append(part)
            if topic is not None and 0 <= partition.partition_index < topic.partition_count:
                known.append((asked.name, partition.partition_index))
                deleting.append(part)
            else:
                part.error_code = UnknownTopicOrPartition.code
    error_codes = context.groups.delete_offsets(request.group_id, known, Now.by(context.clock))
    for part, error_code in zip(deleting, error_codes, strict=True):
        part.error_code = error_code
    return response
