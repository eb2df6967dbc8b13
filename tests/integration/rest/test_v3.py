import http.client
import json
import socket

import pytest

from tests.conftest import wait_until
from tests.integration.rest.running_proxy import RunningProxy


def test_a_topic_lives_from_creation_to_deletion(proxy: RunningProxy, topic: str) -> None:
    topics = f"{proxy.cluster_url()}/topics"
    body = {"topic_name": topic, "partitions_count": 2, "configs": [{"name": "retention.ms", "value": "60000"}]}
    assert proxy.http.post(topics, json={**body, "validate_only": True}).status_code == 200
    created = proxy.http.post(topics, json=body)
    assert created.status_code == 201
    url = created.headers["location"]
    assert created.json()["partitions_count"] == 2
    assert proxy.http.get(url).json() == created.json()
    again = proxy.http.post(topics, json=body)
    assert (again.status_code, again.json()["error_code"]) == (400, 40002)
    assert proxy.http.patch(url, json={"partitions_count": 3}).json()["partitions_count"] == 3
    fewer = proxy.http.patch(url, json={"partitions_count": 1})
    assert (fewer.status_code, fewer.json()["error_code"]) == (400, 40002)
    assert len(proxy.http.get(f"{url}/partitions").json()["data"]) == 3
    replica = proxy.http.get(f"{url}/partitions/0/replicas").json()["data"][0]
    assert (replica["is_leader"], replica["is_in_sync"]) == (True, True)
    assert proxy.http.delete(url).status_code == 204
    wait_until(lambda: proxy.http.get(url).status_code == 404)
    gone = proxy.http.delete(url)
    assert (gone.status_code, gone.json()["error_code"]) == (404, 40403)


@pytest.mark.parametrize(
    "body",
    [
        {"topic_name": "no such name"},
        {"topic_name": "x" * 250},
        {"topic_name": "ok", "partitions_count": 0},
        {"topic_name": "ok", "replication_factor": 7},
        {"topic_name": "ok", "configs": [{"name": "no.such.config", "value": "1"}]},
        {"topic_name": "ok", "configs": [{"name": "retention.ms", "value": "soon"}]},
    ],
)
def test_what_kafka_refuses_to_create_is_40002(proxy: RunningProxy, body: dict[str, object]) -> None:
    answer = proxy.http.post(f"{proxy.cluster_url()}/topics", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 40002), answer.text


