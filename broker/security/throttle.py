"""Enforces client quotas: the answer goes out at once and says how long the client shall wait, and the connection is
not read for that long (KIP-219).

Stands before the handlers only while there is any quota. Differs from Kafka: a fetch beyond its quota is answered with
its records and the next one waits, because an empty answer would only repeat the work.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Final

from broker.dispatch import Handler, RequestContext, ServedApi
from broker.errors import ThrottlingQuotaExceeded
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.create_partitions import CreatePartitionsResponse, CreatePartitionsTopicResult
from broker.protocol.messages.create_topics import CreatableTopicResult, CreateTopicsResponse
from broker.protocol.messages.delete_topics import DeletableTopicResult, DeleteTopicsResponse
from broker.security.client_quotas import (
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    ClientQuotas,
)
from broker.security.guard import then

REQUEST_WAIT_S_MAX: Final = 1.0
"""Of a wait for used time: one window, as in Kafka."""

_FREE: Final = (ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE)


def throttled(api: ServedApi, quotas: ClientQuotas) -> Handler:
    """The handler of an API with its client's quotas counted."""
    if api.api_key in _FREE:
        return api.handler
    return functools.partial(_answer, api, quotas, _AMOUNTS.get(api.api_key))


def _answer(
    api: ServedApi,
    quotas: ClientQuotas,
    amount_of: tuple[str, Callable[[Any, Any, RequestContext], float]] | None,
    request: Any,
    context: RequestContext,
) -> Any:
    strict = _STRICT.get(api.api_key)
    if strict is not None and context.api_version >= strict[0]:
        user = context.principal.removeprefix("User:")
        wait_s = quotas.wait_s(CONTROLLER_MUTATION_RATE, user, context.client_id, 0, time.monotonic())
        if wait_s > 0:
            response = strict[1](request)
            response.throttle_time_ms = max(int(wait_s * 1000), 1)
            context.pause(response.throttle_time_ms)
            quotas.note_throttled(api.api_key.name, response.throttle_time_ms)
            return response
    started_s = time.perf_counter()
    before = _partitions_before(api, request, context)
    response = api.handler(request, context)
    used_percent = (time.perf_counter() - started_s) * 100

    def count(answer: Any) -> Any:
        user, client_id, now_s = context.principal.removeprefix("User:"), context.client_id, time.monotonic()
        wait_s = quotas.wait_s(REQUEST_PERCENTAGE, user, client_id, used_percent, now_s)
        wait_s = min(wait_s, REQUEST_WAIT_S_MAX)
        if amount_of is not None:
            key, amount = amount_of
            wait_s = max(wait_s, quotas.wait_s(key, user, client_id, amount(request, answer, context) + before, now_s))
        wait_ms = int(wait_s * 1000)
        if wait_ms > 0:
            if hasattr(answer, "throttle_time_ms"):
                answer.throttle_time_ms = wait_ms
            context.pause(wait_ms)
            quotas.note_throttled(api.api_key.name, wait_ms)
        return answer

    return then(response, count)


def _partitions_before(api: ServedApi, request: Any, context: RequestContext) -> int:
    """How many partitions a DeleteTopics may remove: afterwards they cannot be counted."""
    if api.api_key is not ApiKey.DELETE_TOPICS:
        return 0
    named = [context.topics.get(name) for name in request.topic_names]
    named += [
        context.topics.get(topic.name) if topic.name else context.topics.by_id(topic.topic_id)
        for topic in request.topics
    ]
    return sum(topic.partition_count for topic in named if topic is not None)


def _produced_bytes(request: Any, response: Any, context: RequestContext) -> int:
    return sum(len(each.records or b"") for topic in request.topic_data for each in topic.partition_data)


def _fetched_bytes(request: Any, response: Any, context: RequestContext) -> int:
    return sum(len(each.records or b"") for topic in response.responses for each in topic.partitions)


def _created_partitions(request: Any, response: Any, context: RequestContext) -> int:
    if request.validate_only:
        return 0
    return sum(topic.num_partitions for topic in response.topics if not topic.error_code)


def _added_partitions(request: Any, response: Any, context: RequestContext) -> int:
    added = {result.name for result in response.results if not result.error_code}
    return 0 if request.validate_only else sum(1 for topic in request.topics if topic.name in added)


_REFUSED: Final[dict[str, Any]] = {
    "error_code": ThrottlingQuotaExceeded.code,
    "error_message": "The throttling quota has been exceeded.",
}


def _refuse_creation(request: Any) -> CreateTopicsResponse:
    return CreateTopicsResponse(topics=[CreatableTopicResult(name=each.name, **_REFUSED) for each in request.topics])


def _refuse_deletion(request: Any) -> DeleteTopicsResponse:
    by_name = [DeletableTopicResult(name=name, **_REFUSED) for name in request.topic_names]
    by_any = [DeletableTopicResult(name=each.name, topic_id=each.topic_id, **_REFUSED) for each in request.topics]
    return DeleteTopicsResponse(responses=by_name + by_any)


def _refuse_partitions(request: Any) -> CreatePartitionsResponse:
    results = [CreatePartitionsTopicResult(name=each.name, **_REFUSED) for each in request.topics]
    return CreatePartitionsResponse(results=results)


_STRICT: Final[dict[ApiKey, tuple[int, Callable[[Any], Any]]]] = {
    ApiKey.CREATE_TOPICS: (6, _refuse_creation),
    ApiKey.DELETE_TOPICS: (5, _refuse_deletion),
    ApiKey.CREATE_PARTITIONS: (3, _refuse_partitions),
}
"""From which version on a client without quota left is refused, not only told to wait (KIP-599)."""


def _nothing_more(request: Any, response: Any, context: RequestContext) -> int:
    return 0


_AMOUNTS: Final = {
    ApiKey.PRODUCE: (PRODUCER_BYTE_RATE, _produced_bytes),
    ApiKey.FETCH: (CONSUMER_BYTE_RATE, _fetched_bytes),
    ApiKey.CREATE_TOPICS: (CONTROLLER_MUTATION_RATE, _created_partitions),
    ApiKey.CREATE_PARTITIONS: (CONTROLLER_MUTATION_RATE, _added_partitions),
    ApiKey.DELETE_TOPICS: (CONTROLLER_MUTATION_RATE, _nothing_more),
}
