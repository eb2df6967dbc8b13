"""DeleteTopics (API key 20): remove topics with their records, by name or by id."""

import asyncio
from collections import Counter, deque

from broker.dispatch import RequestContext, handles
from broker.errors import (
    InvalidRequest,
    KafkaError,
    TopicDeletionDisabled,
    UnknownTopicId,
    UnknownTopicOrPartition,
)
from broker.groups import Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from broker.protocol.primitives import NULL_UUID
from broker.slices import in_slices

SLICE_MS = 5
"""After how long other connections get their turn."""


@handles(ApiKey.DELETE_TOPICS, versions=range(1, 7))
async def delete_topics(request: DeleteTopicsRequest, context: RequestContext) -> DeleteTopicsResponse:
    """Delete each topic by itself: one that is not there does not stop the others.

    v4 flexible · v5 answers messages (KIP-599) · v6 by topic id (KIP-516).
    """
    states = request.topics or [DeleteTopicState(name=name) for name in request.topic_names]
    if not context.config.delete_topic_enable:
        return DeleteTopicsResponse(responses=[_refused(state, _disabled(context.api_version)) for state in states])
    named = Counter(state.name for state in states if state.name is not None)
    identified = Counter(state.topic_id for state in states if state.name is None)
    different = deque(dict.fromkeys((state.name, state.topic_id) for state in states))
    responses: list[DeletableTopicResult] = []
    while different:
        with context.topics.one_save():
            until_ms = context.clock.monotonic_ms() + SLICE_MS
            while different and context.clock.monotonic_ms() <= until_ms:
                name, topic_id = different.popleft()
                state = DeleteTopicState(name=name, topic_id=topic_id)
                responses.append(_delete(state, named, identified, context))
        await asyncio.sleep(0)
    deleted = [response.name for response in responses if not response.error_code and response.name is not None]
    if deleted:
        context.transactions.topics_deleted(deleted)
        context.groups.topics_deleted(deleted, Now(context.clock.monotonic_ms(), context.clock.now_ms()))
    await in_slices(context.topics.finish_deletions(), context.clock, slice_ms=SLICE_MS)
    return DeleteTopicsResponse(responses=responses)


def _disabled(api_version: int) -> KafkaError:
    """Clients older than the error code (v3) get INVALID_REQUEST."""
    return (TopicDeletionDisabled if api_version >= 3 else InvalidRequest)("Topic deletion is disabled.")


def _delete(
    state: DeleteTopicState, named: Counter[str], identified: Counter[bytes], context: RequestContext
) -> DeletableTopicResult:
    try:
        topic = context.topics.begin_deletion(_name_to_delete(state, named, identified, context))
    except KafkaError as error:
        return _refused(state, error)
    return DeletableTopicResult(name=topic.name, topic_id=topic.topic_id)


def _name_to_delete(
    state: DeleteTopicState, named: Counter[str], identified: Counter[bytes], context: RequestContext
) -> str:
    if state.name is None:
        if state.topic_id == NULL_UUID:
            raise InvalidRequest("Neither topic name nor id were specified.")
        if identified[state.topic_id] > 1:
            raise InvalidRequest("Duplicate topic id.")
        topic = context.topics.by_id(state.topic_id)
        if topic is None:
            raise UnknownTopicId("This server does not host this topic ID.")
        if topic.name in named:
            raise InvalidRequest("The provided topic name maps to an ID that was already supplied.")
        return topic.name
    if state.topic_id != NULL_UUID:
        raise InvalidRequest("You may not specify both topic name and topic id.")
    if named[state.name] > 1:
        raise InvalidRequest("Duplicate topic name.")
    topic = context.topics.get(state.name)
    if topic is None:
        raise UnknownTopicOrPartition("This server does not host this topic-partition.")
    if topic.topic_id in identified:
        raise InvalidRequest("The provided topic name maps to an ID that was already supplied.")
    return topic.name


def _refused(state: DeleteTopicState, error: KafkaError) -> DeletableTopicResult:
    return DeletableTopicResult(
        name=state.name, topic_id=state.topic_id, error_code=error.code, error_message=str(error)
    )
