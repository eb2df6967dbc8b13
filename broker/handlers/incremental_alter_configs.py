"""IncrementalAlterConfigs (API key 44): change single settings of topics, brokers or loggers (KIP-339)."""

from collections import Counter
from enum import IntEnum

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, KafkaError
from broker.metadata.config_resources import ConfigResource, ResourceType, find_resource
from broker.metadata.logger_levels import check_level, set_level
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


class Operation(IntEnum):
    """What to do with a config."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@handles(ApiKey.INCREMENTAL_ALTER_CONFIGS, versions=range(2))
def incremental_alter_configs(
    request: IncrementalAlterConfigsRequest, context: RequestContext
) -> IncrementalAlterConfigsResponse:
    """Change each resource wholly or not at all; one that is refused does not stop the others.

    v1 flexible.
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
    return IncrementalAlterConfigsResponse(responses=responses)


def _alter(resource: AlterConfigsResource, validate_only: bool, context: RequestContext) -> None:
    if len({config.name for config in resource.configs}) < len(resource.configs):
        raise InvalidRequest("Error due to duplicate config keys")
    without_value = [
        config.name
        for config in resource.configs
        if config.value is None and config.config_operation != Operation.DELETE
    ]
    if without_value:
        raise InvalidRequest(f"Null value not supported for : {','.join(without_value)}")
    if resource.resource_type == ResourceType.BROKER_LOGGER:
        _alter_loggers(resource, validate_only, context.config.node_id)
        if context.security is not None:
            context.security.on_handlers_change()  # the request log may have been switched
        return
    target = find_resource(
        resource.resource_type,
        resource.resource_name,
        topics=context.topics,
        configs=context.configs,
        node_id=context.config.node_id,
    )
    settings = dict(target.settings())
    for config in resource.configs:
        _apply(config, settings, target)
    target.check(settings)
    if not validate_only:
        target.replace(settings)


def _apply(config: AlterableConfig, settings: dict[str, str], target: ConfigResource) -> None:
    """Carry one operation out on the settings; nothing holds until they are put in place."""
    name, value = config.name, config.value or ""
    match config.config_operation:
        case Operation.SET:
            settings[name] = value
        case Operation.DELETE:
            settings.pop(name, None)
        case Operation.APPEND:
            items = target.list_items(name, "APPEND")
            settings[name] = ",".join(dict.fromkeys([*items, *_items(value)]))
        case Operation.SUBTRACT:
            gone = _items(value)
            settings[name] = ",".join(item for item in target.list_items(name, "SUBTRACT") if item not in gone)
        case unknown:
            # Differs from Kafka: INVALID_REQUEST, because its UNKNOWN_SERVER_ERROR without a message helps nobody.
            raise InvalidRequest(f"Unknown operation {unknown} for config key: {name}")


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _alter_loggers(resource: AlterConfigsResource, validate_only: bool, node_id: int) -> None:
    if resource.resource_name != str(node_id):
        raise InvalidRequest(f"Unexpected node id. Expected {node_id}, but received {resource.resource_name}")
    levels: dict[str, str | None] = {}
    for config in resource.configs:
        if config.config_operation not in (Operation.SET, Operation.DELETE):
            operation = "APPEND" if config.config_operation == Operation.APPEND else "SUBTRACT"
            raise InvalidRequest(f"{operation} operation is not allowed for the BROKER_LOGGER resource")
        levels[config.name] = config.value if config.config_operation == Operation.SET else None
        check_level(config.name, levels[config.name])
    if not validate_only:
        for name, level in levels.items():
            set_level(name, level)
