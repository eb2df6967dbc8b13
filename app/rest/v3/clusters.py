"""`/v3/clusters`: the clusters behind the proxy, the default one first."""

import asyncio
from collections.abc import Sequence

from app.http.json_body import answer
from app.rest.context import AWAY, RestContext
from app.rest.errors import NotFound
from app.rest.http import Request, Response
from app.rest.v3.resources import (
    Resource,
    answer_list,
    clusters_url,
    find_cluster,
    place_of_cluster,
    resource,
    v3_routes,
)

WAIT_S = 1.0
"""How long the list waits for one of several clusters: one that is away must not hold up the others."""
WAIT_AGAIN_S = 0.05
"""And for one that was away when it was asked last; its answer counts for the next list."""
NO_CONTROLLER = -1

routes = v3_routes("/v3/clusters")


@routes.on("GET", "")
async def list_clusters(request: Request) -> Response:
    """One that is away is told as it was known, without a controller; one that never answered cannot be named."""
    clusters = request.context.all_clusters
    looks = await asyncio.gather(*(one.look(_wait_s(one, clusters)) for one in clusters), return_exceptions=True)
    controllers: dict[str, int] = {}
    for one, look in zip(clusters, looks, strict=True):
        if not isinstance(look, BaseException):
            controllers[look.cluster_id] = look.controller_id
        elif not isinstance(look, AWAY):
            raise look
        elif one.known_id is not None:
            controllers.setdefault(one.known_id, NO_CONTROLLER)
    if all(isinstance(look, BaseException) for look in looks):
        raise next(look for look in looks if isinstance(look, BaseException))
    told = [_cluster(request, *one) for one in controllers.items()]
    return answer_list(request, "KafkaCluster", clusters_url(request), told)


@routes.on("GET", "/{cluster_id}")
async def get_cluster(request: Request, cluster_id: str) -> Response:
    await find_cluster(request, cluster_id)
    metadata = await request.context.admin.metadata()
    if cluster_id != metadata.cluster_id:
        raise NotFound
    return answer(request, _cluster(request, metadata.cluster_id, metadata.controller_id))


def _wait_s(cluster: RestContext, clusters: Sequence[RestContext]) -> float | None:
    if len(clusters) == 1:
        return None
    return WAIT_AGAIN_S if cluster.is_away else WAIT_S


def _cluster(request: Request, cluster_id: str, controller_id: int) -> Resource:
    place = place_of_cluster(request, cluster_id)
    return resource(
        "KafkaCluster",
        place,
        cluster_id=cluster_id,
        controller=place.related("brokers", controller_id) if controller_id >= 0 else None,
        acls=place.related("acls"),
        brokers=place.related("brokers"),
        broker_configs=place.related("broker-configs"),
        consumer_groups=place.related("consumer-groups"),
        topics=place.related("topics"),
        partition_reassignments=place.related("topics", "-", "partitions", "-", "reassignment"),
    )
