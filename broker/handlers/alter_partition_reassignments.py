"""AlterPartitionReassignments (API key 45): partitions can be "moved" only to where they are (KIP-455)."""

from broker.dispatch import RequestContext, handles
from broker.errors import KafkaError, NoReassignmentInProgress, UnknownTopicOrPartition
from broker.metadata.replica_assignment import check_replicas
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)


@handles(ApiKey.ALTER_PARTITION_REASSIGNMENTS, versions=range(2))
def alter_partition_reassignments(
    request: AlterPartitionReassignmentsRequest, context: RequestContext
) -> AlterPartitionReassignmentsResponse:
    """Check each partition by itself.

    v1 may forbid a change of the replication factor, which one node cannot change anyway (KIP-860).
    """
    return AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        error_message=None,
        responses=[
            ReassignableTopicResponse(
                name=topic.name,
                partitions=[_reassign(topic.name, partition, context) for partition in topic.partitions],
            )
            for topic in request.topics
        ],
    )


def _reassign(topic: str, partition: ReassignablePartition, context: RequestContext) -> ReassignablePartitionResponse:
    response = ReassignablePartitionResponse(partition_index=partition.partition_index, error_message=None)
    try:
        _check(topic, partition, context)
    except KafkaError as error:
        response.error_code, response.error_message = error.code, str(error) or None
    return response


def _check(topic_name: str, partition: ReassignablePartition, context: RequestContext) -> None:
    topic = context.topics.get(topic_name)
    if topic is None:
        raise UnknownTopicOrPartition(f"Unable to find a topic named {topic_name}.")
    if not 0 <= partition.partition_index < topic.partition_count:
        raise UnknownTopicOrPartition(f"Unable to find partition {topic_name}:{partition.partition_index}.")
    if partition.replicas is None:  # cancel the one under way
        raise NoReassignmentInProgress("")
    check_replicas(partition.replicas, context.config.node_id)
