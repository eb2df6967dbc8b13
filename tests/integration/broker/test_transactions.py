"""Transactions over the wire: the error codes as measured on Apache Kafka 4.3.1, and what real clients make of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiokafka
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

from broker.protocol.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from broker.protocol.messages.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from broker.protocol.messages.api_versions import ApiVersionsRequest
from broker.protocol.messages.describe_producers import DescribeProducersRequest, TopicRequest
from broker.protocol.messages.describe_transactions import DescribeTransactionsRequest
from broker.protocol.messages.end_txn import EndTxnRequest
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.init_producer_id import InitProducerIdRequest
from broker.protocol.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from broker.protocol.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from broker.protocol.record_batch import Record, build_batch, iter_batches, read_header
from caudal.testing import Broker
from tests.integration.broker.wire_client import WireClient

OTHER_ID = 4_000


class TransactionalWire:
    """Requests of one transactional producer, byte by byte; errors are answered as their codes."""

    def __init__(self, wire: WireClient, topic: str) -> None:
        self.wire, self.topic, self.id = wire, topic, f"id-{topic}"
        self.producer_id, self.epoch = -1, -1

    def init(self, timeout_ms: int = 60_000, producer_id: int = -1, epoch: int = -1, version: int = 5) -> int:
        answer = self.wire.ask(
            InitProducerIdRequest(
                transactional_id=self.id,
                transaction_timeout_ms=timeout_ms,
                producer_id=producer_id,
                producer_epoch=epoch,
            ),
            version,
        )
        if not answer.error_code:
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
        return answer.error_code

    def begun(self) -> TransactionalWire:
        """Wait until the broker knows its transactions, and begin as a new producer."""
        while (code := self.init()) == 14:
            time.sleep(0.02)
        assert code == 0
        return self

    def add(
        self, *partitions: int, epoch: int = 0, id: str | None = None, other: int = 0, version: int = 3
    ) -> list[int]:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=id or self.id,
            v3_and_below_producer_id=self.producer_id + other,
            v3_and_below_producer_epoch=self.epoch + epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(self.topic, list(partitions))],
        )
        (topic,) = self.wire.ask(request, version).results_by_topic_v3_and_below
        return [result.partition_error_code for result in topic.results_by_partition]

    def add_offsets(self, *, epoch: int = 0, version: int = 4) -> int:
        request = AddOffsetsToTxnRequest(
            transactional_id=self.id,
            producer_id=self.producer_id,
            producer_epoch=self.epoch + epoch,
            group_id=f"group-{self.topic}",
        )
        return self.wire.ask(request, version).error_code

    def produce(
        self,
        sequence: int,
        *,
        epoch: int = 0,
        id: str | None = "",
        other: int = 0,
        version: int = 11,
        topic_id: bytes = bytes(16),
        **fields: object,
    ) -> int:
        batch = build_batch(
            [Record(0, int(time.time() * 1000), b"k", b"v")],
            producer_id=self.producer_id + other,
            producer_epoch=self.epoch + epoch,
            base_sequence=sequence,
            **{"transactional": True, **fields},
        )
        topic = TopicProduceData(self.topic, topic_id, [PartitionProduceData(0, batch)])
        request = ProduceRequest(
            transactional_id=self.id if id == "" else id, acks=-1, timeout_ms=5000, topic_data=[topic]
        )
        return self.wire.ask(request, version).responses[0].partition_responses[0].error_code

    def commit_offset(self, offset: int, *, epoch: int = 0, version: int = 3, **member: object) -> int:
        request = TxnOffsetCommitRequest(
            transactional_id=self.id,
            group_id=f"group-{self.topic}",
            producer_id=self.producer_id,
            producer_epoch=self.epoch + epoch,
            topics=[TxnOffsetCommitRequestTopic(self.topic, [TxnOffsetCommitRequestPartition(0, offset)])],
            **member,
        )
        return self.wire.ask(request, version).topics[0].partitions[0].error_code

    def committed(self, *, stable: bool = True) -> tuple[int, int]:
        group = OffsetFetchRequestGroup(
            group_id=f"group-{self.topic}", topics=[OffsetFetchRequestTopics(name=self.topic, partition_indexes=[0])]
        )
        answer = self.wire.ask(OffsetFetchRequest(groups=[group], require_stable=stable), 8)
        partition = answer.groups[0].topics[0].partitions[0]
        return partition.committed_offset, partition.error_code

    def end(
        self, *, commit: bool = True, epoch: int = 0, other: int = 0, id: str | None = None, version: int = 4
    ) -> int:
        request = EndTxnRequest(
            transactional_id=self.id if id is None else id,
            producer_id=self.producer_id + other,
            producer_epoch=self.epoch + epoch,
            committed=commit,
        )
        answer = self.wire.ask(request, version)
        if version >= 5 and not answer.error_code:
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
        return answer.error_code

    def fetch(self, offset: int = 0) -> tuple[int, list[int], list[tuple[int, bool, int]]]:
        """(last stable offset, first offsets of what was aborted, (offset, is a marker, epoch) of each batch)."""
        partition = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
        request = FetchRequest(
            max_wait_ms=10,
            min_bytes=1,
            max_bytes=1 << 20,
            isolation_level=1,
            session_id=0,
            session_epoch=-1,
            topics=[FetchTopic(topic=self.topic, partitions=[partition])],
        )
        answer = self.wire.ask(request, 12).responses[0].partitions[0]
        headers = [read_header(batch) for batch in iter_batches(answer.records or b"")]
        return (
            answer.last_stable_offset,
            [aborted.first_offset for aborted in answer.aborted_transactions],
            [(header.base_offset, header.is_control, header.producer_epoch) for header in headers],
        )

    def offset_of(self, timestamp: int) -> int:
        asked = ListOffsetsTopic(self.topic, [ListOffsetsPartition(0, -1, timestamp)])
        request = ListOffsetsRequest(replica_id=-1, isolation_level=1, topics=[asked])
        return self.wire.ask(request, 7).topics[0].partitions[0].offset

    def state(self) -> str:
        answer = self.wire.ask(DescribeTransactionsRequest(transactional_ids=[self.id]), 0)
        return answer.transaction_states[0].transaction_state

    def producers(self) -> list[tuple[int, int, int, int]]:
        answer = self.wire.ask(DescribeProducersRequest(topics=[TopicRequest(self.topic, [0])]), 0)
        return [
            (each.producer_epoch, each.last_sequence, each.coordinator_epoch, each.current_txn_start_offset)
            for each in answer.topics[0].partitions[0].active_producers
        ]


@pytest.fixture
def txn(wire: WireClient, topic: str) -> TransactionalWire:
    return TransactionalWire(wire, topic).begun()


def test_init_producer_id(txn: TransactionalWire) -> None:
    assert (txn.epoch, txn.init(), txn.epoch) == (0, 0, 1)
    assert [txn.init(timeout_ms=ms) for ms in (0, 900_001, 900_000)] == [50, 50, 0]
    assert txn.init(producer_id=txn.producer_id + 5, epoch=0) == 90
    assert txn.init(producer_id=txn.producer_id + 5, epoch=0, version=3) == 47
    assert txn.state() == "Empty"


def test_end_without_a_transaction(txn: TransactionalWire) -> None:
    txn.init()
    assert [txn.end(), txn.end(commit=False)] == [48, 48]
    assert [txn.end(epoch=-1), txn.end(epoch=-1, version=1), txn.end(epoch=1)] == [90, 47, 90]
    assert [txn.end(other=OTHER_ID), txn.end(id="nobody"), txn.end(id="")] == [49, 49, 42]
    assert txn.end(version=5) == 48
    epoch = txn.epoch
    assert (txn.end(commit=False, version=5), txn.epoch) == (0, epoch + 1)


def test_add_partitions(txn: TransactionalWire) -> None:
    txn.init()
    assert txn.add(0, id="nobody") == [49]
    assert txn.add(0, other=OTHER_ID) == [49]
    assert txn.add(0, epoch=-1) == [90]
    assert txn.add(0, epoch=-1, version=1) == [47]
    assert txn.add(0, 7) == [55, 3]
    assert txn.add(0) == [0]
    assert [txn.add_offsets(epoch=-1), txn.add_offsets(epoch=-1, version=1), txn.add_offsets()] == [90, 47, 0]


def test_produce(txn: TransactionalWire) -> None:
    txn.init()
    assert [txn.produce(0), txn.produce(0, version=9)] == [120, 48]
    assert [txn.produce(0, id="nobody"), txn.produce(0, other=OTHER_ID), txn.produce(0, id=None)] == [49, 49, 53]
    assert txn.produce(0, epoch=-1) == 47
    txn.add(0)
    assert [txn.produce(0), txn.produce(1, transactional=False), txn.produce(1)] == [0, 48, 0]
    assert (txn.fetch(), txn.offset_of(-1), txn.offset_of(1), txn.offset_of(-3)) == ((0, [], []), 0, -1, -1)
    assert txn.end() == 0
    assert txn.fetch() == (3, [], [(0, False, 1), (1, False, 1), (2, True, 1)])
    assert [txn.end(), txn.end(commit=False)] == [0, 48]
    assert txn.produce(2) == 120
    assert txn.producers() == [(1, 1, 0, -1)]


def test_an_aborted_transaction_is_named_to_readers(txn: TransactionalWire) -> None:
    txn.add(0)
    txn.produce(0)
    assert [txn.end(commit=False), txn.end(commit=False), txn.end()] == [0, 0, 48]
    assert txn.fetch() == (2, [0], [(0, False, 0), (1, True, 0)])
    assert txn.offset_of(-1) == 2


def test_a_new_producer_fences_the_old_one(txn: TransactionalWire) -> None:
    txn.add(0)
    txn.produce(0)
    assert [txn.init(), txn.init()] == [51, 0]
    assert txn.epoch == 2
    assert txn.fetch() == (2, [0], [(0, False, 0), (1, True, 1)])
    assert [txn.produce(1, epoch=-2), txn.end(epoch=-2), txn.add(0, epoch=-2)] == [47, 90, [90]]


def test_offsets_in_a_transaction(txn: TransactionalWire) -> None:
    assert [txn.commit_offset(3), txn.commit_offset(3, version=4)] == [48, 120]
    txn.add_offsets()
    assert txn.commit_offset(3) == 0
    assert txn.commit_offset(3, generation_id=3, member_id="m") == 25
    assert (txn.committed(), txn.committed(stable=False)) == ((-1, 88), (-1, 0))
    txn.end()
    assert txn.committed() == (3, 0)


def test_v2_each_transaction_has_its_epoch(txn: TransactionalWire) -> None:
    assert txn.produce(0, version=12) == 0
    assert txn.state() == "Ongoing"
    assert (txn.end(version=5), txn.epoch) == (0, 1)
    assert (txn.end(epoch=-1, version=5), txn.epoch) == (0, 1)
    assert txn.end(epoch=-1, commit=False, version=5) == 48
    assert txn.fetch() == (2, [], [(0, False, 0), (1, True, 1)])
    assert txn.produce(1, epoch=-1, version=12) == 47
    assert [txn.commit_offset(9, version=5), txn.commit_offset(9, epoch=-1, version=5)] == [0, 47]
    assert (txn.committed(), txn.end(commit=False, version=5), txn.committed()) == ((-1, 88), 0, (-1, 0))


def test_v13_topics_by_id(txn: TransactionalWire) -> None:
    metadata = txn.wire.ask(MetadataRequest(topics=[MetadataRequestTopic(name=txn.topic)]), 12)
    assert txn.produce(0, version=13, topic_id=metadata.topics[0].topic_id) == 0
    assert txn.produce(1, version=13, topic_id=b"x" * 16) == 100


def test_markers_by_hand_end_a_transaction_that_hangs(txn: TransactionalWire) -> None:
    txn.init()
    txn.produce(0, version=12)

    def write(epoch: int, partition: int = 0, producer_id: int | None = None) -> int:
        marker = WritableTxnMarker(
            producer_id=txn.producer_id if producer_id is None else producer_id,
            producer_epoch=epoch,
            transaction_result=False,
            topics=[WritableTxnMarkerTopic(txn.topic, [partition])],
            coordinator_epoch=0,
        )
        answer = txn.wire.ask(WriteTxnMarkersRequest(markers=[marker]), 1)
        return answer.markers[0].topics[0].partitions[0].error_code

    assert [write(txn.epoch - 1), write(txn.epoch, partition=9), write(0, producer_id=-1)] == [47, 3, 42]
    assert write(txn.epoch) == 0
    assert txn.fetch() == (2, [0], [(0, False, 1), (1, True, 1)])


@pytest.mark.parametrize(("version", "supported"), [(3, []), (4, [(0, 2)])])
def test_transaction_version_is_announced(wire: WireClient, version: int, supported: list[tuple[int, int]]) -> None:
    answer = wire.ask(ApiVersionsRequest(client_software_name="t", client_software_version="1"), version)
    assert [
        (feature.min_version, feature.max_version)
        for feature in answer.supported_features
        if feature.name == "transaction.version"
    ] == supported
    assert ("transaction.version", 2) in [
        (feature.name, feature.max_version_level) for feature in answer.finalized_features
    ]


def read_committed(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    values: list[bytes] = []
    deadline = time.monotonic() + 15
    while len(values) < count and time.monotonic() < deadline:
        values += [message.value() for message in consumer.consume(count, 0.2)]
    values += [message.value() for message in consumer.consume(1, 0.3)]
    consumer.close()
    return values


def test_librdkafka(broker: Broker, topic: str, fresh_name: Callable[[str], str]) -> None:
    bootstrap, group = broker.bootstrap_servers, fresh_name("group")
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": fresh_name("id")})
    producer.init_transactions(15)
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    for number, commit in enumerate([True, False, True]):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number)
        offsets = [TopicPartition(topic, 0, number + 10)]
        producer.send_offsets_to_transaction(offsets, reader.consumer_group_metadata(), 15)
        if commit:
            producer.commit_transaction(15)
        else:
            producer.abort_transaction(15)
    assert read_committed(bootstrap, topic, 2) == [b"0", b"2"]
    assert [each.offset for each in reader.committed([TopicPartition(topic, 0)], 15)] == [12]
    reader.close()


def test_librdkafka_is_fenced(broker: Broker, topic: str, fresh_name: Callable[[str], str]) -> None:
    config = {"bootstrap.servers": broker.bootstrap_servers, "transactional.id": fresh_name("id")}
    old, new = Producer(config), Producer(config)
    old.init_transactions(15)
    old.begin_transaction()
    old.produce(topic, b"old")
    old.flush(15)
    new.init_transactions(15)
    with pytest.raises(KafkaException):
        old.commit_transaction(15)
    new.begin_transaction()
    new.produce(topic, b"new")
    new.commit_transaction(15)
    assert read_committed(broker.bootstrap_servers, topic, 1) == [b"new"]


async def test_aiokafka(broker: Broker, topic: str, fresh_name: Callable[[str], str]) -> None:
    group = fresh_name("group")
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id=fresh_name("id"))
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send(topic, b"yes")
            await producer.send_offsets_to_transaction({aiokafka.TopicPartition(topic, 0): 7}, group)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"no")
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send(topic, b"again")
        await consumer.start()
        values = [(await asyncio.wait_for(anext(consumer), 15)).value for _ in range(2)]
    finally:
        await producer.stop()
        await consumer.stop()
    assert values == [b"yes", b"again"]


def test_after_kill_9_a_transaction_goes_on_or_times_out(fresh_name: Callable[[str], str]) -> None:
    settings = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "100"}
    with Broker(settings=settings) as broker:
        broker.create_topic("t")
        with WireClient(broker.bootstrap_servers) as wire:
            txn = TransactionalWire(wire, "t").begun()
            txn.produce(0, version=12)
            hanging = TransactionalWire(wire, "t")
            hanging.id = "hanging"
            assert hanging.init(timeout_ms=500) == 0
            hanging.produce(0, version=12)
        broker.kill()
        broker.start()
        with WireClient(broker.bootstrap_servers) as wire:
            txn.wire = hanging.wire = wire
            while (code := txn.produce(1, version=12)) == 19:
                time.sleep(0.02)
            assert code == 0
            while txn.end(version=5) in (14, 51):
                time.sleep(0.02)
            deadline = time.monotonic() + 30
            while txn.fetch()[0] < 5 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert txn.fetch()[:2] == (5, [1])
        assert read_committed(broker.bootstrap_servers, "t", 2) == [b"v", b"v"]
