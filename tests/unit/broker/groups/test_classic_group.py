"""Joining, syncing, leaving and timing out, as real Kafka answers it."""

import re

import pytest

from broker.config import BrokerConfig
from broker.errors import (
    NONE,
    CoordinatorNotAvailable,
    FencedInstanceId,
    GroupMaxSizeReached,
    IllegalGeneration,
    InconsistentGroupProtocol,
    InvalidGroupId,
    InvalidSessionTimeout,
    KafkaStorageError,
    MemberIdRequired,
    NotCoordinator,
    NotEnoughReplicas,
    RebalanceInProgress,
    UnknownMemberId,
)
from tests.unit.broker.groups.group_driver import (
    REBALANCE_MS,
    SESSION_MS,
    GroupDriver,
    MemoryOffsetsLog,
    subscription,
)

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def groups() -> GroupDriver:
    return GroupDriver()


# Joining.


def test_first_join_gets_a_member_id_of_client_id_and_uuid(groups: GroupDriver) -> None:
    response = groups.join().response
    assert response.error_code == MemberIdRequired.code
    assert re.fullmatch(f"app-{UUID}", response.member_id)
    assert response.generation_id == -1


def test_join_before_version_4_needs_no_member_id(groups: GroupDriver) -> None:
    response = groups.join(version=3).response
    assert (response.error_code, response.generation_id) == (NONE, 1)


def test_first_member_leads_generation_1_and_sees_all_members(groups: GroupDriver) -> None:
    member_id, answer = groups.new_member()
    response = answer.response
    assert (response.generation_id, response.leader, response.member_id) == (1, member_id, member_id)
    assert (response.protocol_type, response.protocol_name) == ("consumer", "range")
    assert [(each.member_id, each.metadata) for each in response.members] == [(member_id, subscription("t"))]


@pytest.mark.parametrize("timeout_ms", [5_999, 1_800_001])
def test_session_timeout_outside_the_limits_is_refused(groups: GroupDriver, timeout_ms: int) -> None:
    assert groups.join(session_timeout_ms=timeout_ms).error == InvalidSessionTimeout.code


@pytest.mark.parametrize("timeout_ms", [6_000, 1_800_000])
def test_session_timeout_at_the_limits_is_accepted(groups: GroupDriver, timeout_ms: int) -> None:
    assert groups.join(session_timeout_ms=timeout_ms).error == MemberIdRequired.code


def test_empty_group_id_is_refused(groups: GroupDriver) -> None:
    assert groups.join("").error == InvalidGroupId.code
    assert groups.sync("m", 1, group_id="").error == InvalidGroupId.code
    assert groups.heartbeat("m", 1, group_id="") == InvalidGroupId.code
    with pytest.raises(InvalidGroupId):
        groups.leave("m", group_id="")


def test_join_without_protocols_is_refused(groups: GroupDriver) -> None:
    assert groups.join(protocols=[]).error == InconsistentGroupProtocol.code
    assert groups.join(protocol_type="").error == InconsistentGroupProtocol.code


def test_join_with_another_protocol_type_is_refused(groups: GroupDriver) -> None:
    groups.stable_group()
    assert groups.join(protocol_type="connect").error == InconsistentGroupProtocol.code


def test_join_without_a_common_protocol_is_refused(groups: GroupDriver) -> None:
    groups.stable_group()
    assert groups.join(protocols=[("sticky", b"")]).error == InconsistentGroupProtocol.code


def test_join_with_a_member_id_the_group_never_gave_is_refused(groups: GroupDriver) -> None:
    response = groups.join("nowhere", "made-up").response
    assert (response.error_code, response.member_id) == (UnknownMemberId.code, "made-up")
    groups.stable_group()
    assert groups.join("g", "made-up").error == UnknownMemberId.code


def test_protocol_with_most_votes_wins_among_the_common_ones(groups: GroupDriver) -> None:
    a, b, c = ("a", b""), ("b", b""), ("c", b"")
    first, _ = groups.new_member(protocols=[c, a, b])
    _, second = groups.new_member(protocols=[b, a])
    _, third = groups.new_member(protocols=[b, a])
    groups.join(member_id=first, protocols=[c, a, b])
    assert second.response.protocol_name == "b"
    assert third.response.protocol_name == "b"


