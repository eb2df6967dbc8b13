"""Questions about a cluster that few ask: what is being reassigned, what one may do, who is in a share group."""

from collections.abc import Mapping, Sequence

from app.kafka.acls import AclOperation, operations_of
from app.kafka.answers import dead_group, group_state, raise_for
from app.kafka.ports import GroupDescription, GroupMember, GroupType, Reassignment, TopicPartition
from app.kafka.requests import ClusterRequests
from broker.errors import GroupIdNotFound, UnsupportedVersion
from broker.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from broker.protocol.messages.share_group_describe import (
    DescribedGroup,
    ShareGroupDescribeRequest,
    ShareGroupDescribeResponse,
)


async def list_reassignments(cluster: ClusterRequests) -> tuple[Reassignment, ...]:
    """All that go on, by topic and partition."""
    answer = await cluster.ask_controller(
        ListPartitionReassignmentsRequest(timeout_ms=cluster.timeout_ms, topics=None),
        ListPartitionReassignmentsResponse,
        lambda one: one.error_code,
    )
    raise_for(answer.error_code, answer.error_message)
    found = (
        Reassignment(
            TopicPartition(topic.name, one.partition_index),
            tuple(one.replicas),
            tuple(one.adding_replicas),
            tuple(one.removing_replicas),
        )
        for topic in answer.topics
        for one in topic.partitions
    )
    return tuple(sorted(found, key=lambda one: one.partition))


async def topic_operations(
    cluster: ClusterRequests, topics: Sequence[str] | None = None
) -> Mapping[str, tuple[AclOperation, ...]]:
    """What we may do with topics, or with all of them: Metadata v8, KIP-430."""
    request = MetadataRequest(
        topics=None if topics is None else [MetadataRequestTopic(name=name) for name in topics],
        allow_auto_topic_creation=False,
        include_topic_authorized_operations=True,
    )
    answer = await cluster.ask(request, MetadataResponse)
    return {
        topic.name: operations_of(topic.topic_authorized_operations)
        for topic in answer.topics
        if topic.error_code == 0 and topic.name is not None
    }


async def describe_share_groups(cluster: ClusterRequests, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
    """Share groups (KIP-932); DEAD are those that are none, all of them where the cluster has no share groups."""

    async def describe_at(node_id: int, ids: Sequence[str]) -> dict[str, GroupDescription]:
        try:
            answer = await cluster.ask(
                ShareGroupDescribeRequest(group_ids=list(ids)), ShareGroupDescribeResponse, node_id=node_id
            )
        except UnsupportedVersion:
            return {group_id: dead_group(group_id, node_id) for group_id in ids}
        found = {}
        for group in answer.groups:
            if group.error_code == GroupIdNotFound.code:
                found[group.group_id] = dead_group(group.group_id, node_id)
                continue
            raise_for(group.error_code, group.error_message)
            found[group.group_id] = _share_group(group, node_id)
        return found

    return await cluster.ask_coordinators(group_ids, describe_at)


def _share_group(group: DescribedGroup, coordinator_id: int) -> GroupDescription:
    return GroupDescription(
        group_id=group.group_id,
        group_type=GroupType.SHARE,
        protocol_type="share",
        state=group_state(group.group_state),
        assignor=group.assignor_name,
        coordinator_id=coordinator_id,
        members=tuple(
            GroupMember(
                member_id=one.member_id,
                instance_id=None,
                client_id=one.client_id,
                client_host=one.client_host,
                assignment=tuple(
                    sorted(
                        TopicPartition(topic.topic_name, number)
                        for topic in one.assignment.topic_partitions
                        for number in topic.partitions
                    )
                ),
            )
            for one in group.members
        ),
    )
