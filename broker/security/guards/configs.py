"""Guards of configs: DESCRIBE_CONFIGS and ALTER_CONFIGS on the topic, the group or the cluster they belong to."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import ClusterAuthorizationFailed, GroupAuthorizationFailed, KafkaError, TopicAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages import alter_configs as alter_messages
from broker.protocol.messages import incremental_alter_configs as incremental_messages
from broker.protocol.messages.describe_configs import DescribeConfigsResponse, DescribeConfigsResult
from broker.security.acl import Operation, ResourceType
from broker.security.guard import answer_rest, guards, may, may_on_cluster, split

TOPIC_CONFIG: Final = 2
GROUP_CONFIG: Final = 32
MESSAGE_ENDS: Final = "authorization failed."


def _is_allowed(resource: Any, operation: Operation, context: RequestContext) -> bool:
    if resource.resource_type == TOPIC_CONFIG:
        return may(context, operation, ResourceType.TOPIC, resource.resource_name)
    if resource.resource_type == GROUP_CONFIG:
        return may(context, operation, ResourceType.GROUP, resource.resource_name)
    return may_on_cluster(context, operation)


def _error(resource: Any) -> KafkaError:
    if resource.resource_type == TOPIC_CONFIG:
        return TopicAuthorizationFailed(f"Topic {MESSAGE_ENDS}")
    if resource.resource_type == GROUP_CONFIG:
        return GroupAuthorizationFailed(f"Group {MESSAGE_ENDS}")
    return ClusterAuthorizationFailed(f"Cluster {MESSAGE_ENDS}")


def _guard(
    handler: Handler,
    request: Any,
    context: RequestContext,
    operation: Operation,
    response_type: type,
    result_type: type,
    results: str,
) -> Any:
    request.resources, denied = split(request.resources, lambda each: _is_allowed(each, operation, context))
    refusals = []
    for resource in denied:
        error = _error(resource)
        refusals.append(
            result_type(
                error_code=error.code,
                error_message=str(error),
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
        )
    return answer_rest(
        handler,
        request,
        context,
        is_asked=request.resources or not denied,
        empty=response_type(),
        field=results,
        refusals=refusals,
    )


@guards(ApiKey.DESCRIBE_CONFIGS)
def describe_configs(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE_CONFIGS on each resource."""
    return _guard(
        handler,
        request,
        context,
        Operation.DESCRIBE_CONFIGS,
        DescribeConfigsResponse,
        DescribeConfigsResult,
        "results",
    )


@guards(ApiKey.INCREMENTAL_ALTER_CONFIGS)
def incremental_alter_configs(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER_CONFIGS on each resource."""
    return _guard(
        handler,
        request,
        context,
        Operation.ALTER_CONFIGS,
        incremental_messages.IncrementalAlterConfigsResponse,
        incremental_messages.AlterConfigsResourceResponse,
        "responses",
    )


@guards(ApiKey.ALTER_CONFIGS)
def alter_configs(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER_CONFIGS on each resource."""
    return _guard(
        handler,
        request,
        context,
        Operation.ALTER_CONFIGS,
        alter_messages.AlterConfigsResponse,
        alter_messages.AlterConfigsResourceResponse,
        "responses",
    )
