"""Transactions in a compacted log: the outcome is read from the control batches, also after compaction and a crash."""

from pathlib import Path

import pytest

from tests.unit.broker.log.compacting import compact_now, items_in, roll
from tests.unit.broker.transactions.transaction_driver import TOPIC, TransactionDriver


@pytest.fixture
def driver(tmp_path: Path) -> TransactionDriver:
    return TransactionDriver(tmp_path / "data", partition_count=1, cleanup_policy="compact")


def transact(driver: TransactionDriver, value: str, *, commit: bool, transactional_id: str = "x") -> None:
    producer = driver.init(transactional_id)
    driver.produce(producer, value, transactional_id=transactional_id)
    driver.end(producer, commit=commit, transactional_id=transactional_id)


def compact_all(driver: TransactionDriver) -> None:
    log = driver.log_of(TOPIC, 0)
    roll(log, driver.now.wall_ms)
    compact_now(driver.root, log, now_ms=driver.now.wall_ms)


@pytest.mark.parametrize("clean", [True, False])
def test_an_aborted_value_never_replaces_a_committed_one(driver: TransactionDriver, clean: bool) -> None:
    transact(driver, "first", commit=True)
    transact(driver, "aborted", commit=False)
    compact_all(driver)
    assert driver.read_committed() == ["first"]
    transact(driver, "second", commit=True, transactional_id="y")
    transact(driver, "aborted again", commit=False, transactional_id="y")
    compact_all(driver)
    assert driver.read_committed() == ["second"]
    driver.restart(clean=clean)
    assert driver.read_committed() == ["second"]
    assert [value for _, value in items_in(driver.log_of(TOPIC, 0)).values()] == ["second"]
    log = driver.log_of(TOPIC, 0)
    assert log.last_stable_offset == log.log_end_offset


@pytest.mark.parametrize("commit", [True, False])
def test_an_open_transaction_is_not_compacted_before_it_ends(driver: TransactionDriver, commit: bool) -> None:
    transact(driver, "first", commit=True)
    producer = driver.init("y")
    driver.produce(producer, "open", transactional_id="y")
    transact(driver, "third", commit=True)
    compact_all(driver)
    assert driver.read_committed() == ["first"]
    driver.restart(clean=False)
    assert driver.read_committed() == ["first"]
    assert "open" in [value for _, value in items_in(driver.log_of(TOPIC, 0)).values()]
    driver.end(producer, commit=commit, transactional_id="y")
    expected = ["third"]
    compact_all(driver)
    assert driver.read_committed() == expected
    driver.restart()
    assert driver.read_committed() == expected
