"""Every error code of v3 on the wire: status, `error_code`, and always a JSON object of these two."""

import json
import re
import uuid
from collections.abc import Iterator

import httpx
import pytest

from broker.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntityData,
    OpData,
    RequestEntryData,
)
from broker.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from tests.conftest import wait_until
from tests.integration.broker.wire_client import WireClient
from tests.integration.rest.running_proxy import RunningProxy

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def proxy(guarded_proxy: RunningProxy) -> RunningProxy:
    return guarded_proxy


def told(answer: httpx.Response) -> tuple[int, int]:
    body = answer.json()
    assert list(body) == ["error_code", "message"]
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, body["error_code"]


@pytest.mark.parametrize(
    "path",
    [
        "/v3",
        "/v3/cluster",
        "/v3/clusters/nope",
        "/v3/clusters/nope/topics",
        "brokers/77",
        "brokers/one",
        "brokers/77/configs",
        "broker-configs/no.such.config",
        "topics/nope",
        "topics/nope/partitions",
        "topics/nope/partitions/-/reassignment",
        "consumer-groups/nope",
        "consumer-groups/nope/lags",
        # What only Confluent Server has.
        "topics/nope/default-configs",
        "brokers/-/tasks",
        "brokers/1/tasks/add-broker",
        "remove-broker-tasks",
        "remove-broker-tasks/1",
        "balancer",
        "balancer/any-uneven-load",
        "broker-replica-exclusions",
        "topics/nope/partitions/-/replica-status",
        "links",
        "links/one/mirrors",
        "topics/nope/records:consume",
    ],
)
def test_what_v3_does_not_have_is_404(proxy: RunningProxy, path: str) -> None:
    url = path if path.startswith("/") else f"{proxy.cluster_url()}/{path}"
    assert told(proxy.http.get(url)) == (404, 404)
    if "nope" not in path.split("/")[:4]:
        assert proxy.http.get(url).json()["message"] == "HTTP 404 Not Found"


def test_a_share_group_that_is_not_there_is_40405(proxy: RunningProxy) -> None:
    for path in ("share-groups/nope", "share-groups/nope/consumers", "share-groups/nope/consumers/one/assignments"):
        assert told(proxy.http.get(f"{proxy.cluster_url()}/{path}")) == (404, 40405), path


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "topics", b'{"topic_name":', 400, 400),
        ("POST", "topics", b'{"topic_name":5}', 400, 400),
        ("POST", "topics", b'{"topic_name":"\xff"}', 400, 400),
        ("POST", "topics", b"[]", 400, 400),
        ("POST", "topics", b"", 422, 422),
        ("POST", "topics", b"{}", 422, 422),
        ("POST", "topics", b'{"topic_name":"%b"}' % (b"x" * 250), 400, 40002),
        ("POST", "topics", b'{"topic_name":"t","partitions_count":0}', 400, 40002),
        ("POST", "topics", b'{"topic_name":"t","replication_factor":9}', 400, 40002),
        ("POST", "topics", b'{"topic_name":"t","configs":[{"name":"no.such","value":"1"}]}', 400, 40002),
        ("POST", "topics", b'{"topic_name":"t","replication_factor":40000}', 400, 400),
        ("POST", "topics", b'{"topic_name":"t","partitions_count":3000000000}', 400, 400),
        ("PATCH", "topics/nope", b'{"partitions_count":3000000000}', 400, 400),
        ("PATCH", "topics/nope", b'{"partitions_count":3}', 404, 40403),
        ("PATCH", "topics/nope", b"{}", 422, 422),
        ("DELETE", "topics/nope", None, 404, 40403),
        ("GET", "topics/nope/configs", None, 404, 40403),
        ("PUT", "topics/nope/configs/retention.ms", b'{"value":"1"}', 404, 40403),
        ("POST", "topics/nope/configs:alter", b"{}", 422, 422),
        ("POST", "topics/nope/configs:alter", b'{"data":[{"name":"x","operation":"EAT"}]}', 400, 400),
        ("PUT", "broker-configs/log.retention.ms", b"{}", 422, 422),
        ("PUT", "broker-configs/num.io.threads", b'{"value":"many"}', 400, 40002),
        ("GET", "topics/nope/partitions/0/offset?offset_type=middle", None, 400, 400),
        ("GET", "acls?operation=UNKNOWN", None, 400, 400),
        ("DELETE", "acls", None, 400, 400),
        ("POST", "acls", b"{}", 422, 422),
        ("POST", "acls:batch", b'{"data":[]}', 422, 422),
        ("POST", "topics/nope/records", b"", 422, 42206),
        ("POST", "topics/nope/records:batch", b"", 422, 42206),
        ("POST", "topics/nope/records:batch", b'{"entries":[]}', 422, 42208),
        ("POST", "topics/nope/records:batch", b'{"entries":[{"id":"a"},{"id":"a"}]}', 422, 42208),
        ("PUT", "topics", b"{}", 405, 405),
        ("DELETE", "brokers/1", None, 404, 404),
        ("POST", "brokers/1:unregister", b"{}", 404, 404),
        ("POST", "brokers:delete", b"{}", 404, 404),
        ("POST", "links", b"{}", 404, 404),
    ],
)
def test_a_wrong_request_is_told_its_code(
    proxy: RunningProxy, method: str, path: str, body: bytes | None, status: int, code: int
) -> None:
    headers = JSON if body is not None else {}
    answer = proxy.http.request(method, f"{proxy.cluster_url()}/{path}", content=body, headers=headers)
    assert told(answer) == (status, code), answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/vnd.kafka.v2+json"}, 415),
        ({**JSON, "Content-Encoding": "br"}, 415),
        ({**JSON, "Accept": "text/html"}, 406),
        ({"Content-Type": "application/json; charset=utf-16"}, 400),
        ({**JSON, "Content-Encoding": "gzip"}, 400),
    ],
)
def test_what_is_not_negotiable_is_refused(proxy: RunningProxy, headers: dict[str, str], status: int) -> None:
    for path in ("topics", "topics/nope/records", "topics/nope/records:batch"):
        answer = proxy.http.post(f"{proxy.cluster_url()}/{path}", content=b"{}", headers=headers)
        if path.endswith("records") and headers.get("Content-Encoding") == "gzip":
            assert (answer.status_code, answer.text) != (200, "")
            continue
        assert told(answer) == (status, status), path


