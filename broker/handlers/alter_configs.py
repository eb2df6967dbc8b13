"""AlterConfigs (API key 33): replace all settings of topics or brokers at once.

Deprecated in favour of IncrementalAlterConfigs, which cannot lose a setting that the client did not know of.
"""

from collections import Counter

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, KafkaError
from broker.metadata.config_resources import find_resource
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)


@handles(ApiKey.ALTER_CONFIGS, versions=range(3))
def alter_configs(request: AlterConfigsRequest, context: RequestContext) -> AlterConfigsResponse:
    """Let exactly the given settings hold for each resource; one that is refused does not stop the others.

    v2 flexible.
    """
    times_named = Counter((resource.resource_type, resource.resource_name) for resource in request.resources)
    responses = []
    with context.topics.one_save():
        for resource in request.resources:
            response = AlterConfigsResourceResponse(
                error_message=None, resource_type=resource.resource_type, resource_name=resource.resource_name
            )
            try:
                if times_named[resource.resource_type, resource.resource_name] > 1:
                    raise InvalidRequest("Each resource must appear at most once.")
                _alter(resource, request.validate_only, context)
            except KafkaError as error:
                response.error_code, response.error_message = error.code, str(error)
            responses.append(response)
    return AlterConfigsResponse(responses=responses)


def _alter(resource: AlterConfigsResource, validate_only: bool, context: RequestContext) -> None:
    target = find_resource(
        resource.resource_type,
        resource.resource_name,
        topics=context.topics,
        configs=context.configs,
        node_id=context.config.node_id,
    )
    settings = {config.name: config.value for config in resource.configs if config.value is not None}
    if len(settings) < len(resource.configs):
        without_value = [config.name for config in resource.configs if config.value is None]
        if without_value:
            raise InvalidRequest(f"Null value not supported for : {','.join(without_value)}")
        raise InvalidRequest("Error due to duplicate config keys")
    target.check(settings)
    if not validate_only:
        target.replace(settings)
