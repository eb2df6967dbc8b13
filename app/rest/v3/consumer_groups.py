"""`…/consumer-groups`: groups, their members, what these read, and how far behind they are."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.http.json_body import answer
from app.kafka.ports import LATEST, GroupDescription, GroupMember, GroupState, GroupType, TopicPartition
from app.rest.access.checks import visible
from app.rest.access.rules import Kind
from app.rest.errors import NotFound
from app.rest.http import Request, Response
from app.rest.v3.resources import Place, Resource, answer_list, find_cluster, resource, v3_routes

routes = v3_routes("/v3/clusters/{cluster_id}/consumer-groups")

_CONSUMER_PROTOCOLS = ("consumer", "")  # the others are Connect workers and the like
_SHOWN_TYPES = (GroupType.CLASSIC, GroupType.CONSUMER, GroupType.SHARE)


@dataclass(frozen=True, slots=True)
class _Lag:
    """How far a group is behind on one partition that it has committed on; member None: nobody reads it now."""

    partition: TopicPartition
    current_offset: int
    log_end_offset: int
    member: GroupMember | None

    @property
    def lag(self) -> int:
        return max(0, self.log_end_offset - self.current_offset)


@routes.on("GET", "")
async def list_groups(request: Request, cluster_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    admin = request.context.admin
    found = sorted(one.group_id for one in await admin.list_groups() if one.protocol_type in _CONSUMER_PROTOCOLS)
    ids = visible(request, Kind.GROUP, found)
    groups = await admin.describe_groups(ids) if ids else {}
    resources = [_group_resource(cluster, cluster_id, groups[group_id]) for group_id in ids if group_id in groups]
    return answer_list(request, "KafkaConsumerGroup", f"{cluster.url}/consumer-groups", resources)


@routes.on("GET", "/{group}")
async def get_group(request: Request, cluster_id: str, group_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    return answer(request, _group_resource(cluster, cluster_id, await _find_group(request, group_id)))


@routes.on("GET", "/{group}/consumers")
async def list_consumers(request: Request, cluster_id: str, group_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    group = await _find_group(request, group_id)
    place = _place(cluster, group_id)
    resources = [_consumer_resource(place, cluster_id, group_id, member) for member in _members(group)]
    return answer_list(request, "KafkaConsumer", f"{place.url}/consumers", resources)


@routes.on("GET", "/{group}/consumers/{consumer}")
async def get_consumer(request: Request, cluster_id: str, group_id: str, consumer_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    member = _find_member(await _find_group(request, group_id), consumer_id)
    return answer(request, _consumer_resource(_place(cluster, group_id), cluster_id, group_id, member))


@routes.on("GET", "/{group}/consumers/{consumer}/assignments")
async def list_assignments(request: Request, cluster_id: str, group_id: str, consumer_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    member = _find_member(await _find_group(request, group_id), consumer_id)
    resources = [
        _assignment_resource(cluster, cluster_id, group_id, member, partition)
        for partition in _visible(request, member.assignment)
    ]
    url = _consumer_place(_place(cluster, group_id), consumer_id).url + "/assignments"
    return answer_list(request, "KafkaConsumerAssignment", url, resources)


@routes.on("GET", "/{group}/consumers/{consumer}/assignments/{topic}/partitions/{partition}")
async def get_assignment(
    request: Request, cluster_id: str, group_id: str, consumer_id: str, topic: str, number: str
) -> Response:
    cluster = await find_cluster(request, cluster_id)
    member = _find_member(await _find_group(request, group_id), consumer_id)
    for partition in _visible(request, member.assignment):
        if (partition.topic, str(partition.partition)) == (topic, number):
            return answer(request, _assignment_resource(cluster, cluster_id, group_id, member, partition))
    raise NotFound


@routes.on("GET", "/{group}/lags")
async def list_lags(request: Request, cluster_id: str, group_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    place = _place(cluster, group_id)
    resources = [_lag_resource(place, cluster_id, group_id, lag) for lag in await _find_lags(request, group_id)]
    return answer_list(request, "KafkaConsumerLag", f"{place.url}/lags", resources)


@routes.on("GET", "/{group}/lags/{topic}/partitions/{partition}")
async def get_lag(request: Request, cluster_id: str, group_id: str, topic: str, number: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    for lag in await _find_lags(request, group_id):
        if (lag.partition.topic, str(lag.partition.partition)) == (topic, number):
            return answer(request, _lag_resource(_place(cluster, group_id), cluster_id, group_id, lag))
    raise NotFound("Consumer lag not found.")


@routes.on("GET", "/{group}/lag-summary")
async def get_lag_summary(request: Request, cluster_id: str, group_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    lags = await _find_lags(request, group_id)
    return answer(request, _summary_resource(cluster, cluster_id, group_id, lags))


# --- finding -------------------------------------------------------------------------------------------------------


async def _find_group(request: Request, group_id: str) -> GroupDescription:
    """Raises NotFound; a group that Kafka does not know is described as dead."""
    group = (await request.context.admin.describe_groups([group_id])).get(group_id)
    if group is None or group.state is GroupState.DEAD:
        raise NotFound
    return group


def _members(group: GroupDescription) -> list[GroupMember]:
    return sorted(group.members, key=lambda member: member.member_id)


def _find_member(group: GroupDescription, member_id: str) -> GroupMember:
    for member in group.members:
        if member.member_id == member_id:
            return member
    raise NotFound


def _visible(request: Request, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
    """In order, those of topics that the user may describe."""
    return [one for one in sorted(partitions) if visible(request, Kind.TOPIC, [one.topic])]


async def _find_lags(request: Request, group_id: str) -> list[_Lag]:
    """Lag on every partition with a committed offset that still has a leader, of topics that the user may describe.

    Raises NotFound when there is none.
    """
    admin = request.context.admin
    group = await _find_group(request, group_id)
    committed = (await admin.group_offsets([group_id])).get(group_id, {})
    ends = await admin.list_offsets(dict.fromkeys(committed, LATEST)) if committed else {}
    readers = {partition: member for member in group.members for partition in member.assignment}
    lags = [
        _Lag(partition, committed[partition].offset, ends[partition].offset, readers.get(partition))
        for partition in _visible(request, committed)
        if partition in ends and not ends[partition].error_code
    ]
    if not lags:
        raise NotFound("Consumer lags not found.")
    return lags


# --- resources -----------------------------------------------------------------------------------------------------


def _place(cluster: Place, group_id: str) -> Place:
    return cluster.child("consumer-groups", "consumer-group", group_id)


def _consumer_place(group: Place, consumer_id: str) -> Place:
    return group.child("consumers", "consumer", consumer_id)


def _group_resource(cluster: Place, cluster_id: str, group: GroupDescription) -> Resource:
    place = _place(cluster, group.group_id)
    return resource(
        "KafkaConsumerGroup",
        place,
        cluster_id=cluster_id,
        consumer_group_id=group.group_id,
        is_simple=group.is_simple,
        partition_assignor=group.assignor,
        state=state_word(group.state),
        type=group.group_type.upper() if group.group_type in _SHOWN_TYPES else "UNKNOWN",
        is_mixed_consumer_group=False,
        coordinator=cluster.related("brokers", group.coordinator_id),
        consumers=place.related("consumers"),
        lag_summary=place.related("lag-summary"),
    )


def _consumer_resource(group: Place, cluster_id: str, group_id: str, member: GroupMember) -> Resource:
    place = _consumer_place(group, member.member_id)
    return resource(
        "KafkaConsumer",
        place,
        cluster_id=cluster_id,
        consumer_group_id=group_id,
        consumer_id=member.member_id,
        instance_id=member.instance_id,
        client_id=member.client_id,
        assignments=place.related("assignments"),
    )


def _assignment_resource(
    cluster: Place, cluster_id: str, group_id: str, member: GroupMember, partition: TopicPartition
) -> Resource:
    group = _place(cluster, group_id)
    return resource(
        "KafkaConsumerAssignment",
        _partition_place(_consumer_place(group, member.member_id), "assignments", "assignment", partition),
        cluster_id=cluster_id,
        consumer_group_id=group_id,
        consumer_id=member.member_id,
        topic_name=partition.topic,
        partition_id=partition.partition,
        partition=_partition_place(cluster, "topics", "topic", partition).link(),
        lag=_partition_place(group, "lags", "lag", partition).link(),
    )


def _lag_resource(group: Place, cluster_id: str, group_id: str, lag: _Lag) -> Resource:
    return resource(
        "KafkaConsumerLag",
        _partition_place(group, "lags", "lag", lag.partition),
        cluster_id=cluster_id,
        consumer_group_id=group_id,
        topic_name=lag.partition.topic,
        partition_id=lag.partition.partition,
        current_offset=lag.current_offset,
        log_end_offset=lag.log_end_offset,
        lag=lag.lag,
        consumer_id=lag.member.member_id if lag.member else "",
        instance_id=lag.member.instance_id if lag.member else None,
        client_id=lag.member.client_id if lag.member else "",
    )


def _summary_resource(cluster: Place, cluster_id: str, group_id: str, lags: list[_Lag]) -> Resource:
    group = _place(cluster, group_id)
    worst = max(lags, key=lambda lag: lag.lag)
    member = worst.member
    return resource(
        "KafkaConsumerGroupLagSummary",
        Place(f"{group.url}/lag-summary", f"{group.name}/lag-summary"),
        cluster_id=cluster_id,
        consumer_group_id=group_id,
        max_lag_consumer_id=member.member_id if member else "",
        max_lag_instance_id=member.instance_id if member else None,
        max_lag_client_id=member.client_id if member else "",
        max_lag_topic_name=worst.partition.topic,
        max_lag_partition_id=worst.partition.partition,
        max_lag=worst.lag,
        total_lag=sum(lag.lag for lag in lags),
        max_lag_consumer=group.related("consumers", member.member_id if member else ""),
        max_lag_partition=_partition_place(cluster, "topics", "topic", worst.partition).link(),
    )


def _partition_place(parent: Place, collection: str, kind: str, partition: TopicPartition) -> Place:
    return parent.child(collection, kind, partition.topic).child("partitions", "partition", partition.partition)


def state_word(state: GroupState) -> str:
    """PreparingRebalance → PREPARING_REBALANCE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", state).upper()
