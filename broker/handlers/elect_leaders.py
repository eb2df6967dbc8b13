"""ElectLeaders (API key 43): nothing to elect where each partition has one replica, which leads."""

from broker.dispatch import RequestContext, handles
from broker.errors import ElectionNotNeeded, InvalidRequest, KafkaError, UnknownTopicOrPartition
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

ELECTION_TYPES = (0, 1)
"""Preferred, unclean."""


@handles(ApiKey.ELECT_LEADERS, versions=range(3))
def elect_leaders(request: ElectLeadersRequest, context: RequestContext) -> ElectLeadersResponse:
    """Say of each named partition that its leader stays; asked about all, name the topics with nothing to tell.

    v0 preferred leaders only (KIP-183) · v1 unclean elections too (KIP-460) · v2 flexible.
    """
    response = ElectLeadersResponse()
    if request.topic_partitions is None:
        response.replica_election_results = [ReplicaElectionResult(topic=topic.name) for topic in context.topics]
        return response
    is_known_type = request.election_type in ELECTION_TYPES
    for asked in request.topic_partitions:
        result = ReplicaElectionResult(topic=asked.topic)
        for partition in asked.partitions:
            if is_known_type:
                error = _why_not(asked.topic, partition, context)
            else:
                error = InvalidRequest(f"Unknown election type {request.election_type}")
            result.partition_result.append(
                PartitionResult(partition_id=partition, error_code=error.code, error_message=str(error))
            )
        response.replica_election_results.append(result)
    if not is_known_type:
        response.error_code = InvalidRequest.code
    return response


def _why_not(topic_name: str, partition: int, context: RequestContext) -> KafkaError:
    topic = context.topics.get(topic_name)
    if topic is None:
        return UnknownTopicOrPartition(f"No such topic as {topic_name}")
    if not 0 <= partition < topic.partition_count:
        return UnknownTopicOrPartition(f"No such partition as {topic_name}-{partition}")
    return ElectionNotNeeded("Leader election not needed for topic partition.")
