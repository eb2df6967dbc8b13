import httpx
import pytest

from app.kafka.ports import GroupMember, GroupState, GroupType, TopicPartition
from broker.errors import GroupIdNotFound
from tests.memory_cluster import MemoryCluster

BASE = "http://rest.example:8082/v3/clusters/c-1"
GROUPS = "/v3/clusters/c-1/consumer-groups"


@pytest.fixture
def cluster(cluster: MemoryCluster) -> MemoryCluster:
    """Group billing has one member on orders 0 and 1; it has committed on 0 and, before, on 2."""
    for partition in range(3):
        cluster.produce("orders", partition, *[b"x"] * 10)
    assignment = (TopicPartition("orders", 0), TopicPartition("orders", 1))
    cluster.add_group("billing", members=[GroupMember("m/1", "i-1", "app", "/10.0.0.7", assignment)])
    cluster.commit("billing", "orders", 0, 8)
    cluster.commit("billing", "orders", 2, 3)
    return cluster


async def get(client: httpx.AsyncClient, path: str) -> dict[str, object]:
    answer = await client.get(GROUPS + path)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


async def test_a_group_is_described(client: httpx.AsyncClient) -> None:
    group = await get(client, "/billing")
    assert group == {
        "kind": "KafkaConsumerGroup",
        "metadata": {
            "self": f"{BASE}/consumer-groups/billing",
            "resource_name": "crn:///kafka=c-1/consumer-group=billing",
        },
        "cluster_id": "c-1",
        "consumer_group_id": "billing",
        "is_simple": False,
        "partition_assignor": "range",
        "state": "STABLE",
        "type": "CLASSIC",
        "is_mixed_consumer_group": False,
        "coordinator": {"related": f"{BASE}/brokers/1"},
        "consumers": {"related": f"{BASE}/consumer-groups/billing/consumers"},
        "lag_summary": {"related": f"{BASE}/consumer-groups/billing/lag-summary"},
    }
    assert (await get(client, ""))["data"] == [group]


async def test_only_consumers_are_listed(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.add_group("connect-cluster", protocol_type="connect")
    cluster.add_group("a-simple-one", protocol_type="")
    ids = [group["consumer_group_id"] for group in (await get(client, ""))["data"]]  # type: ignore[attr-defined]
    assert ids == ["a-simple-one", "billing"]


@pytest.mark.parametrize(
    ("state", "group_type", "shown"),
    [
        (GroupState.PREPARING_REBALANCE, GroupType.CLASSIC, ("PREPARING_REBALANCE", "CLASSIC")),
        (GroupState.RECONCILING, GroupType.CONSUMER, ("RECONCILING", "CONSUMER")),
        (GroupState.EMPTY, GroupType.STREAMS, ("EMPTY", "UNKNOWN")),
    ],
)
async def test_states_and_types_are_spelled_in_capitals(
    client: httpx.AsyncClient, cluster: MemoryCluster, state: GroupState, group_type: GroupType, shown: tuple[str, str]
) -> None:
    cluster.add_group("g", state=state, group_type=group_type)
    group = await get(client, "/g")
    assert (group["state"], group["type"]) == shown


async def test_a_groups_members_are_listed_and_found(client: httpx.AsyncClient) -> None:
    (member,) = (await get(client, "/billing/consumers"))["data"]  # type: ignore[misc]
    url = f"{BASE}/consumer-groups/billing/consumers/m%2F1"
    assert member == {
        "kind": "KafkaConsumer",
        "metadata": {"self": url, "resource_name": "crn:///kafka=c-1/consumer-group=billing/consumer=m/1"},
        "cluster_id": "c-1",
        "consumer_group_id": "billing",
        "consumer_id": "m/1",
        "instance_id": "i-1",
        "client_id": "app",
        "assignments": {"related": f"{url}/assignments"},
    }
    assert (await client.get(url)).json() == member
    assert (await client.get(f"{GROUPS}/billing/consumers/m")).json()["error_code"] == 404


async def test_a_members_assignment_links_partition_and_lag(client: httpx.AsyncClient) -> None:
    path = "/billing/consumers/m%2F1/assignments"
    first, second = (await get(client, path))["data"]  # type: ignore[misc]
    assert (first["partition_id"], second["partition_id"]) == (0, 1)
    assert first["partition"] == {"related": f"{BASE}/topics/orders/partitions/0"}
    assert first["lag"] == {"related": f"{BASE}/consumer-groups/billing/lags/orders/partitions/0"}
    assert await get(client, f"{path}/orders/partitions/1") == second
    assert (await client.get(f"{GROUPS}{path}/orders/partitions/2")).json()["error_code"] == 404


async def test_lag_is_told_for_every_committed_partition(client: httpx.AsyncClient) -> None:
    read, abandoned = (await get(client, "/billing/lags"))["data"]  # type: ignore[misc]
    assert read["kind"] == "KafkaConsumerLag"
    assert {name: read[name] for name in ("topic_name", "partition_id", "current_offset", "log_end_offset", "lag")} == {
        "topic_name": "orders",
        "partition_id": 0,
        "current_offset": 8,
        "log_end_offset": 10,
        "lag": 2,
    }
    assert (read["consumer_id"], read["instance_id"], read["client_id"]) == ("m/1", "i-1", "app")
    assert (abandoned["partition_id"], abandoned["lag"]) == (2, 7)
    assert (abandoned["consumer_id"], abandoned["instance_id"], abandoned["client_id"]) == ("", None, "")
    assert await get(client, "/billing/lags/orders/partitions/2") == abandoned
    assert (await client.get(f"{GROUPS}/billing/lags/orders/partitions/1")).json()["error_code"] == 404


async def test_the_lag_summary_names_the_worst_partition(client: httpx.AsyncClient) -> None:
    summary = await get(client, "/billing/lag-summary")
    assert summary["kind"] == "KafkaConsumerGroupLagSummary"
    assert (summary["max_lag"], summary["total_lag"]) == (7, 9)
    assert (summary["max_lag_topic_name"], summary["max_lag_partition_id"]) == ("orders", 2)
    assert summary["max_lag_partition"] == {"related": f"{BASE}/topics/orders/partitions/2"}
    assert summary["max_lag_consumer"] == {"related": f"{BASE}/consumer-groups/billing/consumers/"}


async def test_a_partition_that_was_deleted_has_no_lag(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    del cluster.topics["orders"]
    answer = await client.get(f"{GROUPS}/billing/lags")
    assert answer.json() == {"error_code": 404, "message": "Consumer lags not found."}


async def test_kafkas_own_word_for_an_unknown_group_is_40405(
    client: httpx.AsyncClient, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: object) -> None:
        raise GroupIdNotFound("Group g not found.")

    monkeypatch.setattr(cluster, "describe_groups", refuse)
    answer = await client.get(f"{GROUPS}/g")
    assert (answer.status_code, answer.json()["error_code"]) == (404, 40405)
