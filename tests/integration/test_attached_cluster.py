"""The same REST Proxy and Control Center on a genuine Apache Kafka cluster."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from broker.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from tests.conftest import Platform, RealKafka, start_platform, wait_until
from tests.integration.broker.wire_client import WireClient
from tests.integration.rest.record_run import RecordRun, read_values

pytestmark = pytest.mark.java
V2 = "application/vnd.kafka.v2+json"
BINARY = "application/vnd.kafka.binary.v2+json"


@pytest.fixture(scope="module")
def attached(real_kafka: RealKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = start_platform(
        tmp_path_factory.mktemp("attached") / "data", "--bootstrap-servers", real_kafka.bootstrap_servers
    )
    yield running
    running.stop()


def test_there_is_no_broker_of_our_own(attached: Platform, real_kafka: RealKafka) -> None:
    assert attached.ready["kafka"] == real_kafka.bootstrap_servers
    assert attached.ready["pids"] == {"web": attached.process.pid}


def test_curl_path_end_to_end(attached: Platform) -> None:
    cluster = httpx.get(f"{attached.rest}/v3/clusters").json()["data"][0]["cluster_id"]
    topics = f"{attached.rest}/v3/clusters/{cluster}/topics"
    assert httpx.post(topics, json={"topic_name": "attached", "partitions_count": 2}).status_code == 201
    value = base64.b64encode(b"\x00\xff").decode()
    produced = httpx.post(
        f"{attached.rest}/topics/attached",
        content=json.dumps({"records": [{"value": value, "partition": 1}]}),
        headers={"Content-Type": BINARY},
    )
    assert produced.json()["offsets"] == [{"partition": 1, "offset": 0, "error_code": None, "error": None}]
    instance = httpx.post(
        f"{attached.rest}/consumers/attached-readers",
        content='{"format": "binary", "auto.offset.reset": "earliest"}',
        headers={"Content-Type": V2},
    ).json()["base_uri"]
    httpx.post(f"{instance}/subscription", content='{"topics": ["attached"]}', headers={"Content-Type": V2})
    records = httpx.get(f"{instance}/records?timeout=20000", headers={"Accept": BINARY}, timeout=30).json()
    assert [record["value"] for record in records] == [value]
    assert httpx.delete(instance).status_code == 204


def test_pages_show_the_cluster(attached: Platform) -> None:
    page = wait_until(
        lambda: "attached" in (text := httpx.get(f"{attached.cluster_url}/topics").text) and text, timeout=20
    )
    assert "attached" in str(page)


def move_partition(bootstrap_servers: str, topic: str, *, to: list[int]) -> None:
    """Ask for other replicas of the topic's first partition."""
    partition = ReassignablePartition(partition_index=0, replicas=to)
    request = AlterPartitionReassignmentsRequest(topics=[ReassignableTopic(name=topic, partitions=[partition])])
    with WireClient(bootstrap_servers.split(",")[0]) as wire:
        answer = wire.ask(request, 0)
    assert isinstance(answer, AlterPartitionReassignmentsResponse)
    assert (answer.error_code, answer.responses[0].partitions[0].error_code) == (0, 0), answer


def test_killed_broker_is_seen_within_15_s_and_takes_no_acknowledged_record_along(
    three_brokers: RealKafka, tmp_path: Path
) -> None:
    running = start_platform(
        tmp_path / "data",
        "--bootstrap-servers",
        three_brokers.bootstrap_servers,
        "--set",
        "kafka.connect_timeout_ms=60000",
    )
    try:
        cluster = httpx.get(f"{running.rest}/v3/clusters").json()["data"][0]["cluster_id"]
        topics = f"{running.rest}/v3/clusters/{cluster}/topics"
        for wanted in (
            {"topic_name": "threefold", "partitions_count": 6, "replication_factor": 3},
            {"topic_name": "moving", "replicas_assignments": {"0": [1, 3]}},
            {"topic_name": "alone", "replicas_assignments": {"0": [2]}},
        ):
            created = httpx.post(topics, json=wanted, timeout=30)
            assert created.status_code == 201, created.text
        overview = f"{running.cluster_url}?format=json"
        wait_until(lambda: httpx.get(overview).json()["state"] == "healthy", timeout=40, what="a healthy start")
        records = RecordRun(f"{running.rest}/v3/clusters/{cluster}", "threefold")
        with records:
            wait_until(lambda: len(records.acknowledged) > 200, what="a stream of records")
            three_brokers.kill_broker(2)
            killed_at = time.monotonic()

            def findings() -> set[str]:
                return {finding["id"] for finding in httpx.get(overview).json()["findings"]}

            wait_until(lambda: {"missing_brokers", "under_replicated"} <= findings(), timeout=15, what="both findings")
            assert time.monotonic() - killed_at < 15
            move_partition(three_brokers.bootstrap_servers, "moving", to=[2, 3])
            acknowledged_by_then = len(records.acknowledged)
            wait_until(
                lambda: len(records.acknowledged) > acknowledged_by_then + 200, timeout=40, what="records after it"
            )
            without_leader = httpx.get(f"{topics}/alone/partitions/0/offset", timeout=30)
            assert (without_leader.status_code, without_leader.json()["error_code"]) == (404, 40404)
            without_leader = httpx.get(f"{running.rest}/topics/alone/partitions/0/offsets", timeout=30)
            assert (without_leader.status_code, without_leader.json()["error_code"]) == (404, 40404)
            assert httpx.delete(f"{topics}/alone", timeout=30).status_code == 204
            # It waits for the dead broker, so it can be seen.
            (moving,) = httpx.get(f"{topics}/-/partitions/-/reassignment").json()["data"]
            assert httpx.get(moving["metadata"]["self"]).json() == moving
            assert (moving["topic_name"], moving["adding_replicas"], moving["removing_replicas"]) == (
                "moving",
                [2],
                [1],
            )
        page = httpx.get(running.cluster_url).text
        assert "Broker 2" in page
        three_brokers.start_broker(2)

        def is_healthy() -> bool:
            assert findings() == set()
            return True

        wait_until(is_healthy, timeout=60, what="a healthy cluster again")
        stored = read_values(three_brokers.bootstrap_servers, "threefold", partitions=6)
        lost = {number: where for number, where in records.acknowledged.items() if stored.get(where) != number}
        assert lost == {}
    finally:
        assert running.stop() == 0
