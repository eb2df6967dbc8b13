"""Guards of what is asked about, or done to, topics and their partitions.

A topic that the client may not use is answered TOPIC_AUTHORIZATION_FAILED when it was named, whether it exists or not,
and left out when all topics were asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import TopicAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.create_partitions import CreatePartitionsResponse, CreatePartitionsTopicResult
from broker.protocol.messages.create_topics import CreatableTopicResult, CreateTopicsResponse
from broker.protocol.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from broker.protocol.messages.delete_topics import DeletableTopicResult, DeleteTopicsResponse
from broker.protocol.messages.describe_producers import DescribeProducersResponse, PartitionResponse, TopicResponse
from broker.protocol.messages.describe_topic_partitions import DescribeTopicPartitionsResponseTopic, TopicRequest
from broker.protocol.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from broker.protocol.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
)
from broker.protocol.primitives import NULL_UUID
from broker.security.acl import Operation, ResourceType
from broker.security.guard import (
    authorizer_of,
    guards,
    may_on_cluster,
    may_on_topic,
    split,
    split_topics,
    then,
    topic_of,
)

CODE: Final = TopicAuthorizationFailed.code
MESSAGE: Final = "Topic authorization failed."


def _answer_in_part(
    handler: Handler,
    request: Any,
    context: RequestContext,
    operation: Operation,
    response_type: type,
    answers: str,
    refuse: Callable[[Any], Any],
) -> Any:
    """Let the handler answer the topics that are allowed, and add a refusal for each other to the list of answers."""
    allowed, denied = split_topics(request.topics, context, operation)
    if not denied:
        return handler(request, context)
    request.topics = allowed

    def add_refusals(response: Any) -> Any:
        setattr(response, answers, [*getattr(response, answers), *map(refuse, denied)])
        return response

    return then(handler(request, context) if allowed else response_type(), add_refusals)


@guards(ApiKey.LIST_OFFSETS)
def list_offsets(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each topic."""

    def refuse(topic: Any) -> ListOffsetsTopicResponse:
        partitions = [
            ListOffsetsPartitionResponse(partition_index=each.partition_index, error_code=CODE)
            for each in topic.partitions
        ]
        return ListOffsetsTopicResponse(topic.name, partitions)

    return _answer_in_part(handler, request, context, Operation.DESCRIBE, ListOffsetsResponse, "topics", refuse)


@guards(ApiKey.OFFSET_FOR_LEADER_EPOCH)
def offset_for_leader_epoch(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each topic."""

    def refuse(topic: Any) -> OffsetForLeaderTopicResult:
        partitions = [EpochEndOffset(error_code=CODE, partition=each.partition) for each in topic.partitions]
        return OffsetForLeaderTopicResult(topic.topic, partitions)

    return _answer_in_part(
        handler, request, context, Operation.DESCRIBE, OffsetForLeaderEpochResponse, "topics", refuse
    )


@guards(ApiKey.DELETE_RECORDS)
def delete_records(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DELETE on each topic."""

    def refuse(topic: Any) -> DeleteRecordsTopicResult:
        partitions = [DeleteRecordsPartitionResult(each.partition_index, -1, CODE) for each in topic.partitions]
        return DeleteRecordsTopicResult(topic.name, partitions)

    return _answer_in_part(handler, request, context, Operation.DELETE, DeleteRecordsResponse, "topics", refuse)


@guards(ApiKey.DESCRIBE_PRODUCERS)
def describe_producers(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on each topic."""

    def refuse(topic: Any) -> TopicResponse:
        return TopicResponse(topic.name, [PartitionResponse(index, CODE, MESSAGE) for index in topic.partition_indexes])

    return _answer_in_part(handler, request, context, Operation.READ, DescribeProducersResponse, "topics", refuse)


@guards(ApiKey.CREATE_PARTITIONS)
def create_partitions(handler: Handler, request: Any, context: RequestContext) -> Any:
    """ALTER on each topic."""

    def refuse(topic: Any) -> CreatePartitionsTopicResult:
        return CreatePartitionsTopicResult(topic.name, CODE, MESSAGE)

    return _answer_in_part(handler, request, context, Operation.ALTER, CreatePartitionsResponse, "results", refuse)


@guards(ApiKey.CREATE_TOPICS)
def create_topics(handler: Handler, request: Any, context: RequestContext) -> Any:
    """CREATE on the cluster or on each topic; what the topic looks like is told to those who may describe configs."""
    allowed: list[Any] = request.topics
    denied: list[Any] = []
    if not may_on_cluster(context, Operation.CREATE):
        allowed, denied = split_topics(request.topics, context, Operation.CREATE)
    request.topics = allowed

    def finish(response: CreateTopicsResponse) -> CreateTopicsResponse:
        for topic in response.topics:
            if not topic.error_code and not may_on_topic(context, Operation.DESCRIBE_CONFIGS, topic.name):
                topic.topic_config_error_code = CODE
                topic.num_partitions = topic.replication_factor = -1
                topic.configs = []
        refusals = [
            CreatableTopicResult(name=topic.name, error_code=CODE, error_message="Authorization failed.")
            for topic in denied
        ]
        response.topics = [*response.topics, *refusals]
        return response

    return then(handler(request, context) if allowed else CreateTopicsResponse(), finish)


@guards(ApiKey.DELETE_TOPICS)
def delete_topics(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DELETE on each topic; one that was given by its id is named to those only who may describe it."""
    refusals = []
    names, denied_names = split(request.topic_names, lambda name: may_on_topic(context, Operation.DELETE, name))
    refusals += [DeletableTopicResult(name=name, error_code=CODE, error_message=MESSAGE) for name in denied_names]
    topics, denied = split_topics(request.topics, context, Operation.DELETE)
    for topic in denied:
        name: str | None = topic_of(topic, context) or ""
        if topic.topic_id != NULL_UUID and not may_on_topic(context, Operation.DESCRIBE, name or ""):
            name = None
        refusals.append(DeletableTopicResult(name, topic.topic_id, CODE, MESSAGE))
    if not refusals:
        return handler(request, context)
    request.topic_names, request.topics = names, topics

    def add_refusals(response: DeleteTopicsResponse) -> DeleteTopicsResponse:
        response.responses = [*response.responses, *refusals]
        return response

    return then(handler(request, context) if names or topics else DeleteTopicsResponse(), add_refusals)


@guards(ApiKey.DESCRIBE_TOPIC_PARTITIONS)
def describe_topic_partitions(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each topic."""
    denied: list[Any] = []
    if request.topics:
        request.topics, denied = split_topics(request.topics, context, Operation.DESCRIBE)
    else:
        visible = [each.name for each in context.topics if may_on_topic(context, Operation.DESCRIBE, each.name)]
        # A name that no topic can have stands for "none of them", where no name at all would mean all.
        request.topics = [TopicRequest(name) for name in visible] or [TopicRequest("")]
        if not visible:
            return then(handler(request, context), _without_topics)

    def finish(response: Any) -> Any:
        for topic in response.topics:
            if not topic.error_code:
                topic.topic_authorized_operations = authorizer_of(context).operations(
                    context, ResourceType.TOPIC, topic.name
                )
        refusals = [DescribeTopicPartitionsResponseTopic(error_code=CODE, name=topic.name) for topic in denied]
        response.topics = [*response.topics, *refusals]
        return response

    if denied and not request.topics:
        request.topics = [TopicRequest("")]
        return then(then(handler(request, context), _without_topics), finish)
    return then(handler(request, context), finish)


def _without_topics(response: Any) -> Any:
    response.topics = []
    return response
