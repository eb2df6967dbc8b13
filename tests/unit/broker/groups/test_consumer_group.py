"""KIP-848 groups: epochs, targets, revoking before giving, static members, expressions, what survives a restart."""

import pytest

from broker.errors import (
    CoordinatorNotAvailable,
    FencedInstanceId,
    FencedMemberEpoch,
    GroupIdNotFound,
    GroupMaxSizeReached,
    InvalidRegularExpression,
    InvalidRequest,
    NonEmptyGroup,
    NotEnoughReplicas,
    StaleMemberEpoch,
    UnknownMemberId,
    UnreleasedInstanceId,
    UnsupportedAssignor,
    UnsupportedVersion,
)
from broker.groups.assignors import TopicPartition
from tests.unit.broker.groups.consumer_group_driver import ConsumerDriver, MemoryTopics, given


@pytest.fixture
def driver() -> ConsumerDriver:
    return ConsumerDriver()


def of_t(driver: ConsumerDriver, *indexes: int) -> list[TopicPartition]:
    topic = driver.topics.get("t")
    assert topic is not None
    return [TopicPartition(topic.topic_id, index) for index in indexes]


def two_members(driver: ConsumerDriver) -> None:
    """a has 0 and 1, b has 2 and 3, both in epoch 3."""
    driver.enter("a")
    driver.passes(1_000)
    driver.enter("b")
    driver.beat("a", 2, owned=of_t(driver, 0, 1, 2, 3))
    driver.beat("a", 2, owned=of_t(driver, 0, 1))
    driver.beat("b", 3)


def test_the_first_member_gets_everything_at_once(driver: ConsumerDriver) -> None:
    answer = driver.enter("a")
    assert (answer.member_epoch, given(answer), answer.heartbeat_interval_ms) == (2, {0, 1, 2, 3}, 5_000)
    assert driver.shown().group_state == "Stable"


def test_a_partition_is_given_only_after_its_owner_says_it_has_revoked_it(driver: ConsumerDriver) -> None:
    driver.enter("a")
    driver.passes(1_000)
    assert given(driver.enter("b")) == set()
    assert driver.shown().group_state == "Reconciling"
    asked = driver.beat("a", 2, owned=of_t(driver, 0, 1, 2, 3))
    assert (asked.member_epoch, given(asked)) == (2, {0, 1})
    assert given(driver.beat("b", 3)) is None
    assert driver.beat("a", 2, owned=of_t(driver, 0, 1)).member_epoch == 3
    assert given(driver.beat("b", 3)) == {2, 3}
    assert driver.shown().group_state == "Stable"


def test_silence_about_owned_partitions_is_not_revocation(driver: ConsumerDriver) -> None:
    driver.enter("a")
    driver.passes(1_000)
    driver.enter("b")
    driver.beat("a", 2)
    driver.beat("a", 2)
    assert given(driver.beat("b", 3)) is None


def test_members_that_come_within_the_interval_are_assigned_together(driver: ConsumerDriver) -> None:
    driver.enter("a")
    driver.enter("b")
    driver.enter("c")
    assert (driver.shown().group_state, driver.shown().assignment_epoch) == ("Assigning", 2)
    driver.passes(1_000)
    driver.beat("c", 2)
    assert (driver.shown().group_epoch, driver.shown().assignment_epoch) == (4, 4)


def test_an_epoch_that_is_not_the_members_own_is_fenced(driver: ConsumerDriver) -> None:
    two_members(driver)
    for epoch in (2, 9):
        with pytest.raises(FencedMemberEpoch):
            driver.beat("a", epoch)
    with pytest.raises(FencedMemberEpoch):
        driver.beat("a", 2, owned=of_t(driver, 0, 1, 2))


def test_the_previous_epoch_is_believed_when_the_answer_was_lost(driver: ConsumerDriver) -> None:
    two_members(driver)
    assert driver.beat("a", 2, owned=of_t(driver, 0, 1)).member_epoch == 3


def test_a_member_that_joins_again_has_revoked_everything(driver: ConsumerDriver) -> None:
    driver.enter("a")
    driver.passes(1_000)
    driver.enter("b")
    driver.beat("a", 2, owned=of_t(driver, 0, 1, 2, 3))
    assert given(driver.enter("a")) == {0, 1}
    assert given(driver.beat("b", 3)) == {2, 3}


def test_a_member_that_leaves_frees_its_partitions(driver: ConsumerDriver) -> None:
    two_members(driver)
    driver.beat("b", -1)
    assert driver.shown().group_epoch == 4
    driver.passes(1_000)
    assert given(driver.beat("a", 3)) == {0, 1, 2, 3}


def test_silent_members_are_removed_after_the_session_timeout(driver: ConsumerDriver) -> None:
    two_members(driver)
    driver.passes(30_000)
    driver.beat("a", 3)
    driver.passes(15_000)
    assert [member.member_id for member in driver.shown().members] == ["a"]
    assert given(driver.beat("a", 3)) == {0, 1, 2, 3}
    with pytest.raises(UnknownMemberId):
        driver.beat("b", 3)


