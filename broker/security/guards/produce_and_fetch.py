"""Guards of the hot path: Produce and Fetch. When all is allowed they only ask, and leave request and answer alone."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import BadRequest, Handler, RequestContext
from broker.errors import (
    FetchSessionIdNotFound,
    KafkaError,
    TopicAuthorizationFailed,
    TransactionalIdAuthorizationFailed,
)
from broker.fetch_sessions import FINAL_EPOCH, INITIAL_EPOCH
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from broker.protocol.messages.produce import PartitionProduceResponse, ProduceResponse, TopicProduceResponse
from broker.security.acl import Operation, ResourceType
from broker.security.guard import authorizer_of, guards, may, split_topics, then, topic_of

_TOPIC: Final = ResourceType.TOPIC


@guards(ApiKey.PRODUCE)
def produce(handler: Handler, request: Any, context: RequestContext) -> Any:
    """WRITE on each topic, and on the transactional id if there is one."""
    transactional_id = request.transactional_id
    if transactional_id is not None and not may(
        context, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id
    ):
        context.may_have_errors = True
        return _refuse_produce(ProduceResponse(), request.topic_data, request, TransactionalIdAuthorizationFailed())
    allows = authorizer_of(context).allows
    for topic in request.topic_data:
        name = topic.name or topic_of(topic, context)
        if name is not None and not allows(context, Operation.WRITE, _TOPIC, name):
            break
    else:
        return handler(request, context)
    context.may_have_errors = True
    request.topic_data, denied = split_topics(request.topic_data, context, Operation.WRITE)
    refused = TopicAuthorizationFailed("Topic authorization failed.")
    if not request.topic_data or request.acks == 0:
        return _refuse_produce(ProduceResponse(), denied, request, refused)
    return then(handler(request, context), lambda response: _refuse_produce(response, denied, request, refused))


def _refuse_produce(response: ProduceResponse, denied: list[Any], request: Any, error: KafkaError) -> ProduceResponse:
    if request.acks == 0:
        raise BadRequest(f"acks=0 batch refused: {error}")
    refusals = [
        TopicProduceResponse(
            topic.name,
            topic.topic_id,
            [
                PartitionProduceResponse(
                    index=each.index, error_code=error.code, base_offset=-1, error_message=error.message
                )
                for each in topic.partition_data
            ],
        )
        for topic in denied
    ]
    response.responses = [*response.responses, *refusals]
    return response


@guards(ApiKey.FETCH)
def fetch(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on each topic.

    A session holds only topics that were allowed when they came in, and a change of the ACLs ends all sessions; so the
    requests of a running session, which name no topics, cost no question. A session belongs to its connection.
    """
    if request.session_id and request.session_id != context.fetch_session_id:
        if request.session_epoch not in (INITIAL_EPOCH, FINAL_EPOCH):
            raise FetchSessionIdNotFound
        request.session_id = 0
    allows = authorizer_of(context).allows
    for topic in request.topics:
        name = topic.topic or topic_of(topic, context)
        if name is not None and not allows(context, Operation.READ, _TOPIC, name):
            break
    else:
        if request.session_epoch == INITIAL_EPOCH:
            return then(handler(request, context), lambda response: _own_session(response, context))
        return handler(request, context)
    return _fetch_in_part(handler, request, context)


def _own_session(response: FetchResponse, context: RequestContext) -> FetchResponse:
    context.fetch_session_id = response.session_id
    return response


def _fetch_in_part(handler: Handler, request: Any, context: RequestContext) -> Any:
    """Some topics are denied: they are answered at once, and with each request anew, so there must be no session."""
    if request.session_epoch not in (INITIAL_EPOCH, FINAL_EPOCH):
        context.fetch_sessions.close(request.session_id)
        raise FetchSessionIdNotFound
    request.session_epoch = FINAL_EPOCH
    request.topics, denied = split_topics(request.topics, context, Operation.READ)
    context.may_have_errors = True
    request.max_wait_ms = 0
    refusals = [
        FetchableTopicResponse(
            topic.topic,
            topic.topic_id,
            [
                PartitionData(
                    partition_index=each.partition,
                    error_code=TopicAuthorizationFailed.code,
                    high_watermark=-1,
                    records=b"",
                )
                for each in topic.partitions
            ],
        )
        for topic in denied
    ]

    def add_refusals(response: FetchResponse) -> FetchResponse:
        response.responses = [*response.responses, *refusals]
        return response

    return then(handler(request, context), add_refusals)
