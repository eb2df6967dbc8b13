"""DescribeGroups (API key 15): members, subscriptions and assignments of groups."""

from typing import Final

from broker.dispatch import RequestContext, handles
from broker.errors import NONE, GroupIdNotFound, KafkaError
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_groups import DescribedGroup, DescribeGroupsRequest, DescribeGroupsResponse

GROUP_ID_NOT_FOUND_VERSION: Final = 6

# Without an authorizer everybody may do all that ACLs know for a group, as a set of bits.
GROUP_OPERATIONS: Final = (
    1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11
)  # read, delete, describe, describe configs, alter configs


@handles(ApiKey.DESCRIBE_GROUPS, versions=range(7))
def describe_groups(request: DescribeGroupsRequest, context: RequestContext) -> DescribeGroupsResponse:
    """v3 authorized operations (KIP-430) · v4 static members (KIP-345) · v5 flexible · v6 GROUP_ID_NOT_FOUND."""
    groups = [_describe(group_id, context) for group_id in request.groups]
    if request.include_authorized_operations:
        for group in groups:
            if group.error_code == NONE:
                group.authorized_operations = GROUP_OPERATIONS
    return DescribeGroupsResponse(groups=groups)


def _describe(group_id: str, context: RequestContext) -> DescribedGroup:
    try:
        return context.groups.describe(group_id)
    except GroupIdNotFound as error:
        if context.api_version < GROUP_ID_NOT_FOUND_VERSION:
            return DescribedGroup(group_id=group_id, group_state="Dead")
        return DescribedGroup(group_id=group_id, group_state="Dead", error_code=error.code, error_message=str(error))
    except KafkaError as error:
        return DescribedGroup(group_id=group_id, error_code=error.code)
