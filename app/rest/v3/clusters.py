"""`/v3/clusters`: the one cluster behind the proxy."""

from app.http.json_body import answer
from app.kafka.ports import ClusterMetadata
from app.rest.errors import NotFound
from app.rest.http import Request, Response
from app.rest.v3.resources import Resource, answer_list, clusters_url, place_of_cluster, resource, v3_routes

routes = v3_routes("/v3/clusters")


@routes.on("GET", "")
async def list_clusters(request: Request) -> Response:
    metadata = await request.context.admin.metadata()
    return answer_list(request, "KafkaCluster", clusters_url(request), [_cluster(request, metadata)])


@routes.on("GET", "/{cluster_id}")
async def get_cluster(request: Request, cluster_id: str) -> Response:
    metadata = await request.context.admin.metadata()
    if cluster_id != metadata.cluster_id:
        raise NotFound
    return answer(request, _cluster(request, metadata))


def _cluster(request: Request, metadata: ClusterMetadata) -> Resource:
    place = place_of_cluster(request, metadata.cluster_id)
    has_controller = metadata.controller_id >= 0
    return resource(
        "KafkaCluster",
        place,
        cluster_id=metadata.cluster_id,
        controller=place.related("brokers", metadata.controller_id) if has_controller else None,
        acls=place.related("acls"),
        brokers=place.related("brokers"),
        broker_configs=place.related("broker-configs"),
        consumer_groups=place.related("consumer-groups"),
        topics=place.related("topics"),
        partition_reassignments=place.related("topics", "-", "partitions", "-", "reassignment"),
    )
