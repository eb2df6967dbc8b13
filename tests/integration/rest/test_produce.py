import asyncio
import base64

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.integration.rest.running_proxy import BINARY, JSON, RunningProxy


def read_all(bootstrap_servers: str, topic: str, count: int) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
    """Keys and values by partition, read by librdkafka."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": f"check-{topic}", "auto.offset.reset": "earliest"}
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found: dict[int, list[tuple[bytes | None, bytes | None]]] = {}
    for _ in range(count):
        record = consumer.poll(10)
        assert record is not None
        assert record.error() is None
        partition = record.partition()
        assert partition is not None
        found.setdefault(partition, []).append((record.key(), record.value()))  # type: ignore[arg-type]
    consumer.close()
    return found


def test_records_arrive_as_they_were_sent(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    proxy.produce(topic, {"key": "k", "value": {"a": [1, 2.5]}}, {"value": None})
    key, value = (base64.b64encode(data).decode() for data in (b"\x00k", bytes(range(256))))
    answer = proxy.http.post(f"/topics/{topic}", json={"records": [{"key": key, "value": value}]}, headers=BINARY)
    assert answer.json()["offsets"] == [{"partition": 0, "offset": 2, "error_code": None, "error": None}]
    assert read_all(proxy.bootstrap_servers, topic, 3) == {
        0: [(b'"k"', b'{"a":[1,2.5]}'), (None, None), (b"\x00k", bytes(range(256)))]
    }


def test_keys_go_where_javas_producer_sends_them(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic, partitions=5)
    keys = [f"key-{number}".encode() for number in range(30)]
    records = [{"key": base64.b64encode(key).decode(), "value": "eA=="} for key in keys]
    answer = proxy.http.post(f"/topics/{topic}", json={"records": records}, headers=BINARY)
    by_rest = {key: entry["partition"] for key, entry in zip(keys, answer.json()["offsets"], strict=True)}
    found = read_all(proxy.bootstrap_servers, topic, 30)
    assert {key: partition for partition, records in found.items() for key, _ in records} == by_rest

    from confluent_kafka import Producer

    told: dict[bytes, int] = {}
    producer = Producer({"bootstrap.servers": proxy.bootstrap_servers, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(
            topic, b"y", key, on_delivery=lambda _, record: told.update({record.key(): record.partition()})
        )
    producer.flush(10)
    assert told == by_rest


def test_an_unknown_topic_is_created_where_the_cluster_does_so(proxy: RunningProxy, topic: str) -> None:
    assert proxy.produce(topic, {"value": 1})[0]["offset"] == 0
    assert topic in proxy.http.get("/topics").json()


def test_an_invalid_topic_name_is_refused(proxy: RunningProxy) -> None:
    answer = proxy.http.post("/topics/no%20such%20name", json={"records": [{"value": 1}]}, headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 40002)


def test_a_record_that_is_too_large_fails_alone(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    entries = proxy.produce(topic, {"value": 1}, {"value": "x" * 2_000_000}, {"value": 3})
    assert [(entry["offset"], entry["error_code"]) for entry in entries] == [(0, None), (None, 50002), (1, None)]


def test_a_topics_own_limit_counts(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic, max_message_bytes="1000")
    (entry,) = proxy.produce(topic, {"value": "x" * 2_000})
    assert entry["error_code"] == 50002
    assert len(proxy.produce(topic, *[{"value": "x" * 100}] * 50)) == 50


@pytest.mark.parametrize("requests", [200])
async def test_requests_at_the_same_time_get_offsets_of_their_own(
    proxy: RunningProxy, topic: str, requests: int
) -> None:
    import httpx

    proxy.create_topic(topic)
    body = {"records": [{"value": 1}, {"value": 2}]}
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(base_url=proxy.url, limits=limits, timeout=30) as client:
        answers = await asyncio.gather(
            *(client.post(f"/topics/{topic}", json=body, headers=JSON) for _ in range(requests))
        )
    pairs = [[entry["offset"] for entry in answer.json()["offsets"]] for answer in answers]
    assert all(second == first + 1 for first, second in pairs)
    assert sorted(offset for pair in pairs for offset in pair) == list(range(2 * requests))
