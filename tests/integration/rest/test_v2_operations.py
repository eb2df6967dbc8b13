"""Every operation of v2, on our broker and on three of Apache Kafka. docs/rest-proxy.md names the test of each."""

import base64
from collections.abc import Iterator

import pytest

from app.rest.app import V2_ROUTES
from tests.conftest import wait_until
from tests.integration.rest.operations import Operations, proves
from tests.integration.rest.running_proxy import BINARY, JSON, V2, RestConsumer, RunningProxy

OPERATIONS = Operations(*V2_ROUTES)
I = "/consumers/{group}/instances/{instance}"  # noqa: E741
V2_TYPE = "application/vnd.kafka.v2+json"


@pytest.fixture
def proxy(operations_proxy: RunningProxy) -> RunningProxy:
    return operations_proxy


@pytest.fixture(autouse=True)
def _proven(request: pytest.FixtureRequest, proxy: RunningProxy) -> Iterator[None]:
    with OPERATIONS.proven(proxy, request.function):
        yield


def get(proxy: RunningProxy, url: str) -> object:
    answer = proxy.http.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, V2_TYPE), answer.text
    return answer.json()


def values(records: list[dict[str, object]]) -> list[object]:
    return [record["value"] for record in records]


@proves("GET /", "POST /", "GET /brokers", "GET /topics")
def test_the_proxy_its_brokers_and_topics_are_told(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    assert get(proxy, "/") == {}
    assert proxy.http.post("/", json={"any": "thing"}).json() == {}
    brokers = get(proxy, "/brokers")["brokers"]  # type: ignore[call-overload, index]
    assert all(isinstance(broker, int) for broker in brokers)
    assert len(set(brokers)) == proxy.broker_count
    names = get(proxy, "/topics")
    assert isinstance(names, list)
    assert topic in names
    # Clients that know nothing of Kafka's types, and clients that always send their own.
    for accept in ("application/json", "*/*", "application/vnd.kafka.avro.v2+json", "text/html, application/*;q=0.1"):
        answer = proxy.http.get("/topics", headers={"Accept": accept})
        assert (answer.status_code, answer.json()) == (200, names), accept


@proves(
    "GET /topics/{topic}",
    "GET /topics/{topic}/partitions",
    "GET /topics/{topic}/partitions/{partition}",
    "GET /topics/{topic}/partitions/{partition}/offsets",
)
def test_a_topic_is_told_with_configs_partitions_and_offsets(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic, partitions=2, retention_ms="1234567")
    proxy.produce(topic, *[{"partition": 1, "value": number} for number in range(3)])

    def is_in_sync() -> bool:
        partitions = proxy.http.get(f"/topics/{topic}/partitions").json()
        return all(replica["in_sync"] for one in partitions for replica in one["replicas"])

    wait_until(is_in_sync)  # at once, unless a broker is so busy that the others think it gone
    told = get(proxy, f"/topics/{topic}")
    assert isinstance(told, dict)
    assert list(told) == ["name", "configs", "partitions"]
    assert (told["name"], told["configs"]["retention.ms"]) == (topic, "1234567")
    assert all(isinstance(value, str) for value in told["configs"].values())
    partitions = told["partitions"]
    assert [list(one) for one in partitions] == [["partition", "leader", "replicas"]] * 2
    assert [one["partition"] for one in partitions] == [0, 1]
    for one in partitions:  # a replica on each broker, and one of them leads
        brokers = sorted(replica["broker"] for replica in one["replicas"])
        assert brokers == sorted(get(proxy, "/brokers")["brokers"])  # type: ignore[call-overload, index]
        for replica in one["replicas"]:
            assert replica == {**replica, "leader": replica["broker"] == one["leader"], "in_sync": True}
    assert partitions == get(proxy, f"/topics/{topic}/partitions")
    assert get(proxy, f"/topics/{topic}/partitions/1") == partitions[1]
    assert get(proxy, f"/topics/{topic}/partitions/1/offsets") == {"beginning_offset": 0, "end_offset": 3}


@proves("POST /topics/{topic}", "POST /topics/{topic}/partitions/{partition}")
def test_records_are_answered_one_by_one_in_their_order(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic, partitions=2)
    entries = proxy.produce(topic, *[{"partition": number % 2, "value": number} for number in (1, 0, 3, 9, 2)])
    placed = [(entry["partition"], entry["offset"], entry["error_code"], entry["error"]) for entry in entries]
    assert placed == [
        (1, 0, None, None),
        (0, 0, None, None),
        (1, 1, None, None),
        (1, 2, None, None),
        (0, 1, None, None),
    ]
    data = base64.b64encode(b"\x00\xff").decode()
    records = [{"value": data}, {"value": data, "partition": 0}, {"key": None, "value": None}, {}]
    answer = proxy.http.post(f"/topics/{topic}/partitions/1", json={"records": records}, headers=BINARY)
    assert (answer.status_code, answer.headers["content-type"]) == (200, V2_TYPE)
    body = answer.json()
    assert (body["key_schema_id"], body["value_schema_id"]) == (None, None)
    assert [(one["partition"], one["offset"]) for one in body["offsets"]] == [(1, 3), (0, 2), (1, 4), (1, 5)]
    beyond = proxy.http.post(f"/topics/{topic}", json={"records": [{"partition": 7}, {"partition": 0}]}, headers=JSON)
    failed, written = beyond.json()["offsets"]
    assert (beyond.status_code, written["offset"]) == (200, 3)
    assert (failed["partition"], failed["offset"], failed["error_code"]) == (None, None, 50003)


@proves(
    "POST /consumers/{group}",
    f"POST {I}/subscription",
    f"GET {I}/subscription",
    f"DELETE {I}/subscription",
    f"GET {I}/assignments",
    f"GET {I}/records",
    f"DELETE {I}",
)
def test_an_instance_subscribes_reads_and_is_deleted(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic, partitions=2)
    proxy.produce(topic, {"partition": 1, "key": "k", "value": {"n": 1}})
    config = {"name": "loser", "id": "c/1", "format": "JSON", "auto.offset.reset": "earliest"}
    config |= {"auto.commit.enable": "false", "fetch.min.bytes": "-1", "consumer.request.timeout.ms": 8_000}
    made = proxy.http.post(f"/consumers/{group}", json=config, headers=V2).json()
    assert made == {"instance_id": "c/1", "base_uri": f"{proxy.url}/consumers/{group}/instances/c%2F1"}
    unnamed = proxy.http.post(f"/consumers/{group}").json()  # a body is not needed
    assert unnamed["instance_id"].startswith("rest-consumer-")
    assert proxy.http.delete(unnamed["base_uri"]).status_code == 204
    consumer = RestConsumer(proxy.http, made["base_uri"])
    assert get(proxy, f"{consumer.base_uri}/subscription") == {"topics": []}
    assert consumer.subscribe(topic).post("subscription", {}).status_code == 204  # names nothing: changes nothing
    assert get(proxy, f"{consumer.base_uri}/subscription") == {"topics": [topic]}
    told = {"topic": topic, "key": "k", "value": {"n": 1}, "partition": 1, "offset": 0}
    assert consumer.read() == [told]
    assert consumer.assignment() == [(topic, 0), (topic, 1)]
    assert proxy.http.delete(f"{consumer.base_uri}/subscription").status_code == 204
    assert get(proxy, f"{consumer.base_uri}/subscription") == {"topics": []}
    assert proxy.http.delete(consumer.base_uri).status_code == 204
    assert proxy.http.delete(consumer.base_uri).json()["error_code"] == 40403


@proves(
    f"POST {I}/assignments",
    f"POST {I}/positions",
    f"POST {I}/positions/beginning",
    f"POST {I}/positions/end",
    f"POST {I}/offsets",
    f"GET {I}/offsets",
)
def test_assigned_partitions_are_moved_and_their_offsets_committed(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    proxy.produce(topic, *[{"value": number} for number in range(3)])
    at = {"topic": topic, "partition": 0}
    there = {"partitions": [at]}
    with proxy.consumer(group, **{"auto.commit.enable": False}) as consumer:
        assert consumer.post("assignments", there).status_code == 204
        committed = f"{consumer.base_uri}/offsets"
        by_query = f"{committed}?topic={topic}&partition=0"
        assert get(proxy, by_query) == {"offsets": []}
        assert values(consumer.read()) == [0, 1, 2]
        assert consumer.post("positions", {"offsets": [{**at, "offset": 1, "metadata": "why"}]}).status_code == 204
        assert values(consumer.read()) == [1, 2]
        past = {**at, "timestamp": "2000-01-01T01:00:00+01:00"}
        assert consumer.post("positions", {"offsets": [], "timestamps": [past]}).status_code == 204
        assert values(consumer.read()) == [0, 1, 2]
        assert consumer.post("positions/beginning", there).status_code == 204
        assert values(consumer.read(max_bytes=1)) == [0]
        answer = consumer.post("offsets")  # what was answered
        assert (answer.status_code, answer.json()) == (200, [])
        assert get(proxy, by_query) == {"offsets": [{**at, "offset": 1, "metadata": ""}]}
        answer = proxy.http.post(
            f"{committed}?async=true", json={"offsets": [{**at, "offset": 1, "metadata": "m"}]}, headers=V2
        )
        assert (answer.status_code, answer.json()) == (200, [])
        found = proxy.http.request("GET", committed, json=there, headers=V2).json()
        assert found == {"offsets": [{**at, "offset": 2, "metadata": "m"}]} == get(proxy, by_query)
        assert consumer.post("positions/end", there).status_code == 204
        proxy.produce(topic, {"value": "new"})
        found_values: list[object] = []
        wait_until(lambda: found_values.extend(values(consumer.read())) or found_values)
        assert found_values == ["new"]
