"""The transaction coordinator: states, fencing, timeouts, and what is left after a crash at each state (T14)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgress,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidRequest,
    InvalidTransactionTimeout,
    InvalidTxnState,
    KafkaStorageError,
    ProducerFenced,
    TransactionAbortable,
    TransactionalIdNotFound,
)
from broker.log import FlushMode
from broker.transactions import ProducerIdAndEpoch, TransactionCoordinator, TransactionState
from broker.transactions.coordinator import MARKERS_PER_STEP
from broker.transactions.transaction import EPOCH_MAX
from tests.unit.broker.transactions.transaction_driver import TIMEOUT_MS, TOPIC, Crashed, TransactionDriver


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[TransactionDriver]:
    driver = TransactionDriver(tmp_path / "data")
    yield driver
    driver.root.logs.close()


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[TransactionDriver]:
    """Nothing counts before it is on disk; flushing is up to the test."""
    driver = TransactionDriver(tmp_path / "data", mode=FlushMode.ALWAYS)
    yield driver
    driver.root.logs.close()


def test_each_start_of_a_producer_has_the_next_epoch(driver: TransactionDriver) -> None:
    first = driver.init()
    assert driver.init() == ProducerIdAndEpoch(first.producer_id, 1)
    assert driver.init("y").producer_id != first.producer_id
    driver.restart(clean=False)
    assert driver.init() == ProducerIdAndEpoch(first.producer_id, 2)


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001])
def test_timeouts_outside_the_limits_are_refused(driver: TransactionDriver, timeout_ms: int) -> None:
    with pytest.raises(InvalidTransactionTimeout):
        driver.init(timeout_ms=timeout_ms)


def test_nothing_is_answered_before_the_log_is_read(driver: TransactionDriver) -> None:
    part = driver.coordinator
    fresh = TransactionCoordinator(part._log, part._markers, part._producer_ids, part._config)
    with pytest.raises(CoordinatorLoadInProgress):
        fresh.init_producer_id("x", 1000, None, driver.now)


@pytest.mark.parametrize("version", [0, 2])
def test_committed_records_are_read_and_aborted_ones_are_not(driver: TransactionDriver, version: int) -> None:
    producer = driver.init()
    driver.produce(producer, "a", "b", version=version)
    driver.produce(producer, "c", partition=1, version=version)
    assert driver.read_committed() == []
    producer = driver.end(producer, commit=True, version=version)
    driver.produce(producer, "no", version=version)
    producer = driver.end(producer, commit=False, version=version)
    driver.produce(producer, "d", version=version)
    driver.end(producer, commit=True, version=version)
    assert driver.read_committed() == ["a", "b", "d"]
    assert driver.read_committed(1) == ["c"]
    assert producer.producer_epoch == (2 if version == 2 else 0)


def test_a_new_producer_aborts_what_the_old_one_left(driver: TransactionDriver) -> None:
    old = driver.init()
    driver.produce(old, "left")
    with pytest.raises(ConcurrentTransactions):
        driver.init()
    new = driver.init()
    assert new.producer_epoch == 2
    assert driver.transaction().state is TransactionState.EMPTY
    for commit in (True, False):
        with pytest.raises(ProducerFenced):
            driver.end(old, commit=commit)
    with pytest.raises(InvalidProducerEpoch):
        driver.produce(old, "late")
    driver.produce(new, "new")
    driver.end(new, commit=True)
    assert driver.read_committed() == ["new"]


def test_partitions_must_be_added_by_old_clients(driver: TransactionDriver) -> None:
    producer = driver.init()
    with pytest.raises(TransactionAbortable):
        driver.join(producer, (TOPIC, 0), adds=False)
    with pytest.raises(InvalidProducerIdMapping):
        driver.join(producer, (TOPIC, 0), "nobody", adds=True)
    with pytest.raises(InvalidRequest):
        driver.join(producer, (TOPIC, 0), "", adds=True)


@pytest.mark.parametrize(("commit", "other"), [(True, False), (False, True)])
def test_ending_twice_is_answered_and_the_other_way_is_refused(
    driver: TransactionDriver, commit: bool, other: bool
) -> None:
    producer = driver.init()
    with pytest.raises(InvalidTxnState):
        driver.end(producer, commit=commit, version=0)
    driver.produce(producer, "a", version=0)
    driver.end(producer, commit=commit, version=0)
    driver.end(producer, commit=commit, version=0)
    with pytest.raises(InvalidTxnState):
        driver.end(producer, commit=other, version=0)


def test_v2_a_repeated_end_gets_the_same_epoch_and_a_late_one_none(driver: TransactionDriver) -> None:
    producer = driver.init()
    driver.produce(producer, "a")
    following = driver.end(producer, commit=True)
    assert driver.end(producer, commit=True) == following
    with pytest.raises(InvalidTxnState):
        driver.end(producer, commit=False)
    driver.produce(following, "b")
    with pytest.raises(ProducerFenced):  # the hole that Jepsen found: it would end the next transaction
        driver.end(producer, commit=True)
    assert driver.transaction().state is TransactionState.ONGOING


def test_v2_an_empty_transaction_can_be_aborted_but_not_committed(driver: TransactionDriver) -> None:
    producer = driver.init()
    with pytest.raises(InvalidTxnState):
        driver.end(producer, commit=True)
    assert driver.end(producer, commit=False).producer_epoch == 1


def exhaust(driver: TransactionDriver) -> ProducerIdAndEpoch:
    """A producer with the last epoch there is."""
    driver.init()
    driver.coordinator._save(replace(driver.transaction(), producer_epoch=EPOCH_MAX - 2), driver.now)
    return driver.init()


def test_when_the_epochs_are_used_up_there_is_a_new_producer_id(driver: TransactionDriver) -> None:
    last = exhaust(driver)
    assert last.producer_epoch == EPOCH_MAX - 1
    new = driver.coordinator.init_producer_id("x", TIMEOUT_MS, last, driver.now)
    assert (new.producer_id != last.producer_id, new.producer_epoch) == (True, 0)
    assert driver.coordinator.init_producer_id("x", TIMEOUT_MS, last, driver.now) == new


@pytest.mark.parametrize("commit", [True, False])
def test_v2_the_producer_id_changes_between_two_transactions(driver: TransactionDriver, commit: bool) -> None:
    last = exhaust(driver)
    driver.produce(last, "a")
    new = driver.end(last, commit=commit)
    assert (new.producer_id != last.producer_id, new.producer_epoch) == (True, 0)
    assert driver.end(last, commit=commit) == new
    driver.produce(new, "b")
    driver.end(new, commit=True)
    assert driver.read_committed() == (["a", "b"] if commit else ["b"])


def test_a_producer_that_says_who_it_is_is_fenced_by_a_newer_one(driver: TransactionDriver) -> None:
    first = driver.init()
    second = driver.coordinator.init_producer_id("x", TIMEOUT_MS, first, driver.now)
    assert driver.coordinator.init_producer_id("x", TIMEOUT_MS, first, driver.now) == second
    driver.init()
    for known in (first, second, ProducerIdAndEpoch(99, 0)):
        with pytest.raises(ProducerFenced):
            driver.coordinator.init_producer_id("x", TIMEOUT_MS, known, driver.now)


def test_a_transaction_that_lasts_too_long_is_aborted(driver: TransactionDriver) -> None:
    producer = driver.init(timeout_ms=1_000)
    driver.produce(producer, "slow")
    driver.clock.advance(999)
    driver.coordinator.tick(driver.now)
    assert driver.transaction().state is TransactionState.ONGOING
    driver.clock.advance(1)
    driver.coordinator.tick(driver.now)
    assert driver.transaction().state is TransactionState.COMPLETE_ABORT
    with pytest.raises(ProducerFenced):
        driver.end(producer, commit=True, version=0)
    with pytest.raises(InvalidTxnState):  # as measured on Kafka 4.3
        driver.end(producer, commit=True)
    assert driver.log_of(TOPIC, 0).last_stable_offset == 2


def test_a_clock_that_is_set_aborts_nothing(driver: TransactionDriver) -> None:
    driver.produce(driver.init(), "a")
    driver.clock.set_wall_clock(driver.now.wall_ms + 3_600_000)
    driver.coordinator.tick(driver.now)
    assert driver.transaction().state is TransactionState.ONGOING


def test_after_a_restart_a_transaction_has_the_rest_of_its_time(driver: TransactionDriver) -> None:
    driver.produce(driver.init(timeout_ms=1_000), "a")
    driver.clock.advance(600)
    driver.restart(clean=False)
    driver.coordinator.tick(driver.now)
    assert driver.transaction().state is TransactionState.ONGOING
    driver.clock.advance(400)
    driver.coordinator.tick(driver.now)
    assert driver.transaction().state is TransactionState.COMPLETE_ABORT


def test_offsets_count_with_the_transaction(driver: TransactionDriver) -> None:
    producer = driver.init()
    driver.commit_offset(producer, 5)
    assert driver.committed_offset() is None
    assert driver.groups.is_pending("g", TOPIC, 0)
    driver.restart(clean=False)
    assert driver.groups.is_pending("g", TOPIC, 0)
    producer = driver.end(producer, commit=True)
    assert driver.committed_offset() == 5
    driver.commit_offset(producer, 9)
    driver.end(producer, commit=False)
    assert (driver.committed_offset(), driver.groups.is_pending("g", TOPIC, 0)) == (5, False)
    driver.restart()
    assert driver.committed_offset() == 5


@pytest.mark.parametrize("restart", [False, True])
def test_the_offset_that_was_written_last_wins_whichever_transaction_ends_last(
    driver: TransactionDriver, restart: bool
) -> None:
    slow, fast = driver.init("slow"), driver.init("fast")
    driver.commit_offset(slow, 1, transactional_id="slow")
    driver.commit_offset(fast, 2, transactional_id="fast")
    driver.end(fast, commit=True, transactional_id="fast")
    if restart:
        driver.restart(clean=False)
    driver.end(slow, commit=True, transactional_id="slow")
    assert driver.committed_offset() == 2
    driver.restart()
    assert driver.committed_offset() == 2


@pytest.mark.parametrize("restart", [False, True])
def test_a_deleted_group_is_not_brought_back_by_an_older_transaction(driver: TransactionDriver, restart: bool) -> None:
    producer = driver.init()
    driver.commit_offset(producer, 5)
    driver.groups.delete_group("g", driver.now)
    if restart:
        driver.restart(clean=False)
    driver.end(producer, commit=True)
    assert driver.committed_offset() is None


@pytest.mark.parametrize(
    ("writes", "state", "is_committed"),
    [
        (0, TransactionState.ONGOING, None),  # the decision was not written
        (1, TransactionState.COMPLETE_COMMIT, True),  # decided, no marker
        (2, TransactionState.COMPLETE_COMMIT, True),  # one of two markers
        (3, TransactionState.COMPLETE_COMMIT, True),  # all markers, not completed
    ],
)
def test_after_a_crash_the_transaction_ends_the_way_the_log_says(
    driver: TransactionDriver, writes: int, state: TransactionState, is_committed: bool | None
) -> None:
    producer = driver.init()
    driver.produce(producer, "a")
    driver.produce(producer, "b", partition=1)
    driver.writes_left = writes
    with pytest.raises(Crashed):
        driver.end(producer, commit=True)
    driver.restart(clean=False)
    assert driver.transaction().state is state
    if is_committed is None:  # nobody comes back for it
        driver.clock.advance(TIMEOUT_MS)
        driver.coordinator.tick(driver.now)
    assert [driver.read_committed(partition) for partition in (0, 1)] == ([["a"], ["b"]] if is_committed else [[], []])
    for partition in (0, 1):
        log = driver.log_of(TOPIC, partition)
        assert log.last_stable_offset == log.high_watermark
        assert log.producer_state.first_open_transaction_offset is None


def test_a_crash_after_adding_partitions_leaves_nothing_behind(driver: TransactionDriver) -> None:
    producer = driver.init()
    driver.coordinator.add_partitions("x", producer, [(TOPIC, 0), (TOPIC, 1)], driver.now)
    driver.restart(clean=False)
    driver.clock.advance(TIMEOUT_MS)
    driver.coordinator.tick(driver.now)
    assert driver.transaction().state is TransactionState.COMPLETE_ABORT


def test_markers_that_the_disk_refuses_are_tried_again(
    driver: TransactionDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = driver.init()
    driver.produce(producer, "a")
    refusing = driver.log_of(TOPIC, 0)
    with monkeypatch.context() as patch:
        patch.setattr(type(refusing), "end_transaction", _refuse)
        driver.end(producer, commit=True)
        driver.coordinator.tick(driver.now)
    assert driver.transaction().state is TransactionState.PREPARE_COMMIT
    with pytest.raises(ConcurrentTransactions):
        driver.init()
    driver.coordinator.tick(driver.now)
    assert driver.transaction().state is TransactionState.COMPLETE_COMMIT
    assert driver.read_committed() == ["a"]


def _refuse(*args: object, **kwargs: object) -> None:
    raise KafkaStorageError("the disk is full")


def test_a_transaction_over_very_many_partitions_is_ended_in_steps(tmp_path: Path) -> None:
    driver = TransactionDriver(tmp_path / "data", partition_count=MARKERS_PER_STEP + 20)
    producer = driver.init()
    driver.coordinator.add_partitions("x", producer, [(TOPIC, index) for index in driver.partitions], driver.now)
    wanted: list[bool] = []
    driver.coordinator.on_ending = lambda: wanted.append(driver.coordinator.is_ending)
    producer = driver.end(producer, commit=True)
    assert wanted == [True]
    assert driver.transaction().state is TransactionState.PREPARE_COMMIT
    with pytest.raises(ConcurrentTransactions):
        driver.produce(producer, "next")
    assert driver.coordinator.has_markers_to_write
    driver.coordinator.write_markers(driver.now)
    assert driver.transaction().state is TransactionState.COMPLETE_COMMIT
    assert not driver.coordinator.has_markers_to_write
    assert not driver.coordinator.is_ending
    assert all(driver.log_of(TOPIC, index).log_end_offset == 1 for index in driver.partitions)
    driver.root.logs.close()


def test_a_deleted_partition_does_not_hold_a_transaction_up(driver: TransactionDriver) -> None:
    producer = driver.init()
    driver.produce(producer, "a")
    driver.produce(producer, "b", partition=1)
    driver.root.logs.delete(TOPIC, 0)
    driver.end(producer, commit=True)
    assert driver.transaction().state is TransactionState.COMPLETE_COMMIT
    assert driver.read_committed(1) == ["b"]


def test_markers_wait_until_the_decision_is_on_disk(strict: TransactionDriver) -> None:
    producer = strict.init()
    strict.produce(producer, "a")
    strict.root.logs.flush_dirty(strict.now.wall_ms)
    answers: list[object] = []
    strict.end(producer, commit=True)
    strict.coordinator.when_durable("x", answers.append)
    assert (strict.transaction().state, answers) == (TransactionState.PREPARE_COMMIT, [])
    assert strict.log_of(TOPIC, 0).log_end_offset == 1
    strict.root.logs.flush_dirty(strict.now.wall_ms)
    assert answers == [None]
    assert strict.transaction().state is TransactionState.PREPARE_COMMIT, "its marker is not on disk"
    strict.root.logs.flush_dirty(strict.now.wall_ms)
    assert strict.transaction().state is TransactionState.COMPLETE_COMMIT
    assert strict.read_committed() == ["a"]


def test_ids_that_nobody_uses_are_forgotten(driver: TransactionDriver) -> None:
    driver.init("idle")
    driver.produce(driver.init("busy"), "a", transactional_id="busy")
    driver.clock.advance(8 * 86_400_000)
    driver.coordinator._deadlines.clear()
    driver.coordinator.tick(driver.now)
    for _ in range(2):
        with pytest.raises(TransactionalIdNotFound):
            driver.transaction("idle")
        assert driver.transaction("busy").state is TransactionState.ONGOING
        driver.restart()


def test_transactions_are_listed_by_state_id_age_and_pattern(driver: TransactionDriver) -> None:
    driver.init("a-1")
    busy = driver.init("b-1")
    driver.produce(busy, "v", transactional_id="b-1")
    driver.clock.advance(100)

    def ids(**filters: object) -> list[str]:
        found = driver.coordinator.list_transactions(driver.now, **filters)  # type: ignore[arg-type]
        return [transaction.transactional_id for transaction in found]

    assert ids() == ["a-1", "b-1"]
    assert ids(states=["Ongoing"]) == ["b-1"]
    assert ids(producer_ids=[busy.producer_id]) == ["b-1"]
    assert ids(duration_ms_min=100, states=["Ongoing"]) == []
    assert ids(duration_ms_min=99, states=["Ongoing"]) == ["b-1"]
    assert ids(pattern=re.compile("a-.")) == ["a-1"]
