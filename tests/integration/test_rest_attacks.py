"""Who has some rights at the REST Proxy tries for more: by paths, names in bodies, patterns, keys, open streams."""

import contextlib
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.conftest import wait_until
from tests.integration.test_rest_access import JSON, ROOT, SHOP, V2, Facing, exchange, facing_others, refusal, users


@pytest.fixture(scope="module")
def facing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facing]:
    with facing_others(tmp_path_factory.mktemp("attacked")) as running:
        yield running


@pytest.fixture
def shop(facing: Facing) -> Iterator[httpx.Client]:
    with facing.client(SHOP) as http:
        yield http


@pytest.fixture(scope="module")
def cluster(facing: Facing) -> str:
    """Path of the cluster's v3 resources."""
    with facing.client(SHOP) as http:
        return f"/v3/clusters/{http.get('/v3/clusters').json()['data'][0]['cluster_id']}"


def test_nothing_that_a_list_or_a_body_names_is_beyond_the_rules(
    facing: Facing, shop: httpx.Client, cluster: str
) -> None:
    """Lists over all topics tell those that the user may describe; a body changes those that it may manage."""
    configs = shop.get(f"{cluster}/topics/-/configs").json()["data"]
    assert {one["topic_name"] for one in configs} == {"orders", "orders-eu"}
    assert shop.get(f"{cluster}/topics/-/partitions/-/reassignment").json()["data"] == []
    entry = {"name": "retention.ms", "value": "86400000"}

    def alter(*topics: str) -> httpx.Response:
        data = [{"topic_name": topic, **entry} for topic in topics]
        return shop.post(f"{cluster}/topics/-/configs:alter", json={"data": data})

    assert shop.post(f"{cluster}/topics", json={"topic_name": "shop-2"}).status_code == 201
    assert refusal(alter("shop-2", "payroll"))[:2] == (403, 403)
    assert alter("shop-2").status_code == 204
    with facing.client(ROOT) as root:
        url = f"{cluster}/topics/payroll/configs/retention.ms"
        assert root.get(url).json()["is_default"]
        assert root.delete(f"{cluster}/topics/shop-2").status_code == 204
    # The name that stands for all of them is none, however it is written.
    for path in ("topics/%2D/configs", "topics/%2D/configs:alter", "topics/%2D/partitions/-/reassignment"):
        answer = shop.post(f"{cluster}/{path}", json={"data": []}) if "alter" in path else shop.get(f"{cluster}/{path}")
        assert answer.status_code == 403, path


@pytest.mark.parametrize(
    "path",
    [
        *("//topics/payroll", "/topics//payroll", "/topics/payroll/", "/./topics/payroll", "/x/../topics/payroll"),
        *("/topics/pay%72oll", "/%74opics/payroll", "/topics/%70ayroll/partitions", "/Topics/payroll"),
        *("/topics/orders/../payroll", "/topics/orders%2F..%2Fpayroll", "/topics/payroll;orders", "/topics/payroll%00"),
        *("{c}/topics/payroll", "{c}//topics/payroll", "{c}/topics/pay%72oll/configs", "{c}/%74opics/payroll/configs"),
        *("{c}/topics/orders/../payroll/partitions", "{c}/topics/orders%2f..%2fpayroll", "{c}/brokers/-/configs"),
        *(
            "{c}/acls",
            "{c}/ACLS",
            "{c}/broker-configs",
            "{c}/consumer-groups/other",
            "{c}/consumer-groups/%6Fther/lags",
        ),
        *(
            "/caudal/v1/topics/payroll/records",
            "/caudal/v1/topics/%70ayroll/records",
            "/caudal//v1/topics/payroll/records",
        ),
        *("/caudal/v1/groups/shop-1/topics/payroll/records", "/caudal/v1/groups/other/topics/prices/records"),
        *("/ui/", "/ui/clusters/local/topics", "/subjects", "/schemas/ids/1", "/config", "/metrics", "/health/ready"),
    ],
)
def test_no_path_leads_around_the_rules(facing: Facing, shop: httpx.Client, cluster: str, path: str) -> None:
    """As the bytes stand there: a client would tidy some of them up."""
    target = path.format(c=cluster)
    basic = b64encode(b"SHOPKEY:secret").decode()
    for written in (target, f"https://elsewhere{target}"):
        head = f"GET {written} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Basic {basic}\r\n\r\n"
        answer = exchange(facing, head.encode())
        assert answer.split(b" ")[1] in (b"403", b"404"), answer[:200]
        assert b"error_code" in answer
        assert b"kafka=" not in answer


