"""Idempotence, as measured on Apache Kafka 4.3.1, and the `.snapshot` files."""

import pytest

from broker.errors import InvalidProducerEpoch, OutOfOrderSequenceNumber
from broker.log.producer_state import ProducerState, load_latest_snapshot, snapshot_path
from broker.protocol.record_batch import build_marker, read_header
from tests.unit.broker.log.making import NOW_MS, DataRoot, append, make_batch, records_in


def send(log, sequence: int, count: int = 1, epoch: int = 0, producer_id: int = 7, **fields: object):
    return append(log, *["v"] * count, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence, **fields)


def test_the_next_sequence_is_appended(root: DataRoot) -> None:
    log = root.create()
    assert send(log, 0, count=3).base_offset == 0
    assert send(log, 3).base_offset == 3


def test_one_of_the_last_five_batches_is_answered_with_its_first_offset(root: DataRoot) -> None:
    log = root.create()
    for sequence in range(0, 14, 2):
        send(log, sequence, count=2)
    for sequence in range(4, 14, 2):
        again = send(log, sequence, count=2)
        assert (again.base_offset, again.end_offset, again.is_duplicate) == (sequence, sequence + 2, True)
    assert log.log_end_offset == 14


def test_an_older_batch_is_out_of_order(root: DataRoot) -> None:
    log = root.create()
    for sequence in range(6):
        send(log, sequence)
    with pytest.raises(OutOfOrderSequenceNumber):
        send(log, 0)


def test_a_gap_is_out_of_order_and_changes_nothing(root: DataRoot) -> None:
    log = root.create()
    send(log, 0)
    with pytest.raises(OutOfOrderSequenceNumber):
        send(log, 2)
    assert send(log, 1).base_offset == 1


def test_a_new_epoch_begins_at_sequence_zero(root: DataRoot) -> None:
    log = root.create()
    send(log, 0)
    with pytest.raises(OutOfOrderSequenceNumber):
        send(log, 1, epoch=1)
    assert send(log, 0, epoch=1).base_offset == 1
    assert not send(log, 1, epoch=1).is_duplicate


def test_an_older_epoch_is_fenced(root: DataRoot) -> None:
    log = root.create()
    send(log, 0, epoch=2)
    with pytest.raises(InvalidProducerEpoch):
        send(log, 1, epoch=1)


def test_an_unknown_producer_may_begin_anywhere(root: DataRoot) -> None:
    assert send(root.create(), 4711).base_offset == 0


def test_sequences_begin_again_at_zero_after_the_largest(root: DataRoot) -> None:
    log = root.create()
    largest = 2**31 - 1
    send(log, largest - 1, count=4)
    assert send(log, 2).base_offset == 4
    again = send(log, largest - 1, count=4)
    assert (again.base_offset, again.is_duplicate) == (0, True)
    send(log, 3, producer_id=8)
    send(log, largest, producer_id=9)
    assert send(log, 0, producer_id=9).base_offset == 7


def test_producers_are_independent(root: DataRoot) -> None:
    log = root.create()
    send(log, 0, producer_id=1)
    assert send(log, 0, producer_id=2).base_offset == 1


@pytest.mark.parametrize("clean", [True, False])
def test_a_duplicate_is_known_again_after_a_restart(root: DataRoot, clean: bool) -> None:
    log = root.create(segment_bytes=300)
    for sequence in range(10):
        send(log, sequence)
    root.restart(clean=clean)
    log = root.get()
    again = send(log, 9)
    assert (again.base_offset, again.is_duplicate) == (9, True)
    assert send(log, 10).base_offset == 10


def test_snapshots_are_written_when_a_segment_is_rolled_and_on_close(root: DataRoot) -> None:
    log = root.create(segment_bytes=2 * len(make_batch("v")), index_interval_bytes=0)
    for sequence in range(6):
        send(log, sequence)
    assert sorted(path.name for path in root.folder().glob("*.snapshot")) == [
        "00000000000000000002.snapshot",
        "00000000000000000004.snapshot",
    ]
    root.logs.close()
    assert (root.folder() / "00000000000000000006.snapshot").exists()


def test_a_damaged_snapshot_is_replaced_by_what_the_log_says(root: DataRoot) -> None:
    log = root.create(segment_bytes=300)
    for sequence in range(10):
        send(log, sequence)
    root.logs.close()
    for path in root.folder().glob("*.snapshot"):
        path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    root.restart()
    producer = root.get().producer_state.get(7)
    assert producer is not None
    assert [batch.base_offset for batch in producer.batches] == [5, 6, 7, 8, 9]


def test_a_snapshot_has_the_bytes_that_kafka_writes() -> None:
    # Written by Apache Kafka 4.3.1 for one producer that wrote 100 records.
    theirs = bytes.fromhex(
        "0001ed46905a00000001000000000000000000000000006300000000000000630000006300"
        "0001a207415c4cffffffffffffffffffffffff"
    )
    state = ProducerState.from_snapshot(theirs)
    producer = state.get(0)
    assert producer is not None
    assert tuple(producer.batches[0]) == (0, 99, 0, 99, 1_795_418_053_708)
    assert state.to_snapshot() == theirs


def test_an_open_transaction_holds_back_the_last_stable_offset_until_its_marker(root: DataRoot) -> None:
    log = root.create()
    append(log, "before")
    send(log, 0, producer_id=1, transactional=True)
    send(log, 0, producer_id=2, transactional=True)
    assert (log.last_stable_offset, log.high_watermark) == (1, 3)
    root.restart()
    log = root.get()
    assert log.last_stable_offset == 1
    for producer_id, stable_offset in ((1, 2), (2, 5)):
        marker = build_marker(
            commit=True, producer_id=producer_id, producer_epoch=0, coordinator_epoch=0, timestamp_ms=NOW_MS
        )
        log.append(marker, read_header(marker), now_ms=NOW_MS)
        assert log.last_stable_offset == stable_offset
    assert send(log, 1, producer_id=1).base_offset == 5


def test_only_snapshots_within_the_log_are_used(tmp_path) -> None:
    for offset in (5, 10, 20):
        snapshot_path(str(tmp_path), offset).write_bytes(ProducerState().to_snapshot())
    snapshot_path(str(tmp_path), 10).write_bytes(b"damaged")
    loaded = load_latest_snapshot(str(tmp_path), [5, 10, 20], end_offset=15)
    assert loaded is not None
    assert loaded[0] == 5
    assert [path.name for path in tmp_path.iterdir()] == [snapshot_path("", 5).name]


def test_records_of_refused_batches_are_nowhere(root: DataRoot) -> None:
    log = root.create()
    send(log, 0)
    with pytest.raises(OutOfOrderSequenceNumber):
        send(log, 5)
    assert list(records_in(log)) == [0]
