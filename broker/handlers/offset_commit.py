"""OffsetCommit (API key 8): remember how far a group has read."""

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import NONE, GroupIdNotFound, IllegalGeneration, KafkaError, UnknownTopicId, UnknownTopicOrPartition
from broker.groups import CommittedOffset, Now, PartitionOffset
from broker.metadata.topics import Topic
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

GROUP_ID_NOT_FOUND_VERSION = 9
TOPIC_IDS_VERSION = 10


@handles(ApiKey.OFFSET_COMMIT, versions=range(2, 11))
def offset_commit(request: OffsetCommitRequest, context: RequestContext) -> OffsetCommitResponse | DelayedResponse:
    """Answered when the offsets are in the log; partitions that cannot be committed do not stop the others.

    v5 no retention time · v6 leader epoch (KIP-320) · v7 static members (KIP-345) · v8 flexible · v9 GROUP_ID_NOT_FOUND
    (KIP-848) · v10 topic ids.
    """
    now = Now.by(context.clock)
    expires_ms = None if request.retention_time_ms < 0 else now.wall_ms + request.retention_time_ms
    commits: list[PartitionOffset] = []
    committing: list[OffsetCommitResponsePartition] = []
    response = OffsetCommitResponse()
    for asked in request.topics:
        answered = OffsetCommitResponseTopic(name=asked.name, topic_id=asked.topic_id)
        response.topics.append(answered)
        if context.api_version >= TOPIC_IDS_VERSION:
            topic, unknown = context.topics.by_id(asked.topic_id), UnknownTopicId.code
        else:
            topic, unknown = context.topics.get(asked.name), UnknownTopicOrPartition.code
        for partition in asked.partitions:
            part = OffsetCommitResponsePartition(partition_index=partition.partition_index)
            answered.partitions.append(part)
            if topic is None:
                part.error_code = unknown
            elif not 0 <= partition.partition_index < topic.partition_count:
                part.error_code = UnknownTopicOrPartition.code
            else:
                commits.append(_commit(topic, partition, now, expires_ms))
                committing.append(part)
    if not commits:
        return response
    for part, error_code in zip(committing, _error_codes(request, commits, context, now), strict=True):
        part.error_code = error_code
    committed = [part for part in committing if part.error_code == NONE]
    if committed and context.groups.commits_wait_for_disk:
        return _when_durable(response, committed, request.group_id, context)
    return response


def _commit(topic: Topic, partition: OffsetCommitRequestPartition, now: Now, expires_ms: int | None) -> PartitionOffset:
    committed = CommittedOffset(
        offset=partition.committed_offset,
        leader_epoch=partition.committed_leader_epoch,
        metadata=partition.committed_metadata or "",
        committed_ms=now.wall_ms,
        expires_ms=expires_ms,
        topic_id=topic.topic_id,
    )
    return PartitionOffset(topic.name, partition.partition_index, committed)


def _error_codes(
    request: OffsetCommitRequest, commits: list[PartitionOffset], context: RequestContext, now: Now
) -> list[int]:
    try:
        return context.groups.commit_offsets(
            request.group_id,
            commits,
            member_id=request.member_id,
            group_instance_id=request.group_instance_id,
            generation_id=request.generation_id_or_member_epoch,
            now=now,
            api_version=context.api_version,
        )
    except GroupIdNotFound as error:
        # Clients of older versions expect what they were told before groups could be missing.
        is_old = context.api_version < GROUP_ID_NOT_FOUND_VERSION
        return [IllegalGeneration.code if is_old else error.code] * len(commits)
    except KafkaError as error:
        return [error.code] * len(commits)


def _when_durable(
    response: OffsetCommitResponse,
    committed: list[OffsetCommitResponsePartition],
    group_id: str,
    context: RequestContext,
) -> DelayedResponse:
    waiting = DelayedResponse(on_hurry=_nothing, on_abandon=_nothing)

    def done(error: KafkaError | None) -> None:
        if error is not None:
            for part in committed:
                part.error_code = error.code
        waiting.answer(response)

    context.groups.when_durable(group_id, done)
    return waiting


def _nothing() -> None:
    """An offset that was appended cannot be called back."""
