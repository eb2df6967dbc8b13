"""DescribeAcls (API key 29): without an authorizer there are no ACLs, as in Kafka."""

from broker.dispatch import RequestContext, handles
from broker.errors import SecurityDisabled
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse


@handles(ApiKey.DESCRIBE_ACLS, versions=range(1, 4))
def describe_acls(request: DescribeAclsRequest, context: RequestContext) -> DescribeAclsResponse:
    """SECURITY_DISABLED. v2 flexible · v3 user resources (KIP-48)."""
    return DescribeAclsResponse(
        error_code=SecurityDisabled.code, error_message="No Authorizer is configured on the broker"
    )
