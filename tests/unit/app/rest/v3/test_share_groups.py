"""Share groups and reassignments: shapes and links."""

import httpx
import pytest

from app.kafka.ports import GroupMember, GroupType, Reassignment, TopicPartition
from tests.memory_cluster import MemoryCluster

BASE = "http://rest.example:8082/v3/clusters/c-1"
C = "/v3/clusters/c-1"


@pytest.fixture
def share_group(cluster: MemoryCluster) -> None:
    both = tuple(TopicPartition("orders", number) for number in (1, 0))
    members = [GroupMember("m-2", None, "app", "/10.0.0.7", both[:1]), GroupMember("m-1", None, "app", "/", both)]
    cluster.add_group("share", members=members, group_type=GroupType.SHARE, protocol_type="share")
    cluster.add_group("classic")


@pytest.mark.usefixtures("share_group")
async def test_a_share_group_counts_its_members_and_partitions(client: httpx.AsyncClient) -> None:
    group = (await client.get(f"{C}/share-groups/share")).json()
    partitions = group.pop("assigned_topic_partitions")
    assert group == {
        "kind": "KafkaShareGroup",
        "metadata": {"self": f"{BASE}/share-groups/share", "resource_name": "crn:///kafka=c-1/share-group=share"},
        "cluster_id": "c-1",
        "share_group_id": "share",
        "state": "STABLE",
        "coordinator": {"related": f"{BASE}/brokers/1"},
        "consumers": {"related": f"{BASE}/share-groups/share/consumers"},
        "consumer_count": 2,
        "partition_count": 2,
    }
    assert [one["partition"]["related"] for one in partitions] == [
        f"{BASE}/topics/orders/partitions/{number}" for number in (0, 1)
    ]
    listed = (await client.get(f"{C}/share-groups")).json()
    assert (listed["kind"], [one["share_group_id"] for one in listed["data"]]) == ("KafkaShareGroupList", ["share"])


@pytest.mark.usefixtures("share_group")
async def test_its_members_tell_what_they_read(client: httpx.AsyncClient) -> None:
    consumers = (await client.get(f"{C}/share-groups/share/consumers")).json()["data"]
    assert [one["consumer_id"] for one in consumers] == ["m-1", "m-2"]
    assert (await client.get(consumers[0]["metadata"]["self"])).json() == consumers[0]
    assignments = (await client.get(consumers[0]["assignments"]["related"])).json()["data"]
    assert [(one["topic_name"], one["partition_id"]) for one in assignments] == [("orders", 0), ("orders", 1)]


@pytest.mark.usefixtures("share_group")
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("classic", 40405),
        ("nope", 40405),
        ("nope/consumers", 40405),
        ("share/consumers/nobody", 404),
        ("share/consumers/nobody/assignments", 404),
    ],
)
async def test_what_is_no_share_group_is_404(client: httpx.AsyncClient, path: str, code: int) -> None:
    answer = await client.get(f"{C}/share-groups/{path}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, code)


async def test_a_partition_on_its_way_is_told_at_every_level(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.moving.append(Reassignment(TopicPartition("orders", 2), (1, 2), (2,), (1,)))
    one = {
        "kind": "KafkaReassignment",
        "metadata": {
            "self": f"{BASE}/topics/orders/partitions/2/reassignment",
            "resource_name": "crn:///kafka=c-1/topic=orders/partition=2/reassignment",
        },
        "cluster_id": "c-1",
        "topic_name": "orders",
        "partition_id": 2,
        "adding_replicas": [2],
        "removing_replicas": [1],
        "replicas": {"related": f"{BASE}/topics/orders/partitions/2/replicas"},
    }
    assert (await client.get(f"{C}/topics/orders/partitions/2/reassignment")).json() == one
    for topic, expected in (("-", [one]), ("orders", [one]), ("single", [])):
        url = f"{BASE}/topics/{topic}/partitions/-/reassignment"
        body = {"kind": "KafkaReassignmentList", "metadata": {"self": url, "next": None}, "data": expected}
        assert (await client.get(url)).json() == body


@pytest.mark.parametrize("path", ["orders/partitions/0/reassignment", "nope/partitions/-/reassignment"])
async def test_what_is_not_on_its_way_is_404(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{C}/topics/{path}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, 404)


async def test_authorized_operations_are_told_to_those_who_ask(client: httpx.AsyncClient) -> None:
    async def told(path: str) -> object:
        body = (await client.get(f"{C}/topics{path}")).json()
        return body["authorized_operations"] if "data" not in body else body["data"][0]["authorized_operations"]

    assert await told("") == await told("/orders") == await told("?includeAuthorizedOperations=false") == []
    assert await told("?includeAuthorizedOperations=true") == ["READ", "DESCRIBE"]
    assert await told("/orders?include_authorized_operations=TRUE") == ["READ", "DESCRIBE"]
    assert (await client.get(f"{C}/topics?includeAuthorizedOperations=perhaps")).status_code == 400


async def test_configs_of_many_topics_change_together_or_not_at_all(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    url = f"{C}/topics/-/configs:alter"
    good = {"topic_name": "orders", "name": "retention.ms", "value": "5"}
    wrong = {"topic_name": "single", "name": "no.such.config", "value": "5"}
    assert (await client.post(url, json={"data": [good, wrong]})).status_code == 404
    assert (await client.post(url, json={"data": [good], "validate_only": True})).status_code == 204
    assert cluster.topics["orders"].configs == {"retention.ms": "86400000"}
    other = {"topic_name": "single", "name": "cleanup.policy", "value": "compact"}
    assert (await client.post(url, json={"data": [good, other]})).status_code == 204
    assert cluster.topics["orders"].configs == {"retention.ms": "5"}
    assert cluster.topics["single"].configs == {"cleanup.policy": "compact"}
    for body in ({}, {"data": [{"name": "retention.ms", "value": "5"}]}):
        assert (await client.post(url, json=body)).status_code == 422
