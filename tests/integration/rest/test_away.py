"""The cluster goes away and comes back, under a proxy that stays."""

import base64
import itertools
import json
from collections.abc import Iterator

import pytest

from caudal.testing import Broker
from tests.conftest import wait_until
from tests.integration.rest.record_run import RecordRun, read_values
from tests.integration.rest.running_proxy import JSON, READ_JSON, RunningProxy, running_proxy


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture
def proxy(broker: Broker) -> Iterator[RunningProxy]:
    with running_proxy(broker.bootstrap_servers) as proxy:
        yield proxy


def code(proxy: RunningProxy, method: str, path: str, **arguments: object) -> tuple[int, int]:
    answer = proxy.http.request(method, path, **arguments)  # type: ignore[arg-type]
    return answer.status_code, answer.json()["error_code"]


def test_everything_answers_503_and_works_again(proxy: RunningProxy, broker: Broker, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    cluster_url = proxy.cluster_url()
    proxy.produce(topic, {"value": 1})
    consumer = proxy.consumer(group).subscribe(topic)
    assert len(consumer.read()) == 1

    broker.kill()
    assert code(proxy, "GET", "/topics") == (503, 50302)
    assert code(proxy, "GET", f"{cluster_url}/topics") == (503, 50302)
    assert code(proxy, "GET", f"{consumer.base_uri}/records?timeout=500", headers=READ_JSON) == (503, 50302)
    body = {"records": [{"value": 2}]}
    assert code(proxy, "POST", f"/topics/{topic}", json=body, headers=JSON) == (503, 50302)
    newcomer = proxy.consumer(f"{group}-2")
    assert code(proxy, "POST", f"{newcomer.base_uri}/subscription", json={"topics": [topic]}) == (415, 415)
    assert newcomer.post("subscription", {"topics": [topic]}).json()["error_code"] == 50302

    broker.restart()
    wait_until(lambda: proxy.http.get("/topics").status_code == 200)
    body = {"records": [{"value": 3}]}
    wait_until(lambda: proxy.http.post(f"/topics/{topic}", json=body, headers=JSON).status_code == 200)
    found: list[object] = []

    def has_read_on() -> bool:
        answer = proxy.http.get(f"{consumer.base_uri}/records?timeout=1000", headers=READ_JSON)
        found.extend(record["value"] for record in answer.json() if answer.status_code == 200)
        return 3 in found

    wait_until(has_read_on, timeout=30)
    assert newcomer.post("subscription", {"topics": [topic]}).status_code == 204
    assert 3 in [record["value"] for record in newcomer.read()]


def events_of(lines: Iterator[str], count: int) -> list[object]:
    """The values of the next so many events of a live tail."""
    data = (json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:"))
    return [one["value"] for one in itertools.islice(data, count)]


def test_a_live_tail_goes_on_where_it_was_without_gap_or_repetition(
    proxy: RunningProxy, broker: Broker, topic: str
) -> None:
    proxy.create_topic(topic)
    proxy.produce(topic, {"value": 0}, {"value": 1})
    url = f"/caudal/v1/topics/{topic}/records?offset=0&format=json"
    with proxy.http.stream("GET", url, headers={"Accept": "text/event-stream"}) as tail:
        lines = tail.iter_lines()
        assert events_of(lines, 2) == [0, 1]
        broker.kill()
        assert code(proxy, "GET", url) == (503, 50302)
        broker.restart()
        wait_until(lambda: proxy.http.get("/topics").status_code == 200)
        proxy.produce(topic, {"value": 2}, {"value": 3})
        assert events_of(lines, 2) == [2, 3]


def test_no_acknowledged_record_is_lost_by_a_broker_that_is_killed_while_records_come(
    proxy: RunningProxy, broker: Broker, topic: str, group: str
) -> None:
    proxy.create_topic(topic, partitions=2)
    consumer = proxy.consumer(group, format="binary").subscribe(topic)
    read: list[int] = []

    def read_on() -> list[int]:
        found = consumer.read(timeout_ms=2_000, embedded="binary")
        read.extend(json.loads(base64.b64decode(str(record["value"]))) for record in found)
        return read

    records = RecordRun(proxy.cluster_url(), topic)
    with records:
        wait_until(lambda: len(records.acknowledged) > 100, what="a stream of records")
        wait_until(read_on)
        broker.kill()
        broker.restart()
        acknowledged_by_then = len(records.acknowledged)
        wait_until(lambda: len(records.acknowledged) > acknowledged_by_then + 100, timeout=40, what="records after it")
    stored = read_values(broker.bootstrap_servers, topic, partitions=2)
    lost = {number: where for number, where in records.acknowledged.items() if stored.get(where) != number}
    assert lost == {}
    assert set(records.refused) <= {50302}
    # Its instance is not wedged: it goes on to the last record of all.
    wait_until(lambda: records.acknowledged.keys() <= set(read_on()), timeout=30)


def test_what_is_away_says_so_everywhere(proxy: RunningProxy, broker: Broker, topic: str, group: str) -> None:
    proxy.create_topic(topic)
    cluster_url = proxy.cluster_url()
    consumer = proxy.consumer(group).subscribe(topic)
    broker.kill()
    record = {"value": {"type": "JSON", "data": 1}}
    receipt = proxy.http.post(f"{cluster_url}/topics/{topic}/records", json=record).json()
    assert receipt["error_code"] == 50302
    assert code(proxy, "GET", "/v3/clusters") == (503, 50302)
    assert code(proxy, "GET", f"{cluster_url}/consumer-groups") == (503, 50302)
    assert code(proxy, "GET", f"/caudal/v1/topics/{topic}/records?offset=0") == (503, 50302)
    assert code(proxy, "GET", f"{consumer.base_uri}/records?timeout=100", headers=READ_JSON) == (503, 50302)
    assert proxy.http.delete(consumer.base_uri).status_code == 204  # and it can be given up meanwhile
