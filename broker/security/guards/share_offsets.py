"""Guards of share groups' offsets: DESCRIBE to look, READ to set, DELETE to forget."""

from __future__ import annotations

from typing import Any, Final

from broker.dispatch import Handler, RequestContext
from broker.errors import GroupAuthorizationFailed, TopicAuthorizationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages import alter_share_group_offsets as alter_messages
from broker.protocol.messages import delete_share_group_offsets as delete_messages
from broker.protocol.messages import describe_share_group_offsets as describe_messages
from broker.security.acl import Operation, ResourceType
from broker.security.guard import demand_on_group, guards, may, may_on_topic, split, then

GROUP_MESSAGE: Final = "Group authorization failed."
TOPIC_MESSAGE: Final = "Topic authorization failed."
TOPIC_CODE: Final = TopicAuthorizationFailed.code


@guards(ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS)
def describe_share_group_offsets(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DESCRIBE on each group and topic; when all topics are asked for, the others are left out."""
    request.groups, refused = split(
        request.groups, lambda group: may(context, Operation.DESCRIBE, ResourceType.GROUP, group.group_id)
    )
    denied: dict[str, list[Any]] = {}
    for group in request.groups:
        if group.topics is not None:
            group.topics, denied[group.group_id] = split(
                group.topics, lambda topic: may_on_topic(context, Operation.DESCRIBE, topic.topic_name)
            )

    def finish(
        response: describe_messages.DescribeShareGroupOffsetsResponse,
    ) -> describe_messages.DescribeShareGroupOffsetsResponse:
        for group in response.groups:
            group.topics = [
                topic for topic in group.topics if may_on_topic(context, Operation.DESCRIBE, topic.topic_name)
            ] + [
                describe_messages.DescribeShareGroupOffsetsResponseTopic(
                    topic_name=topic.topic_name,
                    partitions=[
                        describe_messages.DescribeShareGroupOffsetsResponsePartition(
                            partition_index=index,
                            start_offset=-1,
                            error_code=TOPIC_CODE,
                            error_message=TOPIC_MESSAGE,
                        )
                        for index in topic.partitions
                    ],
                )
                for topic in denied.get(group.group_id, ())
            ]
        response.groups = [
            *response.groups,
            *(
                describe_messages.DescribeShareGroupOffsetsResponseGroup(
                    group_id=group.group_id, error_code=GroupAuthorizationFailed.code, error_message=GROUP_MESSAGE
                )
                for group in refused
            ),
        ]
        return response

    return then(handler(request, context), finish)


@guards(ApiKey.ALTER_SHARE_GROUP_OFFSETS)
def alter_share_group_offsets(handler: Handler, request: Any, context: RequestContext) -> Any:
    """READ on the group and on each topic."""
    demand_on_group(context, Operation.READ, request.group_id)
    request.topics, denied = _split_by_name(request, context)
    refusals = [
        alter_messages.AlterShareGroupOffsetsResponseTopic(
            topic_name=topic.topic_name,
            partitions=[
                alter_messages.AlterShareGroupOffsetsResponsePartition(each.partition_index, TOPIC_CODE, TOPIC_MESSAGE)
                for each in topic.partitions
            ],
        )
        for topic in denied
    ]
    return _with_refusals(handler, request, context, refusals)


@guards(ApiKey.DELETE_SHARE_GROUP_OFFSETS)
def delete_share_group_offsets(handler: Handler, request: Any, context: RequestContext) -> Any:
    """DELETE on the group and READ on each topic."""
    demand_on_group(context, Operation.DELETE, request.group_id)
    request.topics, denied = _split_by_name(request, context)
    refusals = [
        delete_messages.DeleteShareGroupOffsetsResponseTopic(
            topic_name=topic.topic_name, error_code=TOPIC_CODE, error_message=TOPIC_MESSAGE
        )
        for topic in denied
    ]
    return _with_refusals(handler, request, context, refusals)


def _split_by_name(request: Any, context: RequestContext) -> tuple[list[Any], list[Any]]:
    return split(request.topics, lambda topic: may_on_topic(context, Operation.READ, topic.topic_name))


def _with_refusals(handler: Handler, request: Any, context: RequestContext, refusals: list[Any]) -> Any:
    def add_refusals(response: Any) -> Any:
        if not response.error_code:
            response.responses = [*response.responses, *refusals]
        return response

    return then(handler(request, context), add_refusals) if refusals else handler(request, context)
