"""ListOffsets: the offset of a moment, or of an end of the log.

v2 isolation level · v4 leader epochs · v6 flexible · v7 the largest timestamp (KIP-734) · v8 and v9 local and tiered
ends (KIP-405) · v11 earliest not yet tiered (KIP-1023).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from broker.dispatch import RequestContext, handles
from broker.errors import FencedLeaderEpoch, InvalidRequest, KafkaError, UnknownLeaderEpoch, UnsupportedVersion
from broker.log import PartitionLog
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

LATEST: Final = -1
EARLIEST: Final = -2
MAX_TIMESTAMP: Final = -3
EARLIEST_LOCAL: Final = -4
LATEST_TIERED: Final = -5
EARLIEST_PENDING_UPLOAD: Final = -6

NO_EPOCH: Final = -1
READ_COMMITTED: Final = 1
ISOLATION_LEVELS: Final = (0, READ_COMMITTED)

_SINCE_VERSION: Final = {
    LATEST: 0,
    EARLIEST: 0,
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}


@handles(ApiKey.LIST_OFFSETS, versions=range(1, 12))
def list_offsets(request: ListOffsetsRequest, context: RequestContext) -> ListOffsetsResponse:
    """Answer each partition by itself.

    INVALID_REQUEST is for a partition that is named twice and for an isolation level that there is not.
    """
    read_committed = request.isolation_level == READ_COMMITTED
    is_known_level = request.isolation_level in ISOLATION_LEVELS
    return ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(
                name=topic.name,
                partitions=[
                    _answer(
                        topic.name,
                        index,
                        partitions if is_known_level else None,
                        context,
                        read_committed=read_committed,
                    )
                    for index, partitions in _by_index(topic.partitions).items()
                ],
            )
            for topic in request.topics
        ]
    )


def check_leader_epoch(log: PartitionLog, current_leader_epoch: int) -> None:
    """Raise FencedLeaderEpoch for a client with older metadata than ours, UnknownLeaderEpoch for newer; -1 passes."""
    if current_leader_epoch >= 0 and current_leader_epoch != log.leader_epoch:
        raise FencedLeaderEpoch if current_leader_epoch < log.leader_epoch else UnknownLeaderEpoch


def _by_index(partitions: list[ListOffsetsPartition]) -> dict[int, ListOffsetsPartition | None]:
    """Partitions by index; None for one that is named more than once."""
    named = Counter(partition.partition_index for partition in partitions)
    return {
        partition.partition_index: partition if named[partition.partition_index] == 1 else None
        for partition in partitions
    }


def _answer(
    topic: str, index: int, asked: ListOffsetsPartition | None, context: RequestContext, *, read_committed: bool
) -> ListOffsetsPartitionResponse:
    answer = ListOffsetsPartitionResponse(partition_index=index)
    try:
        if asked is None:
            raise InvalidRequest(f"partition {index} of topic '{topic}' is named twice, or the isolation level is none")
        log = context.topics.partition(topic, index)
        check_leader_epoch(log, asked.current_leader_epoch)
        if asked.current_leader_epoch < NO_EPOCH:
            raise FencedLeaderEpoch
        if asked.timestamp < 0 and context.api_version < _SINCE_VERSION.get(asked.timestamp, 1 << 15):
            raise UnsupportedVersion(f"timestamp {asked.timestamp} means nothing in v{context.api_version}")
        _find(log, asked.timestamp, answer, read_committed=read_committed)
    except KafkaError as error:
        answer.error_code = error.code
    return answer


def _find(log: PartitionLog, timestamp: int, answer: ListOffsetsPartitionResponse, *, read_committed: bool) -> None:
    """Set timestamp, offset and leader epoch; all stay -1 when no record is meant."""
    if timestamp == LATEST:
        answer.offset = log.last_stable_offset if read_committed else log.high_watermark
    elif timestamp in (EARLIEST, EARLIEST_LOCAL):
        answer.offset = log.log_start_offset
    elif timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return
    else:
        found = log.max_timestamp() if timestamp == MAX_TIMESTAMP else log.offset_for_timestamp(timestamp)
        if found is None or (read_committed and found.offset >= log.last_stable_offset):
            return
        answer.offset, answer.timestamp = found.offset, found.timestamp_ms
    answer.leader_epoch = log.leader_epoch