def test_a_pattern_cannot_reach_out_of_its_rules(facing: Facing, shop: httpx.Client) -> None:
    wanted = {"format": "json", "auto.offset.reset": "earliest", "name": "reach"}
    assert shop.post("/consumers/shop-3", json=wanted, headers=V2).status_code == 200
    instance = "/consumers/shop-3/instances/reach"
    for pattern in (
        ")|(?:payroll",
        ".*)|(?:payroll",
        "x)|payroll|(y",
        "(?=a)|payroll",
        "payroll|(?!x).*",
        "(?s:.*)|payroll",
    ):
        answer = shop.post(f"{instance}/subscription", json={"topic_pattern": pattern}, headers=V2)
        assert answer.status_code in (204, 422), pattern
        shop.get(f"{instance}/records?timeout=1000", headers={"Accept": "application/vnd.kafka.json.v2+json"})
        followed = shop.get(f"{instance}/subscription").json()["topics"]
        assert set(followed) <= {"prices", "prices-eu"}, pattern
    assert shop.delete(instance, headers=V2).status_code == 204


def test_offsets_and_lag_are_told_of_topics_that_one_may_know(facing: Facing, shop: httpx.Client, cluster: str) -> None:
    with facing.client(ROOT) as root:
        for topic in ("orders", "payroll"):
            assert root.post(f"/topics/{topic}", json={"records": [{"value": 1}]}, headers=JSON).status_code == 200
            commit = {"committed": "0:0", "next": "0:1"}
            url = f"/caudal/v1/groups/shop-both/topics/{topic}/offsets"
            assert root.post(url, json=commit).status_code in (204, 409)
        told = root.get(f"{cluster}/consumer-groups/shop-both/lags").json()["data"]
        assert {one["topic_name"] for one in told} == {"orders", "payroll"}
    allowed = users().replace(
        'groups = ["shop-*"] }', 'groups = ["shop-*"] },\n  { operations = ["describe"], groups = ["*"] }'
    )
    with users_file(facing, allowed):
        lags = f"{cluster}/consumer-groups/shop-both/lags"
        wait_until(lambda: shop.get(lags).status_code == 200, what="the shop may describe groups")
        assert {one["topic_name"] for one in shop.get(lags).json()["data"]} == {"orders"}
        assert shop.get(f"{lags}/payroll/partitions/0").status_code == 404
        assert shop.get(f"{cluster}/consumer-groups/shop-both/lag-summary").json()["max_lag_topic_name"] == "orders"
    assert shop.post("/consumers/shop-both", json={"name": "one"}, headers=V2).status_code == 200
    offsets = "/consumers/shop-both/instances/one/offsets"
    assert shop.get(f"{offsets}?topic=payroll&partition=0").status_code == 403
    assert shop.get(f"{offsets}?topic=prices&partition=0").json() == {"offsets": []}
    assert shop.delete("/consumers/shop-both/instances/one", headers=V2).status_code == 204


