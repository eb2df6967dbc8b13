"""Who may be in share groups, compared with what a real Kafka 4.3.1 answered to the same questions.

`alice` may read the topic `share-mine` and the group `share-group` and no more; `share-hidden` is there too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker.protocol.messages import alter_share_group_offsets as alter
from broker.protocol.messages import delete_share_group_offsets as delete
from broker.protocol.messages import describe_share_group_offsets as describe
from broker.protocol.messages import share_acknowledge as acknowledge
from broker.protocol.messages import share_fetch as fetch
from broker.protocol.messages.create_acls import AclCreation, CreateAclsRequest
from broker.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.share_group_describe import ShareGroupDescribeRequest
from broker.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from broker.protocol.primitives import Message
from tests.integration.broker.secured_broker import JAAS, SecuredBroker, logged_in
from tests.integration.broker.wire_client import WireClient

MINE, HIDDEN, GROUP, OTHER_GROUP = "share-mine", "share-hidden", "share-group", "share-other"
TOPICS = (MINE, HIDDEN)
TOPIC, GROUP_TYPE, LITERAL, READ, ALLOW = 2, 3, 3, 3, 3
AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"

KAFKA: dict[str, object] = {
    "heartbeat of share-group for share-mine": 0,
    "heartbeat of share-group for share-hidden": 29,
    "describe share-group": [("share-group", 0)],
    "fetch of share-group": (0, [("share-hidden", 29), ("share-mine", 0)]),
    "acknowledge of share-group": (0, [("share-hidden", 29), ("share-mine", 121)]),
    "offsets of share-group named": [("share-group", 0, [("share-hidden", 29), ("share-mine", 0)])],
    "offsets of share-group all": [("share-group", 0, [("share-mine", 0)])],
    "leave share-group": 0,
    "alter share-group": (0, [("share-hidden", 29), ("share-mine", 0)]),
    "delete of share-group": (30, []),
    "heartbeat of share-other for share-mine": 30,
    "heartbeat of share-other for share-hidden": 30,
    "describe share-other": [("share-other", 30)],
    "fetch of share-other": (30, []),
    "acknowledge of share-other": (30, []),
    "offsets of share-other named": [("share-other", 30, [])],
    "offsets of share-other all": [("share-other", 30, [])],
    "leave share-other": 30,
    "alter share-other": (30, []),
    "delete of share-other": (30, []),
}
"""Recorded."""


def prepare(admin: WireClient) -> dict[bytes, str]:
    """Make the topics and alice's ACLs; the topics' names by id."""
    admin.ask(CreateTopicsRequest(topics=[CreatableTopic(name, 1, 1) for name in TOPICS]), 5)
    creations = [
        AclCreation(kind, name, LITERAL, "User:alice", "*", READ, ALLOW)
        for kind, name in ((TOPIC, MINE), (GROUP_TYPE, GROUP))
    ]
    admin.ask(CreateAclsRequest(creations=creations), 2)
    metadata = admin.ask(MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in TOPICS]), 12)
    return {topic.topic_id: topic.name for topic in metadata.topics}


def questions(names: dict[bytes, str]) -> Iterator[tuple[str, Message, int, Callable[[Any], object]]]:
    def code(response: Any) -> object:
        return response.error_code

    def of_groups(response: Any) -> object:
        return [(each.group_id, each.error_code) for each in response.groups]

    def by_id(response: Any) -> object:
        parts = [(names[topic.topic_id], each.error_code) for topic in response.responses for each in topic.partitions]
        return response.error_code, sorted(parts)

    def by_name(response: Any) -> object:
        parts = [
            (topic.topic_name, each.error_code)
            for topic in response.responses
            for each in getattr(topic, "partitions", [topic])
        ]
        return response.error_code, sorted(parts)

    for group in (GROUP, OTHER_GROUP):
        for topic in TOPICS:
            request = ShareGroupHeartbeatRequest(
                group_id=group, member_id="m", member_epoch=0, subscribed_topic_names=[topic]
            )
            yield f"heartbeat of {group} for {topic}", request, 1, code
        yield f"describe {group}", ShareGroupDescribeRequest(group_ids=[group]), 1, of_groups
        fetched = [fetch.FetchTopic(topic_id, [fetch.FetchPartition(partition_index=0)]) for topic_id in names]
        request = fetch.ShareFetchRequest(group_id=group, member_id="m", max_records=1, topics=fetched)
        yield f"fetch of {group}", request, 2, by_id
        batches = [acknowledge.AcknowledgementBatch(0, 0, [1])]
        said = [
            acknowledge.AcknowledgeTopic(topic_id, [acknowledge.AcknowledgePartition(0, batches)]) for topic_id in names
        ]
        request = acknowledge.ShareAcknowledgeRequest(group_id=group, member_id="m", share_session_epoch=1, topics=said)
        yield f"acknowledge of {group}", request, 2, by_id
        for what, topics in (("named", TOPICS), ("all", None)):
            asked = describe.DescribeShareGroupOffsetsRequestGroup(
                group,
                None
                if topics is None
                else [describe.DescribeShareGroupOffsetsRequestTopic(each, [0]) for each in topics],
            )
            yield (
                f"offsets of {group} {what}",
                describe.DescribeShareGroupOffsetsRequest(groups=[asked]),
                1,
                lambda response: [
                    (
                        each.group_id,
                        each.error_code,
                        sorted((topic.topic_name, topic.partitions[0].error_code) for topic in each.topics),
                    )
                    for each in response.groups
                ],
            )
        leave = ShareGroupHeartbeatRequest(group_id=group, member_id="m", member_epoch=-1)
        yield f"leave {group}", leave, 1, code
        altered = [
            alter.AlterShareGroupOffsetsRequestTopic(each, [alter.AlterShareGroupOffsetsRequestPartition(0, 0)])
            for each in TOPICS
        ]
        yield f"alter {group}", alter.AlterShareGroupOffsetsRequest(group_id=group, topics=altered), 0, by_name
        deleted = [delete.DeleteShareGroupOffsetsRequestTopic(each) for each in TOPICS]
        yield f"delete of {group}", delete.DeleteShareGroupOffsetsRequest(group_id=group, topics=deleted), 0, by_name


def answers(alice: WireClient, names: dict[bytes, str]) -> dict[str, object]:
    """Every question with what matters of its answer."""
    return {name: look(alice.ask(request, version)) for name, request, version, look in questions(names)}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    broker = SecuredBroker(
        tmp_path_factory.mktemp("data"),
        {"LOGIN": "SASL_PLAINTEXT"},
        {
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": JAAS,
            "authorizer.class.name": AUTHORIZER,
            "super.users": "User:admin",
        },
    )
    with logged_in(broker.addresses["LOGIN"], "admin") as admin:
        names = prepare(admin)
    with logged_in(broker.addresses["LOGIN"], "alice") as alice:
        yield answers(alice, names)
    broker.close()


@pytest.mark.parametrize("question", KAFKA)
def test_who_may_not_is_answered_as_by_kafka(given: dict[str, object], question: str):
    assert given[question] == KAFKA[question]
