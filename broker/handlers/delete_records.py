"""DeleteRecords (API key 21): let partitions begin at a later offset."""

from broker.dispatch import RequestContext, handles
from broker.errors import (
    InvalidTopicException,
    KafkaError,
    PolicyViolation,
    UnknownTopicOrPartition,
)
from broker.metadata.topics import INTERNAL_TOPICS
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)


@handles(ApiKey.DELETE_RECORDS, versions=range(3))
def delete_records(request: DeleteRecordsRequest, context: RequestContext) -> DeleteRecordsResponse:
    """Move the log start offset of each partition, for offset -1 to the high watermark.

    Files that lie wholly before it go with the next retention check.

    v1 only says that a quota error may be answered · v2 flexible.
    """
    return DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                name=topic.name,
                partitions=[_delete(topic.name, partition, context) for partition in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def _delete(topic: str, partition: DeleteRecordsPartition, context: RequestContext) -> DeleteRecordsPartitionResult:
    result = DeleteRecordsPartitionResult(partition_index=partition.partition_index, low_watermark=-1)
    try:
        result.low_watermark = _low_watermark_after(topic, partition, context)
    except KafkaError as error:
        result.error_code = error.code
    return result


def _low_watermark_after(topic: str, partition: DeleteRecordsPartition, context: RequestContext) -> int:
    if topic not in context.topics:
        raise UnknownTopicOrPartition(f"topic '{topic}' does not exist")
    if topic in INTERNAL_TOPICS:
        raise InvalidTopicException(f"Cannot delete records of internal topic {topic}")
    log = context.logs.get(topic, partition.partition_index)
    if log is None:
        raise UnknownTopicOrPartition(f"topic '{topic}' has no partition {partition.partition_index}")
    if log.config.is_compacting and not log.config.is_deleting:
        raise PolicyViolation(f"Records of partition {topic}-{partition.partition_index} can not be deleted: compacted")
    return log.delete_records(partition.offset)
