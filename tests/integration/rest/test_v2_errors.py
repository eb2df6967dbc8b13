"""Every error code of v2 on the wire, on our broker and on Apache Kafka. docs/rest-proxy.md names the test of each."""

import json
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from app.http import exchange
from app.kafka.admin import KafkaClusterAdmin
from app.kafka.connection import ConnectionSettings
from app.kafka.sasl import SaslLogin
from app.rest import RestSettings
from tests.conftest import wait_until
from tests.integration.broker.secured_broker import JAAS, SecuredBroker
from tests.integration.rest.running_proxy import JSON, READ_JSON, V2, RestConsumer, RunningProxy, running_proxy

PROXIES = ("proxy", "guarded_proxy", "small_proxy", "refused_proxy")
AVRO = {"Content-Type": "application/vnd.kafka.avro.v2+json"}


def reaches(*codes: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test must have been told each of these codes, as an answer's own or as that of a record."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        test.codes = codes  # type: ignore[attr-defined]
        return test

    return mark


@pytest.fixture(autouse=True)
def _reached(request: pytest.FixtureRequest) -> Iterator[None]:
    name = next(name for name in PROXIES if name in request.fixturenames)
    proxy: RunningProxy = request.getfixturevalue(name)
    seen: set[int] = set()

    def watch(response: httpx.Response) -> None:
        if not response.is_success:
            body = json.loads(response.read())
            if "offsets" not in body:
                assert list(body) == ["error_code", "message"]
                # An HTTP status and its code belong together.
                assert response.status_code in (body["error_code"], body["error_code"] // 100, 422)
                seen.add(body["error_code"])
        if response.request.method == "POST" and response.request.url.path.startswith("/topics"):
            body = json.loads(response.read())
            seen.update(entry["error_code"] for entry in body.get("offsets", ()) if entry["error_code"])

    proxy.http.event_hooks = {"response": [watch]}
    yield
    proxy.http.event_hooks = {}
    assert set(getattr(request.function, "codes", ())) - seen == set()


def told(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error_code"]


def send(proxy: RunningProxy, topic: str, body: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    return proxy.http.post(f"/topics/{topic}", content=body, headers=headers)


def end_offset(proxy: RunningProxy, topic: str) -> int:
    end: int = proxy.http.get(f"/topics/{topic}/partitions/0/offsets").json()["end_offset"]
    return end


def binary(key: bytes) -> tuple[bytes, dict[str, str]]:
    return b'{"records":[{"key":"%b","value":"YQ=="}]}' % key, {"Content-Type": "application/vnd.kafka.binary.v2+json"}


WRONG_BODIES = {
    "truncated": (b'{"records":[{"value":', 400),
    "trailing": (b'{"records":[{"value":1}]}]', 400),
    "not UTF-8": (b'{"records":[{"value":"\xff"}]}', 400),
    "lone surrogate": (b'{"records":[{"value":"\\ud800"}]}', 400),
    "lone surrogate with blanks": (b'{"records": [{"value": "\\udc00x"}]}', 400),
    "too deep": (b'{"records":[{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}", 400),
    "of another kind": (b'{"records":{"value":1}}', 400),
    "a partition that is none": (b'{"records":[{"value":1,"partition":"0"}]}', 400),
    "empty": (b"", 422),
    "null": (b"null", 422),
    "no records": (b"{}", 422),
    "null records": (b'{"records":null}', 422),
    "empty records": (b'{"records":[]}', 422),
    "a partition below 0": (b'{"records":[{"value":1},{"value":1,"partition":-1}]}', 422),
}


@reaches(400, 422)
def test_a_wrong_body_writes_nothing(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    for case, (body, status) in WRONG_BODIES.items():
        assert told(send(proxy, topic, body)) == (status, status), case
    for wrong in (b"YQ", b"!!!!", b"Y Q==", b"\\ud800"):
        assert told(send(proxy, topic, *binary(wrong))) == (400, 400), wrong
    unpacked = {**JSON, "Content-Encoding": "gzip"}
    assert told(send(proxy, topic, b'{"records":[{"value":1}]}', unpacked)) == (400, 400)
    assert end_offset(proxy, topic) == 0


@reaches(50002)
def test_a_key_of_ten_megabytes_fails_alone(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    key = "k" * 10_000_000
    first, large, last = proxy.produce(topic, {"value": 1}, {"key": key, "value": 2}, {"value": 3})
    assert (first["offset"], large["offset"], last["offset"]) == (0, None, 1)
    assert large["error_code"] == 50002
    assert end_offset(proxy, topic) == 2


@reaches(50002)
def test_a_record_that_its_topic_does_not_take(proxy: RunningProxy, topic: str) -> None:
    """A compacted topic takes none without a key."""
    proxy.create_topic(topic, cleanup_policy="compact")
    (keyless,) = proxy.produce(topic, {"value": 1})
    assert (keyless["offset"], keyless["error_code"]) == (None, 50002)
    assert "without key" in str(keyless["error"])
    assert proxy.produce(topic, {"key": 1, "value": 1})[0]["offset"] == 0


@reaches(500)
def test_a_fault_of_our_own_is_500_and_tells_nothing_of_the_inside(
    proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("a secret of the inside")

    with monkeypatch.context() as patch:
        patch.setattr(KafkaClusterAdmin, "metadata", fail)
        for path in ("/topics", "/brokers", "/v3/clusters"):
            answer = proxy.http.get(path)
            assert told(answer) == (500, 500)
            assert "secret" not in answer.text
    assert caplog.text.count("RuntimeError: a secret of the inside") >= 3
    assert proxy.http.get("/topics").status_code == 200


def test_a_body_that_stops_is_given_up(proxy: RunningProxy, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And while it stands still, others are served."""
    monkeypatch.setattr(exchange, "BODY_IDLE_SECONDS", 0.5)
    proxy.create_topic(topic)
    head = f"POST /topics/{topic} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n"
    with socket.create_connection(proxy.address, timeout=30) as stopped:
        stopped.sendall(f'{head}content-type: {JSON["Content-Type"]}\r\n\r\n{{"records":['.encode())
        proxy.produce(topic, {"value": 1})
        answer = b""
        while piece := stopped.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_code"] == 408
    assert end_offset(proxy, topic) == 1


@reaches(404, 405, 406, 415)
def test_what_the_router_refuses(proxy: RunningProxy, topic: str) -> None:
    body = b'{"records":[{"value":1}]}'
    assert told(proxy.http.get("/nothing")) == (404, 404)
    for number in ("one", "1_0", "%201", "1.0", "9" * 30):
        assert told(proxy.http.get(f"/topics/{topic}/partitions/{number}"))[0] == 404, number
    assert told(proxy.http.put(f"/topics/{topic}", content=body, headers=JSON)) == (405, 405)
    assert told(send(proxy, topic, body, {**JSON, "Accept": "text/html"})) == (406, 406)
    for content_type in ("application/json", "application/vnd.kafka.v2+json", "text/plain"):
        assert told(send(proxy, topic, body, {"Content-Type": content_type})) == (415, 415), content_type
    assert told(proxy.http.post(f"/topics/{topic}", content=body)) == (415, 415)
    assert told(send(proxy, topic, body, {**JSON, "Content-Encoding": "br"})) == (415, 415)


@reaches(40402)
def test_a_partition_that_is_not_there(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    for number in (1, -1, 2**31):
        url = f"/topics/{topic}/partitions/{number}"
        assert told(proxy.http.get(url)) == told(proxy.http.get(f"{url}/offsets")) == (404, 40402)
        assert told(proxy.http.post(url, json={"records": [{"value": 1}]}, headers=JSON)) == (404, 40402)
    with proxy.consumer(group) as consumer:  # nothing says of which partitions
        assert told(proxy.http.get(f"{consumer.base_uri}/offsets")) == (404, 40402)


@reaches(50003)
def test_a_record_for_a_partition_that_is_not_there_fails_alone(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    entries = proxy.produce(topic, {"value": 1, "partition": 7}, {"value": 2, "partition": 0}, {"value": 3})
    assert [(one["offset"], one["error_code"]) for one in entries] == [(None, 50003), (0, None), (1, None)]


@reaches(40002)
def test_a_topic_that_kafka_refuses_to_create(proxy: RunningProxy) -> None:
    assert told(send(proxy, "no%20such%20name", b'{"records":[{"value":1}]}')) == (400, 40002)


@reaches(42201, 42202, 42205, 40801)
def test_schemas_that_are_missing_or_none(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)

    def ask(**body: object) -> tuple[int, int]:
        return told(send(proxy, topic, json.dumps(body).encode(), AVRO))

    assert ask(value_schema='"int"', records=[{"key": 1, "value": 1}]) == (422, 42201)
    assert ask(records=[{"value": 1}]) == (422, 42202)
    assert ask(value_schema="no schema", records=[{"value": 1}]) == (422, 42205)
    assert ask(value_schema_id=123_456, records=[{"value": 1}]) == (408, 40801)
    assert ask(value_schema='"int"', records=[{"value": 1}, {"value": "x"}]) == (400, 400)
    assert ask(value_schema='"int"', records=[{"value": None}]) == (400, 400)
    assert end_offset(proxy, topic) == 0


@reaches(422, 40001, 42204, 40902)
def test_a_consumer_config_that_is_wrong(proxy: RunningProxy, group: str) -> None:
    def create(**config: object) -> tuple[int, int]:
        answer = proxy.http.post(f"/consumers/{group}", json=config, headers=V2)
        return (answer.status_code, 0) if answer.is_success else told(answer)

    assert create(format="xml") == (422, 422)
    for wrong in (-2, 10_000_001):
        assert create(**{"fetch.min.bytes": wrong}) == (422, 40001)
    assert create(**{"auto.offset.reset": "middle"}) == (422, 42204)
    assert create(**{"auto.commit.enable": "maybe"}) == (422, 42204)
    assert create(**{"fetch.min.bytes": "many"}) == (422, 42204)
    assert create(name="twice") == (200, 0)
    assert create(id="twice") == (409, 40902)
    assert proxy.http.delete(f"/consumers/{group}/instances/twice").status_code == 204


@reaches(400, 422, 40002, 42204)
def test_names_and_numbers_that_kafka_cannot_have(proxy: RunningProxy, topic: str, group: str) -> None:
    """Each is refused at once, and the instance goes on as it was."""
    proxy.create_topic(topic)
    proxy.produce(topic, {"value": 1})
    with proxy.consumer(group) as consumer:
        for name in ("a b", "é", "\0", "..", "x" * 250, "x" * 40_000):
            assert told(consumer.post("subscription", {"topics": [topic, name]})) == (400, 40002), name[:10]
            there = {"partitions": [{"topic": name, "partition": 0}]}
            assert told(consumer.post("assignments", there)) == (400, 40002), name[:10]
        for number, status in ((-1, 422), (2**31, 400), (10**30, 400)):
            there = {"partitions": [{"topic": topic, "partition": number}]}
            assert told(consumer.post("assignments", there)) == (status, status), number
        for pattern in ("(", ")|(?:" + topic, "(a", "x" * 10_001):
            assert told(consumer.post("subscription", {"topic_pattern": pattern})) == (422, 42204), pattern[:10]
        assert consumer.subscribe(topic).read()[0]["value"] == 1
    long = "g" * 40_000
    assert told(proxy.http.post(f"/consumers/{long}", headers=V2)) == (400, 400)
    assert told(proxy.http.get(f"/caudal/v1/groups/{long}/topics/{topic}/records")) == (400, 400)


@reaches(40403)
def test_a_partition_that_is_not_there_is_never_committed(proxy: RunningProxy, topic: str, group: str) -> None:
    """And said so at once, not after all the time that a cluster has to answer."""
    proxy.create_topic(topic)
    with proxy.consumer(group) as consumer:
        there = {"partitions": [{"topic": topic, "partition": 0}, {"topic": topic, "partition": 7}]}
        assert consumer.post("assignments", there).status_code == 204
        consumer.read(timeout_ms=500)  # by then it has heard of the topic
        offsets = [{"topic": topic, "partition": 7, "offset": 1}]
        assert told(consumer.post("offsets", {"offsets": offsets})) == (404, 40403)
        assert proxy.http.get(f"{consumer.base_uri}/offsets?topic={topic}&partition=7").json() == {"offsets": []}


def test_a_pattern_that_takes_regular_expressions_for_ever_holds_nobody_up(
    proxy: RunningProxy, topic: str, group: str
) -> None:
    proxy.create_topic(topic)
    proxy.create_topic("a" * 240)
    with proxy.consumer(group) as consumer:
        for pattern in ("(a+)+b", "(a|aa)+[^a]", "(?!(a*)*b).*!"):
            assert consumer.post("subscription", {"topic_pattern": pattern}).status_code == 204
            assert consumer.read(timeout_ms=200) == []
        assert consumer.post("subscription", {"topic_pattern": f"(?!_|a).*{topic[2:]}"}).status_code == 204
        wait_until(lambda: consumer.read(timeout_ms=500) == [] and consumer.assignment() == [(topic, 0)])
    assert proxy.http.delete(f"{proxy.cluster_url()}/topics/{'a' * 240}").status_code == 204


@reaches(400, 422, 40403, 40601, 40801, 40903)
def test_an_instance_that_is_asked_for_what_it_cannot(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    send(proxy, topic, *binary(b"/w=="))  # its key is no JSON
    there = {"partitions": [{"topic": topic, "partition": 0}]}
    stranger = RestConsumer(proxy.http, f"{proxy.url}/consumers/{group}/instances/nobody")
    assert told(stranger.post("subscription", {"topics": [topic]})) == (404, 40403)
    assert told(proxy.http.get(f"{stranger.base_uri}/records")) == (404, 40403)
    assert told(proxy.http.delete(stranger.base_uri)) == (404, 40403)
    with proxy.consumer(group) as consumer:
        records = f"{consumer.base_uri}/records"
        assert told(proxy.http.get(records, headers=READ_JSON)) == (409, 40903)  # follows nothing
        assert told(consumer.post("positions/end", there)) == (409, 40903)
        for path in ("subscription", "assignments", "positions", "positions/end"):
            for body in (b"", b"null"):
                answer = proxy.http.post(f"{consumer.base_uri}/{path}", content=body, headers=V2)
                assert told(answer) == (422, 422), (path, body)
            answer = proxy.http.post(f"{consumer.base_uri}/{path}", content=b'{"topics":[', headers=V2)
            assert told(answer) == (400, 400), path
        assert consumer.post("assignments", there).status_code == 204
        assert told(consumer.post("subscription", {"topics": [topic]})) == (409, 40903)
        elsewhere = [{"topic": topic, "partition": 5, "offset": 1}]
        assert told(consumer.post("positions", {"offsets": elsewhere})) == (409, 40903)
        assert told(consumer.post("positions", {"offsets": [{**elsewhere[0], "offset": -1}]})) == (422, 422)
        assert told(proxy.http.get(records, headers={"Accept": "*/*"})) == (406, 40601)  # means binary
        assert told(proxy.http.get(f"{records}?timeout=5000", headers=READ_JSON)) == (408, 40801)
        assert told(proxy.http.get(f"{records}?timeout=soon", headers=READ_JSON)) == (400, 400)


@reaches(40401)
def test_a_topic_that_is_not_there(guarded_proxy: RunningProxy, topic: str) -> None:
    for path in ("", "/partitions", "/partitions/0", "/partitions/0/offsets"):
        assert told(guarded_proxy.http.get(f"/topics/{topic}{path}")) == (404, 40401), path
    assert told(send(guarded_proxy, topic, b'{"records":[{"value":1}]}')) == (404, 40401)
    assert topic not in guarded_proxy.http.get("/topics").json()


@reaches(40301)
def test_what_an_acl_forbids(guarded_proxy: RunningProxy, topic: str) -> None:
    """The status tells of it although another record of the same answer may be written."""
    guarded_proxy.create_topic(topic)
    acls = f"{guarded_proxy.cluster_url()}/acls"
    denied = {"resource_type": "TOPIC", "resource_name": topic, "pattern_type": "LITERAL", "host": "*"}
    denied |= {"principal": "User:ANONYMOUS", "permission": "DENY", "operation": "WRITE"}
    seen = {**denied, "principal": "User:*", "permission": "ALLOW", "operation": "DESCRIBE"}
    assert guarded_proxy.http.post(f"{acls}:batch", json={"data": [denied, seen]}).status_code == 201
    wait_until(lambda: send(guarded_proxy, topic, b'{"records":[{"value":1}]}').status_code == 403)
    answer = send(guarded_proxy, topic, b'{"records":[{"value":1},{"value":2}]}')
    entries = answer.json()["offsets"]
    assert [(one["partition"], one["offset"], one["error_code"]) for one in entries] == [(None, None, 40301)] * 2
    kinds = "resource_type=topic&pattern_type=literal&operation=any&permission=any"
    assert guarded_proxy.http.delete(f"{acls}?resource_name={topic}&{kinds}").status_code == 200


@pytest.fixture(scope="module")
def small_proxy(bootstrap_servers: str) -> Iterator[RunningProxy]:
    """A proxy with room for one instance and little else."""
    with running_proxy(bootstrap_servers, RestSettings(consumer_instances_max=1, request_max_bytes=10_000)) as proxy:
        yield proxy


@reaches(413, 50301)
def test_what_is_too_large_or_too_many(small_proxy: RunningProxy, topic: str, group: str) -> None:
    small_proxy.create_topic(topic)
    body = b'{"records":[{"value":"%b"}]}' % (b"x" * 10_000)
    assert told(send(small_proxy, topic, body)) == (413, 413)
    with small_proxy.consumer(group) as consumer:
        assert told(small_proxy.http.post(f"/consumers/{group}", headers=V2)) == (503, 50301)
        assert told(consumer.post("subscription", {"topics": ["x" * 10_000]})) == (413, 413)
    with small_proxy.consumer(group) as again:  # its place is free
        assert again.base_uri


@pytest.fixture(scope="module")
def refused_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy whose own password the cluster does not know."""
    settings = {"sasl.enabled.mechanisms": "PLAIN", "sasl.jaas.config": JAAS}
    broker = SecuredBroker(tmp_path_factory.mktemp("secured"), {"LOGIN": "SASL_PLAINTEXT"}, settings)
    login = ConnectionSettings(request_timeout_s=5.0, login=SaslLogin("PLAIN", "bob", "wrong"))
    with running_proxy(broker.addresses["LOGIN"], connection=login) as proxy:
        yield proxy
    broker.close()


@reaches(40101)
def test_a_cluster_that_refuses_the_login_of_the_proxy(refused_proxy: RunningProxy, topic: str) -> None:
    for path in ("/topics", "/v3/clusters", "/v3/clusters/any/topics"):
        assert told(refused_proxy.http.get(path)) == (401, 40101), path
    assert told(send(refused_proxy, topic, b'{"records":[{"value":1}]}')) == (401, 40101)