def test_second_member_makes_the_first_rejoin(groups: GroupDriver) -> None:
    (first,), generation_id = groups.stable_group()
    second, answer = groups.new_member()
    assert answer.is_waiting
    assert groups.heartbeat(first, generation_id) == RebalanceInProgress.code
    rejoin = groups.join(member_id=first)
    assert answer.response.generation_id == rejoin.response.generation_id == generation_id + 1
    assert answer.response.leader == first
    assert not answer.response.members
    assert {each.member_id for each in rejoin.response.members} == {first, second}


def test_member_whose_join_answer_was_lost_gets_the_generation_again(groups: GroupDriver) -> None:
    members, generation_id = groups.stable_group(2)
    again = groups.join(member_id=members[1]).response
    assert (again.error_code, again.generation_id, again.members) == (NONE, generation_id, [])
    assert groups.state() == "Stable"


def test_leader_that_rejoins_a_stable_group_starts_a_rebalance(groups: GroupDriver) -> None:
    members, generation_id = groups.stable_group(2)
    assert groups.join(member_id=members[0]).is_waiting
    assert groups.heartbeat(members[1], generation_id) == RebalanceInProgress.code


def test_changed_subscription_starts_a_rebalance(groups: GroupDriver) -> None:
    members, generation_id = groups.stable_group(2)
    assert groups.join(member_id=members[1], protocols=[("range", subscription("t", "u"))]).is_waiting
    assert groups.heartbeat(members[0], generation_id) == RebalanceInProgress.code


