"""CreateAcls (API key 30): refused without an authorizer, as in Kafka."""

from broker.dispatch import RequestContext, handles
from broker.errors import SecurityDisabled
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.create_acls import AclCreationResult, CreateAclsRequest, CreateAclsResponse


@handles(ApiKey.CREATE_ACLS, versions=range(1, 4))
def create_acls(request: CreateAclsRequest, context: RequestContext) -> CreateAclsResponse:
    """SECURITY_DISABLED for each. v2 flexible · v3 user resources (KIP-48)."""
    refused = AclCreationResult(error_code=SecurityDisabled.code, error_message="No Authorizer is configured.")
    return CreateAclsResponse(results=[refused] * len(request.creations))
