"""Metrics as Prometheus scrapes them, read by its own parser."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from broker.metrics.catalogue import CATALOGUE
from broker.metrics.endpoint import CONNECTIONS_MAX
from broker.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.heartbeat import HeartbeatRequest
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.integration.broker.wire_client import WireClient, batch, produce_request

PREFIX = "kafka_server_brokertopicmetrics_"


class MeteredBroker:
    """A broker process that serves metrics."""

    def __init__(self, folder: Path, *settings: str) -> None:
        command = [sys.executable, "-m", "broker", "--data-dir", str(folder), "--listener", "127.0.0.1:0"]
        for setting in ("caudal.metrics.listener=127.0.0.1:0", *settings):
            command += ["--set", setting]
        self._process = subprocess.Popen(
            [*command, "--exit-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        assert self._process.stdout is not None
        self.ready = json.loads(self._process.stdout.readline())
        self.pid = self._process.pid

    @property
    def kafka(self) -> str:
        return self.ready["kafka"]

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.ready["metrics"].rpartition(":")
        return host, int(port)

    def scrape(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Values by name and by the labels' values."""
        with urllib.request.urlopen(f"http://{self.ready['metrics']}/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = response.read().decode()
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(text):
            assert family.documentation, family.name
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
        return found

    def stop(self) -> int:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=15)
        return self._process.returncode


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeteredBroker]:
    broker = MeteredBroker(tmp_path_factory.mktemp("data"))
    yield broker
    broker.stop()


@pytest.fixture
def wire(metered):
    with WireClient(metered.kafka) as client:
        yield client


def make_topic(wire: WireClient, name: str) -> None:
    asked = MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=True)
    assert wire.ask(asked, 9).topics[0].error_code == 0


def fetched(wire: WireClient, topic: str, index: int = 0):
    asked = FetchTopic(topic=topic, partitions=[FetchPartition(index, partition_max_bytes=1 << 20)])
    return wire.ask(FetchRequest(topics=[asked], max_wait_ms=0, min_bytes=1), 11).responses[0].partitions[0]


def test_every_family_is_in_the_catalogue_and_has_its_type(metered):
    with urllib.request.urlopen(f"http://{metered.ready['metrics']}/metrics") as response:
        text = response.read().decode()
    types = dict(line.split(" ")[2:] for line in text.splitlines() if line.startswith("# TYPE"))
    assert types == {name: metric.type for name, metric in CATALOGUE.items()}
    assert len(list(text_string_to_metric_families(text))) == len(CATALOGUE)


def test_records_and_bytes_are_counted_by_topic(metered, wire):
    make_topic(wire, "counted")
    produced = batch(b"a", b"b", b"c")
    wire.ask(produce_request("counted", produced), 9)
    assert len(fetched(wire, "counted").records) == len(produced)
    found = metered.scrape()
    assert found[PREFIX + "messagesin_total"]["counted",] == 3
    assert found[PREFIX + "bytesin_total"]["counted",] == len(produced)
    assert found[PREFIX + "bytesout_total"]["counted",] == len(produced)
    assert found["kafka_log_log_size"]["counted", "0"] == len(produced)
    assert found["kafka_log_log_logstartoffset"]["counted", "0"] == 0
    assert found["kafka_log_log_logendoffset"]["counted", "0"] == 3
    assert found[PREFIX + "messagesin_total"][()] >= 3


def test_totals_do_not_fall_when_a_topic_goes(metered, wire):
    make_topic(wire, "gone")
    wire.ask(produce_request("gone", batch(b"a", b"b")), 9)
    before = metered.scrape()
    assert wire.ask(DeleteTopicsRequest(topics=[DeleteTopicState(name="gone")]), 6).responses[0].error_code == 0
    after = metered.scrape()
    assert ("gone",) not in after[PREFIX + "messagesin_total"]
    assert after[PREFIX + "messagesin_total"][()] == before[PREFIX + "messagesin_total"][()]
    assert after[PREFIX + "bytesin_total"][()] == before[PREFIX + "bytesin_total"][()]


def test_requests_and_errors_are_counted_by_api(metered, wire):
    make_topic(wire, "failing")
    before = metered.scrape()
    refused = produce_request("failing", b"nonsense")
    assert wire.ask(refused, 9).responses[0].partition_responses[0].error_code != 0
    missing = [
        TopicProduceData(name="missing", partition_data=[PartitionProduceData(index=0, records=bytes(batch(b"a")))])
    ]
    assert wire.ask(ProduceRequest(acks=1, topic_data=missing), 9).responses[0].partition_responses[0].error_code == 3
    assert fetched(wire, "failing", index=7).error_code == 3
    assert wire.ask(HeartbeatRequest(group_id="nobody", member_id="x"), 4).error_code == 25
    after = metered.scrape()

    def grown(name: str, *labels: str) -> float:
        return after[name].get(labels, 0) - before.get(name, {}).get(labels, 0)

    requests, errors = "kafka_network_requestmetrics_requests_total", "kafka_network_requestmetrics_errors_total"
    assert grown(requests, "Produce", "9") == 2
    assert grown(requests, "Heartbeat", "4") == 1
    assert grown(errors, "Produce", "UNKNOWN_TOPIC_OR_PARTITION") == 1
    assert grown(errors, "Fetch", "UNKNOWN_TOPIC_OR_PARTITION") == 1
    assert grown(errors, "Heartbeat", "UNKNOWN_MEMBER_ID") == 1
    assert grown(PREFIX + "failedproducerequests_total", "failing") == 1
    assert grown(PREFIX + "failedproducerequests_total") == 2
    assert grown(PREFIX + "failedfetchrequests_total", "failing") == 1
    assert after["kafka_network_requestmetrics_totaltimems_count"]["Heartbeat",] >= 1


