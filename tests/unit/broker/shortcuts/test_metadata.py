"""The shortcut of Metadata: what stands is told again, and nothing else."""

from dataclasses import replace

import pytest

from broker.config import broker_config
from broker.dispatch import served_apis
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.security.acl import Acl, Operation, ResourceType
from broker.security.security import Security

VERSIONS = served_apis[ApiKey.METADATA].versions
ALICE_SEES = Acl(ResourceType.TOPIC, "t", 3, "User:alice", "*", Operation.DESCRIBE, 3)


def request(*names, **fields):
    return MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names], **fields)


@pytest.mark.parametrize("names", [["t"], ["t", "u"], None])
def test_the_third_of_the_same_questions_is_not_decoded(clients, names):
    for client in clients:
        for name in ("t", "u"):
            client.create(name, partition_count=2)
    for version in VERSIONS:
        asked = MetadataRequest(topics=None if version else []) if names is None else request(*names)
        answers = [[client.ask(asked, version) for _ in range(3)] for client in clients]
        for answer in answers[0] + answers[1]:
            answer.cluster_id = None
        assert answers[0] == answers[1]
    assert [client.handled for client in clients] == [len(VERSIONS), 3 * len(VERSIONS)]


def test_new_partitions_are_told_at_once(client):
    client.create("t", partition_count=1)
    for count in (1, 3):
        client.topics.add_partitions("t", count) if count > 1 else None
        for _ in range(3):
            assert len(client.ask(request("t"), 12).topics[0].partitions) == count


def test_each_listener_tells_its_own_address(client):
    client.create("t", partition_count=1)
    for port in (1111, 2222):
        client.context.listener = replace(client.context.listener, advertised_host="h", advertised_port=port)
        assert [client.ask(request("t"), 12).brokers[0].port for _ in range(3)] == [port] * 3


def test_a_topic_that_is_not_there_is_looked_for_each_time(client):
    asked = request("t", allow_auto_topic_creation=False)
    assert [client.ask(asked, 12).topics[0].error_code for _ in range(3)] == [3, 3, 3]
    client.create("t", partition_count=1)
    assert client.ask(asked, 12).topics[0].error_code == 0


def test_a_topic_deleted_is_gone_at_once(client):
    client.create("t", partition_count=1)
    asked = request("t", allow_auto_topic_creation=False)
    assert [client.ask(asked, 12).topics[0].error_code for _ in range(3)] == [0, 0, 0]
    client.topics.delete("t")
    assert client.ask(asked, 12).topics[0].error_code == 3


def test_authorized_operations_are_worked_out_each_time(client):
    client.create("t", partition_count=1)
    asked = request("t", include_topic_authorized_operations=True)
    assert len({client.ask(asked, 12).topics[0].topic_authorized_operations for _ in range(3)}) == 1
    assert client.handled == 3


def test_who_may_not_see_a_topic_is_not_told_what_another_was(client, tmp_path):
    security = Security(
        tmp_path, broker_config({"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer"})
    )
    security.authorizer.change(add=[ALICE_SEES])
    client.context.security = security
    client.create("t", partition_count=1)
    client.ask(request("t"), 12)
    key = ApiKey.METADATA << 16 | 12
    client.routes[key] = client.routes[key]._replace(handler=security.handler(served_apis[ApiKey.METADATA]))
    for principal, error_code in (("User:alice", 0), ("User:alice", 0), ("User:bob", 29), ("User:alice", 0)):
        client.context.principal = principal
        assert client.ask(request("t"), 12).topics[0].error_code == error_code
    client.context.principal = "User:bob"
    assert client.ask(MetadataRequest(topics=None), 12).topics == []


def test_a_flood_of_different_questions_is_not_kept(client):
    client.create("t", partition_count=1)
    for count in range(300):
        assert len(client.ask(request(*["t"] * (count + 1)), 12).topics) == 1
    assert all(len(kept) <= 256 for kept in client.topics.derived.values() if isinstance(kept, dict))