def test_a_member_that_does_not_revoke_in_its_rebalance_timeout_is_removed(driver: ConsumerDriver) -> None:
    driver.enter("a", rebalance_timeout_ms=6_000)
    driver.passes(1_000)
    driver.enter("b")
    driver.beat("a", 2)
    driver.passes(5_000)
    driver.beat("a", 2)
    driver.beat("b", 3)
    driver.passes(1_000)
    with pytest.raises(UnknownMemberId):
        driver.beat("a", 2)
    assert given(driver.beat("b", 3)) == {0, 1, 2, 3}


def test_a_topic_unsubscribed_is_taken_away_and_the_others_stay() -> None:
    driver = ConsumerDriver(topics=MemoryTopics(t=2, u=2))
    driver.enter("a", "t", "u")
    driver.passes(1_000)
    answer = driver.beat("a", 2, subscribed_topic_names=["t"], owned=[*driver.topics.partitions("t")])
    assert answer.assignment is not None
    assert [each.partitions for each in answer.assignment.topic_partitions] == [[0, 1]]


def test_added_partitions_and_new_topics_reach_the_members(driver: ConsumerDriver) -> None:
    driver.enter("a", "t", "later")
    driver.topics.grow("t", 6)
    assert given(driver.beat("a", 2)) == {0, 1, 2, 3, 4, 5}
    driver.topics.create("later", 8)
    assert given(driver.beat("a", 3)) == set(range(8))


def test_a_topic_made_anew_is_another_topic(driver: ConsumerDriver) -> None:
    driver.enter("a")
    before = driver.topics.partitions("t")
    driver.topics.delete("t")
    driver.topics.create("t", 4)
    answer = driver.beat("a", 2)
    assert given(answer) == set()
    assert given(driver.beat("a", answer.member_epoch, owned=())) == {0, 1, 2, 3}
    assert not before & driver.group().members["a"].assigned.keys()


def test_an_unrelated_topic_changes_nothing(driver: ConsumerDriver) -> None:
    driver.enter("a")
    appended = len(driver.log.batches)
    driver.topics.create("other", 3)
    driver.beat("a", 2)
    driver.beat("a", 2)
    assert len(driver.log.batches) == appended
    assert driver.shown().group_epoch == 2


class TestStaticMembers:
    def test_a_name_in_use_is_not_given_away(self, driver: ConsumerDriver) -> None:
        driver.enter("a", instance_id="i")
        with pytest.raises(UnreleasedInstanceId):
            driver.enter("b", instance_id="i")

    def test_who_comes_back_finds_its_partitions_and_the_group_does_not_move(self, driver: ConsumerDriver) -> None:
        driver.enter("a", instance_id="i")
        assert driver.beat("a", -2, instance_id="i").member_epoch == -2
        answer = driver.enter("b", instance_id="i")
        assert (answer.member_epoch, given(answer)) == (2, {0, 1, 2, 3})
        with pytest.raises(FencedInstanceId):
            driver.beat("a", 2, instance_id="i")

    def test_who_stays_away_too_long_is_removed(self, driver: ConsumerDriver) -> None:
        driver.enter("a", instance_id="i")
        driver.beat("a", -2, instance_id="i")
        driver.passes(45_000)
        assert driver.shown().group_state == "Empty"

    def test_another_name_is_unknown(self, driver: ConsumerDriver) -> None:
        driver.enter("a", instance_id="i")
        with pytest.raises(UnknownMemberId):
            driver.beat("a", 2, instance_id="j")

    def test_a_return_that_the_log_refuses_leaves_the_old_member(self, driver: ConsumerDriver) -> None:
        driver.enter("a", instance_id="i")
        driver.beat("a", -2, instance_id="i")
        driver.log.failure = NotEnoughReplicas()
        with pytest.raises(CoordinatorNotAvailable):
            driver.enter("b", instance_id="i")
        driver.log.failure = None
        assert [member.member_id for member in driver.shown().members] == ["a"]
        assert given(driver.enter("b", instance_id="i")) == {0, 1, 2, 3}


class TestExpressions:
    def test_topics_that_match_are_read_and_new_ones_join(self, driver: ConsumerDriver) -> None:
        answer = driver.enter("a", subscribed_topic_names=None, subscribed_topic_regex="t.*")
        assert given(answer) == {0, 1, 2, 3}
        driver.topics.create("tt", 6)
        assert given(driver.beat("a", 2)) == set(range(6))

    def test_a_second_member_with_the_same_expression_shares(self, driver: ConsumerDriver) -> None:
        driver.enter("a", subscribed_topic_names=None, subscribed_topic_regex="t")
        driver.passes(1_000)
        driver.enter("b", subscribed_topic_names=None, subscribed_topic_regex="t")
        assert given(driver.beat("a", 2)) == {0, 1}

    @pytest.mark.parametrize("expression", ["(a", "(?=a)", r"(a)\1", "a*+", "x{1001}"])
    def test_what_re2_refuses_is_refused(self, driver: ConsumerDriver, expression: str) -> None:
        with pytest.raises(InvalidRegularExpression):
            driver.enter("a", subscribed_topic_regex=expression)

    def test_an_expression_nobody_uses_is_deleted_from_the_log(self, driver: ConsumerDriver) -> None:
        driver.enter("a", subscribed_topic_names=None, subscribed_topic_regex="t")
        driver.beat("a", -1)
        expressions = [record for _, batch in driver.log.batches for record in batch if record.key[:2] == b"\0\x10"]
        assert [record.value is None for record in expressions] == [False, True]


