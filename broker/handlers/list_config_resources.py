"""ListConfigResources (API key 74): which resources have configs that can be described (KIP-1142)."""

from broker.dispatch import RequestContext, handles
from broker.errors import UnsupportedVersion
from broker.metadata.config_resources import ResourceType
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)


@handles(ApiKey.LIST_CONFIG_RESOURCES, versions=range(2))
def list_config_resources(request: ListConfigResourcesRequest, context: RequestContext) -> ListConfigResourcesResponse:
    """Topics, this broker, its loggers, client metrics subscriptions, and the groups that something is set for.

    v0 asks for client metrics subscriptions only · v1 for the named resource types, none meaning all.
    """
    wanted = set(request.resource_types or ResourceType) if context.api_version > 0 else {ResourceType.CLIENT_METRICS}
    if not wanted <= set(ResourceType):
        return ListConfigResourcesResponse(error_code=UnsupportedVersion.code)
    node = str(context.config.node_id)
    resources = [
        ConfigResource(resource_name=node, resource_type=resource_type)
        for resource_type in (ResourceType.BROKER, ResourceType.BROKER_LOGGER)
        if resource_type in wanted
    ]
    if ResourceType.TOPIC in wanted:
        resources += [ConfigResource(resource_name=t.name, resource_type=ResourceType.TOPIC) for t in context.topics]
    named = {
        ResourceType.GROUP: context.configs.names_of_groups(),
        ResourceType.CLIENT_METRICS: context.configs.names_of_client_metrics(),
    }
    for resource_type, names in named.items():
        if resource_type in wanted:
            resources += [ConfigResource(resource_name=name, resource_type=resource_type) for name in names]
    return ListConfigResourcesResponse(config_resources=resources)
