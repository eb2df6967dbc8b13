"""ShareGroupDescribe (API key 77): who is in a share group, and who reads what (KIP-932)."""

from broker.dispatch import RequestContext, handles
from broker.errors import NONE, KafkaError
from broker.handlers.describe_groups import GROUP_OPERATIONS
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.share_group_describe import (
    DescribedGroup,
    ShareGroupDescribeRequest,
    ShareGroupDescribeResponse,
)


@handles(ApiKey.SHARE_GROUP_DESCRIBE, versions=range(1, 2))
def share_group_describe(request: ShareGroupDescribeRequest, context: RequestContext) -> ShareGroupDescribeResponse:
    """Each group by itself: one that is not there does not stop the others."""
    groups = []
    for group_id in dict.fromkeys(request.group_ids):
        try:
            groups.append(context.groups.share_groups.describe(group_id))
        except KafkaError as error:
            groups.append(DescribedGroup(error_code=error.code, error_message=str(error), group_id=group_id))
    if request.include_authorized_operations:
        for group in groups:
            if group.error_code == NONE:
                group.authorized_operations = GROUP_OPERATIONS
    return ShareGroupDescribeResponse(groups=groups)
