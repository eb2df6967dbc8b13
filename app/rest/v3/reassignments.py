"""`…/reassignment`: partitions on their way to other brokers; of all topics, of one, of one partition."""

from collections.abc import Callable

from app.http.json_body import answer
from app.kafka.ports import Reassignment
from app.rest.access.checks import visible
from app.rest.access.rules import Kind
from app.rest.errors import NotFound
from app.rest.http import Request, Response
from app.rest.v3.resources import Place, Resource, answer_list, find_cluster, resource, v3_routes
from app.rest.v3.topics import find_topic

routes = v3_routes("/v3/clusters/{cluster_id}/topics")


@routes.on("GET", "/-/partitions/-/reassignment")
async def list_all_reassignments(request: Request, cluster_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    url = f"{cluster.url}/topics/-/partitions/-/reassignment"
    return await _list(
        request, cluster, cluster_id, url, lambda one: bool(visible(request, Kind.TOPIC, [one.partition.topic]))
    )


@routes.on("GET", "/{topic}/partitions/-/reassignment")
async def list_reassignments_of_topic(request: Request, cluster_id: str, topic: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    find_topic(await request.context.admin.metadata(), topic)
    url = f"{cluster.child('topics', 'topic', topic).url}/partitions/-/reassignment"
    return await _list(request, cluster, cluster_id, url, lambda one: one.partition.topic == topic)


@routes.on("GET", "/{topic}/partitions/{partition}/reassignment")
async def get_reassignment(request: Request, cluster_id: str, topic: str, number: str) -> Response:
    """404 also while nothing is going on."""
    cluster = await find_cluster(request, cluster_id)
    for one in await request.context.admin.reassignments():
        if (one.partition.topic, str(one.partition.partition)) == (topic, number):
            return answer(request, _resource(cluster, cluster_id, one))
    raise NotFound


async def _list(
    request: Request, cluster: Place, cluster_id: str, url: str, is_wanted: Callable[[Reassignment], bool]
) -> Response:
    found = [one for one in await request.context.admin.reassignments() if is_wanted(one)]
    return answer_list(request, "KafkaReassignment", url, [_resource(cluster, cluster_id, one) for one in found])


def _resource(cluster: Place, cluster_id: str, reassignment: Reassignment) -> Resource:
    topic, number = reassignment.partition.topic, reassignment.partition.partition
    partition = cluster.child("topics", "topic", topic).child("partitions", "partition", number)
    return resource(
        "KafkaReassignment",
        Place(f"{partition.url}/reassignment", f"{partition.name}/reassignment"),
        cluster_id=cluster_id,
        topic_name=topic,
        partition_id=number,
        adding_replicas=list(reassignment.adding_replicas),
        removing_replicas=list(reassignment.removing_replicas),
        replicas=partition.related("replicas"),
    )
