"""DescribeConfigs (API key 32): the configs of topics, brokers, loggers and groups, and where each value comes from."""

import asyncio
from collections.abc import Iterable

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, KafkaError, UnknownTopicOrPartition
from broker.metadata import client_metrics_configs, group_configs
from broker.metadata.config_entries import ConfigEntry, ConfigSource
from broker.metadata.config_resources import ResourceType
from broker.metadata.logger_levels import logger_levels
from broker.metadata.topics import check_topic_name
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

RESOURCES_PER_SLICE = 20
"""After how many resources other connections get their turn."""


@handles(ApiKey.DESCRIBE_CONFIGS, versions=range(1, 5))
async def describe_configs(request: DescribeConfigsRequest, context: RequestContext) -> DescribeConfigsResponse:
    """Answer each resource by itself.

    v1 sources and synonyms (KIP-226) · v3 types and documentation (KIP-569) · v4 flexible.
    """
    response = DescribeConfigsResponse()
    for start in range(0, len(request.resources), RESOURCES_PER_SLICE):
        if start:
            await asyncio.sleep(0)
        for resource in request.resources[start : start + RESOURCES_PER_SLICE]:
            response.results.append(_describe(resource, request, context))
    return response


def _describe(
    resource: DescribeConfigsResource, request: DescribeConfigsRequest, context: RequestContext
) -> DescribeConfigsResult:
    result = DescribeConfigsResult(resource_type=resource.resource_type, resource_name=resource.resource_name)
    try:
        entries = _entries(resource, context)
    except KafkaError as error:
        result.error_code, result.error_message = error.code, str(error)
    else:
        result.configs = [_shown(entry, request) for entry in entries]
    return result


def _entries(resource: DescribeConfigsResource, context: RequestContext) -> list[ConfigEntry]:
    name, keys = resource.resource_name, resource.configuration_keys
    match resource.resource_type:
        case ResourceType.TOPIC:
            check_topic_name(name)
            topic = context.topics.get(name)
            if topic is None:
                raise UnknownTopicOrPartition("")
            return context.configs.describe_topic(topic.configs, keys)
        case ResourceType.BROKER:
            if name:
                _check_broker_id(name, context.config.node_id, or_empty=True)
            return context.configs.describe(for_cluster=not name, names=keys)
        case ResourceType.BROKER_LOGGER:
            if not name:
                raise InvalidRequest("Broker id must not be empty")
            _check_broker_id(name, context.config.node_id, or_empty=False)
            return _logger_entries(keys)
        case ResourceType.GROUP:
            if not name:
                raise InvalidRequest("Group name must not be empty")
            return group_configs.describe(context.configs.of_group(name), context.configs.layers, keys)
        case ResourceType.CLIENT_METRICS:
            if not name:
                raise InvalidRequest("Client metrics subscription name must not be empty")
            return client_metrics_configs.describe(context.configs.of_client_metrics(name), keys)
    raise InvalidRequest(f"Unknown resource type {resource.resource_type}")


def _check_broker_id(name: str, node_id: int, *, or_empty: bool) -> None:
    if not (name.isascii() and name.removeprefix("-").isdecimal()):
        raise InvalidRequest(f"Broker id must be an integer, but it is: {name}")
    if int(name) != node_id:
        expected = f"{node_id} or empty string, but" if or_empty else f"{node_id} but"
        raise InvalidRequest(f"Unexpected broker id, expected {expected} received {name}")


def _logger_entries(keys: Iterable[str] | None) -> list[ConfigEntry]:
    wanted = set(keys or ())
    return [
        ConfigEntry(name, level, ConfigSource.DYNAMIC_BROKER_LOGGER, None)
        for name, level in logger_levels().items()
        if not wanted or name in wanted
    ]


def _shown(entry: ConfigEntry, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    synonyms = entry.synonyms if request.include_synonyms else ()
    return DescribeConfigsResourceResult(
        name=entry.name,
        value=entry.value,
        read_only=entry.is_read_only,
        config_source=entry.source,
        is_sensitive=entry.is_sensitive,
        synonyms=[DescribeConfigsSynonym(name=s.name, value=s.value, source=s.source) for s in synonyms],
        config_type=entry.type or 0,
        documentation=entry.documentation if request.include_documentation else None,
    )
