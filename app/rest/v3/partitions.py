"""`…/topics/{topic}/partitions`: partitions, their offsets and replicas."""

from app.http.json_body import answer
from app.kafka.ports import EARLIEST, LATEST, ClusterMetadata, PartitionInfo, TopicPartition
from app.rest.errors import BadRequest, NotFound
from app.rest.http import Request, Response
from app.rest.v3.resources import Place, Resource, answer_list, find_cluster, resource, v3_routes
from broker.errors import by_code

routes = v3_routes("/v3/clusters/{cluster_id}/topics/{topic}/partitions")

_OFFSET_TYPES = {
    "earliest": {"earliest_offset": EARLIEST},
    "latest": {"latest_offset": LATEST},
    "earliest_and_latest": {"earliest_offset": EARLIEST, "latest_offset": LATEST},
}


@routes.on("GET", "")
async def list_partitions(request: Request, cluster_id: str, topic: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    partitions = _partitions(await request.context.admin.metadata(), topic)
    url = cluster.child("topics", "topic", topic).url + "/partitions"
    resources = [_partition_resource(cluster, cluster_id, topic, partition) for partition in partitions]
    return answer_list(request, "KafkaPartition", url, resources)


@routes.on("GET", "/{partition}")
async def get_partition(request: Request, cluster_id: str, topic: str, number: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    partition = _find(await request.context.admin.metadata(), topic, number)
    return answer(request, _partition_resource(cluster, cluster_id, topic, partition))


@routes.on("GET", "/{partition}/offset")
async def list_offsets(request: Request, cluster_id: str, topic: str, number: str) -> Response:
    """First and next offset; `?offset_type=` earliest, latest or both."""
    cluster = await find_cluster(request, cluster_id)
    asked = request.query.get("offset_type", "earliest_and_latest").lower()
    if asked not in _OFFSET_TYPES:
        raise BadRequest(f"offset_type is {asked!r}, not one of {', '.join(_OFFSET_TYPES)}")
    partition = _find(await request.context.admin.metadata(), topic, number)
    offsets: dict[str, int] = {}
    wanted = TopicPartition(topic, partition.partition)
    for field, timestamp in _OFFSET_TYPES[asked].items():
        found = (await request.context.admin.list_offsets({wanted: timestamp}))[wanted]
        if found.error_code:
            raise by_code(found.error_code)
        offsets[field] = found.offset
    place = _place(cluster, topic, partition.partition)
    body = resource(
        "KafkaPartitionWithOffsets",
        place,
        cluster_id=cluster_id,
        topic_name=topic,
        partition_id=partition.partition,
        **offsets,
    )
    return answer_list(request, "KafkaPartitionWithOffsets", f"{place.url}/offset", [body])


@routes.on("GET", "/{partition}/replicas")
async def list_replicas(request: Request, cluster_id: str, topic: str, number: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    partition = _find(await request.context.admin.metadata(), topic, number)
    replicas = [replica_resource(cluster, cluster_id, topic, partition, broker) for broker in partition.replicas]
    url = _place(cluster, topic, partition.partition).url + "/replicas"
    return answer_list(request, "KafkaReplica", url, replicas)


@routes.on("GET", "/{partition}/replicas/{broker_id}")
async def get_replica(request: Request, cluster_id: str, topic: str, number: str, broker_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    partition = _find(await request.context.admin.metadata(), topic, number)
    for broker in partition.replicas:
        if str(broker) == broker_id:
            return answer(request, replica_resource(cluster, cluster_id, topic, partition, broker))
    raise NotFound


def replica_resource(cluster: Place, cluster_id: str, topic: str, partition: PartitionInfo, broker_id: int) -> Resource:
    return resource(
        "KafkaReplica",
        _place(cluster, topic, partition.partition).child("replicas", "replica", broker_id),
        cluster_id=cluster_id,
        topic_name=topic,
        partition_id=partition.partition,
        broker_id=broker_id,
        is_leader=broker_id == partition.leader_id,
        is_in_sync=broker_id in partition.isr,
        broker=cluster.related("brokers", broker_id),
    )


def _partitions(metadata: ClusterMetadata, topic: str) -> tuple[PartitionInfo, ...]:
    if topic not in metadata.topics:
        raise NotFound
    return metadata.topics[topic].partitions


def _find(metadata: ClusterMetadata, topic: str, number: str) -> PartitionInfo:
    for partition in _partitions(metadata, topic):
        if str(partition.partition) == number:
            return partition
    raise NotFound


def _place(cluster: Place, topic: str, partition: int) -> Place:
    return cluster.child("topics", "topic", topic).child("partitions", "partition", partition)


def _partition_resource(cluster: Place, cluster_id: str, topic: str, partition: PartitionInfo) -> Resource:
    place = _place(cluster, topic, partition.partition)
    has_leader = partition.leader_id >= 0
    return resource(
        "KafkaPartition",
        place,
        cluster_id=cluster_id,
        topic_name=topic,
        partition_id=partition.partition,
        leader=place.related("replicas", partition.leader_id) if has_leader else None,
        replicas=place.related("replicas"),
        reassignment=place.related("reassignment"),
    )
