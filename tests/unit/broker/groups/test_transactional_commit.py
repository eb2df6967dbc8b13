"""Offsets that members of KIP-848 groups commit within a transaction: whose may be stored, and when they count."""

from __future__ import annotations

import pytest

from broker.errors import IllegalGeneration, KafkaError, UnknownMemberId
from broker.groups.offsets import PartitionOffset
from broker.groups.records import CommittedOffset
from tests.unit.broker.groups.consumer_group_driver import ConsumerDriver
from tests.unit.broker.groups.test_consumer_group import two_members

PRODUCER_ID = 7


@pytest.fixture
def driver() -> ConsumerDriver:
    return ConsumerDriver()


def commit(
    driver: ConsumerDriver,
    offset: int,
    member_id: str = "",
    epoch: int = -1,
    *,
    partition: int = 0,
    group_id: str = "g",
) -> list[int]:
    topic = driver.topics.get("t")
    assert topic is not None
    committed = CommittedOffset(offset, -1, "", driver.now.wall_ms, None, topic.topic_id)
    return driver.coordinator.commit_offsets_in_transaction(
        group_id,
        [PartitionOffset("t", partition, committed)],
        member_id=member_id,
        group_instance_id=None,
        generation_id=epoch,
        producer_id=PRODUCER_ID,
        producer_epoch=0,
        now=driver.now,
    )


def end(driver: ConsumerDriver, *, is_commit: bool) -> int | None:
    """End the transaction; what is committed then."""
    driver.coordinator.transaction_ended(PRODUCER_ID, 0, commit=is_commit)
    found = driver.coordinator.committed_offsets("g").get("t", {}).get(0)
    return None if found is None else found.offset


def refusal(driver: ConsumerDriver, member_id: str, epoch: int) -> type[KafkaError]:
    with pytest.raises(KafkaError) as refused:
        commit(driver, 9, member_id, epoch)
    return type(refused.value)


@pytest.mark.parametrize(("is_commit", "expected"), [(True, 4), (False, None)])
def test_a_members_offset_counts_with_its_transaction(
    driver: ConsumerDriver, is_commit: bool, expected: int | None
) -> None:
    epoch = driver.enter("m").member_epoch
    assert commit(driver, 4, "m", epoch) == [0]
    assert driver.coordinator.committed_offsets("g").get("t", {}) == {}
    assert driver.coordinator.is_pending("g", "t", 0)
    assert end(driver, is_commit=is_commit) == expected
    assert not driver.coordinator.is_pending("g", "t", 0)


def test_who_names_no_member_may_commit(driver: ConsumerDriver) -> None:
    driver.enter("m")
    assert commit(driver, 4) == [0]
    assert end(driver, is_commit=True) == 4


def test_strangers_and_epochs_that_never_were_are_refused(driver: ConsumerDriver) -> None:
    epoch = driver.enter("m").member_epoch
    assert refusal(driver, "stranger", epoch) is UnknownMemberId
    assert refusal(driver, "m", epoch + 1) is IllegalGeneration
    assert refusal(driver, "", epoch) is UnknownMemberId
    assert end(driver, is_commit=True) is None


def test_an_epoch_of_before_counts_only_for_what_the_member_has_owned_since(driver: ConsumerDriver) -> None:
    two_members(driver)  # "a" has epoch 3, partition 0 since before and partition 3 since then
    assert commit(driver, 5, "a", 3, partition=3) == [0]
    assert commit(driver, 4, "a", 2, partition=0) == [0]
    with pytest.raises(IllegalGeneration):  # the transaction must be aborted; the plain commit says STALE_MEMBER_EPOCH
        commit(driver, 9, "a", 2, partition=3)
    assert end(driver, is_commit=True) == 4


def test_a_group_that_does_not_exist_has_no_generation(driver: ConsumerDriver) -> None:
    with pytest.raises(IllegalGeneration):
        commit(driver, 4, "m", 3, group_id="nobody's")
    assert commit(driver, 4, group_id="nobody's") == [0]
