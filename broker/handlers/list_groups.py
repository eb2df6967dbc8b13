"""ListGroups (API key 16): which groups there are."""

from broker.dispatch import RequestContext, handles
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse


@handles(ApiKey.LIST_GROUPS, versions=range(6))
def list_groups(request: ListGroupsRequest, context: RequestContext) -> ListGroupsResponse:
    """v3 flexible · v4 states (KIP-518) · v5 types (KIP-848)."""
    return ListGroupsResponse(groups=context.groups.list_groups(request.states_filter, request.types_filter))
