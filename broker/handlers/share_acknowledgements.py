"""What ShareFetch and ShareAcknowledge have in common: whose request it is, and what it says of delivered records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, Protocol, TypeVar

from broker.dispatch import DelayedResponse, RequestContext
from broker.errors import InvalidRequest, KafkaError, UnknownTopicId
from broker.groups import Now
from broker.share import ShareKey
from broker.share.share_partition import Acknowledgement, AcknowledgeType
from broker.share.share_sessions import SessionKey, ShareSession

MEMBER_ID_CHARS_MAX: Final = 36
ResponseT = TypeVar("ResponseT")


class AskedBatch(Protocol):
    """An acknowledgement batch of either request."""

    first_offset: int
    last_offset: int
    acknowledge_types: list[int]


def session_key(group_id: str | None, member_id: str | None) -> SessionKey:
    """Whose session it is. Raises InvalidRequest for a request that does not say it."""
    if group_id is None or not member_id or len(member_id) > MEMBER_ID_CHARS_MAX:
        raise InvalidRequest("The group id and the member id must be set, the latter with up to 36 characters.")
    return SessionKey(group_id, member_id)


def acknowledge(
    key: SessionKey,
    topic_id: bytes,
    partition: int,
    batches: Sequence[AskedBatch],
    context: RequestContext,
    *,
    is_renew: bool,
) -> None:
    """Take in what a member says of one partition.

    Raises UnknownTopicId, UnknownTopicOrPartition, InvalidRequest, InvalidRecordState, or what the log raises.
    """
    topic = context.topics.by_id(topic_id)
    if topic is None:
        raise UnknownTopicId("This server does not host this topic ID.")
    context.topics.partition(topic.name, partition)
    acknowledgements = [
        Acknowledgement(each.first_offset, each.last_offset, each.acknowledge_types) for each in batches
    ]
    _check(acknowledgements, is_renew=is_renew)
    context.shares.acknowledge(
        ShareKey(key.group_id, topic_id, partition), key.member_id, acknowledgements, Now.by(context.clock)
    )


def end_session(session: ShareSession, context: RequestContext) -> None:
    """Forget the session and take back all that its member holds."""
    context.share_sessions.close(session.key)
    context.shares.release_all(
        session.key.group_id, session.key.member_id, session.partitions.keys(), Now.by(context.clock)
    )


def end_with_connection(context: RequestContext) -> None:
    """See to it that the sessions of this connection end when it does."""
    if context.on_close is None:
        context.on_close = partial(_connection_closed, id(context), context)


def when_durable(
    response: ResponseT, failing: Collection[Callable[[KafkaError], None]], context: RequestContext
) -> ResponseT | DelayedResponse:
    """The response, once all of it is on disk if the flush policy asks for that; else `failing` are told."""
    if not context.shares.is_strict:
        return response
    delayed = DelayedResponse(on_hurry=_nothing, on_abandon=_nothing)

    def done(error: KafkaError | None) -> None:
        if error is not None:
            for fail in failing:
                fail(error)
        delayed.answer(response)

    context.shares.when_durable(done)
    return delayed


def _check(acknowledgements: Sequence[Acknowledgement], *, is_renew: bool) -> None:
    """Whether the batches make sense by themselves. Raises InvalidRequest."""
    types = frozenset(AcknowledgeType) if is_renew else frozenset(AcknowledgeType) - {AcknowledgeType.RENEW}
    end = -1
    for each in acknowledgements:
        if each.first_offset > each.last_offset or each.first_offset < end:
            raise InvalidRequest("The offsets of the acknowledgement batches do not ascend.")
        if len(each.types) not in (1, each.last_offset - each.first_offset + 1):
            raise InvalidRequest("There must be one acknowledge type for each offset of a batch, or one for all.")
        if not types.issuperset(each.types):
            raise InvalidRequest("An acknowledge type is unknown, or not allowed in this request.")
        end = each.last_offset


def _connection_closed(connection: int, context: RequestContext) -> None:
    for session in context.share_sessions.of_connection(connection):
        end_session(session, context)


def _nothing() -> None:
    """What was acknowledged cannot be called back."""
