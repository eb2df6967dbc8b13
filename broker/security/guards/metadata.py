"""Guard of Metadata: only topics that the client may describe, and made by asking only when it may create."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import TopicAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import decoder
from broker.protocol.messages.metadata import MetadataRequestTopic, MetadataResponse, MetadataResponseTopic
from broker.protocol.primitives import NULL_UUID
from broker.security.acl import Operation, ResourceType
from broker.security.guard import authorizer_of, guards, may_on_cluster, may_on_topic, split, topic_of
from broker.security.guards.cluster import cluster_operations

CODE: Final = TopicAuthorizationFailed.code


@guards(ApiKey.METADATA)
def metadata(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each topic; for one that is yet to be made, CREATE on it or on the cluster."""
    tells_operations = request.include_cluster_authorized_operations or request.include_topic_authorized_operations
    if request.topics is None or (context.api_version == 0 and not request.topics):
        visible = [each.name for each in context.topics if may_on_topic(context, Operation.DESCRIBE, each.name)]
        if len(visible) == len(context.topics) and not tells_operations:
            return handler(request, context)
        if len(visible) < len(context.topics):
            request.allow_auto_topic_creation = False
            # A name that no topic can have: version 0 takes no name at all for all topics.
            request.topics = [MetadataRequestTopic(name=name) for name in visible] or [MetadataRequestTopic(name="")]
        response = _decoded(handler(request, context), context)
        if not visible:
            response.topics = []
        return _with_operations(response, request, context)
    allowed, denied = split(request.topics, lambda topic: _is_allowed(topic, request, context))
    if not denied and not tells_operations:
        return handler(request, context)
    request.topics = allowed or [MetadataRequestTopic(name="")]
    response = _decoded(handler(request, context), context)
    if not allowed:
        response.topics = []
    _with_operations(response, request, context)
    refusals = [
        MetadataResponseTopic(error_code=CODE, name=topic.name)
        if topic.topic_id == NULL_UUID
        else MetadataResponseTopic(error_code=CODE, name=None, topic_id=topic.topic_id)
        for topic in denied
    ]
    response.topics = [*response.topics, *refusals]
    return response


def _is_allowed(topic: MetadataRequestTopic, request: Any, context: RequestContext) -> bool:
    name = topic_of(topic, context)
    if name is None:
        return True
    if not may_on_topic(context, Operation.DESCRIBE, name):
        return False
    would_create = (
        request.allow_auto_topic_creation and context.config.auto_create_topics_enable and name not in context.topics
    )
    return (
        not would_create or may_on_cluster(context, Operation.CREATE) or may_on_topic(context, Operation.CREATE, name)
    )


def _decoded(answer: Any, context: RequestContext) -> MetadataResponse:
    """The handler's answer as an object: it gives bytes that it keeps for the next time."""
    if isinstance(answer, MetadataResponse):
        return answer
    response: MetadataResponse = decoder(MetadataResponse, context.api_version)(memoryview(b"".join(answer)), 0)
    return response


def _with_operations(response: MetadataResponse, request: Any, context: RequestContext) -> MetadataResponse:
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = cluster_operations(context)
    if request.include_topic_authorized_operations:
        for topic in response.topics:
            topic.topic_authorized_operations = authorizer_of(context).operations(
                context, ResourceType.TOPIC, topic.name or ""
            )
    return response
