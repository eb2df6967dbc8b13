"""TxnOffsetCommit (API key 28): remember how far a group has read, if the transaction is committed (KIP-98).

v2 leader epoch (KIP-320) · v3 flexible, group members (KIP-447) · v4 TRANSACTION_ABORTABLE · v5 the group need not be
added to the transaction before (KIP-890).
"""

from __future__ import annotations

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import (
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    InvalidGroupId,
    KafkaError,
    UnknownTopicOrPartition,
)
from broker.groups import CommittedOffset, Now, PartitionOffset
from broker.handlers.add_offsets_to_txn import offsets_partition
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from broker.transactions import ProducerIdAndEpoch, join_transaction

LOADING_VERSION = 2
ABORTABLE_VERSION = 4
ADDING_VERSION = 5


@handles(ApiKey.TXN_OFFSET_COMMIT, versions=range(6))
def txn_offset_commit(
    request: TxnOffsetCommitRequest, context: RequestContext
) -> TxnOffsetCommitResponse | DelayedResponse:
    """Answered when the offsets are in the log, where nobody sees them before the transaction is committed."""
    now = Now.by(context.clock)
    commits: list[PartitionOffset] = []
    committing: list[TxnOffsetCommitResponsePartition] = []
    response = TxnOffsetCommitResponse()
    for asked in request.topics:
        answered = TxnOffsetCommitResponseTopic(name=asked.name, partitions=[])
        response.topics.append(answered)
        topic = context.topics.get(asked.name)
        for partition in asked.partitions:
            part = TxnOffsetCommitResponsePartition(partition_index=partition.partition_index)
            answered.partitions.append(part)
            if topic is None or not 0 <= partition.partition_index < topic.partition_count:
                part.error_code = UnknownTopicOrPartition.code
                continue
            committed = CommittedOffset(
                offset=partition.committed_offset,
                leader_epoch=partition.committed_leader_epoch,
                metadata=partition.committed_metadata or "",
                committed_ms=now.wall_ms,
                expires_ms=None,
                topic_id=topic.topic_id,
            )
            commits.append(PartitionOffset(topic.name, partition.partition_index, committed))
            committing.append(part)
    if not commits:
        return response
    for part, error_code in zip(committing, _error_codes(request, commits, context, now), strict=True):
        part.error_code = error_code
    if context.groups.commits_wait_for_disk and any(not part.error_code for part in committing):
        return _when_durable(response, committing, request.group_id, context)
    return response


def _error_codes(
    request: TxnOffsetCommitRequest, commits: list[PartitionOffset], context: RequestContext, now: Now
) -> list[int]:
    try:
        if not request.group_id:
            raise InvalidGroupId("the group id is empty")
        _join(request, context, now)
        return context.groups.commit_offsets_in_transaction(
            request.group_id,
            commits,
            member_id=request.member_id,
            group_instance_id=request.group_instance_id,
            generation_id=request.generation_id,
            producer_id=request.producer_id,
            producer_epoch=request.producer_epoch,
            now=now,
        )
    except CoordinatorLoadInProgress as error:
        # Clients of older versions do not expect it, and fail.
        code = error.code if context.api_version >= LOADING_VERSION else CoordinatorNotAvailable.code
        return [code] * len(commits)
    except KafkaError as error:
        return [error.code] * len(commits)


def _join(request: TxnOffsetCommitRequest, context: RequestContext, now: Now) -> None:
    partition = offsets_partition(request.group_id, context)
    partition_log = context.logs.get(*partition)
    producer = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    if partition_log is None or not partition_log.producer_state.is_in_transaction(*producer):
        join_transaction(
            context.transactions,
            request.transactional_id,
            producer,
            partition,
            now,
            adds_partitions=context.api_version >= ADDING_VERSION,
            knows_abortable=context.api_version >= ABORTABLE_VERSION,
        )


def _when_durable(
    response: TxnOffsetCommitResponse,
    committing: list[TxnOffsetCommitResponsePartition],
    group_id: str,
    context: RequestContext,
) -> DelayedResponse:
    waiting = DelayedResponse(on_hurry=_nothing, on_abandon=_nothing)

    def done(error: KafkaError | None) -> None:
        for part in committing:
            if error is not None and not part.error_code:
                part.error_code = error.code
        waiting.answer(response)

    context.groups.when_durable(group_id, done)
    return waiting


def _nothing() -> None:
    """An offset that was appended cannot be called back."""