class TestRefusals:
    def test_a_full_group_takes_nobody(self) -> None:
        driver = ConsumerDriver(group_consumer_max_size=1)
        driver.enter("a")
        with pytest.raises(GroupMaxSizeReached):
            driver.enter("b")

    def test_an_assignor_that_is_not_ours(self, driver: ConsumerDriver) -> None:
        with pytest.raises(UnsupportedAssignor):
            driver.enter("a", server_assignor="sticky")

    def test_a_group_that_is_not_there(self, driver: ConsumerDriver) -> None:
        with pytest.raises(GroupIdNotFound):
            driver.beat("a", 5)
        with pytest.raises(GroupIdNotFound):
            driver.beat("a", -1)

    def test_a_join_that_says_too_little(self, driver: ConsumerDriver) -> None:
        with pytest.raises(InvalidRequest):
            driver.beat("a", 0, subscribed_topic_names=["t"], owned=())
        with pytest.raises(InvalidRequest):
            driver.enter("a", subscribed_topic_names=None)
        with pytest.raises(InvalidRequest):
            driver.beat("a", -3)

    def test_nothing_has_changed_when_the_log_refuses(self, driver: ConsumerDriver) -> None:
        two_members(driver)
        before = driver.shown()
        driver.log.failure = NotEnoughReplicas()
        driver.passes(1_000)
        for ask in (lambda: driver.enter("c"), lambda: driver.beat("a", -1), lambda: driver.beat("b", -1)):
            with pytest.raises(CoordinatorNotAvailable):
                ask()
        assert driver.shown() == before
        driver.log.failure = None
        assert driver.restarted().shown() == before


class TestOffsets:
    def test_commits_need_the_members_epoch_or_one_since_it_got_the_partition(self, driver: ConsumerDriver) -> None:
        two_members(driver)
        assert driver.commit_as("a", 3, 0, 3) == [0, 0]
        assert driver.commit_as("a", 2, 0, 3) == [0, StaleMemberEpoch.code]
        with pytest.raises(StaleMemberEpoch):
            driver.commit_as("a", 4, 0)
        with pytest.raises(UnknownMemberId):
            driver.commit_as("", -1, 0)
        with pytest.raises(UnsupportedVersion):
            driver.commit_as("a", 3, 0, api_version=8)

    def test_fetches_need_the_members_epoch(self, driver: ConsumerDriver) -> None:
        two_members(driver)
        driver.coordinator.check_fetch("g", "a", 3)
        driver.coordinator.check_fetch("g", None, -1)
        with pytest.raises(StaleMemberEpoch):
            driver.coordinator.check_fetch("g", "a", 2)
        with pytest.raises(UnknownMemberId):
            driver.coordinator.check_fetch("g", "x", 2)

    def test_a_deleted_group_takes_its_offsets_along(self, driver: ConsumerDriver) -> None:
        driver.enter("a")
        driver.commit_as("a", 2, 0)
        with pytest.raises(NonEmptyGroup):
            driver.coordinator.delete_group("g", driver.now)
        driver.beat("a", -1)
        driver.coordinator.delete_group("g", driver.now)
        restarted = driver.restarted()
        assert restarted.coordinator.list_groups() == []
        assert not restarted.coordinator.committed_offsets("g")


def test_a_restart_changes_nothing_that_members_see(driver: ConsumerDriver) -> None:
    two_members(driver)
    driver.enter("c", instance_id="i", rack_id="r", server_assignor="range", subscribed_topic_regex="u.*")
    driver.passes(1_000)
    driver.beat("a", 3, owned=of_t(driver, 0, 1))
    restarted = driver.restarted()
    assert restarted.shown() == driver.shown()
    assert restarted.beat("b", 3).error_code == 0
    assert restarted.shown().group_epoch == driver.shown().group_epoch


def test_listed_by_type_and_state(driver: ConsumerDriver) -> None:
    driver.enter("a")
    listed = driver.coordinator.list_groups(states=["stable"], types=["Consumer"])
    assert [(each.group_id, each.group_type, each.protocol_type) for each in listed] == [("g", "consumer", "consumer")]
    assert driver.coordinator.list_groups(types=["classic"]) == []


def test_the_range_assignor_when_members_ask_for_it() -> None:
    driver = ConsumerDriver(topics=MemoryTopics(t=3, u=3))
    driver.enter("a", "t", "u", server_assignor="range")
    driver.passes(1_000)
    driver.enter("b", "t", "u", server_assignor="range")
    assert driver.shown().assignor_name == "range"
    assert {each.partition for each in driver.group().targets["a"]} == {0, 1}
