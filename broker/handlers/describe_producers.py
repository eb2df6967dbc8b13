"""DescribeProducers (API key 61): who writes to a partition with a producer id, and its open transaction (KIP-664)."""

from broker.dispatch import RequestContext, handles
from broker.errors import KafkaError
from broker.log import PartitionLog
from broker.metadata.topics import check_topic_name
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)


@handles(ApiKey.DESCRIBE_PRODUCERS, versions=range(1))
def describe_producers(request: DescribeProducersRequest, context: RequestContext) -> DescribeProducersResponse:
    """Answer each partition by itself."""
    return DescribeProducersResponse(
        topics=[
            TopicResponse(
                name=topic.name,
                partitions=[_describe(topic.name, partition, context) for partition in topic.partition_indexes],
            )
            for topic in request.topics
        ]
    )


def _describe(topic: str, partition: int, context: RequestContext) -> PartitionResponse:
    try:
        check_topic_name(topic)
        log = context.topics.partition(topic, partition)
    except KafkaError as error:
        return PartitionResponse(partition_index=partition, error_code=error.code, error_message=str(error))
    return PartitionResponse(partition_index=partition, active_producers=_producers(log))


def _producers(log: PartitionLog) -> list[ProducerState]:
    return [
        ProducerState(
            producer_id=producer_id,
            producer_epoch=producer.epoch,
            last_sequence=producer.last_sequence,
            last_timestamp=producer.last_timestamp_ms,
            coordinator_epoch=producer.coordinator_epoch,
            current_txn_start_offset=producer.transaction_first_offset,
        )
        for producer_id, producer in log.producer_state.producers().items()
    ]
