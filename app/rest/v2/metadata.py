"""Brokers, topics and partitions (REST API v2)."""

import re

from app.http.json_body import answer
from app.http.routing import Routes
from app.kafka.ports import (
    EARLIEST,
    LATEST,
    ClusterMetadata,
    ConfigResource,
    PartitionInfo,
    ResourceType,
    TopicInfo,
    TopicPartition,
)
from app.rest.access.checks import visible
from app.rest.access.rules import Kind
from app.rest.errors import NotFound, PartitionNotFound, TopicNotFound
from app.rest.http import Request, Response
from app.rest.negotiation import JSON, V2_CONSUMED, V2_OFFERS
from broker.errors import UnknownTopicOrPartition, by_code

_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")  # as Java reads one: no blanks, no underscores

routes = Routes(consumes=V2_CONSUMED, offers=V2_OFFERS)


@routes.on("GET", "/")
@routes.on("POST", "/", consumes=V2_CONSUMED | {JSON})
async def root(request: Request) -> Response:
    """Says that the proxy is there; asks the cluster nothing."""
    return answer(request, {})


@routes.on("GET", "/brokers")
async def list_brokers(request: Request) -> Response:
    metadata = await request.context.admin.metadata()
    return answer(request, {"brokers": [broker.broker_id for broker in metadata.brokers]})


@routes.on("GET", "/topics")
async def list_topics(request: Request) -> Response:
    metadata = await request.context.admin.metadata()
    return answer(request, visible(request, Kind.TOPIC, sorted(metadata.topics)))


@routes.on("GET", "/topics/{topic}")
async def get_topic(request: Request, name: str) -> Response:
    topic = _topic(await request.context.admin.metadata(), name)
    resource = ConfigResource(ResourceType.TOPIC, name)
    try:
        configs = (await request.context.admin.describe_configs([resource]))[resource]
    except UnknownTopicOrPartition:
        raise TopicNotFound from None
    body = {
        "name": name,
        "configs": {config.name: config.value for config in configs if config.value is not None},
        "partitions": [_partition_body(partition) for partition in topic.partitions],
    }
    return answer(request, body)


@routes.on("GET", "/topics/{topic}/partitions")
async def list_partitions(request: Request, name: str) -> Response:
    topic = _topic(await request.context.admin.metadata(), name)
    return answer(request, [_partition_body(partition) for partition in topic.partitions])


@routes.on("GET", "/topics/{topic}/partitions/{partition}")
async def get_partition(request: Request, name: str, number: str) -> Response:
    topic = _topic(await request.context.admin.metadata(), name)
    return answer(request, _partition_body(_partition(topic, partition_number(number))))


@routes.on("GET", "/topics/{topic}/partitions/{partition}/offsets")
async def get_offsets(request: Request, name: str, number: str) -> Response:
    topic = _topic(await request.context.admin.metadata(), name)
    partition = TopicPartition(name, _partition(topic, partition_number(number)).partition)
    offsets = []
    for timestamp in (EARLIEST, LATEST):
        found = (await request.context.admin.list_offsets({partition: timestamp}))[partition]
        if found.error_code:
            raise by_code(found.error_code)
        offsets.append(found.offset)
    return answer(request, {"beginning_offset": offsets[0], "end_offset": offsets[1]})


def partition_number(segment: str) -> int:
    """A partition in a path; what is no number names nothing."""
    if not _NUMBER.fullmatch(segment):
        raise NotFound
    return int(segment)


def _topic(metadata: ClusterMetadata, name: str) -> TopicInfo:
    try:
        return metadata.topics[name]
    except KeyError:
        raise TopicNotFound from None


def _partition(topic: TopicInfo, number: int) -> PartitionInfo:
    for partition in topic.partitions:
        if partition.partition == number:
            return partition
    raise PartitionNotFound


def _partition_body(partition: PartitionInfo) -> dict[str, object]:
    return {
        "partition": partition.partition,
        "leader": partition.leader_id,
        "replicas": [
            {"broker": replica, "leader": replica == partition.leader_id, "in_sync": replica in partition.isr}
            for replica in partition.replicas
        ],
    }
