"""OffsetForLeaderEpoch (KIP-320): where the records of a leader epoch end, so that a consumer notices a truncated log.

v3 replica id · v4 flexible.
"""

from __future__ import annotations

from broker.dispatch import RequestContext, handles
from broker.errors import KafkaError
from broker.handlers.list_offsets import NO_EPOCH, check_leader_epoch
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)


@handles(ApiKey.OFFSET_FOR_LEADER_EPOCH, versions=range(2, 5))
def offset_for_leader_epoch(
    request: OffsetForLeaderEpochRequest, context: RequestContext
) -> OffsetForLeaderEpochResponse:
    """Answer each partition by itself; an epoch that never was has end offset -1."""
    return OffsetForLeaderEpochResponse(
        topics=[
            OffsetForLeaderTopicResult(
                topic=topic.topic,
                partitions=[_answer(topic.topic, partition, context) for partition in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def _answer(topic: str, asked: OffsetForLeaderPartition, context: RequestContext) -> EpochEndOffset:
    answer = EpochEndOffset(partition=asked.partition)
    try:
        log = context.topics.partition(topic, asked.partition)
        check_leader_epoch(log, asked.current_leader_epoch)
        if asked.leader_epoch == log.leader_epoch:
            answer.leader_epoch, answer.end_offset = log.leader_epoch, log.high_watermark
        elif asked.leader_epoch < NO_EPOCH:
            # An epoch before the first one ends where that begins: what Kafka answers (measured).
            answer.leader_epoch, answer.end_offset = asked.leader_epoch, log.log_start_offset
    except KafkaError as error:
        answer.error_code = error.code
    return answer
