import httpx
import pytest

from tests.memory_cluster import MemoryCluster


async def test_the_root_says_that_the_proxy_is_there(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.away = True
    assert (await client.get("/")).json() == {}
    assert (await client.post("/", json={})).json() == {}


async def test_brokers_are_listed_by_id(client: httpx.AsyncClient) -> None:
    answer = await client.get("/brokers")
    assert answer.headers["content-type"] == "application/vnd.kafka.v2+json"
    assert answer.json() == {"brokers": [1, 2]}


async def test_topics_are_listed_with_internal_ones(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.add_topic("__consumer_offsets")
    assert (await client.get("/topics")).json() == ["__consumer_offsets", "orders", "single"]


async def test_a_topic_is_described_with_configs_and_replicas(client: httpx.AsyncClient) -> None:
    topic = (await client.get("/topics/orders")).json()
    assert topic["name"] == "orders"
    assert topic["configs"]["retention.ms"] == "86400000"
    assert topic["partitions"][1] == {
        "partition": 1,
        "leader": 2,
        "replicas": [
            {"broker": 2, "leader": True, "in_sync": True},
            {"broker": 1, "leader": False, "in_sync": True},
        ],
    }


async def test_a_dead_replica_is_not_in_sync(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.kill_broker(1)
    replicas = (await client.get("/topics/orders/partitions/1")).json()["replicas"]
    assert {"broker": 1, "leader": False, "in_sync": False} in replicas


async def test_partitions_are_listed_and_found(client: httpx.AsyncClient) -> None:
    partitions = (await client.get("/topics/orders/partitions")).json()
    assert [one["partition"] for one in partitions] == [0, 1, 2]
    assert (await client.get("/topics/orders/partitions/2")).json() == partitions[2]


async def test_offsets_are_those_of_the_log(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.produce("orders", 1, b"a", b"b")
    answer = await client.get("/topics/orders/partitions/1/offsets")
    assert answer.json() == {"beginning_offset": 0, "end_offset": 2}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/topics/nope", 40401),
        ("/topics/nope/partitions", 40401),
        ("/topics/nope/partitions/0", 40401),
        ("/topics/nope/partitions/0/offsets", 40401),
        ("/topics/orders/partitions/3", 40402),
        ("/topics/orders/partitions/-1", 40402),
        ("/topics/orders/partitions/3/offsets", 40402),
        ("/topics/orders/partitions/x", 404),
        ("/topics/orders/partitions/x/offsets", 404),
    ],
)
async def test_what_is_not_there_has_its_code(client: httpx.AsyncClient, path: str, code: int) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["error_code"]) == (404, code)


async def test_offsets_without_a_leader_are_40404(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.topics["single"].partitions[0].replicas = (1,)
    cluster.kill_broker(1)
    answer = await client.get("/topics/single/partitions/0/offsets")
    assert (answer.status_code, answer.json()["error_code"]) == (404, 40404)
