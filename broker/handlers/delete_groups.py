"""DeleteGroups (API key 42): forget groups without members, and their offsets."""

from broker.dispatch import RequestContext, handles
from broker.errors import KafkaError
from broker.groups import Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse


@handles(ApiKey.DELETE_GROUPS, versions=range(3))
def delete_groups(request: DeleteGroupsRequest, context: RequestContext) -> DeleteGroupsResponse:
    """Each group by itself: one that cannot be deleted does not stop the others. v2 flexible."""
    now = Now.by(context.clock)
    results = []
    for group_id in dict.fromkeys(request.groups_names):
        result = DeletableGroupResult(group_id=group_id)
        try:
            context.groups.delete_group(group_id, now)
        except KafkaError as error:
            result.error_code = error.code
        results.append(result)
    return DeleteGroupsResponse(results=results)
