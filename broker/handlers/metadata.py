"""Metadata: which topics exist, how many partitions they have, and where to dial.

v1 null means all topics, controller id · v2 cluster id · v4 auto-creation may be declined · v5 offline replicas ·
v7 leader epochs · v8 authorized operations · v9 flexible · v10 topic ids · v12 lookup by topic id · v13 top error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidRequest, KafkaError, UnknownTopicId, UnknownTopicOrPartition
from broker.metadata.partition_limit import check_partition_limit
from broker.metadata.topics import INTERNAL_TOPICS, Topic, check_topic_name
from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import encode
from broker.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from broker.protocol.primitives import NULL_UUID

CLUSTER_OPERATIONS: Final = 8096  # bits 5 create, 7 alter, 8 describe, 9 cluster action, 10, 11 configs, 12 idempotent
TOPIC_OPERATIONS: Final = 3576  # bits 3 read, 4 write, 5 create, 6 delete, 7 alter, 8 describe, 10 and 11 configs

KEPT: Final = "answers of Metadata"
"""Where answers are kept among what is derived from the topics: a change of these forgets them."""

KEPT_MAX: Final = 256

LOOKUP_BY_ID_VERSION: Final = 12


@handles(ApiKey.METADATA, versions=range(14))
def metadata(request: MetadataRequest, context: RequestContext) -> list[bytes] | MetadataResponse:
    """Describe the cluster and the topics asked for, all of them for null (v0: for an empty list).

    Differs from Kafka: a topic that is created by asking for it is answered as existing at once, where Kafka answers
    UNKNOWN_TOPIC_OR_PARTITION until the retry, because here it does exist.

    What it keeps is answered again by `broker.shortcuts.metadata`.
    """
    wants_all = _wants_all(request, context)
    if not wants_all and _has_ids(request):
        if context.api_version < LOOKUP_BY_ID_VERSION:
            return _refused(request.topics or ())
        return _response(request, context, [_topic_asked(topic, request, context) for topic in request.topics or ()])

    kept = kept_answer(request, context)
    if kept is not None:
        return kept
    if wants_all:
        topics = [_known_topic(topic, request, context) for topic in context.topics]
    else:
        names = dict.fromkeys(topic.name or "" for topic in request.topics or ())
        topics = [_topic_named(name, request, context) for name in names]
    answer = [encode(_response(request, context, topics), context.api_version)]
    all_kept = context.topics.derived.setdefault(KEPT, {})
    if all(topic.error_code == 0 for topic in topics) and len(all_kept) < KEPT_MAX:
        all_kept[_key(request, context)] = answer
    return answer


def kept_answer(request: MetadataRequest, context: RequestContext) -> list[bytes] | None:
    """The encoded answer to such a request, if it was given since the topics last changed."""
    kept: list[bytes] | None = context.topics.derived.get(KEPT, {}).get(_key(request, context))
    return kept


def _wants_all(request: MetadataRequest, context: RequestContext) -> bool:
    return request.topics is None or (context.api_version == 0 and not request.topics)


def _has_ids(request: MetadataRequest) -> bool:
    return any(topic.topic_id != NULL_UUID for topic in request.topics or ())


def _key(request: MetadataRequest, context: RequestContext) -> object:
    names = None if _wants_all(request, context) else tuple([topic.name for topic in request.topics or ()])
    return (
        context.api_version,
        context.listener.advertised_host,
        context.listener.advertised_port,
        request.include_cluster_authorized_operations,
        request.include_topic_authorized_operations,
        names,
    )


def _topic_asked(
    asked: MetadataRequestTopic, request: MetadataRequest, context: RequestContext
) -> MetadataResponseTopic:
    """One topic of a request that looks up by id; some of its topics may still go by name."""
    if asked.topic_id == NULL_UUID and asked.name is not None:
        return _topic_named(asked.name, request, context)
    topic = context.topics.by_id(asked.topic_id)
    if topic is None:
        return MetadataResponseTopic(error_code=UnknownTopicId.code, name=None, topic_id=asked.topic_id)
    return _known_topic(topic, request, context)


def _topic_named(name: str, request: MetadataRequest, context: RequestContext) -> MetadataResponseTopic:
    topic = context.topics.get(name)
    error_code = 0
    if topic is None:
        try:
            topic = _create_if_allowed(name, request, context)
        except KafkaError as error:
            error_code = error.code
    if topic is None:
        answer = MetadataResponseTopic(error_code=error_code, name=name)
        if request.include_topic_authorized_operations:
            answer.topic_authorized_operations = TOPIC_OPERATIONS
        return answer
    return _known_topic(topic, request, context)


def _create_if_allowed(name: str, request: MetadataRequest, context: RequestContext) -> Topic:
    check_topic_name(name)
    # Kafka's coordinators make their topics on first use, with settings of their own.
    may_create = request.allow_auto_topic_creation and context.config.auto_create_topics_enable
    if not may_create or name in INTERNAL_TOPICS:
        raise UnknownTopicOrPartition
    check_partition_limit(context.config.num_partitions, context.topics, context.config)
    return context.topics.create(name, partition_count=context.config.num_partitions)


def _known_topic(topic: Topic, request: MetadataRequest, context: RequestContext) -> MetadataResponseTopic:
    node_id = context.config.node_id
    answer = MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=[
            MetadataResponsePartition(
                partition_index=index, leader_id=node_id, leader_epoch=0, replica_nodes=[node_id], isr_nodes=[node_id]
            )
            for index in range(topic.partition_count)
        ],
    )
    if request.include_topic_authorized_operations:
        answer.topic_authorized_operations = TOPIC_OPERATIONS
    return answer


def _response(
    request: MetadataRequest, context: RequestContext, topics: list[MetadataResponseTopic]
) -> MetadataResponse:
    config, listener = context.config, context.listener
    broker = MetadataResponseBroker(
        node_id=config.node_id,
        host=listener.advertised_host,
        port=listener.advertised_port,
        rack=config.broker_rack,
    )
    response = MetadataResponse(
        brokers=[broker], cluster_id=context.cluster_id, controller_id=config.node_id, topics=topics
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response


def _refused(topics: Iterable[MetadataRequestTopic]) -> MetadataResponse:
    """A lookup by id in v10 or v11, which have the field but not the lookup."""
    return MetadataResponse(
        topics=[
            MetadataResponseTopic(error_code=InvalidRequest.code, name=topic.name or "", topic_id=topic.topic_id)
            for topic in topics
        ]
    )
