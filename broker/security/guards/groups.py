"""Guards of groups and their offsets: READ for members, DESCRIBE for those who look, DELETE to remove."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import GroupAuthorizationFailed, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages import consumer_group_describe as consumer_messages
from broker.protocol.messages import describe_groups as classic_messages
from broker.protocol.messages import share_group_describe as share_messages
from broker.protocol.messages.delete_groups import DeletableGroupResult, DeleteGroupsResponse
from broker.protocol.messages.find_coordinator import Coordinator, FindCoordinatorResponse
from broker.protocol.messages.offset_commit import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from broker.protocol.messages.offset_delete import (
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from broker.protocol.messages.offset_fetch import (
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from broker.security.acl import Operation, ResourceType
from broker.security.guard import (
    answer_rest,
    authorizer_of,
    demand_on_group,
    demand_on_topic,
    guards,
    may,
    may_on_cluster,
    may_on_topic,
    split,
    split_topics,
    then,
)

GROUP_CODE: Final = GroupAuthorizationFailed.code
TOPIC_CODE: Final = TopicAuthorizationFailed.code
GROUP_MESSAGE: Final = "Group authorization failed."
MANY_GROUPS_VERSION: Final = 8
MANY_KEYS_VERSION: Final = 4
TRANSACTION_COORDINATOR: Final = 1


@guards(ApiKey.JOIN_GROUP, ApiKey.SYNC_GROUP, ApiKey.HEARTBEAT, ApiKey.LEAVE_GROUP)
def member(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on the group."""
    demand_on_group(context, Operation.READ, request.group_id)
    return handler(request, context)


