"""DeleteAcls (API key 31): refused without an authorizer, as in Kafka."""

from broker.dispatch import RequestContext, handles
from broker.errors import SecurityDisabled
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.delete_acls import DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse


@handles(ApiKey.DELETE_ACLS, versions=range(1, 4))
def delete_acls(request: DeleteAclsRequest, context: RequestContext) -> DeleteAclsResponse:
    """SECURITY_DISABLED for each. v2 flexible · v3 user resources (KIP-48)."""
    refused = DeleteAclsFilterResult(error_code=SecurityDisabled.code, error_message="No Authorizer is configured.")
    return DeleteAclsResponse(filter_results=[refused] * len(request.filters))
