"""Configs of topics, of brokers, and of the cluster as a whole (dynamic broker defaults): read, set, reset, alter."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from app.http.json_body import answer, decode, no_content, read_utf8
from app.kafka.ports import AlterOperation, ConfigChange, ConfigEntry, ConfigResource, ResourceType
from app.rest.access.checks import require, visible
from app.rest.access.rules import Kind, Operation
from app.rest.errors import BadRequest, NotFound, Unprocessable
from app.rest.http import Request, Response
from app.rest.v3.brokers import find_broker
from app.rest.v3.resources import Place, Resource, answer_list, find_cluster, resource, v3_routes

routes = v3_routes("/v3/clusters/{cluster_id}")


class _UpdateRequest(msgspec.Struct):
    value: str | None = None


class _Alteration(msgspec.Struct):
    name: str | None = None
    value: str | None = None
    operation: str | None = None


class _AlterRequest(msgspec.Struct):
    data: list[_Alteration] | None = None
    validate_only: bool | None = None


class _TopicAlteration(_Alteration):
    topic_name: str | None = None


class _AlterTopicsRequest(msgspec.Struct):
    data: list[_TopicAlteration] | None = None
    validate_only: bool | None = None


_update_decoder = msgspec.json.Decoder(_UpdateRequest)
_alter_decoder = msgspec.json.Decoder(_AlterRequest)
_alter_topics_decoder = msgspec.json.Decoder(_AlterTopicsRequest)


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose configs: kind and fields of their resources, their place, and what Kafka calls the owner."""

    kind: str
    place: Place
    key: ConfigResource
    fields: Resource
    collection: str = "configs"
    member: str = "config"

    @property
    def url(self) -> str:
        return f"{self.place.url}/{self.collection}"

    def resource(self, config: ConfigEntry) -> Resource:
        return resource(
            self.kind,
            self.place.child(self.collection, self.member, config.name),
            **self.fields,
            name=config.name,
            value=config.value,
            is_default=config.is_default,
            is_read_only=config.is_read_only,
            is_sensitive=config.is_sensitive,
            source=config.source.name,
            synonyms=[
                {"name": synonym.name, "value": synonym.value, "source": synonym.source.name}
                for synonym in config.synonyms
            ],
        )


def _topic_owner(cluster: Place, cluster_id: str, topic: str) -> _Owner:
    return _Owner(
        "KafkaTopicConfig",
        cluster.child("topics", "topic", topic),
        ConfigResource(ResourceType.TOPIC, topic),
        {"cluster_id": cluster_id, "topic_name": topic},
    )


def _broker_owner(cluster: Place, cluster_id: str, broker_id: int) -> _Owner:
    return _Owner(
        "KafkaBrokerConfig",
        cluster.child("brokers", "broker", broker_id),
        ConfigResource(ResourceType.BROKER, str(broker_id)),
        {"cluster_id": cluster_id, "broker_id": broker_id},
    )


def _cluster_owner(cluster: Place, cluster_id: str) -> _Owner:
    return _Owner(
        "KafkaClusterConfig",
        cluster,
        ConfigResource(ResourceType.BROKER, ""),
        {"cluster_id": cluster_id, "config_type": "BROKER"},
        collection="broker-configs",
        member="broker-config",
    )


async def _find_topic(request: Request, cluster_id: str, topic: str) -> _Owner:
    return _topic_owner(await find_cluster(request, cluster_id), cluster_id, topic)


async def _find_broker(request: Request, cluster_id: str, broker_id: str) -> _Owner:
    cluster = await find_cluster(request, cluster_id)
    broker = find_broker(await request.context.admin.metadata(), broker_id)
    return _broker_owner(cluster, cluster_id, broker.broker_id)


async def _find_cluster_owner(request: Request, cluster_id: str) -> _Owner:
    return _cluster_owner(await find_cluster(request, cluster_id), cluster_id)


# --- topics --------------------------------------------------------------------------------------------------------


