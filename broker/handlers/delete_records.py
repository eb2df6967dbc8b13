"""DeleteRecords (API key 21): let partitions begin at a later offset."""

import asyncio
from collections.abc import Coroutine

from broker.dispatch import RequestContext, handles
from broker.errors import (
    InvalidTopicException,
    KafkaError,
    PolicyViolation,
    UnknownTopicOrPartition,
)
from broker.log import LogDirectory, MovedStart, RecordDeletion
from broker.metadata.topics import INTERNAL_TOPICS
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

Settled = tuple[DeleteRecordsPartitionResult, MovedStart]


@handles(ApiKey.DELETE_RECORDS, versions=range(3))
async def delete_records(request: DeleteRecordsRequest, context: RequestContext) -> DeleteRecordsResponse:
    """Move the log start offset of each partition, for offset -1 to the high watermark.

    The answer waits until that is on disk, others do not. Files that lie wholly before it go with the next retention
    check.

    v1 only says that a quota error may be answered · v2 flexible.
    """
    deletion = RecordDeletion(context.logs)
    moves: list[Settled] = []
    response = DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                name=topic.name,
                partitions=[_begin(topic.name, partition, context, deletion, moves) for partition in topic.partitions],
            )
            for topic in request.topics
        ]
    )
    if deletion.is_needed:
        await _to_its_end(_delete(deletion, context.logs))
    for result, move in moves:
        if move.error is None:
            result.low_watermark = move.log.log_start_offset
        else:
            result.error_code = move.error.code
    return response


def _begin(
    topic: str,
    partition: DeleteRecordsPartition,
    context: RequestContext,
    deletion: RecordDeletion,
    moves: list[Settled],
) -> DeleteRecordsPartitionResult:
    result = DeleteRecordsPartitionResult(partition_index=partition.partition_index, low_watermark=-1)
    try:
        moves.append((result, _move(topic, partition, context, deletion)))
    except KafkaError as error:
        result.error_code = error.code
    return result


def _move(
    topic: str, partition: DeleteRecordsPartition, context: RequestContext, deletion: RecordDeletion
) -> MovedStart:
    if topic not in context.topics:
        raise UnknownTopicOrPartition(f"topic '{topic}' does not exist")
    if topic in INTERNAL_TOPICS:
        raise InvalidTopicException(f"Cannot delete records of internal topic {topic}")
    log = context.logs.get(topic, partition.partition_index)
    if log is None:
        raise UnknownTopicOrPartition(f"topic '{topic}' has no partition {partition.partition_index}")
    if log.config.is_compacting and not log.config.is_deleting:
        raise PolicyViolation(f"Records of partition {topic}-{partition.partition_index} can not be deleted: compacted")
    return deletion.add(log, partition.offset)


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """A client that leaves must not leave a flush behind that is half accounted for."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    finally:
        await task


async def _delete(deletion: RecordDeletion, logs: LogDirectory) -> None:
    job = deletion.start_flush()
    if job is not None:
        await asyncio.to_thread(job.run)
        job.finish()
    write = deletion.move()
    try:
        try:
            await asyncio.to_thread(write)
        except OSError as error:
            if not logs.reserve.spend(error):  # a full disk: once more in the room that was kept
                raise
            await asyncio.to_thread(write)
    except OSError as error:
        deletion.take_back(error)
