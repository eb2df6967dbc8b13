"""Guards of what members of share groups read and acknowledge."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import TopicAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages import share_acknowledge as acknowledge_messages
from broker.protocol.messages import share_fetch as fetch_messages
from broker.security.acl import Operation
from broker.security.guard import demand_on_group, guards, may_on_topic, split_topics, then

CODE: Final = TopicAuthorizationFailed.code


@guards(ApiKey.SHARE_FETCH)
def share_fetch(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on the group and on each topic.

    What a running share session remembers is asked about again, because the ACLs may have changed.
    """
    demand_on_group(context, Operation.READ, request.group_id or "")
    request.topics, denied = split_topics(request.topics, context, Operation.READ)
    refused = {topic.topic_id: [each.partition_index for each in topic.partitions] for topic in denied}
    for topic_id, partition in _taken_out(request, context):
        refused.setdefault(topic_id, []).append(partition)
    if not refused:
        return handler(request, context)
    request.max_wait_ms = 0
    refusals = [
        fetch_messages.ShareFetchableTopicResponse(
            topic_id,
            [fetch_messages.PartitionData(partition_index=index, error_code=CODE, records=b"") for index in partitions],
        )
        for topic_id, partitions in refused.items()
    ]
    return _add(handler(request, context), refusals)


def _taken_out(request: Any, context: RequestContext) -> list[tuple[bytes, int]]:
    """The partitions of the client's session that it may not read any more, and no longer does."""
    session = context.share_sessions.get(request.group_id or "", request.member_id or "")
    if session is None:
        return []
    topics = {key.topic_id: context.topics.by_id(key.topic_id) for key in session.partitions}
    denied = {
        topic_id
        for topic_id, topic in topics.items()
        if topic is not None and not may_on_topic(context, Operation.READ, topic.name)
    }
    taken_out = [key for key in session.partitions if key.topic_id in denied]
    session.update((), taken_out)
    return list(taken_out)


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