@routes.on("GET", "/topics/-/configs")
async def list_configs_of_all_topics(request: Request, cluster_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    topics = visible(request, Kind.TOPIC, sorted((await request.context.admin.metadata()).topics))
    configs = await request.context.admin.topic_configs_of_all(topics)
    resources = [
        owner.resource(config)
        for topic in topics
        for owner in (_topic_owner(cluster, cluster_id, topic),)
        for config in configs.get(topic, ())
    ]
    return answer_list(request, "KafkaTopicConfig", f"{cluster.url}/topics/-/configs", resources)


@routes.on("POST", "/topics/-/configs:alter", body=_AlterTopicsRequest)
async def alter_configs_of_many_topics(request: Request, cluster_id: str) -> Response:
    """As for one topic, with a `topic_name` in each entry; checked for all topics before anything is changed."""
    cluster = await find_cluster(request, cluster_id)
    wanted = decode(_alter_topics_decoder, await read_utf8(request) or b"{}")
    if wanted.data is None:
        raise Unprocessable("data may not be null")
    changes: dict[str, list[ConfigChange]] = {}
    for alteration in wanted.data:
        if not alteration.topic_name:
            raise Unprocessable("data.topic_name may not be null or empty")
        changes.setdefault(alteration.topic_name, []).append(_change_of(alteration))
    require(request, Operation.MANAGE, Kind.TOPIC, *changes)
    by_owner = {_topic_owner(cluster, cluster_id, topic).key: of_topic for topic, of_topic in changes.items()}
    for topic, of_topic in changes.items():
        await _check_names(request, _topic_owner(cluster, cluster_id, topic), of_topic)
    await request.context.admin.alter_configs(by_owner, validate_only=True)
    if not wanted.validate_only:
        await request.context.admin.alter_configs(by_owner)
    return no_content()


@routes.on("GET", "/topics/{topic}/configs")
async def list_topic_configs(request: Request, cluster_id: str, topic: str) -> Response:
    return await _list(request, await _find_topic(request, cluster_id, topic))


@routes.on("GET", "/topics/{topic}/configs/{name}")
async def get_topic_config(request: Request, cluster_id: str, topic: str, name: str) -> Response:
    return await _get(request, await _find_topic(request, cluster_id, topic), name)


@routes.on("PUT", "/topics/{topic}/configs/{name}", body=_UpdateRequest)
async def set_topic_config(request: Request, cluster_id: str, topic: str, name: str) -> Response:
    return await _set(request, await _find_topic(request, cluster_id, topic), name)


@routes.on("DELETE", "/topics/{topic}/configs/{name}")
async def reset_topic_config(request: Request, cluster_id: str, topic: str, name: str) -> Response:
    return await _reset(request, await _find_topic(request, cluster_id, topic), name)


@routes.on("POST", "/topics/{topic}/configs:alter", body=_AlterRequest)
async def alter_topic_configs(request: Request, cluster_id: str, topic: str) -> Response:
    return await _alter(request, await _find_topic(request, cluster_id, topic))


# --- brokers -------------------------------------------------------------------------------------------------------


@routes.on("GET", "/brokers/-/configs")
async def list_configs_of_all_brokers(request: Request, cluster_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    brokers = (await request.context.admin.metadata()).brokers
    owners = [_broker_owner(cluster, cluster_id, broker.broker_id) for broker in brokers]
    configs = await request.context.admin.describe_configs([owner.key for owner in owners])
    resources = [owner.resource(config) for owner in owners for config in _by_name(configs[owner.key])]
    return answer_list(request, "KafkaBrokerConfig", f"{cluster.url}/brokers/-/configs", resources)


@routes.on("GET", "/brokers/{broker_id}/configs")
async def list_broker_configs(request: Request, cluster_id: str, broker_id: str) -> Response:
    return await _list(request, await _find_broker(request, cluster_id, broker_id))


@routes.on("GET", "/brokers/{broker_id}/configs/{name}")
async def get_broker_config(request: Request, cluster_id: str, broker_id: str, name: str) -> Response:
    return await _get(request, await _find_broker(request, cluster_id, broker_id), name)


@routes.on("PUT", "/brokers/{broker_id}/configs/{name}", body=_UpdateRequest)
async def set_broker_config(request: Request, cluster_id: str, broker_id: str, name: str) -> Response:
    return await _set(request, await _find_broker(request, cluster_id, broker_id), name)


@routes.on("DELETE", "/brokers/{broker_id}/configs/{name}")
async def reset_broker_config(request: Request, cluster_id: str, broker_id: str, name: str) -> Response:
    return await _reset(request, await _find_broker(request, cluster_id, broker_id), name)


@routes.on("POST", "/brokers/{broker_id}/configs:alter", body=_AlterRequest)
async def alter_broker_configs(request: Request, cluster_id: str, broker_id: str) -> Response:
    return await _alter(request, await _find_broker(request, cluster_id, broker_id))


# --- the cluster ---------------------------------------------------------------------------------------------------


@routes.on("GET", "/broker-configs")
async def list_cluster_configs(request: Request, cluster_id: str) -> Response:
    return await _list(request, await _find_cluster_owner(request, cluster_id))


@routes.on("GET", "/broker-configs/{name}")
async def get_cluster_config(request: Request, cluster_id: str, name: str) -> Response:
    return await _get(request, await _find_cluster_owner(request, cluster_id), name)


@routes.on("PUT", "/broker-configs/{name}", body=_UpdateRequest)
async def set_cluster_config(request: Request, cluster_id: str, name: str) -> Response:
    return await _set(request, await _find_cluster_owner(request, cluster_id), name)


@routes.on("DELETE", "/broker-configs/{name}")
async def reset_cluster_config(request: Request, cluster_id: str, name: str) -> Response:
    return await _reset(request, await _find_cluster_owner(request, cluster_id), name)


@routes.on("POST", "/broker-configs:alter", body=_AlterRequest)
async def alter_cluster_configs(request: Request, cluster_id: str) -> Response:
    return await _alter(request, await _find_cluster_owner(request, cluster_id))


# --- what all owners have in common --------------------------------------------------------------------------------


async def _list(request: Request, owner: _Owner) -> Response:
    configs = await _describe(request, owner)
    return answer_list(request, owner.kind, owner.url, [owner.resource(config) for config in configs])


async def _get(request: Request, owner: _Owner, name: str) -> Response:
    for config in await _describe(request, owner):
        if config.name == name:
            return answer(request, owner.resource(config))
    raise NotFound


async def _set(request: Request, owner: _Owner, name: str) -> Response:
    wanted = decode(_update_decoder, await read_utf8(request) or b"{}")
    if wanted.value is None:
        raise Unprocessable("value may not be null")
    await _change(request, owner, [ConfigChange(name, wanted.value)])
    return no_content()


async def _reset(request: Request, owner: _Owner, name: str) -> Response:
    await _change(request, owner, [ConfigChange(name, operation=AlterOperation.DELETE)])
    return no_content()


async def _alter(request: Request, owner: _Owner) -> Response:
    wanted = decode(_alter_decoder, await read_utf8(request) or b"{}")
    if wanted.data is None:
        raise Unprocessable("data may not be null")
    changes = [_change_of(alteration) for alteration in wanted.data]
    await _change(request, owner, changes, validate_only=bool(wanted.validate_only))
    return no_content()


async def _describe(request: Request, owner: _Owner) -> list[ConfigEntry]:
    configs = await request.context.admin.describe_configs([owner.key])
    return _by_name(configs.get(owner.key, ()))


async def _change(
    request: Request, owner: _Owner, changes: Sequence[ConfigChange], *, validate_only: bool = False
) -> None:
    await _check_names(request, owner, changes)
    await request.context.admin.alter_configs({owner.key: changes}, validate_only=validate_only)


async def _check_names(request: Request, owner: _Owner, changes: Sequence[ConfigChange]) -> None:
    """Raises NotFound for a config that the owner does not have."""
    if owner.key.name:  # the cluster's own list holds only what was set before, so it says nothing of other names
        known = {config.name for config in await _describe(request, owner)}
        for change in changes:
            if change.name not in known:
                raise NotFound(f"Config {change.name} cannot be found for {owner.place.name}")


def _change_of(alteration: _Alteration) -> ConfigChange:
    if not alteration.name:
        raise Unprocessable("data.name may not be null or empty")
    operation = (alteration.operation or "SET").upper()
    if operation not in ("SET", "DELETE"):
        raise BadRequest(f"data.operation is {alteration.operation!r}, not SET or DELETE")
    if operation == "SET" and alteration.value is None:
        raise Unprocessable("data.value may not be null when the operation is SET")
    return ConfigChange(alteration.name, alteration.value, AlterOperation[operation])


def _by_name(configs: Sequence[ConfigEntry]) -> list[ConfigEntry]:
    return sorted(configs, key=lambda config: config.name)
