"""After a crash: a partition with much to check is checked elsewhere, while the others are served."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from broker.errors import NotLeaderOrFollower
from broker.log.recovery_plan import WORTH_A_PROCESS_BYTES
from broker.protocol.record_batch import Record, build_batch
from caudal.testing import Broker
from tests.faults.asking import LATEST, list_offsets, produce
from tests.integration.broker.wire_client import WireClient

RECORDS_PER_BATCH = 2
TORN = b"\0" * 40


def write_segment(folder: Path, size_bytes: int) -> int:
    """One unchecked segment of small batches with a torn end, as a crash leaves it; where the log ends."""
    batch = bytearray(build_batch([Record(0, 1_000, b"k", b"v" * 60)] * RECORDS_PER_BATCH))
    batches = []
    for number in range(size_bytes // len(batch)):
        struct.pack_into(">q", batch, 0, number * RECORDS_PER_BATCH)
        batches.append(bytes(batch))
    for path in folder.glob("0*"):
        path.unlink()
    (folder / f"{0:020d}.log").write_bytes(b"".join(batches) + TORN)
    return len(batches) * RECORDS_PER_BATCH


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def end_offset(broker: Broker) -> int:
    """A broker that was killed with much unchecked data in one of two topics; where that one ends."""
    for topic in ("large", "small"):
        broker.create_topic(topic)
    broker.kill()
    end_offset = write_segment(broker.data_folder / "large-0", WORTH_A_PROCESS_BYTES + (1 << 20))
    broker.start()
    return end_offset


def test_producers_of_a_large_partition_are_put_off_and_others_are_not(broker: Broker, end_offset: int) -> None:
    with WireClient(broker.bootstrap_servers) as wire:
        assert produce(wire, "large").error_code == NotLeaderOrFollower.code
        assert produce(wire, "small").error_code == 0
        deadline = time.monotonic() + 30
        while (answer := produce(wire, "large")).error_code == NotLeaderOrFollower.code:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (answer.error_code, answer.base_offset) == (0, end_offset)
    log_file = broker.data_folder / "large-0" / f"{0:020d}.log"
    assert TORN not in log_file.read_bytes()


def test_clients_wait_by_themselves(broker: Broker, end_offset: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    offsets: list[int] = []
    producer.produce("large", b"after the crash", on_delivery=lambda _, message: offsets.append(message.offset()))
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g"})
    consumer.assign([TopicPartition("large", 0, end_offset - 1)])
    values = [message.value() for message in consumer.consume(2, timeout=30)]
    producer.flush(30)
    consumer.close()
    assert values == [b"v" * 60, b"after the crash"]
    assert offsets == [end_offset]


def test_a_stop_does_not_wait_for_a_recovery_and_consumers_do(broker: Broker, end_offset: int) -> None:
    with WireClient(broker.bootstrap_servers) as wire:
        assert produce(wire, "large").error_code == NotLeaderOrFollower.code
    broker.restart()
    with WireClient(broker.bootstrap_servers) as wire:
        deadline = time.monotonic() + 30
        while list_offsets(wire, "large", LATEST, 1) != [end_offset]:
            assert time.monotonic() < deadline
