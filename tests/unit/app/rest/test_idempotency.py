"""Produce requests that are sent again with their Idempotency-Key."""

import asyncio
import gzip
import json
from collections.abc import Sequence

import httpx
import pytest

from app.kafka.ports import ClusterUnreachable, RecordToSend
from app.rest import RestProxy, RestSettings
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster

V2 = {"Content-Type": "application/vnd.kafka.json.v2+json"}
V3 = {"Content-Type": "application/json"}
V3_TOPIC = "/v3/clusters/c-1/topics/single"
REQUESTS = {
    "/topics/single": (V2, {"records": [{"value": 1}]}),
    "/topics/single/partitions/0": (V2, {"records": [{"value": 1}]}),
    f"{V3_TOPIC}/records": (V3, {"value": {"type": "JSON", "data": 1}}),
    f"{V3_TOPIC}/records:batch": (V3, {"entries": [{"id": "a", "value": {"type": "JSON", "data": 1}}]}),
}


def values(cluster: MemoryCluster) -> list[bytes | None]:
    return [record.value for record in cluster.topics["single"].partitions[0].records]


async def produce(
    client: httpx.AsyncClient, key: str, value: object = 1, path: str = "/topics/single"
) -> httpx.Response:
    return await client.post(path, json={"records": [{"value": value}]}, headers={**V2, "Idempotency-Key": key})


@pytest.mark.parametrize("path", REQUESTS)
async def test_a_repeated_request_has_its_first_answer_and_writes_nothing(
    client: httpx.AsyncClient, cluster: MemoryCluster, path: str
) -> None:
    headers, body = REQUESTS[path]
    answers = [await client.post(path, json=body, headers={**headers, "Idempotency-Key": "k"}) for _ in range(3)]
    assert len({(answer.status_code, answer.content, answer.headers["content-type"]) for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true", "true"]
    assert values(cluster) == [b"1"]
    other = await client.post(path, json=body, headers={**headers, "Idempotency-Key": "k2"})
    assert other.status_code == answers[0].status_code
    assert (await client.post(path, json=body, headers=headers)).status_code == answers[0].status_code
    assert values(cluster) == [b"1"] * 3


@pytest.mark.parametrize("path", REQUESTS)
async def test_the_answer_is_that_without_a_key(client: httpx.AsyncClient, path: str) -> None:
    headers, body = REQUESTS[path]
    without = await client.post(path, json=body, headers=headers)
    keyed = await client.post(path, json=body, headers={**headers, "Idempotency-Key": "k"})
    assert keyed.text == without.text.replace('"offset":0', '"offset":1')
    assert keyed.headers["content-type"] == without.headers["content-type"]


async def test_a_packed_body_is_the_same_request(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    body = json.dumps({"records": [{"value": 1}]}).encode()
    headers = {**V2, "Idempotency-Key": "k"}
    await client.post("/topics/single", content=body, headers=headers)
    packed = gzip.compress(body)
    again = await client.post("/topics/single", content=packed, headers={**headers, "Content-Encoding": "gzip"})
    assert again.headers["idempotent-replayed"] == "true"
    assert values(cluster) == [b"1"]


async def test_a_key_stands_for_one_request_only(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    await produce(client, "k")
    other = await produce(client, "k", value=2)
    assert (other.status_code, other.json()["error_code"]) == (422, 422)
    assert "Idempotency-Key" in other.json()["message"]
    assert (
        await produce(client, "k", value=2, path="/topics/orders")
    ).status_code == 200  # a topic has keys of its own
    assert values(cluster) == [b"1"]


async def test_a_request_waits_for_the_first_of_its_key(
    client: httpx.AsyncClient, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, may_write, calls = cluster.append, asyncio.Event(), 0

    async def slow(topic: str, partition: int, records: Sequence[RecordToSend]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        await may_write.wait()
        return await append(topic, partition, records)

    monkeypatch.setattr(cluster, "append", slow)
    tasks = [asyncio.create_task(produce(client, "k")) for _ in range(5)]
    other = asyncio.create_task(produce(client, "k", value=2))
    assert (await other).status_code == 422  # needs not wait to be told so
    assert not any(task.done() for task in tasks)
    may_write.set()
    answers = await asyncio.gather(*tasks)
    assert calls == 1
    assert len({answer.content for answer in answers}) == 1
    assert values(cluster) == [b"1"]


async def test_a_request_that_failed_as_a_whole_may_be_tried_again(
    client: httpx.AsyncClient, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = cluster.append

    async def fail(topic: str, partition: int, records: Sequence[RecordToSend]) -> Sequence[int]:
        raise ClusterUnreachable("no broker answered")

    monkeypatch.setattr(cluster, "append", fail)
    failed = await asyncio.gather(*[produce(client, "k") for _ in range(3)])
    assert [answer.status_code for answer in failed] == [503] * 3
    monkeypatch.setattr(cluster, "append", append)
    written = await produce(client, "k")
    assert (written.status_code, "idempotent-replayed" in written.headers) == (200, False)
    assert values(cluster) == [b"1"]


async def test_an_answer_is_forgotten_after_its_time(
    client: httpx.AsyncClient, cluster: MemoryCluster, clock: ManualClock, proxy: RestProxy
) -> None:
    await produce(client, "k")
    clock.advance(599_999)
    await produce(client, "k")
    assert values(cluster) == [b"1"]
    clock.advance(1)
    await produce(client, "k", value=2)
    assert values(cluster) == [b"1", b"2"]
    assert len(proxy.context.keyed_answers) == 1


class TestBounds:
    @pytest.fixture
    def settings(self) -> RestSettings:
        return RestSettings(idempotency_keys_max=3, idempotency_bytes_max=4_000)

    async def test_there_are_only_so_many_answers(
        self, client: httpx.AsyncClient, cluster: MemoryCluster, proxy: RestProxy
    ) -> None:
        for number in range(10):
            await produce(client, f"k{number}")
        assert len(proxy.context.keyed_answers) == 3
        await produce(client, "k9")
        assert len(values(cluster)) == 10
        await produce(client, "k6")
        assert len(values(cluster)) == 11

    async def test_answers_have_only_so_many_bytes(self, client: httpx.AsyncClient, proxy: RestProxy) -> None:
        await produce(client, "small")
        body = {"records": [{"value": 1}] * 100}
        await client.post("/topics/single", json=body, headers={**V2, "Idempotency-Key": "large"})
        assert len(proxy.context.keyed_answers) == 0
        await produce(client, "small")
        assert len(proxy.context.keyed_answers) == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_a_length(client: httpx.AsyncClient, cluster: MemoryCluster, key: str) -> None:
    assert (await produce(client, key)).status_code == 400
    assert values(cluster) == []


async def test_a_stream_cannot_be_repeated(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    async def body():  # type: ignore[no-untyped-def]
        yield b'{"value":{"type":"JSON","data":1}}'

    headers = {**V3, "Idempotency-Key": "k"}
    answer = await client.post(f"{V3_TOPIC}/records", content=body(), headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
    assert "stream" in answer.json()["message"]
    assert values(cluster) == []
