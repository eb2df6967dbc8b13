import httpx
import pytest

from app.kafka.ports import ConfigSource
from tests.memory_cluster import MemoryCluster

BASE = "http://rest.example:8082/v3/clusters/c-1"
C = "/v3/clusters/c-1"
TOPIC = f"{C}/topics/orders/configs"


def code(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error_code"]


async def test_a_topics_config_says_where_its_value_comes_from(client: httpx.AsyncClient) -> None:
    config = (await client.get(f"{TOPIC}/retention.ms")).json()
    assert config == {
        "kind": "KafkaTopicConfig",
        "metadata": {
            "self": f"{BASE}/topics/orders/configs/retention.ms",
            "resource_name": "crn:///kafka=c-1/topic=orders/config=retention.ms",
        },
        "cluster_id": "c-1",
        "topic_name": "orders",
        "name": "retention.ms",
        "value": "86400000",
        "is_default": False,
        "is_read_only": False,
        "is_sensitive": False,
        "source": ConfigSource.DYNAMIC_TOPIC_CONFIG.name,
        "synonyms": [],
    }


async def test_configs_are_listed_by_name(client: httpx.AsyncClient) -> None:
    body = (await client.get(TOPIC)).json()
    assert body["kind"] == "KafkaTopicConfigList"
    assert body["metadata"] == {"self": f"{BASE}/topics/orders/configs", "next": None}
    names = [config["name"] for config in body["data"]]
    assert names == sorted(names)


async def test_configs_of_all_topics_stand_in_one_list(client: httpx.AsyncClient) -> None:
    body = (await client.get(f"{C}/topics/-/configs")).json()
    assert {config["topic_name"] for config in body["data"]} == {"orders", "single"}


async def test_a_config_is_set_and_reset(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    assert (await client.put(f"{TOPIC}/retention.ms", json={"value": "1"})).status_code == 204
    assert cluster.topics["orders"].configs == {"retention.ms": "1"}
    assert (await client.delete(f"{TOPIC}/retention.ms")).status_code == 204
    assert cluster.topics["orders"].configs == {}


async def test_several_configs_are_altered_at_once(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    data = [
        {"name": "retention.ms", "operation": "DELETE"},
        {"name": "cleanup.policy", "value": "compact"},
        {"name": "retention.bytes", "value": "5", "operation": "set"},
    ]
    assert (await client.post(f"{TOPIC}:alter", json={"data": data, "validate_only": True})).status_code == 204
    assert cluster.topics["orders"].configs == {"retention.ms": "86400000"}
    answer = await client.post(f"{TOPIC}:alter", json={"data": data})
    assert (answer.status_code, answer.content) == (204, b"")
    assert cluster.topics["orders"].configs == {"cleanup.policy": "compact", "retention.bytes": "5"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (422, 422)),
        ({"data": [{"value": "1"}]}, (422, 422)),
        ({"data": [{"name": "retention.ms"}]}, (422, 422)),
        ({"data": [{"name": "retention.ms", "value": "1", "operation": "APPEND"}]}, (400, 400)),
        ({"data": [{"name": "retention.ms", "value": "long"}]}, (400, 40002)),
        ({"data": [{"name": "no.such", "value": "1"}]}, (404, 404)),
        ({"data": "x"}, (400, 400)),
    ],
)
async def test_a_wrong_alteration_has_its_code(
    client: httpx.AsyncClient, body: object, expected: tuple[int, int]
) -> None:
    assert code(await client.post(f"{TOPIC}:alter", json=body)) == expected


async def test_a_value_is_needed_to_set(client: httpx.AsyncClient) -> None:
    assert code(await client.put(f"{TOPIC}/retention.ms", json={})) == (422, 422)
    assert code(await client.put(f"{TOPIC}/retention.ms", json={"value": 5})) == (400, 400)
    assert code(await client.put(f"{TOPIC}/no.such", json={"value": "5"})) == (404, 404)
    assert code(await client.delete(f"{TOPIC}/no.such")) == (404, 404)


@pytest.mark.parametrize("path", ["", "/retention.ms"])
async def test_configs_of_an_unknown_topic_are_40403(client: httpx.AsyncClient, path: str) -> None:
    assert code(await client.get(f"{C}/topics/nope/configs{path}")) == (404, 40403)


async def test_a_brokers_configs_are_read_and_changed(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    path = f"{C}/brokers/2/configs"
    config = (await client.get(f"{path}/num.network.threads")).json()
    assert (config["kind"], config["broker_id"], config["is_read_only"]) == ("KafkaBrokerConfig", 2, True)
    assert config["metadata"]["resource_name"] == "crn:///kafka=c-1/broker=2/config=num.network.threads"
    assert (await client.get(path)).json()["kind"] == "KafkaBrokerConfigList"
    assert (await client.put(f"{path}/log.retention.hours", json={"value": "9"})).status_code == 204
    assert cluster.broker_configs["2"] == {"log.retention.hours": "9"}
    body = {"data": [{"name": "log.retention.hours", "value": "8"}]}
    assert (await client.post(f"{path}:alter", json=body)).status_code == 204
    assert (await client.delete(f"{path}/log.retention.hours")).status_code == 204
    assert cluster.broker_configs["2"] == {}


async def test_configs_of_all_brokers_stand_in_one_list(client: httpx.AsyncClient) -> None:
    body = (await client.get(f"{C}/brokers/-/configs")).json()
    assert {config["broker_id"] for config in body["data"]} == {1, 2}


async def test_the_clusters_configs_are_read_and_changed(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    path = f"{C}/broker-configs"
    assert (await client.put(f"{path}/log.retention.hours", json={"value": "9"})).status_code == 204
    config = (await client.get(f"{path}/log.retention.hours")).json()
    assert (config["kind"], config["config_type"], config["value"]) == ("KafkaClusterConfig", "BROKER", "9")
    assert config["metadata"]["self"] == f"{BASE}/broker-configs/log.retention.hours"
    assert config["metadata"]["resource_name"] == "crn:///kafka=c-1/broker-config=log.retention.hours"
    assert (await client.get(path)).json()["kind"] == "KafkaClusterConfigList"
    body = {"data": [{"name": "log.retention.hours", "value": "7"}]}
    assert (await client.post(f"{path}:alter", json=body)).status_code == 204
    assert (await client.delete(f"{path}/log.retention.hours")).status_code == 204
    assert cluster.broker_configs[""] == {}