def test_member_that_does_not_rejoin_is_out_after_the_rebalance_timeout(groups: GroupDriver) -> None:
    (first,), generation_id = groups.stable_group()
    second, answer = groups.new_member()
    for _ in range(REBALANCE_MS // 5_000):
        groups.heartbeat(first, generation_id)  # alive, but busy with its records
        groups.passes(5_000)
    assert answer.response.leader == second
    assert [each.member_id for each in groups.describe().members] == [second]


def test_retried_join_replaces_the_one_that_waits(groups: GroupDriver) -> None:
    (first,), _ = groups.stable_group()
    second, abandoned = groups.new_member()
    retried = groups.join(member_id=second)
    assert abandoned.error == RebalanceInProgress.code
    assert retried.is_waiting, "two requests of one member are not two members"
    groups.join(member_id=first)
    assert retried.error == NONE


def test_full_group_takes_no_new_member() -> None:
    groups = GroupDriver(group_max_size=2)
    groups.stable_group(2)
    response = groups.join().response
    assert (response.error_code, response.member_id) == (GroupMaxSizeReached.code, "")


def test_group_larger_than_a_lowered_limit_loses_the_last_to_rejoin() -> None:
    groups = GroupDriver()
    members, _ = groups.stable_group(3)
    lowered = GroupDriver(groups.log, groups.at_ms, group_max_size=2)
    assert lowered.state() == "PreparingRebalance"
    answers = [lowered.join(member_id=member_id) for member_id in members]
    assert [answer.error for answer in answers] == [NONE, NONE, GroupMaxSizeReached.code]


def test_pending_member_is_forgotten_after_its_session_timeout(groups: GroupDriver) -> None:
    member_id = groups.join().response.member_id
    groups.passes(SESSION_MS)
    assert groups.join(member_id=member_id).error == UnknownMemberId.code


def test_rebalance_waits_for_a_pending_member_no_longer_than_its_session(groups: GroupDriver) -> None:
    (first,), _ = groups.stable_group()
    groups.join()
    rejoin = groups.join(member_id=first)
    assert rejoin.is_waiting
    groups.passes(SESSION_MS)
    assert rejoin.error == NONE


def test_new_member_that_waits_too_long_to_be_answered_is_let_go(groups: GroupDriver) -> None:
    groups.stable_group()
    leader = groups.describe().members[0].member_id
    _, answer = groups.new_member(rebalance_timeout_ms=600_000)
    for _ in range(61):
        groups.heartbeat(leader, 1)
        groups.passes(5_000)
    response = answer.response
    assert (response.error_code, response.member_id) == (UnknownMemberId.code, "")


# The first rebalance of a group.


def test_initial_delay_gathers_members_into_the_first_generation() -> None:
    groups = GroupDriver(group_initial_rebalance_delay_ms=3_000)
    _, first = groups.new_member()
    groups.passes(2_000)
    _, second = groups.new_member()
    groups.passes(999)
    assert first.is_waiting
    groups.passes(1)
    assert first.is_waiting, "a new member prolongs the delay"
    groups.passes(3_000)
    assert first.response.generation_id == second.response.generation_id == 1


def test_initial_delay_ends_at_the_rebalance_timeout_though_members_keep_coming() -> None:
    groups = GroupDriver(group_initial_rebalance_delay_ms=3_000)
    _, first = groups.new_member(rebalance_timeout_ms=7_000)
    for _ in range(6):
        groups.passes(1_000)
        groups.new_member()
    assert first.is_waiting
    groups.passes(1_000)
    assert not first.is_waiting


def test_without_delay_the_first_member_is_answered_at_once(groups: GroupDriver) -> None:
    assert not groups.new_member()[1].is_waiting


# Syncing.


def test_followers_get_their_assignment_when_the_leader_sends_it(groups: GroupDriver) -> None:
    members, _ = groups.stable_group(2)
    leader, follower = members
    groups.join(member_id=leader)
    generation_id = groups.join(member_id=follower).response.generation_id
    waiting = groups.sync(follower, generation_id)
    assert waiting.is_waiting
    leads = groups.sync(leader, generation_id, {leader: b"L", follower: b"F"})
    assert (leads.response.assignment, waiting.response.assignment) == (b"L", b"F")
    assert (waiting.response.protocol_type, waiting.response.protocol_name) == ("consumer", "range")
    assert groups.sync(follower, generation_id).response.assignment == b"F", "asked again"


def test_member_the_leader_forgot_gets_an_empty_assignment(groups: GroupDriver) -> None:
    member_id, _ = groups.new_member()
    assert groups.sync(member_id, 1, {"someone-else": b"X"}).response.assignment == b""


def test_sync_of_another_generation_is_refused(groups: GroupDriver) -> None:
    member_id, _ = groups.new_member()
    assert groups.sync(member_id, 0).error == IllegalGeneration.code
    assert groups.sync(member_id, 2).error == IllegalGeneration.code


def test_sync_of_an_unknown_member_or_group_is_refused(groups: GroupDriver) -> None:
    groups.new_member()
    assert groups.sync("x", 1).error == UnknownMemberId.code
    assert groups.sync("x", 1, group_id="nowhere").error == UnknownMemberId.code


def test_sync_naming_another_protocol_is_refused(groups: GroupDriver) -> None:
    member_id, _ = groups.new_member()
    assert groups.sync(member_id, 1, protocol_name="sticky").error == InconsistentGroupProtocol.code
    assert groups.sync(member_id, 1, protocol_type="connect").error == InconsistentGroupProtocol.code
    assert groups.sync(member_id, 1, protocol_type=None, protocol_name=None).error == NONE


def test_sync_during_a_rebalance_sends_the_member_to_join(groups: GroupDriver) -> None:
    (first,), generation_id = groups.stable_group()
    groups.new_member()
    assert groups.sync(first, generation_id).error == RebalanceInProgress.code


def test_new_member_during_the_sync_phase_sends_waiting_members_to_join(groups: GroupDriver) -> None:
    members, _ = groups.stable_group(2)
    groups.join(member_id=members[0])
    generation_id = groups.join(member_id=members[1]).response.generation_id
    waiting = groups.sync(members[1], generation_id)
    groups.new_member()
    assert waiting.error == RebalanceInProgress.code


def test_member_that_never_syncs_is_out_after_the_rebalance_timeout(groups: GroupDriver) -> None:
    members, _ = groups.stable_group(2)
    groups.join(member_id=members[0])
    generation_id = groups.join(member_id=members[1]).response.generation_id
    groups.sync(members[0], generation_id)
    for _ in range(REBALANCE_MS // 5_000):
        for member_id in members:
            groups.heartbeat(member_id, generation_id)
        groups.passes(5_000)
    assert [each.member_id for each in groups.describe().members] == [members[0]]


@pytest.mark.parametrize(
    ("failure", "answered"), [(KafkaStorageError, NotCoordinator), (NotEnoughReplicas, CoordinatorNotAvailable)]
)
def test_assignment_that_the_log_refuses_is_not_handed_out(
    groups: GroupDriver, failure: type, answered: type[NotCoordinator]
) -> None:
    member_id, _ = groups.new_member()
    groups.log.failure = failure()
    response = groups.sync(member_id, 1, {member_id: b"A"}).response
    assert (response.error_code, response.assignment) == (answered.code, b"")
    groups.log.failure = None
    assert groups.state() == "PreparingRebalance"
    assert groups.join(member_id=member_id).response.generation_id == 2


# Heartbeats.


def test_heartbeat_keeps_a_member_for_another_session_timeout(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    for _ in range(5):
        groups.passes(SESSION_MS - 1)
        assert groups.heartbeat(member_id, generation_id) == NONE


def test_member_without_heartbeats_is_expelled_after_its_session_timeout(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    groups.passes(SESSION_MS - 1)
    assert groups.state() == "Stable"
    groups.passes(1)
    assert groups.state() == "Empty"
    assert groups.heartbeat(member_id, generation_id) == UnknownMemberId.code


def test_heartbeat_of_another_generation_is_refused(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    assert groups.heartbeat(member_id, generation_id + 1) == IllegalGeneration.code


def test_heartbeat_to_an_unknown_group_is_refused_as_unknown_member(groups: GroupDriver) -> None:
    assert groups.heartbeat("m", 1, group_id="nowhere") == UnknownMemberId.code


def test_heartbeat_of_a_pending_member_is_refused(groups: GroupDriver) -> None:
    member_id = groups.join().response.member_id
    assert groups.heartbeat(member_id, 0) == UnknownMemberId.code


def test_heartbeat_while_waiting_for_the_assignment_is_fine(groups: GroupDriver) -> None:
    member_id, _ = groups.new_member()
    assert groups.heartbeat(member_id, 1) == NONE


def test_member_waiting_for_an_answer_needs_no_heartbeat(groups: GroupDriver) -> None:
    members, _ = groups.stable_group(2)
    groups.join(member_id=members[0])
    generation_id = groups.join(member_id=members[1]).response.generation_id
    waiting = groups.sync(members[1], generation_id)
    for _ in range(5):
        groups.passes(SESSION_MS - 1)
        groups.heartbeat(members[0], generation_id)
    groups.sync(members[0], generation_id)
    assert waiting.error == NONE
    groups.passes(SESSION_MS - 1)
    assert groups.heartbeat(members[1], generation_id) == NONE


def test_leader_that_dies_before_assigning_is_replaced(groups: GroupDriver) -> None:
    members, _ = groups.stable_group(2)
    groups.join(member_id=members[0])
    generation_id = groups.join(member_id=members[1]).response.generation_id
    waiting = groups.sync(members[1], generation_id)
    groups.passes(SESSION_MS)
    assert waiting.error == RebalanceInProgress.code
    rejoined = groups.join(member_id=members[1]).response
    assert (rejoined.leader, rejoined.generation_id) == (members[1], generation_id + 1)


# Leaving.


def test_last_member_leaving_empties_the_group(groups: GroupDriver) -> None:
    (member_id,), _ = groups.stable_group()
    assert groups.leave(member_id) == [NONE]
    assert groups.state() == "Empty"
    assert groups.leave(member_id) == [UnknownMemberId.code]
    assert groups.coordinator.next_deadline_ms() == BrokerConfig().offsets_retention_check_interval_ms


def test_each_leaving_member_gets_its_own_answer(groups: GroupDriver) -> None:
    members, generation_id = groups.stable_group(3)
    assert groups.leave(members[1], "x", members[1]) == [NONE, UnknownMemberId.code, UnknownMemberId.code]
    assert groups.heartbeat(members[0], generation_id) == RebalanceInProgress.code


def test_leaving_an_unknown_group_is_answered_for_each_member(groups: GroupDriver) -> None:
    assert groups.leave("x", ("", "i"), group_id="nowhere") == [UnknownMemberId.code] * 2


def test_pending_member_may_leave(groups: GroupDriver) -> None:
    (first,), _ = groups.stable_group()
    pending = groups.join().response.member_id
    rejoin = groups.join(member_id=first)
    assert rejoin.is_waiting
    assert groups.leave(pending) == [NONE]
    assert rejoin.error == NONE


def test_member_removed_while_it_waits_to_join_is_answered(groups: GroupDriver) -> None:
    groups.stable_group()
    member_id, answer = groups.new_member()
    groups.leave(member_id)
    response = answer.response
    assert (response.error_code, response.member_id) == (UnknownMemberId.code, "")


def test_leader_leaving_passes_the_lead_on(groups: GroupDriver) -> None:
    members, _ = groups.stable_group(2)
    groups.leave(members[0])
    response = groups.join(member_id=members[1]).response
    assert (response.leader, len(response.members)) == (members[1], 1)


# Static members (KIP-345).


def static_group(groups: GroupDriver, *instances: str) -> tuple[list[str], int]:
    """A Stable group of static members with assignments `A-<instance>`: their ids and the generation."""
    members: list[str] = []
    answer = groups.join(instance=instances[0])
    members.append(answer.response.member_id)
    for instance in instances[1:]:
        answer = groups.join(instance=instance)
        for known, member_id in zip(instances, members, strict=False):
            groups.join(member_id=member_id, instance=known)
        members.append(answer.response.member_id)
    generation_id = answer.response.generation_id
    assignments = {m: f"A-{i}".encode() for m, i in zip(members, instances, strict=True)}
    for member_id, instance in reversed(list(zip(members, instances, strict=True))):
        groups.sync(member_id, generation_id, assignments, instance=instance)
    assert groups.state() == "Stable"
    return members, generation_id


def test_static_member_needs_no_second_join_and_is_named_after_its_instance(groups: GroupDriver) -> None:
    response = groups.join(instance="pod-1").response
    assert response.error_code == NONE
    assert re.fullmatch(f"pod-1-{UUID}", response.member_id)


def test_returning_static_member_takes_its_place_without_a_rebalance(groups: GroupDriver) -> None:
    members, generation_id = static_group(groups, "i1", "i2")
    response = groups.join(instance="i2").response
    assert (response.error_code, response.generation_id, response.leader) == (NONE, generation_id, members[0])
    assert response.member_id not in members
    assert groups.sync(response.member_id, generation_id, instance="i2").response.assignment == b"A-i2"
    assert groups.heartbeat(members[0], generation_id, instance="i1") == NONE


def test_returning_static_leader_skips_the_assignment_from_version_9(groups: GroupDriver) -> None:
    _, generation_id = static_group(groups, "i1", "i2")
    response = groups.join(instance="i1").response
    assert (response.skip_assignment, response.leader) == (True, response.member_id)
    assert (response.generation_id, len(response.members)) == (generation_id, 2)


def test_returning_static_leader_before_version_9_is_not_told_that_it_leads(groups: GroupDriver) -> None:
    members, _ = static_group(groups, "i1", "i2")
    response = groups.join(instance="i1", version=8).response
    assert (response.leader, response.members, response.skip_assignment) == (members[0], [], False)


def test_replaced_static_member_is_fenced_everywhere(groups: GroupDriver) -> None:
    members, generation_id = static_group(groups, "i1", "i2")
    groups.join(instance="i2")
    old = members[1]
    assert groups.heartbeat(old, generation_id, instance="i2") == FencedInstanceId.code
    assert groups.sync(old, generation_id, instance="i2").error == FencedInstanceId.code
    assert groups.join(member_id=old, instance="i2").error == FencedInstanceId.code
    assert groups.leave((old, "i2")) == [FencedInstanceId.code]
    commit = groups.commit(1, member_id=old, generation_id=generation_id, instance="i2")
    assert commit == FencedInstanceId.code
    assert groups.heartbeat(old, generation_id) == UnknownMemberId.code


def test_unknown_instance_is_an_unknown_member(groups: GroupDriver) -> None:
    (member_id,), generation_id = groups.stable_group()
    assert groups.heartbeat(member_id, generation_id, instance="i1") == UnknownMemberId.code


def test_static_member_that_changes_the_groups_protocol_starts_a_rebalance(groups: GroupDriver) -> None:
    both = [("range", subscription("t")), ("sticky", subscription("t"))]
    member_id = groups.join(instance="i1", protocols=both).response.member_id
    groups.sync(member_id, 1, instance="i1")
    response = groups.join(instance="i1", protocols=[both[1]]).response
    assert (response.generation_id, response.protocol_name) == (2, "sticky")


def test_returning_static_member_fences_the_one_that_still_waits(groups: GroupDriver) -> None:
    static_group(groups, "i1")
    waiting = groups.join(instance="i2")
    taking_over = groups.join(instance="i2")
    assert waiting.error == FencedInstanceId.code
    assert taking_over.is_waiting


def test_static_member_is_kept_when_it_misses_a_rebalance(groups: GroupDriver) -> None:
    members, generation_id = static_group(groups, "i1", "i2")
    rejoin = groups.join(member_id=members[0], instance="i1")
    for _ in range(REBALANCE_MS // 5_000):
        groups.heartbeat(members[1], generation_id, instance="i2")
        groups.passes(5_000)
    assert rejoin.error == NONE
    assert {each.group_instance_id for each in rejoin.response.members} == {"i1", "i2"}


def test_rebalance_with_only_absent_static_members_waits_until_they_expire(groups: GroupDriver) -> None:
    members, generation_id = static_group(groups, "i1", "i2")
    second, _ = groups.new_member()
    groups.leave(second)
    assert groups.state() == "PreparingRebalance"
    for _ in range(2 * REBALANCE_MS // 5_000):
        for member_id, instance in zip(members, ("i1", "i2"), strict=True):
            groups.heartbeat(member_id, generation_id, instance=instance)
        groups.passes(5_000)
    assert groups.state() == "PreparingRebalance"
    groups.passes(SESSION_MS)
    assert groups.state() == "Empty"


def test_returning_static_member_that_does_not_sync_is_out_after_the_rebalance_timeout(groups: GroupDriver) -> None:
    members, _ = static_group(groups, "i1", "i2")
    groups.join(member_id=members[0], instance="i1")
    generation_id = groups.join(member_id=members[1], instance="i2").response.generation_id
    groups.sync(members[0], generation_id, instance="i1")
    returned = groups.join(instance="i2").response.member_id
    for _ in range(REBALANCE_MS // 5_000):
        groups.heartbeat(members[0], generation_id, instance="i1")
        groups.heartbeat(returned, generation_id, instance="i2")
        groups.passes(5_000)
    assert [each.group_instance_id for each in groups.describe().members] == ["i1"]


def test_administrator_removes_a_static_member_by_its_instance_alone(groups: GroupDriver) -> None:
    static_group(groups, "i1", "i2")
    assert groups.leave(("", "i2"), ("", "nobody")) == [NONE, UnknownMemberId.code]
    assert [each.group_instance_id for each in groups.describe().members] == ["i1"]


def test_static_replacement_that_the_log_refuses_leaves_the_old_member(groups: GroupDriver) -> None:
    members, generation_id = static_group(groups, "i1", "i2")
    groups.log.failure = NotEnoughReplicas()
    assert groups.join(instance="i2").error == CoordinatorNotAvailable.code
    groups.log.failure = None
    assert groups.heartbeat(members[1], generation_id, instance="i2") == NONE


# Restarts and the end.


def test_members_survive_a_restart_of_the_broker(groups: GroupDriver) -> None:
    members, generation_id = static_group(groups, "i1", "i2")
    restarted = groups.restarted()
    assert restarted.state() == "Stable"
    for member_id, instance in zip(members, ("i1", "i2"), strict=True):
        assert restarted.heartbeat(member_id, generation_id, instance=instance) == NONE
        assignment = restarted.sync(member_id, generation_id, instance=instance).response.assignment
        assert assignment == f"A-{instance}".encode()
    assert restarted.join(member_id=members[1], instance="i2").response.leader == members[0]


def test_members_that_do_not_return_after_a_restart_expire(groups: GroupDriver) -> None:
    groups.stable_group(2)
    restarted = groups.restarted()
    restarted.passes(SESSION_MS)
    assert restarted.state() == "Empty"


def test_closing_answers_everyone_who_waits(groups: GroupDriver) -> None:
    groups.stable_group()
    _, answer = groups.new_member()
    groups.coordinator.close()
    assert answer.error == NotCoordinator.code
    assert groups.coordinator.next_deadline_ms() is None
    assert groups.join().error == NotCoordinator.code
    assert groups.heartbeat("m", 1) == NotCoordinator.code


def test_two_hundred_members_storming_in_share_one_generation() -> None:
    groups = GroupDriver(MemoryOffsetsLog(), group_initial_rebalance_delay_ms=3_000)
    joins = [groups.new_member() for _ in range(200)]
    groups.passes(6_000)
    generations = {answer.response.generation_id for _, answer in joins}
    leader = joins[0][1].response.leader
    assert generations == {1}
    assert [len(answer.response.members) for _, answer in joins] == [200] + [0] * 199
    syncs = [groups.sync(member_id, 1) for member_id, _ in joins if member_id != leader]
    groups.sync(leader, 1, {member_id: member_id.encode() for member_id, _ in joins})
    assert {answer.response.assignment for answer in syncs} == {m.encode() for m, _ in joins if m != leader}
