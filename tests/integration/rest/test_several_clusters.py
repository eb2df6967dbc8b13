"""One proxy on several clusters: v3's cluster_id selects, and one that is away holds up nobody."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from caudal.testing import Broker
from tests.conftest import Platform, start_platform, wait_until

JSON = {"Content-Type": "application/vnd.kafka.json.v2+json"}


@pytest.fixture(scope="module")
def west() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """An address that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield "{}:{}".format(*bound.getsockname())


@pytest.fixture(scope="module")
def platform(west: Broker, silent: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = start_platform(
        tmp_path_factory.mktemp("several") / "data",
        *("--set", f"clusters.west.bootstrap_servers={west.bootstrap_servers}"),
        *("--set", f"clusters.mute.bootstrap_servers={silent}"),
    )
    yield running
    assert running.stop() == 0


def clusters(platform: Platform) -> dict[str, str]:
    """URLs by cluster id, as `/v3/clusters` lists them, the default one first."""
    answer = httpx.get(f"{platform.rest}/v3/clusters", timeout=30)
    assert answer.status_code == 200, answer.text
    return {one["cluster_id"]: one["metadata"]["self"] for one in answer.json()["data"]}


def has_controller(platform: Platform) -> list[bool]:
    """Of each listed cluster; one that is away has none."""
    data = httpx.get(f"{platform.rest}/v3/clusters", timeout=30).json()["data"]
    return [one["controller"] is not None for one in data]


def both(platform: Platform) -> list[str]:
    """The URLs of the default cluster and of west."""
    found = wait_until(lambda: len(found := clusters(platform)) == 2 and list(found.values()), timeout=30)
    assert isinstance(found, list)
    return found


def test_the_list_names_those_that_answer_the_default_one_first(platform: Platform, west: Broker) -> None:
    default_url, west_url = both(platform)
    assert list(clusters(platform))[1] == west.cluster_id
    assert httpx.get(west_url).json()["cluster_id"] == west.cluster_id
    assert httpx.get(default_url).json()["cluster_id"] != west.cluster_id


def test_cluster_id_selects_and_v2_serves_the_default_cluster(platform: Platform) -> None:
    default_url, west_url = both(platform)
    assert httpx.post(f"{default_url}/topics", json={"topic_name": "here"}).status_code == 201
    assert httpx.post(f"{west_url}/topics", json={"topic_name": "there"}).status_code == 201
    assert httpx.get(f"{west_url}/topics/here").status_code == 404
    assert httpx.get(f"{default_url}/topics/there").status_code == 404
    record = {"value": {"type": "JSON", "data": 1}}
    receipt = httpx.post(f"{west_url}/topics/there/records", json=record).json()
    assert (receipt["error_code"], receipt["cluster_id"], receipt["offset"]) == (200, west_url.rsplit("/", 1)[1], 0)
    partition = f"{west_url}/topics/there/partitions/0"
    assert httpx.get(f"{partition}/offset").json()["data"][0]["latest_offset"] == 1
    assert "here" in httpx.get(f"{platform.rest}/topics").json()
    assert "there" not in httpx.get(f"{platform.rest}/topics").json()
    assert httpx.get(f"{platform.rest}/caudal/v1/topics/there/records").status_code == 404


def test_a_topic_of_one_name_is_another_in_each_cluster(platform: Platform) -> None:
    default_url, west_url = both(platform)
    for url, partitions in ((default_url, 1), (west_url, 3)):
        body = {"topic_name": "twin", "partitions_count": partitions}
        assert httpx.post(f"{url}/topics", json=body).status_code == 201
    for number in range(5):
        body = {"value": {"type": "JSON", "data": number}, "partition_id": 0}
        assert httpx.post(f"{west_url}/topics/twin/records", json=body).json()["offset"] == number
    produced = httpx.post(f"{platform.rest}/topics/twin", json={"records": [{"value": 0}]}, headers=JSON).json()
    assert [(one["partition"], one["offset"]) for one in produced["offsets"]] == [(0, 0)]
    assert len(httpx.get(f"{west_url}/topics/twin/partitions").json()["data"]) == 3


def test_a_cluster_that_goes_away_holds_up_nobody(platform: Platform, west: Broker) -> None:
    default_url, west_url = both(platform)
    known = clusters(platform)
    west.kill()
    try:
        assert clusters(platform) == known
        wait_until(lambda: has_controller(platform) == [True, False])
        away = httpx.get(f"{west_url}/topics", timeout=30)
        assert (away.status_code, away.json()["error_code"]) == (503, 50302)
        assert httpx.get(f"{default_url}/topics").status_code == 200
    finally:
        west.restart()
    wait_until(lambda: httpx.get(f"{west_url}/topics").status_code == 200, timeout=30)


def test_an_id_that_nobody_has_said_may_be_that_of_the_silent_one(platform: Platform) -> None:
    answer = httpx.get(f"{platform.rest}/v3/clusters/no-such-cluster/topics", timeout=30)
    assert (answer.status_code, answer.json()["error_code"]) == (503, 50302)
