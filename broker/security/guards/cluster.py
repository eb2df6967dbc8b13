"""Guards of what concerns the cluster as a whole."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import ClusterAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.alter_client_quotas import AlterClientQuotasResponse, EntityData, ResponseEntryData
from broker.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)
from broker.protocol.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
)
from broker.protocol.messages.create_acls import AclCreationResult, CreateAclsResponse
from broker.protocol.messages.delete_acls import DeleteAclsFilterResult, DeleteAclsResponse
from broker.protocol.messages.describe_client_quotas import DescribeClientQuotasResponse
from broker.security.acl import CLUSTER_NAME, Operation, ResourceType
from broker.security.guard import authorizer_of, demand_on_cluster, guards, may_on_cluster, then

CODE: Final = ClusterAuthorizationFailed.code
MESSAGE: Final = "Cluster authorization failed."


@guards(
    ApiKey.API_VERSIONS,
    ApiKey.CREATE_DELEGATION_TOKEN,
    ApiKey.DESCRIBE_DELEGATION_TOKEN,
    ApiKey.EXPIRE_DELEGATION_TOKEN,
    ApiKey.RENEW_DELEGATION_TOKEN,
    ApiKey.SASL_AUTHENTICATE,
    ApiKey.SASL_HANDSHAKE,
)
def free(handler: Handler, request: Any, context: RequestContext) -> Any:
    """Everybody may ask this; that there are no delegation tokens too."""
    return handler(request, context)


@guards(
    ApiKey.DESCRIBE_ACLS,
    ApiKey.DESCRIBE_LOG_DIRS,
    ApiKey.DESCRIBE_QUORUM,
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS,
    ApiKey.LIST_PARTITION_REASSIGNMENTS,
)
def describe(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on the cluster."""
    demand_on_cluster(context, Operation.DESCRIBE)
    return handler(request, context)


@guards(
    ApiKey.ADD_RAFT_VOTER,
    ApiKey.ALTER_PARTITION_REASSIGNMENTS,
    ApiKey.ELECT_LEADERS,
    ApiKey.REMOVE_RAFT_VOTER,
    ApiKey.UNREGISTER_BROKER,
    ApiKey.UPDATE_FEATURES,
)
def alter(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER on the cluster."""
    demand_on_cluster(context, Operation.ALTER)
    return handler(request, context)


@guards(ApiKey.LIST_CONFIG_RESOURCES)
def describe_configs(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE_CONFIGS on the cluster."""
    demand_on_cluster(context, Operation.DESCRIBE_CONFIGS)
    return handler(request, context)


@guards(ApiKey.DESCRIBE_CLIENT_QUOTAS)
def describe_client_quotas(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE_CONFIGS on the cluster."""
    if not may_on_cluster(context, Operation.DESCRIBE_CONFIGS):
        return DescribeClientQuotasResponse(error_code=CODE, error_message=MESSAGE, entries=None)
    return handler(request, context)


@guards(ApiKey.ALTER_CLIENT_QUOTAS)
def alter_client_quotas(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER_CONFIGS on the cluster."""
    if not may_on_cluster(context, Operation.ALTER_CONFIGS):
        entries = [
            ResponseEntryData(
                error_code=CODE,
                error_message=MESSAGE,
                entity=[EntityData(each.entity_type, each.entity_name) for each in entry.entity],
            )
            for entry in request.entries
        ]
        return AlterClientQuotasResponse(entries=entries)
    return handler(request, context)


@guards(ApiKey.CREATE_ACLS)
def create_acls(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER on the cluster."""
    if not may_on_cluster(context, Operation.ALTER):
        return CreateAclsResponse(results=[AclCreationResult(CODE, MESSAGE) for _ in request.creations])
    return handler(request, context)


@guards(ApiKey.DELETE_ACLS)
def delete_acls(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER on the cluster."""
    if not may_on_cluster(context, Operation.ALTER):
        return DeleteAclsResponse(filter_results=[DeleteAclsFilterResult(CODE, MESSAGE) for _ in request.filters])
    return handler(request, context)


@guards(ApiKey.ALTER_USER_SCRAM_CREDENTIALS)
def alter_user_scram_credentials(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER on the cluster."""
    if not may_on_cluster(context, Operation.ALTER):
        names = dict.fromkeys(each.name for each in [*request.deletions, *request.upsertions])
        return AlterUserScramCredentialsResponse(
            results=[AlterUserScramCredentialsResult(name, CODE, MESSAGE) for name in names]
        )
    return handler(request, context)


@guards(ApiKey.ALTER_REPLICA_LOG_DIRS)
def alter_replica_log_dirs(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER on the cluster."""
    if not may_on_cluster(context, Operation.ALTER):
        results = [
            AlterReplicaLogDirTopicResult(
                topic.name, [AlterReplicaLogDirPartitionResult(index, CODE) for index in topic.partitions]
            )
            for folder in request.dirs
            for topic in folder.topics
        ]
        return AlterReplicaLogDirsResponse(results=results)
    return handler(request, context)


@guards(ApiKey.DESCRIBE_CLUSTER)
def describe_cluster(handler: Handler, request: Any, context: RequestContext) -> Any:
    """Everybody may; what they may do to the cluster is told to those who may describe it."""

    def tell_operations(response: Any) -> Any:
        if request.include_cluster_authorized_operations:
            response.cluster_authorized_operations = cluster_operations(context)
        return response

    return then(handler(request, context), tell_operations)


def cluster_operations(context: RequestContext) -> int:
    """The bits of what the client may do to the cluster; none unless it may describe it."""
    if not may_on_cluster(context, Operation.DESCRIBE):
        return 0
    return authorizer_of(context).operations(context, ResourceType.CLUSTER, CLUSTER_NAME)
