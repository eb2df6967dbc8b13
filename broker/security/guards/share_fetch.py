"""Guards of what members of share groups read and acknowledge."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import TopicAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages import share_acknowledge as acknowledge_messages
from broker.protocol.messages import share_fetch as fetch_messages
from broker.security.acl import Operation
from broker.security.guard import demand_on_group, guards, split_topics, then

CODE: Final = TopicAuthorizationFailed.code


@guards(ApiKey.SHARE_FETCH)
def share_fetch(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on the group and on each topic.

    A topic of a running share session was allowed when it came in.
    """
    demand_on_group(context, Operation.READ, request.group_id or "")
    request.topics, denied = split_topics(request.topics, context, Operation.READ)
    if not denied:
        return handler(request, context)
    request.max_wait_ms = 0
    refusals = [
        fetch_messages.ShareFetchableTopicResponse(
            topic.topic_id,
            [
                fetch_messages.PartitionData(partition_index=each.partition_index, error_code=CODE)
                for each in topic.partitions
            ],
        )
        for topic in denied
    ]
    return _add(handler(request, context), refusals)


@guards(ApiKey.SHARE_ACKNOWLEDGE)
def share_acknowledge(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on the group and on each topic."""
    demand_on_group(context, Operation.READ, request.group_id or "")
    request.topics, denied = split_topics(request.topics, context, Operation.READ)
    if not denied:
        return handler(request, context)
    refusals = [
        acknowledge_messages.ShareAcknowledgeTopicResponse(
            topic.topic_id,
            [
                acknowledge_messages.PartitionData(partition_index=each.partition_index, error_code=CODE)
                for each in topic.partitions
            ],
        )
        for topic in denied
    ]
    return _add(handler(request, context), refusals)


def _add(response: Any, refusals: list[Any]) -> Any:
    def add(answer: Any) -> Any:
        answer.responses = [*answer.responses, *refusals]
        return answer

    return then(response, add)
