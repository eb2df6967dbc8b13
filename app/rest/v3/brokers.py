"""`/v3/clusters/{cluster_id}/brokers`."""

from app.http.json_body import answer
from app.kafka.ports import BrokerNode, ClusterMetadata
from app.rest.access.checks import visible
from app.rest.access.rules import Kind
from app.rest.errors import NotFound
from app.rest.http import Request, Response
from app.rest.v3.partitions import replica_resource
from app.rest.v3.resources import Place, Resource, answer_list, find_cluster, resource, v3_routes

routes = v3_routes("/v3/clusters/{cluster_id}/brokers")


@routes.on("GET", "")
async def list_brokers(request: Request, cluster_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    metadata = await request.context.admin.metadata()
    brokers = [_broker_resource(cluster, cluster_id, broker) for broker in metadata.brokers]
    return answer_list(request, "KafkaBroker", f"{cluster.url}/brokers", brokers)


@routes.on("GET", "/{broker_id}")
async def get_broker(request: Request, cluster_id: str, broker_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    broker = find_broker(await request.context.admin.metadata(), broker_id)
    return answer(request, _broker_resource(cluster, cluster_id, broker))


@routes.on("GET", "/{broker_id}/partition-replicas")
async def list_replicas_of_broker(request: Request, cluster_id: str, broker_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    metadata = await request.context.admin.metadata()
    broker = find_broker(metadata, broker_id)
    replicas = [
        replica_resource(cluster, cluster_id, name, partition, broker.broker_id)
        for name in visible(request, Kind.TOPIC, sorted(metadata.topics))
        for partition in metadata.topics[name].partitions
        if broker.broker_id in partition.replicas
    ]
    url = f"{cluster.url}/brokers/{broker.broker_id}/partition-replicas"
    return answer_list(request, "KafkaReplica", url, replicas)


def find_broker(metadata: ClusterMetadata, broker_id: str) -> BrokerNode:
    """Raises NotFound, also for what is no number."""
    for broker in metadata.brokers:
        if str(broker.broker_id) == broker_id:
            return broker
    raise NotFound


def _broker_resource(cluster: Place, cluster_id: str, broker: BrokerNode) -> Resource:
    place = cluster.child("brokers", "broker", broker.broker_id)
    return resource(
        "KafkaBroker",
        place,
        cluster_id=cluster_id,
        broker_id=broker.broker_id,
        host=broker.host,
        port=broker.port,
        rack=broker.rack,
        configs=place.related("configs"),
        partition_replicas=place.related("partition-replicas"),
    )
