"""Guards: what a client must be allowed to do before a handler answers it.

With an authorizer, the guard of an API stands before its handler: it takes out of the request what the client may not
touch, lets the handler answer the rest, and puts the refusals into the answer. So handlers know nothing of ACLs, and a
broker without an authorizer calls them directly. An API without a guard is refused to all but those who may do anything
to the cluster.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from broker.dispatch import DelayedResponse, Handler, RequestContext
from broker.errors import (
    ClusterAuthorizationFailed,
    GroupAuthorizationFailed,
    TopicAuthorizationFailed,
    TransactionalIdAuthorizationFailed,
)
from broker.protocol.api_keys import ApiKey
from broker.protocol.primitives import NULL_UUID
from broker.security.acl import Operation, ResourceType

if TYPE_CHECKING:
    from broker.security.authorizer import Authorizer

Guard = Callable[[Handler, Any, RequestContext], Any]
_Item = TypeVar("_Item")

_guards: dict[ApiKey, Guard] = {}


def guards(*api_keys: ApiKey) -> Callable[[Guard], Guard]:
    """Register the decorated function as the guard of these APIs.

    It is called with the handler, the request and the context, and returns what a handler may return.
    """

    def register(guard: Guard) -> Guard:
        for api_key in api_keys:
            if api_key in _guards:
                raise ValueError(f"{api_key.name} has a guard already")
            _guards[api_key] = guard
        return guard

    return register


def has_guard(api_key: ApiKey) -> bool:
    """Whether the API has a guard of its own."""
    return api_key in _guards


def guarded(api_key: ApiKey, handler: Handler) -> Handler:
    """The handler of an API behind its guard."""
    return functools.partial(_guards.get(api_key, _strangers), handler)


def authorizer_of(context: RequestContext) -> Authorizer:
    """The authorizer; guards are there only with one."""
    assert context.security is not None
    assert context.security.authorizer is not None
    return context.security.authorizer


def may(context: RequestContext, operation: Operation, resource_type: ResourceType, name: str) -> bool:
    """Whether who asks may do that."""
    return authorizer_of(context).allows(context, operation, resource_type, name)


def may_on_cluster(context: RequestContext, operation: Operation) -> bool:
    """Whether who asks may do that to the cluster."""
    return authorizer_of(context).allows_on_cluster(context, operation)


def demand_on_cluster(context: RequestContext, operation: Operation) -> None:
    """Raise ClusterAuthorizationFailed unless who asks may do that to the cluster."""
    if not may_on_cluster(context, operation):
        raise ClusterAuthorizationFailed("Cluster authorization failed.")


def demand_on_group(context: RequestContext, operation: Operation, group_id: str) -> None:
    """Raise GroupAuthorizationFailed unless who asks may do that to the group."""
    if not may(context, operation, ResourceType.GROUP, group_id):
        raise GroupAuthorizationFailed("Group authorization failed.")


def demand_on_transaction(context: RequestContext, operation: Operation, transactional_id: str) -> None:
    """Raise TransactionalIdAuthorizationFailed unless who asks may do that with the transactional id."""
    if not may(context, operation, ResourceType.TRANSACTIONAL_ID, transactional_id):
        raise TransactionalIdAuthorizationFailed("Transactional Id authorization failed.")


def may_on_topic(context: RequestContext, operation: Operation, topic: str) -> bool:
    """Whether who asks may do that to the topic."""
    return authorizer_of(context).allows(context, operation, ResourceType.TOPIC, topic)


def demand_on_topic(context: RequestContext, operation: Operation, topic: str) -> None:
    """Raise TopicAuthorizationFailed unless who asks may do that to the topic."""
    if not may_on_topic(context, operation, topic):
        raise TopicAuthorizationFailed("Topic authorization failed.")


def split(items: Iterable[_Item], is_allowed: Callable[[_Item], bool]) -> tuple[list[_Item], list[_Item]]:
    """Those that are allowed, and those that are not."""
    allowed: list[_Item] = []
    denied: list[_Item] = []
    for item in items:
        (allowed if is_allowed(item) else denied).append(item)
    return allowed, denied


def topic_of(asked: Any, context: RequestContext) -> str | None:
    """The name of a topic in a request, by whichever of name and id it goes; None for an id that is not known."""
    name: str | None = getattr(asked, "name", None) or getattr(asked, "topic", None)
    if name:
        return name
    topic_id = getattr(asked, "topic_id", NULL_UUID)
    if topic_id == NULL_UUID:
        return name or ""
    topic = context.topics.by_id(topic_id)
    return None if topic is None else topic.name


def split_topics(
    asked: Iterable[_Item], context: RequestContext, operation: Operation
) -> tuple[list[_Item], list[_Item]]:
    """The topics of a request that the operation is allowed on, and the others. An id that is not known is allowed."""

    def is_allowed(topic: _Item) -> bool:
        name = topic_of(topic, context)
        return name is None or may_on_topic(context, operation, name)

    return split(asked, is_allowed)


def then(response: Any, change: Callable[[Any], Any]) -> Any:
    """The response with a change made to it, now or when it comes. An exception stays as it is."""
    if isinstance(response, DelayedResponse):
        changed = DelayedResponse(response.on_hurry, response.on_abandon)
        response.when_answered(
            lambda answer: changed.answer(answer if isinstance(answer, Exception) else change(answer))
        )
        return changed
    if isinstance(response, CoroutineType):
        return _after(response, change)
    return change(response)


def answer_rest(
    handler: Handler,
    request: Any,
    context: RequestContext,
    *,
    is_asked: object,
    empty: Any,
    field: str,
    refusals: Sequence[Any],
) -> Any:
    """The handler's answer to the rest of a request, with the refusals added to the response's `field`.

    The handler is asked only if `is_asked` is true; else `empty` is the response that they are added to.
    """
    if is_asked and not refusals:
        return handler(request, context)

    def add(response: Any) -> Any:
        setattr(response, field, [*getattr(response, field), *refusals])
        return response

    return then(handler(request, context) if is_asked else empty, add)


async def _after(response: CoroutineType[Any, Any, Any], change: Callable[[Any], Any]) -> Any:
    return change(await response)


def _strangers(handler: Handler, request: Any, context: RequestContext) -> Any:
    demand_on_cluster(context, Operation.CLUSTER_ACTION)
    return handler(request, context)
