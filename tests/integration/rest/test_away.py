"""The cluster goes away and comes back, under a proxy that stays."""

from collections.abc import Iterator

import pytest

from caudal.testing import Broker
from tests.conftest import wait_until
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