RECEIPTS = [
    (b"nonsense", 400, "Malformed JSON"),
    (b'{"value":{"type":"JSON","data":"\\ud800"}}', 400, "Malformed JSON"),
    (b'{"value":{"type":"XML","data":1}}', 400, "'XML'"),
    (b'{"partition_id":-1}', 422, "greater than or equal to 0"),
    (b'{"partition_id":7}', 40403, "partition 7"),
    (b'{"value":{"type":"BINARY","data":"!"}}', 422, "Error: 42207 : "),
    (b'{"value":{"type":"STRING","data":1}}', 422, "Error: 42207 : "),
    (b'{"timestamp":"1969-12-31T00:00:00Z"}', 400, "1970"),
    (b'{"value":{"type":"STRING","data":"%b"}}' % (b"x" * 1_500_000), 413, ""),
    (b'{"key":{"type":"STRING","data":"%b"}}' % (b"x" * 10_000_000), 413, ""),
]


@pytest.mark.parametrize(("record", "code", "words"), RECEIPTS, ids=[str(one[0][:40]) for one in RECEIPTS])
def test_a_wrong_record_is_told_in_its_receipt(
    proxy: RunningProxy, topic: str, record: bytes, code: int, words: str
) -> None:
    proxy.create_topic(topic)
    url = f"{proxy.cluster_url()}/topics/{topic}/records"
    answer = proxy.http.post(url, content=b"{}" + record, headers=JSON)
    assert answer.status_code == 200
    good, wrong = [json.loads(line) for line in answer.content.split(b"\r\n") if line]
    assert (good["error_code"], wrong["error_code"], list(wrong)) == (200, code, ["error_code", "message"])
    assert words in wrong["message"]


def test_what_its_topic_does_not_take_is_50002(proxy: RunningProxy, topic: str) -> None:
    """No key where the topic is compacted; a time that is too long ago."""
    proxy.create_topic(topic, cleanup_policy="compact", message_timestamp_before_max_ms="1000000")
    key = {"key": {"type": "STRING", "data": "k"}}
    url = f"{proxy.cluster_url()}/topics/{topic}/records"
    for wrong in ({"value": {"type": "STRING", "data": "v"}}, {**key, "timestamp": "2001-01-01T00:00:00Z"}):
        receipt = proxy.http.post(url, json=wrong)
        assert (receipt.status_code, receipt.json()["error_code"]) == (200, 50002)
        batch = proxy.http.post(f"{url}:batch", json={"entries": [{"id": "a", **wrong}]})
        assert (batch.status_code, batch.json()["failures"][0]["error_code"]) == (207, 50002)
    assert proxy.http.post(url, json=key).json()["offset"] == 0


def test_a_time_that_cannot_be_written_is_refused_before_it_is_stored(proxy: RunningProxy, topic: str) -> None:
    """The year 9999 far west of Greenwich is the year 10000 there, whatever the topic takes."""
    proxy.create_topic(topic, message_timestamp_after_max_ms=str(2**63 - 1))
    url = f"{proxy.cluster_url()}/topics/{topic}/records"
    late = {"timestamp": "9999-12-31T23:59:59-23:59"}
    body = json.dumps(late) + json.dumps({"timestamp": "9999-12-31T23:59:59.999Z"})
    receipts = [json.loads(line) for line in proxy.http.post(url, content=body, headers=JSON).iter_lines() if line]
    assert [one["error_code"] for one in receipts] == [400, 200]
    assert receipts[1]["timestamp"] == "9999-12-31T23:59:59.999Z"
    told = proxy.http.post(f"{url}:batch", json={"entries": [{"id": "a", **late}]})
    assert (told.status_code, told.json()["failures"][0]["error_code"]) == (207, 400)
    assert proxy.http.get(f"/topics/{topic}/partitions/0/offsets").json()["end_offset"] == 1


