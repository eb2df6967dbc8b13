"""ConsumerGroupDescribe (API key 69): members, epochs and assignments of KIP-848 groups."""

from broker.dispatch import RequestContext, handles
from broker.errors import NONE, InvalidGroupId, KafkaError
from broker.handlers.describe_groups import GROUP_OPERATIONS
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)


@handles(ApiKey.CONSUMER_GROUP_DESCRIBE, versions=range(2))
def consumer_group_describe(
    request: ConsumerGroupDescribeRequest, context: RequestContext
) -> ConsumerGroupDescribeResponse:
    """Each group by itself. v1 tells members of the classic protocol apart (MemberType)."""
    groups = [_describe(group_id, context) for group_id in request.group_ids]
    if request.include_authorized_operations:
        for group in groups:
            if group.error_code == NONE:
                group.authorized_operations = GROUP_OPERATIONS
    return ConsumerGroupDescribeResponse(groups=groups)


def _describe(group_id: str, context: RequestContext) -> DescribedGroup:
    try:
        if not group_id:
            raise InvalidGroupId("The group id is empty.")
        return context.groups.describe_consumer_group(group_id)
    except KafkaError as error:
        return DescribedGroup(group_id=group_id, error_code=error.code, error_message=str(error) or None)