def test_an_idempotency_key_is_its_users_own(facing: Facing, shop: httpx.Client) -> None:
    """Nobody is told another's answer by guessing the key, and nobody's record is lost to it."""
    record = {"records": [{"value": "once"}]}
    key = {**JSON, "Idempotency-Key": "order-1"}
    with facing.client(ROOT) as root:
        first = root.post("/topics/orders", json=record, headers=key)
        other = shop.post("/topics/orders", json=record, headers=key)
        assert "idempotent-replayed" not in other.headers
        assert other.json()["offsets"][0]["offset"] > first.json()["offsets"][0]["offset"]
        again = root.post("/topics/orders", json=record, headers=key)
        assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
        assert root.post("/topics/payroll", json=record, headers=key).status_code == 200
    assert shop.post("/topics/payroll", json=record, headers=key).status_code == 403


def test_a_schema_comes_under_no_others_subject(shop: httpx.Client, facing: Facing, cluster: str) -> None:
    url = f"{cluster}/topics/orders/records"

    def told(**data: object) -> int:
        code: int = shop.post(url, json={"value": {"type": "AVRO", "schema": '"int"', "data": 1, **data}}).json()[
            "error_code"
        ]
        return code

    for subject in ("payroll-value", "payroll-key", ":.:payroll-value", ":.team:payroll-key"):
        assert told(subject=subject) == 403, subject
    titled = {"type": "JSONSCHEMA", "schema": '{"title": "payroll-value"}', "data": 1}
    assert told(**titled, subject_name_strategy="RECORD_NAME") == 403
    assert told() == told(subject="orders-eu-value") == 200
    subjects = httpx.get(f"{facing.platform.http}/subjects").json()
    assert "orders-value" in subjects
    assert not any("payroll" in subject for subject in subjects)


@contextlib.contextmanager
def users_file(facing: Facing, content: str) -> Iterator[None]:
    path = facing.folder / "users.toml"
    before = path.read_text()
    path.write_text(content)
    try:
        yield
    finally:
        path.write_text(before)


@contextlib.contextmanager
def open_stream(facing: Facing, path: str) -> Iterator[Callable[[], int]]:
    """A stream of records that stays open; each call sends one and returns the error_code of its receipt."""
    host, port = facing.platform.rest.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=str(facing.authority.certificate))
    basic = b64encode(b"SHOPKEY:secret").decode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {basic}\r\ncontent-type: application/json\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as plain:
        tls = context.wrap_socket(plain, server_hostname=host)
        tls.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        received = tls.makefile("rb")

        def send() -> int:
            tls.sendall(b"2\r\n{}\r\n")
            while not (line := received.readline()).startswith(b'{"'):
                assert line, "closed without a receipt"
            code: int = json.loads(line)["error_code"]
            return code

        yield send


def test_who_is_struck_from_the_file_loses_what_is_open(facing: Facing, shop: httpx.Client, cluster: str) -> None:
    """A live tail ends, a stream of records takes no more, an instance reads no more."""
    wait_until(lambda: shop.get("/topics").status_code == 200, what="the shop is known")
    made = shop.post("/consumers/shop-4", json={"name": "one", "format": "json"}, headers=V2)
    assert made.status_code == 200
    instance = "/consumers/shop-4/instances/one"
    there = {"partitions": [{"topic": "prices", "partition": 0}]}
    assert shop.post(f"{instance}/assignments", json=there, headers=V2).status_code == 204
    tail = shop.stream("GET", "/caudal/v1/topics/prices/records?offset=0", headers={"Accept": "text/event-stream"})
    without = users().replace("prices*", "nothing").replace('"orders", ', "")
    with open_stream(facing, f"{cluster}/topics/orders/records") as send, tail as events:
        assert send() == 200
        with users_file(facing, without):
            assert "retry" in "".join(events.iter_lines())  # ends by itself, as the file says
            reading = {"Accept": "application/vnd.kafka.json.v2+json"}
            with facing.client(SHOP) as again:
                assert again.get(f"{instance}/records", headers=reading).status_code == 403
            wait_until(lambda: send() == 403, what="the stream is refused")
