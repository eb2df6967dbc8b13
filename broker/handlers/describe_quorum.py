"""DescribeQuorum (API key 55): this node alone votes on the cluster's metadata (KIP-595)."""

from broker.dispatch import RequestContext, handles
from broker.errors import UnknownTopicOrPartition
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    Listener,
    Node,
    ReplicaState,
    ResponsePartitionData,
    ResponseTopicData,
)

METADATA_TOPIC = "__cluster_metadata"
LEADER_EPOCH = 1


@handles(ApiKey.DESCRIBE_QUORUM, versions=range(3))
def describe_quorum(request: DescribeQuorumRequest, context: RequestContext) -> DescribeQuorumResponse:
    """Answer for partition 0 of `__cluster_metadata`, the only quorum there is, if nothing else is asked for.

    v1 when a voter last fetched and caught up (KIP-836) · v2 addresses of the voters and error messages (KIP-853).
    """
    response = DescribeQuorumResponse()
    asked = [(topic.topic_name, each.partition_index) for topic in request.topics for each in topic.partitions]
    is_known = asked == [(METADATA_TOPIC, 0)]
    for topic in request.topics:
        answer = ResponseTopicData(topic_name=topic.topic_name)
        for partition in topic.partitions:
            if is_known:
                answer.partitions.append(_quorum(context))
                response.nodes = [_node(context)]
            else:
                answer.partitions.append(_unknown(partition.partition_index))
        response.topics.append(answer)
    return response


def _quorum(context: RequestContext) -> ResponsePartitionData:
    # There is no metadata log here; what its end tells, that metadata changed, the registry's version tells too.
    end_offset, now_ms, node_id = context.topics.version, context.clock.now_ms(), context.config.node_id
    voter = ReplicaState(
        replica_id=node_id, log_end_offset=end_offset, last_fetch_timestamp=now_ms, last_caught_up_timestamp=now_ms
    )
    return ResponsePartitionData(
        leader_id=node_id, leader_epoch=LEADER_EPOCH, high_watermark=end_offset, current_voters=[voter]
    )


def _node(context: RequestContext) -> Node:
    listener = context.listener
    address = Listener(name=listener.name, host=listener.advertised_host, port=listener.advertised_port)
    return Node(node_id=context.config.node_id, listeners=[address])


def _unknown(partition_index: int) -> ResponsePartitionData:
    error = UnknownTopicOrPartition("This server does not host this topic-partition.")
    return ResponsePartitionData(partition_index=partition_index, error_code=error.code, error_message=str(error))
