"""Clusters, brokers, topics, partitions and replicas: shapes, links and errors."""

import httpx
import pytest

from broker.errors import KafkaError, ThrottlingQuotaExceeded, TopicAuthorizationFailed
from tests.memory_cluster import MemoryCluster

BASE = "http://rest.example:8082/v3/clusters/c-1"
C = "/v3/clusters/c-1"


def code(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error_code"]


async def get(client: httpx.AsyncClient, path: str) -> dict[str, object]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, object] = answer.json()
    return body


async def test_a_cluster_links_to_everything_in_it(client: httpx.AsyncClient) -> None:
    cluster = {
        "kind": "KafkaCluster",
        "metadata": {"self": BASE, "resource_name": "crn:///kafka=c-1"},
        "cluster_id": "c-1",
        "controller": {"related": f"{BASE}/brokers/1"},
        "acls": {"related": f"{BASE}/acls"},
        "brokers": {"related": f"{BASE}/brokers"},
        "broker_configs": {"related": f"{BASE}/broker-configs"},
        "consumer_groups": {"related": f"{BASE}/consumer-groups"},
        "topics": {"related": f"{BASE}/topics"},
        "partition_reassignments": {"related": f"{BASE}/topics/-/partitions/-/reassignment"},
    }
    assert await get(client, C) == cluster
    assert await get(client, "/v3/clusters") == {
        "kind": "KafkaClusterList",
        "metadata": {"self": "http://rest.example:8082/v3/clusters", "next": None},
        "data": [cluster],
    }


async def test_brokers_are_listed_and_found(client: httpx.AsyncClient) -> None:
    brokers = await get(client, f"{C}/brokers")
    assert brokers["kind"] == "KafkaBrokerList"
    assert brokers["data"][1] == await get(client, f"{C}/brokers/2")  # type: ignore[index]
    assert brokers["data"][1] == {  # type: ignore[index]
        "kind": "KafkaBroker",
        "metadata": {"self": f"{BASE}/brokers/2", "resource_name": "crn:///kafka=c-1/broker=2"},
        "cluster_id": "c-1",
        "broker_id": 2,
        "host": "broker-2",
        "port": 9092,
        "rack": None,
        "configs": {"related": f"{BASE}/brokers/2/configs"},
        "partition_replicas": {"related": f"{BASE}/brokers/2/partition-replicas"},
    }


async def test_a_brokers_replicas_are_those_on_it(client: httpx.AsyncClient) -> None:
    replicas = await get(client, f"{C}/brokers/2/partition-replicas")
    assert replicas["kind"] == "KafkaReplicaList"
    found = [(one["topic_name"], one["partition_id"], one["is_leader"]) for one in replicas["data"]]  # type: ignore[attr-defined]
    assert found == [("orders", 0, False), ("orders", 1, True), ("orders", 2, False)]


TOPIC = {
    "kind": "KafkaTopic",
    "metadata": {"self": f"{BASE}/topics/orders", "resource_name": "crn:///kafka=c-1/topic=orders"},
    "cluster_id": "c-1",
    "topic_name": "orders",
    "is_internal": False,
    "replication_factor": 2,
    "partitions_count": 3,
    "partitions": {"related": f"{BASE}/topics/orders/partitions"},
    "configs": {"related": f"{BASE}/topics/orders/configs"},
    "partition_reassignments": {"related": f"{BASE}/topics/orders/partitions/-/reassignment"},
    "authorized_operations": [],
}


async def test_topics_are_listed_by_name_and_found(client: httpx.AsyncClient) -> None:
    topics = await get(client, f"{C}/topics")
    assert [one["topic_name"] for one in topics["data"]] == ["orders", "single"]  # type: ignore[attr-defined]
    assert topics["data"][0] == TOPIC  # type: ignore[index]
    assert await get(client, f"{C}/topics/orders") == TOPIC


