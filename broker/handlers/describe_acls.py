"""DescribeAcls (API key 29): the ACLs that a filter matches."""

from itertools import groupby

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, SecurityDisabled
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_acls import (
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)
from broker.security.acl import AclFilter


@handles(ApiKey.DESCRIBE_ACLS, versions=range(1, 4))
def describe_acls(request: DescribeAclsRequest, context: RequestContext) -> DescribeAclsResponse:
    """SECURITY_DISABLED without an authorizer. v2 flexible · v3 user resources (KIP-48)."""
    authorizer = None if context.security is None else context.security.authorizer
    if authorizer is None:
        return DescribeAclsResponse(
            error_code=SecurityDisabled.code, error_message="No Authorizer is configured on the broker"
        )
    wanted = AclFilter(
        resource_type=request.resource_type_filter,
        resource_name=request.resource_name_filter,
        pattern_type=request.pattern_type_filter,
        principal=request.principal_filter,
        host=request.host_filter,
        operation=request.operation,
        permission=request.permission_type,
    )
    try:
        wanted.check()
    except InvalidRequest as error:
        return DescribeAclsResponse(error_code=error.code, error_message=str(error))
    response = DescribeAclsResponse(error_message=None)
    found = authorizer.find(wanted)
    for (kind, name, pattern), acls in groupby(
        found, key=lambda acl: (acl.resource_type, acl.resource_name, acl.pattern_type)
    ):
        response.resources.append(
            DescribeAclsResource(
                kind,
                name,
                pattern,
                [AclDescription(acl.principal, acl.host, acl.operation, acl.permission) for acl in acls],
            )
        )
    return response