@guards(ApiKey.CONSUMER_GROUP_HEARTBEAT, ApiKey.SHARE_GROUP_HEARTBEAT)
def group_heartbeat(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on the group, DESCRIBE on the topics subscribed to by name."""
    demand_on_group(context, Operation.READ, request.group_id)
    for topic in request.subscribed_topic_names or ():
        demand_on_topic(context, Operation.DESCRIBE, topic)
    return handler(request, context)


@guards(ApiKey.FIND_COORDINATOR)
def find_coordinator(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each group or transactional id."""
    kind, code, message = ResourceType.GROUP, GROUP_CODE, GROUP_MESSAGE
    if request.key_type == TRANSACTION_COORDINATOR:
        kind = ResourceType.TRANSACTIONAL_ID
        code, message = TransactionalIdAuthorizationFailed.code, "Transactional Id authorization failed."

    def is_allowed(key: str) -> bool:
        # The key of a share group's partition is "group:topicId:partition".
        name = key.rsplit(":", 2)[0] if request.key_type > TRANSACTION_COORDINATOR else key
        return may(context, Operation.DESCRIBE, kind, name)

    if context.api_version < MANY_KEYS_VERSION:
        if not is_allowed(request.key):
            return FindCoordinatorResponse(error_code=code, error_message=message, node_id=-1, port=-1)
        return handler(request, context)
    request.coordinator_keys, denied = split(request.coordinator_keys, is_allowed)
    return answer_rest(
        handler,
        request,
        context,
        is_asked=request.coordinator_keys or not denied,
        empty=FindCoordinatorResponse(),
        field="coordinators",
        refusals=[Coordinator(key, -1, "", -1, code) for key in denied],
    )


@guards(ApiKey.LIST_GROUPS)
def list_groups(handler: Handler, request: Any, context: RequestContext) -> Any:
    """All groups with DESCRIBE on the cluster, else those with DESCRIBE on the group."""
    response = handler(request, context)
    if may_on_cluster(context, Operation.DESCRIBE):
        return response

    def keep_visible(response: Any) -> Any:
        response.groups = [
            group for group in response.groups if may(context, Operation.DESCRIBE, ResourceType.GROUP, group.group_id)
        ]
        return response

    return then(response, keep_visible)


@guards(ApiKey.DESCRIBE_GROUPS)
def describe_groups(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each group."""
    request.groups, denied = _split_described(request.groups, context)
    refusals = [classic_messages.DescribedGroup(error_code=GROUP_CODE, group_id=each) for each in denied]
    empty = classic_messages.DescribeGroupsResponse()
    return _describe(handler, request, context, empty if not request.groups else None, refusals)


@guards(ApiKey.CONSUMER_GROUP_DESCRIBE)
def consumer_group_describe(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each group, and on the topics that its members read."""
    request.group_ids, denied = _split_described(request.group_ids, context)
    refusals = [
        consumer_messages.DescribedGroup(error_code=GROUP_CODE, error_message=GROUP_MESSAGE, group_id=each)
        for each in denied
    ]
    empty = consumer_messages.ConsumerGroupDescribeResponse()
    response = _describe(handler, request, context, empty if not request.group_ids else None, refusals)
    return then(response, lambda answer: _without_hidden_topics(answer, context))


@guards(ApiKey.SHARE_GROUP_DESCRIBE)
def share_group_describe(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each group, and on the topics that its members read."""
    request.group_ids, denied = _split_described(request.group_ids, context)
    refusals = [
        share_messages.DescribedGroup(error_code=GROUP_CODE, error_message=GROUP_MESSAGE, group_id=each)
        for each in denied
    ]
    empty = share_messages.ShareGroupDescribeResponse()
    response = _describe(handler, request, context, empty if not request.group_ids else None, refusals)
    return then(response, lambda answer: _without_hidden_topics(answer, context))


def _split_described(group_ids: list[str], context: RequestContext) -> tuple[list[str], list[str]]:
    return split(group_ids, lambda each: may(context, Operation.DESCRIBE, ResourceType.GROUP, each))


def _describe(handler: Handler, request: Any, context: RequestContext, empty: Any | None, refusals: list[Any]) -> Any:
    def finish(response: Any) -> Any:
        if request.include_authorized_operations:
            for group in response.groups:
                if not group.error_code:
                    group.authorized_operations = authorizer_of(context).operations(
                        context, ResourceType.GROUP, group.group_id
                    )
        response.groups = [*response.groups, *refusals]
        return response

    return then(handler(request, context) if empty is None else empty, finish)


def _without_hidden_topics(response: Any, context: RequestContext) -> Any:
    """A group whose members read a topic that the client may not describe is not described, as in Kafka."""
    for group in response.groups:
        topics = {name for member in group.members for name in member.subscribed_topic_names}
        for member in group.members:
            assignments = [member.assignment]
            if hasattr(member, "target_assignment"):
                assignments.append(member.target_assignment)
            topics |= {each.topic_name for assignment in assignments for each in assignment.topic_partitions}
        if not all(may_on_topic(context, Operation.DESCRIBE, name) for name in topics):
            group.error_code = TOPIC_CODE
            group.error_message = "The group has described topic(s) that the client is not authorized to describe."
            group.members = []
    return response


@guards(ApiKey.DELETE_GROUPS)
def delete_groups(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DELETE on each group."""
    request.groups_names, denied = split(
        request.groups_names, lambda each: may(context, Operation.DELETE, ResourceType.GROUP, each)
    )
    return answer_rest(
        handler,
        request,
        context,
        is_asked=request.groups_names or not denied,
        empty=DeleteGroupsResponse(),
        field="results",
        refusals=[DeletableGroupResult(each, GROUP_CODE) for each in denied],
    )


@guards(ApiKey.OFFSET_COMMIT)
def offset_commit(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on the group and on each topic."""
    may_commit = may(context, Operation.READ, ResourceType.GROUP, request.group_id)
    if may_commit:
        request.topics, denied = split_topics(request.topics, context, Operation.READ)
    else:
        denied, request.topics = request.topics, []
    code = TOPIC_CODE if may_commit else GROUP_CODE
    return answer_rest(
        handler,
        request,
        context,
        is_asked=may_commit and (request.topics or not denied),
        empty=OffsetCommitResponse(),
        field="topics",
        refusals=[
            OffsetCommitResponseTopic(
                topic.name,
                topic.topic_id,
                [OffsetCommitResponsePartition(each.partition_index, code) for each in topic.partitions],
            )
            for topic in denied
        ],
    )


@guards(ApiKey.OFFSET_DELETE)
def offset_delete(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DELETE on the group and READ on each topic."""
    demand_on_group(context, Operation.DELETE, request.group_id)
    request.topics, denied = split_topics(request.topics, context, Operation.READ)
    return answer_rest(
        handler,
        request,
        context,
        is_asked=request.topics or not denied,
        empty=OffsetDeleteResponse(),
        field="topics",
        refusals=[
            OffsetDeleteResponseTopic(
                topic.name,
                [OffsetDeleteResponsePartition(each.partition_index, TOPIC_CODE) for each in topic.partitions],
            )
            for topic in denied
        ],
    )


@guards(ApiKey.OFFSET_FETCH)
def offset_fetch(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each group and each topic; when all topics are asked for, the others are left out."""
    if context.api_version >= MANY_GROUPS_VERSION:
        return _fetch_of_groups(handler, request, context)
    if not may(context, Operation.DESCRIBE, ResourceType.GROUP, request.group_id):
        return _refuse_fetch(request.topics or (), GROUP_CODE, OffsetFetchResponse(error_code=GROUP_CODE))
    if request.topics is None:
        return then(handler(request, context), lambda response: _hide(response, context))
    request.topics, denied = split_topics(request.topics, context, Operation.DESCRIBE)
    if not denied:
        return handler(request, context)
    return then(handler(request, context), lambda response: _refuse_fetch(denied, TOPIC_CODE, response))


def _refuse_fetch(denied: Any, code: int, response: OffsetFetchResponse) -> OffsetFetchResponse:
    refusals = [
        OffsetFetchResponseTopic(
            topic.name, [OffsetFetchResponsePartition(index, -1, -1, "", code) for index in topic.partition_indexes]
        )
        for topic in denied
    ]
    response.topics = [*response.topics, *refusals]
    return response


def _fetch_of_groups(handler: Handler, request: Any, context: RequestContext) -> Any:
    request.groups, refused = split(
        request.groups, lambda group: may(context, Operation.DESCRIBE, ResourceType.GROUP, group.group_id)
    )
    denied: dict[str, list[Any]] = {}
    hides = False
    for group in request.groups:
        if group.topics is None:
            hides = True
            continue
        group.topics, not_allowed = split_topics(group.topics, context, Operation.DESCRIBE)
        if not_allowed:
            denied[group.group_id] = not_allowed
    if not (refused or denied or hides):
        return handler(request, context)

    def finish(response: OffsetFetchResponse) -> OffsetFetchResponse:
        for group in response.groups:
            _hide(group, context)
            refusals = [
                OffsetFetchResponseTopics(
                    topic.name,
                    topic.topic_id,
                    [OffsetFetchResponsePartitions(index, -1, -1, "", TOPIC_CODE) for index in topic.partition_indexes],
                )
                for topic in denied.get(group.group_id, ())
            ]
            group.topics = [*group.topics, *refusals]
        refused_groups = [OffsetFetchResponseGroup(group.group_id, [], GROUP_CODE) for group in refused]
        response.groups = [*response.groups, *refused_groups]
        return response

    return then(handler(request, context) if request.groups else OffsetFetchResponse(), finish)


def _hide(response: Any, context: RequestContext) -> Any:
    """Leave out the topics that the client may not describe; those it named were taken out of the request before."""
    kept, _ = split_topics(
        response.topics,
        context,
        Operation.DESCRIBE,
    )
    response.topics = kept
    return response