async def test_a_topic_is_created_and_its_address_told(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    body = {
        "topic_name": "new",
        "partitions_count": 4,
        "replication_factor": 2,
        "configs": [{"name": "retention.ms", "value": "1000"}, {"name": "cleanup.policy", "value": None}],
        "unknown": 1,
    }
    answer = await client.post(f"{C}/topics", json=body)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{BASE}/topics/new"
    assert (answer.json()["partitions_count"], answer.json()["replication_factor"]) == (4, 2)
    assert cluster.topics["new"].configs == {"retention.ms": "1000"}


async def test_assignments_win_over_counts(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    body = {"topic_name": "new", "partitions_count": 9, "replicas_assignments": {"0": [2, 1], "1": [1, 2]}}
    assert (await client.post(f"{C}/topics", json=body)).json()["partitions_count"] == 2


async def test_a_rehearsal_creates_nothing(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    answer = await client.post(f"{C}/topics", json={"topic_name": "new", "validate_only": True})
    assert answer.status_code == 200
    assert "location" not in answer.headers
    assert "new" not in cluster.topics


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (422, 422)),
        (b"{}", (422, 422)),
        (b'{"topic_name":""}', (422, 422)),
        (b'{"topic_name":"t","configs":[{"value":"1"}]}', (422, 422)),
        (b'{"topic_name":5}', (400, 400)),
        (b'{"topic_name":', (400, 400)),
        (b'{"topic_name":"orders"}', (400, 40002)),
        (b'{"topic_name":".."}', (400, 40002)),
        (b'{"topic_name":"t","partitions_count":0,"replication_factor":9}', (400, 40002)),
        (b'{"topic_name":"t","configs":[{"name":"no.such","value":"1"}]}', (400, 40002)),
    ],
)
async def test_a_topic_that_cannot_be_has_its_code(
    client: httpx.AsyncClient, body: bytes, expected: tuple[int, int]
) -> None:
    answer = await client.post(f"{C}/topics", content=body, headers={"Content-Type": "application/json"})
    assert code(answer) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [(TopicAuthorizationFailed("no"), (403, 40301)), (ThrottlingQuotaExceeded("slow"), (429, 42901))],
)
async def test_a_refusal_of_kafkas_keeps_its_words(
    client: httpx.AsyncClient,
    cluster: MemoryCluster,
    monkeypatch: pytest.MonkeyPatch,
    error: KafkaError,
    expected: tuple[int, int],
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cluster, "create_topic", refuse)
    answer = await client.post(f"{C}/topics", json={"topic_name": "t"})
    assert code(answer) == expected
    assert answer.json()["message"] == error.message


