"""What holds for every route: errors of the router, body limits, gzip, absolute URLs."""

import gzip
import json
import logging

import httpx
import pytest

from app.rest import RestProxy, RestSettings, create_rest
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster
from tests.unit.app.rest.memory_consumers import MemoryConsumers

V2 = "application/vnd.kafka.v2+json"
JSON_RECORDS = {"Content-Type": "application/vnd.kafka.json.v2+json"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/topics/a/b/c", {}, 404),
        ("GET", "/v3/nothing", {}, 404),
        ("GET", "/v3/clusters/c-1/remove-broker-tasks", {}, 404),
        ("DELETE", "/topics", {}, 405),
        ("PUT", "/v3/clusters/c-1/topics/orders", {}, 405),
        ("GET", "/topics", {"Accept": "text/html"}, 406),
        ("GET", "/v3/clusters", {"Accept": V2}, 406),
        ("POST", "/topics/orders", {"Content-Type": "application/json"}, 415),
        ("POST", "/topics/orders", {}, 415),
        ("POST", "/v3/clusters/c-1/topics", {"Content-Type": V2}, 415),
        ("POST", "/consumers/g", {"Content-Type": "application/json"}, 415),
    ],
)
async def test_the_router_answers_errors_in_the_common_shape(
    client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
    assert answer.status_code == status
    assert answer.json()["error_code"] == status
    assert isinstance(answer.json()["message"], str)
    assert answer.headers["content-type"] == ("application/json" if path.startswith("/v3") else V2)


async def test_a_refused_method_names_the_allowed_ones(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/topics/orders")
    assert answer.headers["allow"] == "GET, POST"


async def test_an_unexpected_error_is_logged_and_told_without_details(
    client: httpx.AsyncClient,
    cluster: MemoryCluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(cluster, "metadata", fail)
    with caplog.at_level(logging.ERROR, "app.rest"):
        answer = await client.get("/brokers")
    assert answer.status_code == 500
    assert answer.json() == {"error_code": 500, "message": "Internal Server Error"}
    assert "secret" in caplog.text


async def test_a_cluster_that_is_away_is_a_503(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    cluster.away = True
    answer = await client.get("/topics")
    assert (answer.status_code, answer.json()["error_code"]) == (503, 50302)
    cluster.away = False
    assert (await client.get("/topics")).status_code == 200


async def test_a_gzip_body_is_unpacked(client: httpx.AsyncClient, cluster: MemoryCluster) -> None:
    body = gzip.compress(json.dumps({"records": [{"value": 1}]}).encode())
    answer = await client.post("/topics/single", content=body, headers={**JSON_RECORDS, "Content-Encoding": "gzip"})
    assert answer.status_code == 200
    assert cluster.topics["single"].partitions[0].records[0].value == b"1"


async def test_a_gzip_body_of_several_members_is_read_to_its_end(
    client: httpx.AsyncClient, cluster: MemoryCluster
) -> None:
    body = json.dumps({"records": [{"value": "v" * 18_000}]}).encode()
    members = b"".join(gzip.compress(body[at : at + 9]) for at in range(0, 900, 9)) + gzip.compress(body[900:])
    headers = {**JSON_RECORDS, "Content-Encoding": "gzip"}
    assert (await client.post("/topics/single", content=members, headers=headers)).status_code == 200
    assert cluster.topics["single"].partitions[0].records[0].value == b'"' + b"v" * 18_000 + b'"'


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip at all", "gzip", 400),
        (gzip.compress(b"{}") + b"and more", "gzip", 400),
        (gzip.compress(b"{}") + gzip.compress(b"{}")[:-9], "gzip", 400),
        (gzip.compress(b"{}")[:-9], "gzip", 400),
        (gzip.compress(b" " * 20_001), "gzip", 413),
        (b" " * 20_001, "identity", 413),
        (b"{}", "br", 415),
    ],
    ids=["not gzip", "more than gzip", "half a member", "half a gzip", "a bomb", "too large", "unknown encoding"],
)
async def test_a_body_that_cannot_be_taken_is_refused(
    client: httpx.AsyncClient, body: bytes, encoding: str, status: int
) -> None:
    headers = {**JSON_RECORDS, "Content-Encoding": encoding}
    answer = await client.post("/topics/single", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (status, status)


async def test_a_body_without_length_is_refused_once_it_is_too_large(client: httpx.AsyncClient) -> None:
    async def endless():  # type: ignore[no-untyped-def]
        for _ in range(30):
            yield b" " * 1000

    answer = await client.post("/topics/single", content=endless(), headers=JSON_RECORDS)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("identity", None)],
)
async def test_a_large_answer_is_packed_for_who_wants_it(
    client: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    answer = await client.get("/v3/clusters/c-1/topics", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == encoding
    assert len(answer.json()["data"]) == 2


async def test_a_small_answer_is_not_packed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/topics", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


async def test_urls_name_the_host_that_was_called(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v3/clusters", headers={"Host": "kafka.example"})
    assert answer.json()["metadata"]["self"] == "http://kafka.example/v3/clusters"


@pytest.mark.parametrize(
    ("advertised", "called", "told"),
    [
        (("http://a.example:8082", "https://b.example"), "http", "http://a.example:8082"),
        (("http://a.example:8082", "https://b.example/"), "https", "https://b.example"),
        (("https://b.example",), "http", "https://b.example"),
        ((), "https", "https://rest.example"),
    ],
)
async def test_urls_name_the_advertised_listener_of_the_scheme(
    cluster: MemoryCluster, clock: ManualClock, advertised: tuple[str, ...], called: str, told: str
) -> None:
    settings = RestSettings(advertised_listeners=advertised, server_id="rest-7")
    consumers = MemoryConsumers(cluster, clock)
    proxy = create_rest(admin=cluster, producer=cluster, consumers=consumers, clock=clock, settings=settings)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=proxy), base_url=f"{called}://rest.example"
    ) as client:
        assert (await client.get("/v3/clusters")).json()["metadata"]["self"] == f"{told}/v3/clusters"
        made = (await client.post("/consumers/g")).json()
    await proxy.stop()
    assert made["base_uri"] == f"{told}/consumers/g/instances/{made['instance_id']}"
    assert made["instance_id"].startswith("rest-consumer-rest-7-")


async def test_a_client_that_goes_away_gets_no_answer(proxy: RestProxy) -> None:
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/vnd.kafka.json.v2+json"), (b"content-length", b"9")]
    scope = {"type": "http", "method": "POST", "path": "/topics/t", "headers": headers, "query_string": b""}
    await proxy(scope, receive, send)  # type: ignore[arg-type]
    assert sent == []
