"""T14: kill -9 at each state of a transaction; afterwards it ends the way the log says, and nobody sees half of it."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from broker.protocol.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from broker.protocol.messages.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from broker.protocol.messages.describe_transactions import DescribeTransactionsRequest
from broker.protocol.messages.end_txn import EndTxnRequest
from broker.protocol.messages.init_producer_id import InitProducerIdRequest
from broker.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from broker.protocol.record_batch import Record, build_batch
from tests.conftest import wait_until
from tests.faults.asking import committed, hanging_transactions, last_stable_and_end_offsets, now_ms
from tests.faults.broker_under_test import BrokerUnderTest
from tests.faults.transactional_producers import read_committed
from tests.integration.broker.wire_client import WireClient, produce_request

CRASHING_BROKER = Path(__file__).with_name("crashing_broker.py")
TOPIC, GROUP, ID = "torn", "torn-group", "torn-id"
PARTITIONS = 4
TIMEOUT_MS = 800
SETTINGS = {
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "100",
}
DYING = {**SETTINGS, "transaction.abort.timed.out.transaction.cleanup.interval.ms": "600000"}
"""Nothing times out before the chosen moment, however long a busy machine takes to reach it."""

MOMENTS = [
    # moment, how the producer would have it, how it ends, what the log says until then
    ("before:ONGOING:1", True, "nothing", "Empty"),
    ("after:ONGOING:1", True, "abort", "Ongoing"),
    ("after:append:1", True, "abort", "Ongoing"),
    ("after:append:4", True, "abort", "Ongoing"),
    ("before:PREPARE_COMMIT:1", True, "abort", "Ongoing"),
    ("after:PREPARE_COMMIT:1", True, "commit", "CompleteCommit"),
    ("before:PREPARE_ABORT:1", False, "abort", "Ongoing"),
    ("after:PREPARE_ABORT:1", False, "abort", "CompleteAbort"),
    ("after:marker:1", True, "commit", "CompleteCommit"),
    ("after:marker:2", True, "commit", "CompleteCommit"),
    ("after:marker:5", True, "commit", "CompleteCommit"),
    ("after:marker:2", False, "abort", "CompleteAbort"),
    ("before:COMPLETE_COMMIT:1", True, "commit", "CompleteCommit"),
    ("after:COMPLETE_COMMIT:1", True, "commit", "CompleteCommit"),
    ("after:COMPLETE_ABORT:1", False, "abort", "CompleteAbort"),
]
SHORT_RUN = {
    (1, "after:ONGOING:1", True),
    (1, "after:PREPARE_COMMIT:1", True),
    (1, "after:marker:2", False),
    (2, "after:append:4", True),
    (2, "after:marker:2", True),
    (2, "before:COMPLETE_COMMIT:1", True),
}
"""What `make test` has time for. `tests/property/test_transactions.py` crashes before every write, in one process."""


class TransactionByHand:
    """One transaction over a raw connection: a record to each partition, and an offset."""

    def __init__(self, wire: WireClient, *, version: int) -> None:
        self._wire = wire
        self._version = version
        asked = InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=TIMEOUT_MS)
        while (answer := wire.ask(asked, 4)).error_code:
            assert answer.error_code == 14  # the broker is loading
            time.sleep(0.02)
        self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch

    def run(self, *, commit: bool) -> None:
        who = {"transactional_id": ID, "producer_id": self.producer_id, "producer_epoch": self.epoch}
        if self._version < 2:
            topics = [AddPartitionsToTxnTopic(TOPIC, list(range(PARTITIONS)))]
            asked = AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=ID,
                v3_and_below_producer_id=self.producer_id,
                v3_and_below_producer_epoch=self.epoch,
                v3_and_below_topics=topics,
            )
            self._wire.ask(asked, 3)
            assert self._wire.ask(AddOffsetsToTxnRequest(group_id=GROUP, **who), 3).error_code == 0
        for partition in range(PARTITIONS):
            assert self._produce(partition) == 0
        offset = TxnOffsetCommitRequestTopic(TOPIC, [TxnOffsetCommitRequestPartition(0, 7)])
        asked_commit = TxnOffsetCommitRequest(group_id=GROUP, topics=[offset], **who)
        answer = self._wire.ask(asked_commit, 5 if self._version >= 2 else 3)
        assert answer.topics[0].partitions[0].error_code == 0
        self._wire.ask(EndTxnRequest(committed=commit, **who), 5 if self._version >= 2 else 3)

    def _produce(self, partition: int) -> int:
        batch = build_batch(
            [Record(0, now_ms(), None, f"torn:{partition}".encode())],
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=0,
            transactional=True,
        )
        request = produce_request(TOPIC, batch, partition=partition, transactional_id=ID)
        answer = self._wire.ask(request, 12 if self._version >= 2 else 11)
        return int(answer.responses[0].partition_responses[0].error_code)


def state(wire: WireClient) -> str:
    answer = wire.ask(DescribeTransactionsRequest(transactional_ids=[ID]), 0)
    return str(answer.transaction_states[0].transaction_state)


@pytest.mark.parametrize("version", [1, 2], ids=["v1", "v2"])
def test_a_transaction_ends_as_the_log_says_wherever_the_broker_died(
    new_broker: Callable[..., BrokerUnderTest],
    tmp_path: Path,
    version: int,
    is_soak: bool,
    figures: Callable[..., None],
) -> None:
    moments = [each for each in MOMENTS if is_soak or (version, each[0], each[1]) in SHORT_RUN]
    ended_s = 0.0
    for number, (moment, commit, ending, said) in enumerate(moments):
        folder = tmp_path / f"data-{number}"
        dying = new_broker(data_folder=folder, settings=DYING, program=(str(CRASHING_BROKER), moment))
        dying.create_topic(TOPIC, PARTITIONS)
        with WireClient(dying.bootstrap_servers) as wire:
            transaction = TransactionByHand(wire, version=version)
            with pytest.raises((EOFError, ConnectionError)):
                transaction.run(commit=commit)
        dying.kill()

        broker = new_broker(data_folder=folder, settings=SETTINGS)
        begun = time.monotonic()
        with WireClient(broker.bootstrap_servers) as wire:
            wait_until(
                lambda wire=wire: state(wire) not in ("", "PrepareCommit", "PrepareAbort"), what="the log is read"
            )
            found = state(wire)
            assert found == said or (said == "Ongoing" and found == "CompleteAbort"), f"{moment}: {found}"
            if found == "Ongoing":
                # What is undecided is shown to nobody, and not passed over either.
                assert read_until(broker, 0.2) == [], moment
            expected_state = {"commit": "CompleteCommit", "abort": "CompleteAbort", "nothing": "Empty"}[ending]
            wait_until(
                lambda wire=wire, expected=expected_state: state(wire) == expected,
                timeout=TIMEOUT_MS / 1000 + 30,
                what=f"{moment}: the end",
            )
            ended_s = max(ended_s, time.monotonic() - begun)
            ends = last_stable_and_end_offsets(wire, TOPIC, PARTITIONS)
            assert all(stable == end for stable, end in ends), f"{moment}: {ends}"
            for topic, count in ((TOPIC, PARTITIONS), ("__consumer_offsets", 1)):
                with contextlib.suppress(IndexError):  # there may be no such topic yet
                    assert hanging_transactions(wire, topic, count) == [], moment
            values = sorted(place.partition for place, _ in read_committed(broker.bootstrap_servers, TOPIC, PARTITIONS))
            assert values == (list(range(PARTITIONS)) if ending == "commit" else []), moment
            assert committed(wire, GROUP, TOPIC) == (7 if ending == "commit" else -1), moment
            # The id is free for a new producer, who has nothing to do with the old transaction.
            assert TransactionByHand(wire, version=version).producer_id == transaction.producer_id
        assert broker.unforeseen_lines() == []
        broker.kill()
    figures(moments=len(moments), ended_s_max=ended_s)


def test_a_transaction_whose_coordinator_lost_it_is_ended_by_the_clock(
    new_broker: Callable[..., BrokerUnderTest], tmp_path: Path
) -> None:
    broker = new_broker(
        data_folder=tmp_path / "data", settings=DYING, program=(str(CRASHING_BROKER), "before:PREPARE_COMMIT:1")
    )
    broker.create_topic(TOPIC, PARTITIONS)
    with WireClient(broker.bootstrap_servers) as wire:
        transaction = TransactionByHand(wire, version=2)
        with pytest.raises((EOFError, ConnectionError)):
            transaction.run(commit=True)
    broker.kill()
    for path in (tmp_path / "data" / "__transaction_state-0").glob("*.log"):
        os.truncate(path, 0)  # as if none of it had reached the disk when power was lost

    survivor = new_broker(data_folder=tmp_path / "data", settings={**SETTINGS, "transaction.max.timeout.ms": "3000"})
    with WireClient(survivor.bootstrap_servers) as wire:
        assert [stable for stable, _ in last_stable_and_end_offsets(wire, TOPIC, PARTITIONS)] == [0] * PARTITIONS
        assert len(hanging_transactions(wire, TOPIC, PARTITIONS)) == PARTITIONS
        wait_until(lambda: not hanging_transactions(wire, TOPIC, PARTITIONS), what="they are aborted")
        wait_until(lambda: not hanging_transactions(wire, "__consumer_offsets", 1), what="the offset's too")
        ends = last_stable_and_end_offsets(wire, TOPIC, PARTITIONS)
        assert all(stable == end for stable, end in ends)
        assert read_committed(survivor.bootstrap_servers, TOPIC, PARTITIONS) == []
        assert committed(wire, GROUP, TOPIC) == -1
    assert len(survivor.log_lines("hanging transaction is aborted topic=torn")) == PARTITIONS
    assert survivor.unforeseen_lines() == []


def read_until(broker: BrokerUnderTest, seconds: float) -> list[bytes]:
    """What a read_committed consumer gets in so many seconds."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "early", "isolation.level": "read_committed"}
    )
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    messages = consumer.consume(10, timeout=seconds)
    consumer.close()
    return [message.value() for message in messages if message.error() is None]
