"""`/v3/clusters/{cluster_id}/topics`: list, create, describe, add partitions, delete."""

from collections.abc import Mapping, Sequence

import msgspec

from app.http.json_body import answer, decode, no_content, read_utf8
from app.kafka.acls import AclOperation
from app.kafka.ports import ClusterMetadata, NewTopic, TopicInfo
from app.rest.access.checks import require, visible
from app.rest.access.rules import Kind, Operation
from app.rest.errors import BadRequest, NotFound, Unprocessable
from app.rest.http import Request, Response
from app.rest.v3.resources import Place, Resource, answer_list, find_cluster, resource, v3_routes

routes = v3_routes("/v3/clusters/{cluster_id}/topics")

_OPERATIONS_PARAMETERS = ("include_authorized_operations", "includeAuthorizedOperations")  # the original has both


class _Config(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class _CreateRequest(msgspec.Struct):
    topic_name: str | None = None
    partitions_count: int | None = None
    replication_factor: int | None = None
    replicas_assignments: dict[int, list[int]] | None = None
    configs: list[_Config] | None = None
    validate_only: bool | None = None


class _UpdateRequest(msgspec.Struct):
    partitions_count: int | None = None


_create_decoder = msgspec.json.Decoder(_CreateRequest)
_update_decoder = msgspec.json.Decoder(_UpdateRequest)


@routes.on("GET", "")
async def list_topics(request: Request, cluster_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    metadata = await request.context.admin.metadata()
    operations = await _operations(request, None)
    topics = [
        _describe(cluster, cluster_id, metadata.topics[name], operations.get(name, ()))
        for name in visible(request, Kind.TOPIC, sorted(metadata.topics))
    ]
    return answer_list(request, "KafkaTopic", f"{cluster.url}/topics", topics)


@routes.on("POST", "", body=_CreateRequest)
async def create_topic(request: Request, cluster_id: str) -> Response:
    """201 with the topic's address; 200 when it was only validated."""
    cluster = await find_cluster(request, cluster_id)
    wanted = decode(_create_decoder, await _required_body(request))
    require(request, Operation.MANAGE, Kind.TOPIC, wanted.topic_name or "")
    is_rehearsal = bool(wanted.validate_only)
    created = await request.context.admin.create_topic(_new_topic(wanted), validate_only=is_rehearsal)
    body = _topic_resource(
        cluster,
        cluster_id,
        created.name,
        is_internal=False,
        # 0 stands for what an old broker does not tell.
        replication_factor=max(0, created.replication_factor),
        partitions_count=max(0, created.partition_count),
    )
    if is_rehearsal:
        return answer(request, body)
    made = answer(request, body, status=201)
    made.headers = ((b"location", _place(cluster, created.name).url.encode()),)
    return made


@routes.on("GET", "/{topic}")
async def get_topic(request: Request, cluster_id: str, name: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    topic = find_topic(await request.context.admin.metadata(), name)
    operations = await _operations(request, [name])
    return answer(request, _describe(cluster, cluster_id, topic, operations.get(name, ())))


@routes.on("PATCH", "/{topic}", body=_UpdateRequest)
async def add_partitions(request: Request, cluster_id: str, name: str) -> Response:
    """Raise the number of partitions; fewer or as many as there are is Kafka's error (400 / 40002)."""
    cluster = await find_cluster(request, cluster_id)
    wanted = decode(_update_decoder, await _required_body(request))
    if wanted.partitions_count is None:
        raise Unprocessable("partitions_count may not be null")
    await request.context.admin.create_partitions(name, total_count=wanted.partitions_count)
    topic = find_topic(await request.context.admin.metadata(), name)
    return answer(request, _describe(cluster, cluster_id, topic, partitions_count=wanted.partitions_count))


@routes.on("DELETE", "/{topic}")
async def delete_topic(request: Request, cluster_id: str, name: str) -> Response:
    await find_cluster(request, cluster_id)
    await request.context.admin.delete_topic(name)
    return no_content()


def find_topic(metadata: ClusterMetadata, name: str) -> TopicInfo:
    """Raises NotFound."""
    topic = metadata.topics.get(name)
    if topic is None:
        raise NotFound
    return topic


async def _operations(request: Request, names: Sequence[str] | None) -> Mapping[str, Sequence[AclOperation]]:
    """What the cluster lets us do with topics; only those who ask for it are told, as it costs a request of its own."""
    for parameter in _OPERATIONS_PARAMETERS:
        asked = request.query.get(parameter, "false").lower()
        if asked not in ("true", "false"):
            raise BadRequest(f"{parameter} is {asked!r}, not true or false")
        if asked == "true":
            return await request.context.admin.topic_operations(names)
    return {}


async def _required_body(request: Request) -> bytes:
    body = await read_utf8(request)
    if not body:
        raise Unprocessable("The request body may not be empty")
    return body


def _new_topic(wanted: _CreateRequest) -> NewTopic:
    if not wanted.topic_name:
        raise Unprocessable("topic_name may not be null or empty")
    configs: dict[str, str] = {}
    for config in wanted.configs or ():
        if not config.name:
            raise Unprocessable("configs.name may not be null or empty")
        if config.value is not None:
            configs[config.name] = config.value
    if wanted.replicas_assignments:
        assignments = {partition: tuple(brokers) for partition, brokers in wanted.replicas_assignments.items()}
        return NewTopic(wanted.topic_name, configs=configs, replica_assignments=assignments)
    return NewTopic(
        wanted.topic_name,
        partition_count=wanted.partitions_count,
        replication_factor=wanted.replication_factor,
        configs=configs,
    )


def _place(cluster: Place, name: str) -> Place:
    return cluster.child("topics", "topic", name)


def _describe(
    cluster: Place,
    cluster_id: str,
    topic: TopicInfo,
    operations: Sequence[AclOperation] = (),
    *,
    partitions_count: int | None = None,
) -> Resource:
    return _topic_resource(
        cluster,
        cluster_id,
        topic.name,
        is_internal=topic.is_internal,
        replication_factor=topic.replication_factor,
        # Just after a change, Metadata may still tell the old number.
        partitions_count=len(topic.partitions) if partitions_count is None else partitions_count,
        operations=operations,
    )


def _topic_resource(
    cluster: Place,
    cluster_id: str,
    name: str,
    *,
    is_internal: bool,
    replication_factor: int,
    partitions_count: int,
    operations: Sequence[AclOperation] = (),
) -> Resource:
    place = _place(cluster, name)
    return resource(
        "KafkaTopic",
        place,
        cluster_id=cluster_id,
        topic_name=name,
        is_internal=is_internal,
        replication_factor=replication_factor,
        partitions_count=partitions_count,
        partitions=place.related("partitions"),
        configs=place.related("configs"),
        partition_reassignments=place.related("partitions", "-", "reassignment"),
        authorized_operations=[operation.name for operation in operations],
    )