async def test_the_body_may_be_latin_1_when_it_says_so(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    body = '{"topic_name":"t","configs":[{"name":"x\xe4","value":"1"}]}'.encode("latin-1")
    headers = {"Content-Type": "application/json; charset=ISO-8859-1"}
    answer = await client.post(f"{C}/topics", content=body, headers=headers)
    assert "x\xe4" in answer.json()["message"]
    headers = {"Content-Type": "application/json; charset=utf-16"}
    assert code(await client.post(f"{C}/topics", content=body, headers=headers)) == (400, 400)


async def test_partitions_can_only_be_added(client: httpx.AsyncClient) -> None:
    answer = await client.patch(f"{C}/topics/orders", json={"partitions_count": 5})
    assert (answer.status_code, answer.json()["partitions_count"]) == (200, 5)
    assert code(await client.patch(f"{C}/topics/orders", json={"partitions_count": 5})) == (400, 40002)
    assert code(await client.patch(f"{C}/topics/orders", json={})) == (422, 422)
    assert code(await client.patch(f"{C}/topics/nope", json={"partitions_count": 5})) == (404, 40403)


async def test_a_deleted_topic_is_gone(client: httpx.AsyncClient) -> None:
    answer = await client.delete(f"{C}/topics/orders")
    assert (answer.status_code, answer.content) == (204, b"")
    assert code(await client.delete(f"{C}/topics/orders")) == (404, 40403)
    assert code(await client.get(f"{C}/topics/orders")) == (404, 404)


async def test_a_partition_links_to_leader_and_replicas(client: httpx.AsyncClient) -> None:
    partition = await get(client, f"{C}/topics/orders/partitions/1")
    url = f"{BASE}/topics/orders/partitions/1"
    assert partition == {
        "kind": "KafkaPartition",
        "metadata": {"self": url, "resource_name": "crn:///kafka=c-1/topic=orders/partition=1"},
        "cluster_id": "c-1",
        "topic_name": "orders",
        "partition_id": 1,
        "leader": {"related": f"{url}/replicas/2"},
        "replicas": {"related": f"{url}/replicas"},
        "reassignment": {"related": f"{url}/reassignment"},
    }
    partitions = await get(client, f"{C}/topics/orders/partitions")
    assert partitions["data"][1] == partition  # type: ignore[index]


async def test_a_replica_says_whether_it_leads_and_follows(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.kill_broker(1)
    replicas = await get(client, f"{C}/topics/orders/partitions/0/replicas")
    assert [(one["broker_id"], one["is_leader"], one["is_in_sync"]) for one in replicas["data"]] == [  # type: ignore[attr-defined]
        (1, False, False),
        (2, True, True),
    ]
    replica = await get(client, f"{C}/topics/orders/partitions/0/replicas/2")
    assert replica["broker"] == {"related": f"{BASE}/brokers/2"}


async def test_a_partition_without_leader_has_no_link_to_one(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.topics["single"].partitions[0].replicas = (1,)
    cluster.kill_broker(1)
    assert (await get(client, f"{C}/topics/single/partitions/0"))["leader"] is None
    assert code(await client.get(f"{C}/topics/single/partitions/0/offset")) == (404, 40404)


@pytest.mark.parametrize(
    ("query", "offsets"),
    [
        ("", {"earliest_offset": 0, "latest_offset": 2}),
        ("?offset_type=earliest_and_latest", {"earliest_offset": 0, "latest_offset": 2}),
        ("?offset_type=EARLIEST", {"earliest_offset": 0}),
        ("?offset_type=latest", {"latest_offset": 2}),
    ],
)
async def test_offsets_of_a_partition(
    client: httpx.AsyncClient, cluster: MemoryCluster, query: str, offsets: dict[str, int]
) -> None:
    cluster.produce("orders", 1, b"a", b"b")
    body = await get(client, f"{C}/topics/orders/partitions/1/offset{query}")
    assert body["kind"] == "KafkaPartitionWithOffsetsList"
    (partition,) = body["data"]  # type: ignore[misc]
    assert {name: value for name, value in partition.items() if name.endswith("_offset")} == offsets


async def test_an_unknown_offset_type_is_400(client: httpx.AsyncClient) -> None:
    assert code(await client.get(f"{C}/topics/orders/partitions/1/offset?offset_type=middle")) == (400, 400)


@pytest.mark.parametrize(
    "path",
    [
        "/v3/clusters/other",
        "/v3/clusters/other/topics",
        f"{C}/brokers/9",
        f"{C}/brokers/x",
        f"{C}/brokers/9/partition-replicas",
        f"{C}/topics/nope",
        f"{C}/topics/nope/partitions",
        f"{C}/topics/orders/partitions/9",
        f"{C}/topics/orders/partitions/x",
        f"{C}/topics/orders/partitions/0/replicas/9",
        f"{C}/brokers/9/configs",
        f"{C}/topics/orders/configs/no.such",
        f"{C}/consumer-groups/nope",
        f"{C}/consumer-groups/nope/consumers",
        f"{C}/consumer-groups/nope/lags",
        f"{C}/consumer-groups/nope/lag-summary",
    ],
)
async def test_unknown_resources_are_404(client: httpx.AsyncClient, path: str) -> None:
    assert code(await client.get(path)) == (404, 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "topics"), ("DELETE", "topics/orders"), ("PATCH", "topics/orders"), ("POST", "topics/orders/records")],
)
async def test_another_cluster_is_404_for_changes_too(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"/v3/clusters/other/{path}", json={} if method != "DELETE" else None)
    assert code(answer) == (404, 404)


async def test_a_cluster_that_takes_the_place_of_another_is_found(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    await get(client, f"{C}/topics")
    cluster.cluster_id = "c-2"
    await get(client, "/v3/clusters/c-2/topics")
