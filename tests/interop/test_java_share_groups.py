"""Apache Kafka's own share consumer and share group tool against our broker, unchanged (KIP-932)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from confluent_kafka import Producer

from caudal.testing import Broker
from tests.conftest import JavaTools

pytestmark = pytest.mark.java


def test_a_java_share_consumer_reads_and_its_group_is_administered(java_tools: JavaTools, broker: Broker):
    address = ("--bootstrap-server", broker.bootstrap_servers)

    def share_groups(*arguments: str) -> str:
        return java_tools.run("share-groups", *address, *arguments).stdout

    broker.create_topic("queue", partitions=2)
    share_groups("--reset-offsets", "--group", "readers", "--topic", "queue", "--to-earliest", "--execute")
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for number in range(20):
        producer.produce("queue", str(number), partition=number % 2)
    assert producer.flush(30) == 0
    reader = java_tools.popen(
        *("console-share-consumer", *address, "--topic", "queue", "--group", "readers"),
        *("--max-messages", "20", "--timeout-ms", "30000"),
    )
    read, errors = reader.communicate(timeout=60)
    assert sorted(int(line) for line in read.split()) == list(range(20)), errors
    described = share_groups("--describe", "--group", "readers")
    assert sorted(_rows(described, "queue")) == [("0", "10", "0"), ("1", "10", "0")]
    assert "successful" in share_groups("--delete", "--group", "readers")


def test_kafkas_dump_tool_reads_our_log(java_tools: JavaTools, broker: Broker):
    (segment,) = Path(broker.data_folder, "__share_group_state-0").glob("*.log")
    dumped = java_tools.run("dump-log", "--files", str(segment), "--share-group-state-decoder").stdout
    assert '"groupId":"readers"' in dumped
    assert '"deliveryCompleteCount":0' in dumped
    assert re.search(r'"type":"1".*"startOffset":\d+', dumped)


def _rows(described: str, topic: str) -> list[tuple[str, str, str]]:
    return re.findall(rf"{topic}\s+(\d+)\s+(\d+)\s+(\d+)", described)
