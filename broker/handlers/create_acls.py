"""CreateAcls (API key 30): add ACLs, each by itself."""

from broker.dispatch import RequestContext, handles
from broker.errors import KafkaError, KafkaStorageError, SecurityDisabled
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.create_acls import AclCreation, AclCreationResult, CreateAclsRequest, CreateAclsResponse
from broker.security.acl import Acl, check_acl


@handles(ApiKey.CREATE_ACLS, versions=range(1, 4))
def create_acls(request: CreateAclsRequest, context: RequestContext) -> CreateAclsResponse:
    """SECURITY_DISABLED for each without an authorizer. v2 flexible · v3 user resources (KIP-48)."""
    authorizer = None if context.security is None else context.security.authorizer
    if authorizer is None:
        refused = AclCreationResult(error_code=SecurityDisabled.code, error_message="No Authorizer is configured.")
        return CreateAclsResponse(results=[refused] * len(request.creations))
    results, added = [], []
    for creation in request.creations:
        acl = _acl(creation)
        try:
            check_acl(acl)
        except KafkaError as error:
            results.append(AclCreationResult(error.code, str(error)))
        else:
            added.append(acl)
            results.append(AclCreationResult(error_message=None))
    try:
        authorizer.change(add=added)
    except OSError as error:
        results = [result if result.error_code else _not_kept(error) for result in results]
    return CreateAclsResponse(results=results)


def _acl(creation: AclCreation) -> Acl:
    return Acl(
        resource_type=creation.resource_type,
        resource_name=creation.resource_name,
        pattern_type=creation.resource_pattern_type,
        principal=creation.principal,
        host=creation.host,
        operation=creation.operation,
        permission=creation.permission_type,
    )


def _not_kept(error: OSError) -> AclCreationResult:
    return AclCreationResult(KafkaStorageError.code, str(error))