def test_a_fetch_that_waits_is_seen_waiting(metered, wire):
    make_topic(wire, "waited")
    asked = FetchTopic(topic="waited", partitions=[FetchPartition(0, partition_max_bytes=1000)])
    wire.send(FetchRequest(topics=[asked], max_wait_ms=60_000, min_bytes=1), 11)
    while metered.scrape()["kafka_server_delayedoperationpurgatory_purgatorysize"]["Fetch",] < 1:
        pass
    with WireClient(metered.kafka) as other:
        other.ask(produce_request("waited", batch(b"a")), 9)
    wire.read_frame()
    assert metered.scrape()["kafka_server_delayedoperationpurgatory_purgatorysize"]["Fetch",] == 0


def test_connections_are_counted_by_listener(metered, wire):
    before = metered.scrape()
    with WireClient(metered.kafka) as more:
        more.ask(MetadataRequest(topics=[]), 9)
        during = metered.scrape()
        more.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert more.is_closed_without_answer()
    count = "kafka_server_socket_server_metrics_connection_count"
    created = "kafka_server_socket_server_metrics_connection_creation_total"
    assert during[count]["PLAINTEXT",] == before[count]["PLAINTEXT",] + 1
    assert during[created]["PLAINTEXT",] == before[created]["PLAINTEXT",] + 1
    assert metered.scrape()["caudal_connections_bad_request_total"]["PLAINTEXT",] == 1


def test_a_group_shows_its_offset_and_lag(metered):
    producer = Producer({"bootstrap.servers": metered.kafka})
    for _ in range(10):
        producer.produce("lagging", b"x")
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": metered.kafka, "group.id": "readers"})
    consumer.commit(offsets=[TopicPartition("lagging", 0, 4)], asynchronous=False)
    found = metered.scrape()
    assert found["kafka_consumergroup_current_offset"]["readers", "lagging", "0"] == 4
    assert found["kafka_consumergroup_lag"]["readers", "lagging", "0"] == 6
    assert found["caudal_groups"]["classic", "Empty"] >= 1
    consumer.close()


def test_the_process_tells_about_itself(metered):
    found = metered.scrape()
    assert found["process_open_fds"][()] == pytest.approx(len(os.listdir(f"/proc/{metered.pid}/fd")), abs=4)
    assert 20e6 < found["process_resident_memory_bytes"][()] < 200e6
    started = Path(f"/proc/{metered.pid}").stat().st_ctime
    assert found["process_start_time_seconds"][()] == pytest.approx(started, abs=30)
    assert found["kafka_controller_kafkacontroller_activecontrollercount"][()] == 1
    assert found["caudal_disk_total_bytes"][()] > found["caudal_disk_usable_bytes"][()] > 0


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"200"),
    ],
)
def test_what_is_no_scrape_is_told_so(metered, request_head, status):
    with socket.create_connection(metered.address, timeout=10) as client:
        client.sendall(request_head)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while more := client.recv(65536):
                answer += more
    assert answer.split(b" ")[1] == status
    assert (b"process_open_fds" in answer) == (request_head == b"GET /metrics HTTP/1.0\r\n\r\n")


def test_partitions_can_be_left_out(tmp_path):
    broker = MeteredBroker(tmp_path / "data", "caudal.metrics.partitions.enable=false")
    try:
        with WireClient(broker.kafka) as wire:
            make_topic(wire, "quiet")
            wire.ask(produce_request("quiet", batch(b"a")), 9)
        found = broker.scrape()
        assert found[PREFIX + "messagesin_total"]["quiet",] == 1
        assert "kafka_log_log_size" not in found
    finally:
        assert broker.stop() == 0


def test_metrics_for_other_machines_must_be_asked_for(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "broker", "--data-dir", str(tmp_path), "--set", "caudal.metrics.listener=0.0.0.0:0"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert "can be reached from other machines" in json.loads(done.stdout)["error"]


def test_who_holds_all_places_is_in_the_way_of_scrapes_only(metered, wire):
    idle = [socket.create_connection(metered.address, timeout=10) for _ in range(CONNECTIONS_MAX)]
    try:
        with (
            socket.create_connection(metered.address, timeout=10) as refused,
            contextlib.suppress(ConnectionResetError),
        ):
            assert refused.recv(1) == b""
        assert wire.ask(MetadataRequest(topics=[]), 9).brokers
    finally:
        for each in idle:
            each.close()
    while True:  # The broker learns of it in its own time.
        with contextlib.suppress(OSError):
            assert metered.scrape()["process_open_fds"]
            return
