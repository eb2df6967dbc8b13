"""T4, the last part: what the broker has set aside stands on the Control Center's pages, until it is gone."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from broker.errors import CorruptMessage
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.record_batch import iter_batches
from caudal.testing import Broker
from tests.conftest import Platform, start_platform
from tests.faults.asking import produce
from tests.integration.broker.wire_client import WireClient

TOPIC, BAD_OFFSET, RECORDS = "damage", 3, 6


@pytest.fixture
def damaged_data(tmp_path: Path) -> Path:
    """The data folder of a `caudal start` whose broker met a flipped bit in the middle of a log."""
    folder = tmp_path / "data"
    broker = Broker(data_folder=folder / "kafka", log_file=tmp_path / "broker.log")
    (folder / "kafka").mkdir(parents=True)
    with broker:
        broker.create_topic(TOPIC, partitions=2)
        with WireClient(broker.bootstrap_servers) as wire:
            for number in range(RECORDS):
                assert produce(wire, TOPIC, b"value %d" % number, partition=1).error_code == 0
        broker.stop()
        flip_a_bit(log_of(folder))
        broker.start()
        with WireClient(broker.bootstrap_servers) as wire:
            partition = FetchPartition(partition=1, fetch_offset=BAD_OFFSET, partition_max_bytes=1 << 20)
            topics = [FetchTopic(TOPIC, partitions=[partition])]
            answer = wire.ask(FetchRequest(max_bytes=1 << 20, max_wait_ms=0, topics=topics), 11)
            assert answer.responses[0].partitions[0].error_code == CorruptMessage.code
    return folder


def log_of(folder: Path) -> Path:
    (path,) = (folder / "kafka" / f"{TOPIC}-1").glob("*.log")
    return path


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[sum(len(batch) for batch in list(iter_batches(bytes(content)))[:BAD_OFFSET]) + 40] ^= 1
    path.write_bytes(content)


@pytest.fixture
def running(damaged_data: Path) -> Iterator[Platform]:
    platform = start_platform(damaged_data)
    yield platform
    platform.stop()


def test_the_pages_say_what_cannot_be_read_where_it_lies_and_what_to_do(running: Platform, damaged_data: Path) -> None:
    health = httpx.get(running.cluster_url, params={"format": "json"}).json()
    (finding,) = health["findings"]
    assert (health["state"], finding["id"], finding["severity"]) == (
        "needs attention now",
        "damaged_range",
        "critical",
    )
    assert finding["summary"] == f"Offset {BAD_OFFSET} of {TOPIC}, partition 1, cannot be read."
    assert finding["objects"] == [{"kind": "partition", "name": f"{TOPIC}-1"}]
    assert f"at offset {BAD_OFFSET + 1}" in finding["fix"]

    overview = httpx.get(running.cluster_url, headers={"Accept": "text/html"}).text
    assert finding["summary"] in overview
    assert str(log_of(damaged_data)) in overview
    assert "except for 1 damaged range" in overview

    page = httpx.get(f"{running.cluster_url}/topics/{TOPIC}/partitions", headers={"Accept": "text/html"}).text
    assert f"Offset {BAD_OFFSET} of partition 1 cannot be read." in page
    assert str(log_of(damaged_data)) in page
    assert page.count("</svg>damaged</span>") == 1
    other = httpx.get(f"{running.cluster_url}/topics/__consumer_offsets/partitions").text
    assert "cannot be read" not in other
