"""`…/share-groups`: share groups (KIP-932), their members and what these read; as in Confluent Cloud's API."""

from app.http.json_body import answer
from app.kafka.ports import GroupDescription, GroupMember, GroupState, GroupType, TopicPartition
from app.rest.access.checks import visible
from app.rest.access.rules import Kind
from app.rest.errors import GroupNotFound, NotFound
from app.rest.http import Request, Response
from app.rest.v3.consumer_groups import state_word
from app.rest.v3.resources import Place, Resource, answer_list, find_cluster, resource, v3_routes

routes = v3_routes("/v3/clusters/{cluster_id}/share-groups")


@routes.on("GET", "")
async def list_share_groups(request: Request, cluster_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    admin = request.context.admin
    found = sorted(one.group_id for one in await admin.list_groups() if one.group_type is GroupType.SHARE)
    ids = visible(request, Kind.GROUP, found)
    groups = await admin.describe_share_groups(ids) if ids else {}
    resources = [_group_resource(cluster, cluster_id, groups[one]) for one in ids if one in groups]
    return answer_list(request, "KafkaShareGroup", f"{cluster.url}/share-groups", resources)


@routes.on("GET", "/{group}")
async def get_share_group(request: Request, cluster_id: str, group_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    return answer(request, _group_resource(cluster, cluster_id, await _find_group(request, group_id)))


@routes.on("GET", "/{group}/consumers")
async def list_share_consumers(request: Request, cluster_id: str, group_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    group = await _find_group(request, group_id)
    place = _place(cluster, group_id)
    members = sorted(group.members, key=lambda member: member.member_id)
    resources = [_consumer_resource(place, cluster_id, group_id, member) for member in members]
    return answer_list(request, "KafkaShareGroupConsumer", f"{place.url}/consumers", resources)


@routes.on("GET", "/{group}/consumers/{consumer}")
async def get_share_consumer(request: Request, cluster_id: str, group_id: str, consumer_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    member = _find_member(await _find_group(request, group_id), consumer_id)
    return answer(request, _consumer_resource(_place(cluster, group_id), cluster_id, group_id, member))


@routes.on("GET", "/{group}/consumers/{consumer}/assignments")
async def list_share_assignments(request: Request, cluster_id: str, group_id: str, consumer_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    member = _find_member(await _find_group(request, group_id), consumer_id)
    url = _consumer_place(_place(cluster, group_id), consumer_id).url + "/assignments"
    resources = [
        _assignment_resource(cluster, cluster_id, group_id, member, partition)
        for partition in sorted(member.assignment)
        if visible(request, Kind.TOPIC, [partition.topic])
    ]
    return answer_list(request, "KafkaShareGroupConsumerAssignment", url, resources)


async def _find_group(request: Request, group_id: str) -> GroupDescription:
    """Raises GroupNotFound, also for a group of another kind."""
    group = (await request.context.admin.describe_share_groups([group_id])).get(group_id)
    if group is None or group.state is GroupState.DEAD:
        raise GroupNotFound
    return group


def _find_member(group: GroupDescription, member_id: str) -> GroupMember:
    for member in group.members:
        if member.member_id == member_id:
            return member
    raise NotFound


def _place(cluster: Place, group_id: str) -> Place:
    return cluster.child("share-groups", "share-group", group_id)


def _consumer_place(group: Place, consumer_id: str) -> Place:
    return group.child("consumers", "consumer", consumer_id)


def _partition_place(parent: Place, collection: str, kind: str, partition: TopicPartition) -> Place:
    return parent.child(collection, kind, partition.topic).child("partitions", "partition", partition.partition)


def _group_resource(cluster: Place, cluster_id: str, group: GroupDescription) -> Resource:
    place = _place(cluster, group.group_id)
    assigned = sorted({partition for member in group.members for partition in member.assignment})
    return resource(
        "KafkaShareGroup",
        place,
        cluster_id=cluster_id,
        share_group_id=group.group_id,
        state=state_word(group.state),
        coordinator=cluster.related("brokers", group.coordinator_id),
        consumers=place.related("consumers"),
        consumer_count=len(group.members),
        partition_count=len(assigned),
        assigned_topic_partitions=[_topic_partition(cluster, partition) for partition in assigned],
    )


def _topic_partition(cluster: Place, partition: TopicPartition) -> Resource:
    place = _partition_place(cluster, "topics", "topic", partition)
    return resource(
        "KafkaShareGroupTopicPartition",
        place,
        topic_name=partition.topic,
        partition_id=partition.partition,
        partition=place.link(),
    )


def _consumer_resource(group: Place, cluster_id: str, group_id: str, member: GroupMember) -> Resource:
    place = _consumer_place(group, member.member_id)
    return resource(
        "KafkaShareGroupConsumer",
        place,
        cluster_id=cluster_id,
        group_id=group_id,
        consumer_id=member.member_id,
        client_id=member.client_id,
        assignments=place.related("assignments"),
    )


def _assignment_resource(
    cluster: Place, cluster_id: str, group_id: str, member: GroupMember, partition: TopicPartition
) -> Resource:
    consumer = _consumer_place(_place(cluster, group_id), member.member_id)
    return resource(
        "KafkaShareGroupConsumerAssignment",
        _partition_place(consumer, "assignments", "assignment", partition),
        cluster_id=cluster_id,
        group_id=group_id,
        consumer_id=member.member_id,
        topic_name=partition.topic,
        partition_id=partition.partition,
        partition=_partition_place(cluster, "topics", "topic", partition).link(),
    )
