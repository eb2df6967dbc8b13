"""DeleteAcls (API key 31): remove the ACLs that filters match."""

from broker.dispatch import RequestContext, handles
from broker.errors import KafkaError, KafkaStorageError, SecurityDisabled
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.delete_acls import (
    DeleteAclsFilter,
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)
from broker.security.acl import Acl, AclFilter


@handles(ApiKey.DELETE_ACLS, versions=range(1, 4))
def delete_acls(request: DeleteAclsRequest, context: RequestContext) -> DeleteAclsResponse:
    """SECURITY_DISABLED for each without an authorizer. v2 flexible · v3 user resources (KIP-48)."""
    authorizer = None if context.security is None else context.security.authorizer
    if authorizer is None:
        refused = DeleteAclsFilterResult(error_code=SecurityDisabled.code, error_message="No Authorizer is configured.")
        return DeleteAclsResponse(filter_results=[refused] * len(request.filters))
    results, removed = [], set()
    for asked in request.filters:
        wanted = _filter(asked)
        try:
            wanted.check()
        except KafkaError as error:
            results.append(DeleteAclsFilterResult(error.code, str(error)))
            continue
        found = authorizer.find(wanted)
        removed.update(found)
        results.append(DeleteAclsFilterResult(error_message=None, matching_acls=[_matching(acl) for acl in found]))
    try:
        authorizer.change(remove=removed)
    except OSError as error:
        results = [DeleteAclsFilterResult(KafkaStorageError.code, str(error)) for _ in request.filters]
    return DeleteAclsResponse(filter_results=results)


def _filter(asked: DeleteAclsFilter) -> AclFilter:
    return AclFilter(
        resource_type=asked.resource_type_filter,
        resource_name=asked.resource_name_filter,
        pattern_type=asked.pattern_type_filter,
        principal=asked.principal_filter,
        host=asked.host_filter,
        operation=asked.operation,
        permission=asked.permission_type,
    )


def _matching(acl: Acl) -> DeleteAclsMatchingAcl:
    return DeleteAclsMatchingAcl(
        error_message=None,
        resource_type=acl.resource_type,
        resource_name=acl.resource_name,
        pattern_type=acl.pattern_type,
        principal=acl.principal,
        host=acl.host,
        operation=acl.operation,
        permission_type=acl.permission,
    )
