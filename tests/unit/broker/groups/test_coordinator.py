"""Offsets and administration of groups: who may commit, what remains, what expires."""

import pytest

from broker.config import BrokerConfig
from broker.errors import (
    NONE,
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    GroupIdNotFound,
    GroupSubscribedToTopic,
    IllegalGeneration,
    KafkaStorageError,
    NonEmptyGroup,
    NotCoordinator,
    NotEnoughReplicas,
    OffsetMetadataTooLarge,
    RebalanceInProgress,
    UnknownMemberId,
)
from broker.groups.coordinator import GroupCoordinator
from broker.groups.offsets import OFFSETS_TOPIC, OffsetStore
from tests.unit.broker.groups.group_driver import SESSION_MS, GroupDriver, MemoryOffsetsLog, subscription

RETENTION_MS = 7 * 24 * 3_600_000
CHECK_MS = 600_000


@pytest.fixture
def groups() -> GroupDriver:
    return GroupDriver()


# Committing.


def test_member_of_the_generation_may_commit(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    assert groups.commit(7, member_id=member_id, generation_id=generation_id) == NONE
    assert groups.committed() == 7


def test_commit_keeps_a_member_alive(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    for offset in range(4):
        groups.passes(SESSION_MS - 1)
        assert groups.commit(offset, member_id=member_id, generation_id=generation_id) == NONE


def test_commit_from_another_generation_is_refused(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    for other in (generation_id - 1, generation_id + 1, -1):
        assert groups.commit(7, member_id=member_id, generation_id=other) == IllegalGeneration.code
    assert groups.committed() is None


def test_commit_from_an_unknown_member_is_refused(groups: GroupDriver) -> None:
    _, generation_id = groups.stable_group()
    assert groups.commit(7, member_id="x", generation_id=generation_id) == UnknownMemberId.code


def test_commit_from_outside_an_active_group_is_refused(groups: GroupDriver) -> None:
    groups.stable_group()
    assert groups.commit(7) == UnknownMemberId.code


def test_commit_from_outside_makes_an_unknown_group(groups: GroupDriver) -> None:
    assert groups.commit(7) == NONE
    assert (groups.state(), groups.describe().protocol_type, groups.committed()) == ("Empty", "", 7)


def test_commit_from_outside_an_empty_group_is_accepted(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    groups.leave(member_id)
    assert groups.commit(7) == NONE
    assert groups.commit(8, member_id=member_id, generation_id=generation_id) == UnknownMemberId.code


def test_commit_with_a_generation_into_an_unknown_group_is_refused(groups: GroupDriver) -> None:
    assert groups.commit(7, member_id="x", generation_id=1) == GroupIdNotFound.code


def test_commit_is_refused_until_the_assignment_has_come(groups: GroupDriver) -> None:
    member_id, _ = groups.new_member()
    assert groups.commit(7, member_id=member_id, generation_id=1) == RebalanceInProgress.code


def test_commit_during_a_rebalance_is_accepted(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    groups.new_member()
    assert groups.commit(7, member_id=member_id, generation_id=generation_id) == NONE


def test_metadata_over_4096_characters_is_refused(groups: GroupDriver) -> None:
    assert groups.commit(7, metadata="é" * 4_096) == NONE
    assert groups.commit(8, metadata="x" * 4_097) == OffsetMetadataTooLarge.code
    assert groups.committed() == 7


def test_metadata_comes_back_unchanged_after_a_restart(groups: GroupDriver) -> None:
    groups.commit(7, metadata='{"at": "größer 🦒"}')
    committed = groups.restarted().coordinator.committed_offsets("g")["t"][0]
    assert committed.metadata == '{"at": "größer 🦒"}'


@pytest.mark.parametrize(
    ("failure", "answered"), [(KafkaStorageError, NotCoordinator), (NotEnoughReplicas, CoordinatorNotAvailable)]
)
def test_commit_that_the_log_refuses_does_not_count(
    groups: GroupDriver, failure: type[KafkaStorageError], answered: type[NotCoordinator]
) -> None:
    groups.commit(7)
    groups.log.failure = failure()
    assert groups.commit(8) == answered.code
    assert groups.committed() == 7


def test_one_request_is_one_batch(groups: GroupDriver) -> None:
    groups.commit(7)
    assert [len(records) for _, records in groups.log.batches] == [1]


def test_committed_offsets_survive_a_restart(groups: GroupDriver) -> None:
    groups.commit(7, "t", 0)
    groups.commit(8, "t", 0)
    groups.commit(9, "u", 3)
    restarted = groups.restarted()
    assert (restarted.committed("t", 0), restarted.committed("u", 3)) == (8, 9)
    assert restarted.state() == "Empty"


def test_damaged_record_does_not_take_the_others_along(groups: GroupDriver, caplog: pytest.LogCaptureFixture) -> None:
    groups.commit(7)
    (record,) = groups.log.batches[0][1]
    groups.log.batches.append(("g", [record._replace(key=record.key[:-1] + b"\1", value=b"\0\4\0")]))
    assert groups.restarted().committed() == 7
    assert "cannot be read" in caplog.text


# Deleting.


def test_deleted_group_is_gone_with_its_offsets_for_good(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    groups.commit(7, member_id=member_id, generation_id=generation_id)
    groups.leave(member_id)
    groups.coordinator.delete_group("g", groups.now)
    for broker in (groups, groups.restarted()):
        assert broker.committed() is None
        with pytest.raises(GroupIdNotFound):
            broker.describe()


def test_group_with_members_is_not_deleted(groups: GroupDriver) -> None:
    groups.stable_group()
    with pytest.raises(NonEmptyGroup):
        groups.coordinator.delete_group("g", groups.now)


def test_unknown_group_cannot_be_deleted(groups: GroupDriver) -> None:
    with pytest.raises(GroupIdNotFound):
        groups.coordinator.delete_group("g", groups.now)


def test_group_whose_deletion_the_log_refuses_stays(groups: GroupDriver) -> None:
    groups.commit(7)
    groups.log.failure = NotEnoughReplicas()
    with pytest.raises(CoordinatorNotAvailable):
        groups.coordinator.delete_group("g", groups.now)
    assert groups.committed() == 7


def test_deleted_offsets_are_gone_for_good(groups: GroupDriver) -> None:
    for partition in range(3):
        groups.commit(7, "t", partition)
    asked = [("t", 0), ("t", 0), ("t", 1), ("t", 9)]
    assert groups.coordinator.delete_offsets("g", asked, groups.now) == [NONE] * 4
    for broker in (groups, groups.restarted()):
        assert [broker.committed("t", partition) for partition in range(3)] == [None, None, 7]


def test_offsets_of_a_topic_that_is_being_read_are_not_deleted(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    for topic in ("t", "u"):
        groups.commit(7, topic, member_id=member_id, generation_id=generation_id)
    errors = groups.coordinator.delete_offsets("g", [("t", 0), ("u", 0)], groups.now)
    assert errors == [GroupSubscribedToTopic.code, NONE]
    assert (groups.committed("t"), groups.committed("u")) == (7, None)


def test_offsets_of_an_active_group_that_is_no_consumer_group_are_not_deleted(groups: GroupDriver) -> None:
    groups.join(protocol_type="connect", protocols=[("default", b"")], version=3)
    with pytest.raises(NonEmptyGroup):
        groups.coordinator.delete_offsets("g", [("t", 0)], groups.now)


def test_offsets_of_an_unknown_group_cannot_be_deleted(groups: GroupDriver) -> None:
    with pytest.raises(GroupIdNotFound):
        groups.coordinator.delete_offsets("g", [("t", 0)], groups.now)


def test_unreadable_subscription_counts_as_reading_everything(groups: GroupDriver) -> None:
    groups.join(protocols=[("range", b"\0\0\0\0\0\7")], version=3)
    assert groups.coordinator.delete_offsets("g", [("t", 0)], groups.now) == [GroupSubscribedToTopic.code]


def test_deleted_topic_takes_its_offsets_along(groups: GroupDriver) -> None:
    groups.commit(7, "t")
    groups.commit(8, "u")
    groups.coordinator.topics_deleted({"t"}, groups.now)
    for broker in (groups, groups.restarted()):
        assert (broker.committed("t"), broker.committed("u")) == (None, 8)


def test_deleting_the_offsets_topic_itself_begins_anew(groups: GroupDriver) -> None:
    groups.commit(7)
    groups.coordinator.topics_deleted({OFFSETS_TOPIC}, groups.now)
    assert groups.committed() is None
    assert groups.commit(8) == NONE
    assert groups.restarted().committed() == 8


# Expiry.


def test_offsets_expire_when_the_group_has_been_empty_for_the_retention(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    groups.commit(7, member_id=member_id, generation_id=generation_id)
    groups.passes(1)
    groups.leave(member_id)
    groups.passes(RETENTION_MS - CHECK_MS)
    assert groups.committed() == 7
    groups.passes(2 * CHECK_MS)
    assert groups.committed() is None
    assert groups.coordinator.list_groups() == []
    assert groups.restarted().coordinator.list_groups() == []


def test_retention_counts_from_the_emptying_across_a_restart(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    groups.commit(7, member_id=member_id, generation_id=generation_id)
    groups.leave(member_id)
    groups.passes(RETENTION_MS // 2)
    restarted = groups.restarted()
    restarted.passes(RETENTION_MS // 2 - CHECK_MS)
    assert restarted.committed() == 7
    restarted.passes(2 * CHECK_MS)
    assert restarted.committed() is None


def test_offsets_of_a_group_without_members_expire_after_their_commit() -> None:
    groups = GroupDriver(offsets_retention_minutes=60)
    groups.commit(7, partition=0)
    groups.passes(30 * 60_000)
    groups.commit(8, partition=1)
    groups.passes(45 * 60_000)
    assert (groups.committed(partition=0), groups.committed(partition=1)) == (None, 8)
    groups.passes(60 * 60_000)
    assert groups.coordinator.list_groups() == []


def test_active_group_keeps_what_it_reads_and_loses_what_it_reads_no_more() -> None:
    groups = GroupDriver(offsets_retention_minutes=1)
    (member_id,), generation_id = groups.stable_group()
    for topic in ("t", "given-up"):
        groups.commit(7, topic, member_id=member_id, generation_id=generation_id)
    for _ in range(2 * CHECK_MS // 5_000):
        groups.passes(5_000)
        groups.heartbeat(member_id, generation_id)
    assert (groups.committed("t"), groups.committed("given-up")) == (7, None)


def test_offset_with_its_own_retention_expires_by_it(groups: GroupDriver) -> None:
    groups.commit(7, partition=0, retention_ms=1_000)
    groups.commit(8, partition=1)
    groups.passes(CHECK_MS)
    for broker in (groups, groups.restarted()):
        assert (broker.committed(partition=0), broker.committed(partition=1)) == (None, 8)


def test_group_that_never_had_a_generation_leaves_nothing_in_the_log(groups: GroupDriver) -> None:
    groups.join()
    groups.passes(CHECK_MS)
    assert groups.coordinator.list_groups() == []
    assert groups.log.batches == []


def test_expiry_that_the_log_refuses_is_tried_again() -> None:
    groups = GroupDriver(offsets_retention_minutes=1)
    groups.commit(7)
    groups.log.failure = KafkaStorageError()
    groups.passes(CHECK_MS)
    assert groups.committed() == 7
    groups.log.failure = None
    groups.passes(CHECK_MS)
    assert groups.committed() is None


def test_expiry_of_many_offsets_takes_several_ticks() -> None:
    groups = GroupDriver(offsets_retention_minutes=1)
    for number in range(3):
        for partition in range(1_500):
            groups.commit(1, partition=partition, group_id=f"g{number}")
    groups.at_ms += CHECK_MS
    groups.coordinator.tick(groups.now)
    assert len(groups.coordinator.list_groups()) == 1
    assert groups.coordinator.next_deadline_ms() == 0
    groups.coordinator.tick(groups.now)
    assert groups.coordinator.list_groups() == []


# Describing and listing.


def test_stable_group_is_described_with_subscriptions_and_assignments(groups: GroupDriver) -> None:
    member_id, _ = groups.new_member()
    groups.sync(member_id, 1, {member_id: b"A"})
    described = groups.describe()
    assert (described.group_state, described.protocol_type, described.protocol_data) == (
        "Stable",
        "consumer",
        "range",
    )
    (member,) = described.members
    assert (member.client_id, member.client_host) == ("app", "/127.0.0.1")
    assert (member.member_metadata, member.member_assignment) == (subscription("t"), b"A")


def test_group_in_rebalance_is_described_without_subscriptions(groups: GroupDriver) -> None:
    groups.new_member()
    described = groups.describe()
    assert (described.group_state, described.protocol_data) == ("CompletingRebalance", "")
    assert described.members[0].member_metadata == b""


def test_groups_are_listed_by_state_and_type_in_any_case(groups: GroupDriver) -> None:
    groups.stable_group(group_id="busy")
    groups.commit(1, group_id="idle")

    def listed(states: list[str], types: list[str]) -> set[str]:
        return {each.group_id for each in groups.coordinator.list_groups(states, types)}

    assert listed([], []) == {"busy", "idle"}
    assert listed(["stable"], ["CLASSIC"]) == {"busy"}
    assert listed(["Empty", "Dead"], []) == {"idle"}
    assert listed(["bogus"], []) == set()
    assert listed([], ["consumer"]) == set()


# Loading.


def test_requests_are_refused_until_the_groups_are_loaded() -> None:
    groups = GroupDriver()
    (member_id,), generation_id = groups.stable_group()
    groups.coordinator = GroupCoordinator(OffsetStore(groups.log), BrokerConfig())
    assert groups.join().error == CoordinatorLoadInProgress.code
    assert groups.sync(member_id, generation_id).error == CoordinatorLoadInProgress.code
    assert groups.commit(7) == CoordinatorLoadInProgress.code
    assert groups.heartbeat(member_id, generation_id) == NONE, "no reason to rejoin"
    for ask in (groups.describe, groups.coordinator.list_groups, groups.committed):
        with pytest.raises(CoordinatorLoadInProgress):
            ask()
    groups.coordinator.load(groups.now)
    assert groups.heartbeat(member_id, generation_id) == NONE


def test_loading_a_long_log_lets_others_work_meanwhile() -> None:
    groups = GroupDriver(MemoryOffsetsLog())
    for offset in range(12_000):
        groups.commit(offset, partition=offset % 7_000)
    coordinator = GroupCoordinator(OffsetStore(groups.log), BrokerConfig())
    steps = sum(1 for _ in coordinator.load_in_steps(groups.now))
    assert steps >= 3
    assert coordinator.committed_offsets("g")["t"][0].offset == 7_000
