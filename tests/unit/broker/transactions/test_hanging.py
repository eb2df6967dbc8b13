"""Transactions whose coordinator has lost them are ended by the clock, and no others."""

from pathlib import Path

import pytest

from broker.transactions import TRANSACTIONS_TOPIC, HangingTransactions, Markers
from tests.unit.broker.transactions.transaction_driver import TIMEOUT_MS, TOPIC, Crashed, TransactionDriver

TIMEOUT_MS_MAX = 900_000


@pytest.fixture
def driver(tmp_path: Path) -> TransactionDriver:
    return TransactionDriver(tmp_path / "data")


def watch(driver: TransactionDriver) -> HangingTransactions:
    markers = Markers(driver.log_of, driver.groups)
    return HangingTransactions(driver.coordinator, markers, driver.root.logs.opened_logs, TIMEOUT_MS_MAX)


def lose_records(driver: TransactionDriver, from_offset: int) -> None:
    """A crash that keeps the partitions and not the end of the coordinator's log, as a loss of power may."""
    driver.log_of(TRANSACTIONS_TOPIC, 0).truncate_to(from_offset)
    driver.restart()
    for partition in driver.partitions:
        driver.log_of(TOPIC, partition)


def test_a_transaction_that_nobody_knows_is_aborted_after_the_longest_timeout(
    driver: TransactionDriver, caplog: pytest.LogCaptureFixture
) -> None:
    driver.produce(driver.init(), "lost", partition=1)
    lose_records(driver, 0)
    hanging, log = watch(driver), driver.log_of(TOPIC, 1)
    for _ in range(2):
        hanging.tick(driver.now)
        driver.clock.advance(TIMEOUT_MS_MAX - 1)
    assert log.last_stable_offset == 0
    driver.clock.advance(1)
    hanging.tick(driver.now)
    assert (log.last_stable_offset, log.log_end_offset) == (2, 2)
    assert driver.read_committed(1) == []
    assert caplog.text.count("hanging transaction is aborted topic=orders partition=1") == 1
    hanging.tick(driver.now)
    assert log.log_end_offset == 2


def test_with_a_known_producer_its_own_timeout_counts(driver: TransactionDriver) -> None:
    producer = driver.init()
    kept = driver.log_of(TRANSACTIONS_TOPIC, 0).log_end_offset
    driver.produce(producer, "lost")
    lose_records(driver, kept)
    hanging = watch(driver)
    hanging.tick(driver.now)
    driver.clock.advance(TIMEOUT_MS)
    hanging.tick(driver.now)
    assert driver.log_of(TOPIC, 0).last_stable_offset == 2


def test_a_producer_that_comes_again_meanwhile_is_not_held_up(driver: TransactionDriver) -> None:
    driver.produce(driver.init(), "lost")
    lose_records(driver, 0)
    hanging = watch(driver)
    hanging.tick(driver.now)
    producer = driver.init()
    driver.produce(producer, "new")
    driver.end(producer, commit=True)
    driver.clock.advance(TIMEOUT_MS_MAX)
    hanging.tick(driver.now)
    assert driver.read_committed() == ["new"]


@pytest.mark.parametrize("is_settled", [False, True])
def test_what_the_coordinator_knows_is_left_to_it(driver: TransactionDriver, is_settled: bool) -> None:
    producer = driver.init(timeout_ms=TIMEOUT_MS_MAX)
    driver.produce(producer, "open")
    if is_settled:
        driver.writes_left = 1  # the Prepare record, and no marker
        with pytest.raises(Crashed):
            driver.end(producer, commit=True)
    hanging = watch(driver)
    for _ in range(3):
        hanging.tick(driver.now)
        driver.clock.advance(TIMEOUT_MS_MAX)
    assert driver.log_of(TOPIC, 0).log_end_offset == 1