def test_configs_are_set_altered_and_reset(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    url = f"{proxy.cluster_url()}/topics/{topic}/configs"

    def config(name: str) -> tuple[str, bool, str]:
        body = proxy.http.get(f"{url}/{name}").json()
        return body["value"], body["is_default"], body["source"]

    assert config("retention.ms") == ("604800000", True, "DEFAULT_CONFIG")
    assert proxy.http.put(f"{url}/retention.ms", json={"value": "1234567"}).status_code == 204
    wait_until(lambda: config("retention.ms") == ("1234567", False, "DYNAMIC_TOPIC_CONFIG"))
    alterations = [{"name": "retention.ms", "operation": "DELETE"}, {"name": "cleanup.policy", "value": "compact"}]
    assert proxy.http.post(f"{url}:alter", json={"data": alterations}).status_code == 204
    wait_until(lambda: config("cleanup.policy")[0] == "compact" and config("retention.ms")[1])
    wrong = proxy.http.put(f"{url}/retention.ms", json={"value": "soon"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (400, 40002)
    rehearsal = {"data": [{"name": "retention.ms", "value": "soon"}], "validate_only": True}
    assert proxy.http.post(f"{url}:alter", json=rehearsal).json()["error_code"] == 40002
    names = [one["name"] for one in proxy.http.get(url).json()["data"]]
    assert names == sorted(names)
    assert proxy.http.get(f"{proxy.cluster_url()}/topics/-/configs").json()["data"]


def test_brokers_and_their_configs_are_told(proxy: RunningProxy) -> None:
    (broker,) = proxy.http.get(f"{proxy.cluster_url()}/brokers").json()["data"]
    assert proxy.bootstrap_servers.endswith(f":{broker['port']}")
    configs = proxy.http.get(broker["configs"]["related"]).json()["data"]
    by_name = {config["name"]: config for config in configs}
    assert by_name["log.retention.hours"]["value"] == "168"
    assert proxy.http.get(f"{proxy.cluster_url()}/broker-configs").status_code == 200
    assert proxy.http.get(broker["partition_replicas"]["related"]).status_code == 200


def test_a_rest_consumers_lag_is_told(proxy: RunningProxy, topic: str, group: str) -> None:
    proxy.create_topic(topic, partitions=2)
    proxy.produce(topic, *[{"partition": 0, "value": n} for n in range(5)])
    url = f"{proxy.cluster_url()}/consumer-groups/{group}"
    with proxy.consumer(group) as consumer:
        consumer.subscribe(topic).read()
        consumer.post("offsets", {"offsets": [{"topic": topic, "partition": 0, "offset": 1}]})
        (lag,) = proxy.http.get(f"{url}/lags").json()["data"]
        assert (lag["current_offset"], lag["log_end_offset"], lag["lag"]) == (2, 5, 3)
        summary = proxy.http.get(f"{url}/lag-summary").json()
        assert (summary["max_lag"], summary["total_lag"], summary["max_lag_consumer_id"]) == (3, 3, lag["consumer_id"])
        described = proxy.http.get(url).json()
        assert (described["state"], described["type"], described["is_simple"]) == ("STABLE", "CLASSIC", False)
        (member,) = proxy.http.get(f"{url}/consumers").json()["data"]
        assignments = proxy.http.get(member["assignments"]["related"]).json()["data"]
        assert [one["partition_id"] for one in assignments] == [0, 1]
        assert proxy.http.get(assignments[0]["lag"]["related"]).json() == lag
    wait_until(lambda: proxy.http.get(url).json()["state"] == "EMPTY")


def test_a_cluster_without_an_authorizer_has_no_acls(proxy: RunningProxy) -> None:
    url = f"{proxy.cluster_url()}/acls"
    acl = {"resource_type": "TOPIC", "resource_name": "t", "pattern_type": "LITERAL", "principal": "User:a"}
    acl |= {"host": "*", "operation": "READ", "permission": "ALLOW"}
    query = "resource_type=any&pattern_type=any&operation=any&permission=any"
    for answer in (proxy.http.get(url), proxy.http.post(url, json=acl), proxy.http.delete(f"{url}?{query}")):
        assert (answer.status_code, answer.json()["error_code"]) == (400, 40002)


# --- the stream, over a socket -------------------------------------------------------------------------------------


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def head_of_stream(proxy: RunningProxy, topic: str, *headers: str) -> bytes:
    path = f"{proxy.cluster_url().removeprefix(proxy.url)}/topics/{topic}/records"
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", "Transfer-Encoding: chunked"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def receive_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        data = connection.recv(65536)
        assert data, received
        received += data
    return received


def test_receipts_come_while_the_request_is_still_open(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    record = b'{"value":{"type":"JSON","data":{"n":1}}}'
    with socket.create_connection(proxy.address, timeout=10) as connection:
        connection.sendall(head_of_stream(proxy, topic) + chunk(record))
        assert b'"offset":0' in receive_until(connection, b"}\r\n\r\n")
        for offset in (1, 3, 5):
            connection.sendall(chunk(record + b"\n" + record))
            receipts = receive_until(connection, b"}\r\n\r\n")
            assert b'"offset":%d' % offset in receipts
            assert b'"offset":%d' % (offset + 1) in receipts
        connection.sendall(chunk(b'{"value":'))
        connection.sendall(chunk(b'{"type":"BINARY","data":"!"}}'))
        assert b'"error_code":422' in receive_until(connection, b"}\r\n\r\n")
        connection.sendall(chunk(b"") + b"GET /brokers HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b'{"brokers":' in receive_until(connection, b'{"brokers":')
    assert proxy.http.get(f"/topics/{topic}/partitions/0/offsets").json()["end_offset"] == 7


def test_a_client_that_asks_first_is_told_to_continue(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    with socket.create_connection(proxy.address, timeout=10) as connection:
        connection.sendall(head_of_stream(proxy, topic, "Expect: 100-continue"))
        assert receive_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        connection.sendall(chunk(b"{}") + chunk(b""))
        assert b'"error_code":200' in receive_until(connection, b"0\r\n\r\n")


def test_thousands_of_records_on_one_connection_keep_their_order(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    connection = http.client.HTTPConnection(*proxy.address, timeout=30)
    body = (b'{"value":{"type":"JSON","data":%d}}' % n for n in range(5_000))
    path = f"{proxy.cluster_url().removeprefix(proxy.url)}/topics/{topic}/records"
    connection.request("POST", path, body, {"Content-Type": "application/json"}, encode_chunked=True)
    receipts = [json.loads(line) for line in connection.getresponse().read().split(b"\r\n") if line]
    assert [receipt["offset"] for receipt in receipts] == list(range(5_000))
    connection.close()


def test_a_batch_is_answered_entry_by_entry(proxy: RunningProxy, topic: str) -> None:
    proxy.create_topic(topic)
    entries = [
        {"id": "a", "value": {"type": "STRING", "data": "x"}, "headers": [{"name": "h", "value": "aGk="}]},
        {"id": "b", "partition_id": 5},
    ]
    answer = proxy.http.post(f"{proxy.cluster_url()}/topics/{topic}/records:batch", json={"entries": entries})
    assert answer.status_code == 207
    assert answer.json()["successes"][0]["offset"] == 0
    assert answer.json()["failures"][0]["error_code"] == 40403