def test_records_of_a_topic_that_is_not_there_are_40401(proxy: RunningProxy, topic: str) -> None:
    answer = proxy.http.post(f"{proxy.cluster_url()}/topics/{topic}/records", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["error_code"]) == (200, 40401)


def test_without_a_registry_data_by_schema_is_40801(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    url = f"{proxy.cluster_url()}/topics/{topic}/records"
    for data in ({"type": "AVRO", "schema": '"int"', "data": 1}, {"schema_id": 1, "data": 1}, {"data": 1}):
        receipt = proxy.http.post(url, json={"value": data}).json()
        assert receipt["error_code"] == 40801, data
        assert "needs a Schema Registry" in receipt["message"]


def test_what_an_acl_forbids_is_40301(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    cluster = proxy.cluster_url()
    denied = {"resource_type": "TOPIC", "resource_name": topic, "pattern_type": "LITERAL", "host": "*"}
    denied |= {"principal": "User:ANONYMOUS", "permission": "DENY"}
    data = [{**denied, "operation": operation} for operation in ("WRITE", "ALTER", "ALTER_CONFIGS")]
    seen = ("DESCRIBE", "DESCRIBE_CONFIGS")
    data += [{**denied, "principal": "User:*", "operation": one, "permission": "ALLOW"} for one in seen]
    assert proxy.http.post(f"{cluster}/acls:batch", json={"data": data}).status_code == 201
    as_many = {"partitions_count": 1}  # 40002 to those who may
    wait_until(lambda: told(proxy.http.patch(f"{cluster}/topics/{topic}", json=as_many)) == (403, 40301))
    config = f"{cluster}/topics/{topic}/configs/retention.ms"
    assert told(proxy.http.put(config, json={"value": "1"})) == (403, 40301)
    receipt = proxy.http.post(f"{cluster}/topics/{topic}/records", content=b"{}", headers=JSON)
    assert (receipt.status_code, receipt.json()["error_code"]) == (200, 40301)
    kinds = "resource_type=topic&pattern_type=literal&operation=any&permission=any"
    assert proxy.http.delete(f"{cluster}/acls?resource_name={topic}&{kinds}").status_code == 200


@pytest.fixture
def used_up_quota(proxy: RunningProxy) -> Iterator[None]:
    """Nobody may make more than five partitions a second; making ten at once uses up the next two seconds."""

    def alter(**operation: object) -> None:
        entity = [EntityData(entity_type="user", entity_name="ANONYMOUS")]
        operations = [OpData(key="controller_mutation_rate", **operation)]  # type: ignore[arg-type]
        request = AlterClientQuotasRequest(entries=[RequestEntryData(entity=entity, ops=operations)])
        with WireClient(proxy.bootstrap_servers) as wire:
            answer = wire.ask(request, 1)
        assert isinstance(answer, AlterClientQuotasResponse)
        assert answer.entries[0].error_code == 0

    alter(value=5.0)
    yield
    alter(remove=True)
    wait_until(lambda: create_topic(proxy).status_code == 201, timeout=30)


def create_topic(proxy: RunningProxy) -> httpx.Response:
    return proxy.http.post(f"{proxy.cluster_url()}/topics", json={"topic_name": f"t-{uuid.uuid4().hex[:12]}"})


@pytest.mark.usefixtures("used_up_quota")
def test_a_quota_that_is_used_up_is_42901(proxy: RunningProxy) -> None:
    def is_refused() -> bool:
        with WireClient(proxy.bootstrap_servers) as wire:
            wire.ask(CreateTopicsRequest(topics=[CreatableTopic(f"t-{uuid.uuid4().hex[:12]}", 10, 1)]), 6)
        answer = create_topic(proxy)
        return answer.status_code != 201 and told(answer) == (429, 42901)

    assert wait_until(is_refused)


def test_an_acl_that_kafka_refuses_is_40002(proxy: RunningProxy) -> None:
    acl = {"resource_type": "CLUSTER", "resource_name": "mine", "pattern_type": "LITERAL", "principal": "User:a"}
    acl |= {"host": "*", "operation": "READ", "permission": "ALLOW"}
    assert told(proxy.http.post(f"{proxy.cluster_url()}/acls", json=acl)) == (400, 40002)
    assert not re.search("User:a", proxy.http.get(f"{proxy.cluster_url()}/acls").text)
