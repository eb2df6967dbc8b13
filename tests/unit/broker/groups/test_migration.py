"""Groups on their way between the classic and the consumer protocol; the sequences were measured on Kafka 4.3.1."""

import pytest

from broker.errors import (
    NONE,
    CoordinatorNotAvailable,
    GroupIdNotFound,
    IllegalGeneration,
    InconsistentGroupProtocol,
    NotEnoughReplicas,
    RebalanceInProgress,
    StaleMemberEpoch,
    UnknownMemberId,
)
from broker.groups.migration import read_subscription
from broker.protocol.codec import decode, encode
from broker.protocol.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from broker.protocol.messages.consumer_protocol_assignment import TopicPartition as AssignedTopic
from broker.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription
from broker.protocol.messages.consumer_protocol_subscription import TopicPartition as OwnedTopic
from broker.protocol.messages.heartbeat import HeartbeatRequest
from broker.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from broker.protocol.messages.leave_group import MemberIdentity
from broker.protocol.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.unit.broker.groups.consumer_group_driver import ConsumerDriver, given
from tests.unit.broker.groups.group_driver import CLIENT, Answer


class MixedDriver(ConsumerDriver):
    """Members of the classic protocol, too."""

    def join_classic(
        self, member_id: str = "", *, owned: tuple[int, ...] = (), instance_id: str | None = None
    ) -> JoinGroupResponse:
        """Join as a consumer of `t`, with the member id that a first attempt gives."""
        subscription = ConsumerProtocolSubscription(
            topics=["t"], owned_partitions=[OwnedTopic(topic="t", partitions=list(owned))]
        )
        request = JoinGroupRequest(
            group_id="g",
            session_timeout_ms=45_000,
            rebalance_timeout_ms=60_000,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=b"\0\1" + encode(subscription, 1))],
        )
        answer: Answer[JoinGroupResponse] = Answer()
        self.coordinator.join(request, client=CLIENT, api_version=9, now=self.now, reply=answer)
        if answer.response.error_code == 79:
            return self.join_classic(answer.response.member_id, owned=owned)
        return answer.response

    def sync_classic(self, member_id: str, generation_id: int, *assign: int) -> tuple[int, set[int]]:
        """The error code and the partitions; a leader says what all members, itself alone, are to read."""
        topics = [AssignedTopic(topic="t", partitions=list(assign))]
        assignment = b"\0\1" + encode(ConsumerProtocolAssignment(assigned_partitions=topics), 1)
        request = SyncGroupRequest(
            group_id="g",
            generation_id=generation_id,
            member_id=member_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[SyncGroupRequestAssignment(member_id=member_id, assignment=assignment)] if assign else [],
        )
        answer = Answer()
        self.coordinator.sync(request, now=self.now, reply=answer)
        if answer.response.error_code:
            return answer.response.error_code, set()
        read = decode(ConsumerProtocolAssignment, 1, answer.response.assignment, 2)
        return NONE, {index for topic in read.assigned_partitions for index in topic.partitions}

    def beat_classic(self, member_id: str, generation_id: int) -> int:
        """The error code of a classic heartbeat."""
        request = HeartbeatRequest(group_id="g", member_id=member_id, generation_id=generation_id)
        try:
            self.coordinator.heartbeat(request, self.now)
        except (RebalanceInProgress, UnknownMemberId, IllegalGeneration) as error:
            return error.code
        return NONE

    def classic_group_of_one(self) -> str:
        joined = self.join_classic()
        assert self.sync_classic(joined.member_id, 1, 0, 1, 2, 3) == (NONE, {0, 1, 2, 3})
        return joined.member_id


@pytest.fixture
def driver() -> MixedDriver:
    return MixedDriver()


def upgraded(driver: MixedDriver) -> str:
    """A classic member with 0 and 1, `new` of the consumer protocol with 2 and 3, in epoch 2."""
    classic = driver.classic_group_of_one()
    driver.enter("new")
    driver.join_classic(classic, owned=(0, 1, 2, 3))
    driver.sync_classic(classic, 1)
    driver.join_classic(classic, owned=(0, 1))
    driver.sync_classic(classic, 2)
    assert given(driver.beat("new", 2)) == {2, 3}
    return classic


def test_an_upgrade_moves_partitions_only_when_the_classic_member_has_revoked_them(driver: MixedDriver) -> None:
    classic = driver.classic_group_of_one()
    answer = driver.enter("new")
    assert (answer.member_epoch, given(answer)) == (2, set())
    assert driver.beat_classic(classic, 1) == RebalanceInProgress.code
    assert driver.sync_classic(classic, 1)[0] == RebalanceInProgress.code
    assert driver.join_classic(classic, owned=(0, 1, 2, 3)).generation_id == 1
    assert driver.sync_classic(classic, 1) == (NONE, {0, 1})
    assert given(driver.beat("new", 2)) is None
    assert driver.beat_classic(classic, 1) == RebalanceInProgress.code
    assert driver.join_classic(classic, owned=(0, 1)).generation_id == 2
    assert driver.sync_classic(classic, 2) == (NONE, {0, 1})
    assert driver.beat_classic(classic, 2) == NONE
    assert given(driver.beat("new", 2)) == {2, 3}
    assert driver.shown().group_state == "Stable"
    assert sorted(member.member_type for member in driver.shown().members) == [0, 1]


def test_a_mixed_group_survives_a_restart(driver: MixedDriver) -> None:
    classic = upgraded(driver)
    restarted = driver.restarted()
    assert restarted.shown() == driver.shown()
    request = HeartbeatRequest(group_id="g", member_id=classic, generation_id=2)
    restarted.coordinator.heartbeat(request, restarted.now)


def test_classic_members_commit_with_old_versions(driver: MixedDriver) -> None:
    classic = upgraded(driver)
    assert driver.commit_as(classic, 2, 0, api_version=8) == [NONE]
    assert driver.commit_as(classic, 1, 0, 3, api_version=8) == [NONE, IllegalGeneration.code]
    assert driver.commit_as("new", 1, 2) == [StaleMemberEpoch.code]


def test_a_classic_member_that_does_not_join_again_in_its_time_is_removed(driver: MixedDriver) -> None:
    classic = driver.classic_group_of_one()
    driver.enter("new")
    assert driver.beat_classic(classic, 1) == RebalanceInProgress.code
    for _ in range(6):
        driver.passes(10_000)
        driver.beat_classic(classic, 1)
        answer = driver.beat("new", driver.group().members["new"].epoch)
    assert driver.beat_classic(classic, 1) == UnknownMemberId.code
    answer = driver.beat("new", answer.member_epoch)
    assert driver.group().members["new"].assigned.keys() == driver.topics.partitions("t")


def test_another_classic_member_joins_a_mixed_group_and_leaves(driver: MixedDriver) -> None:
    upgraded(driver)
    driver.passes(1_000)
    joined = driver.join_classic()
    assert (joined.error_code, joined.generation_id, joined.leader, joined.members) == (NONE, 3, "", [])
    assert driver.sync_classic(joined.member_id, 3) == (NONE, set())
    answers = driver.coordinator.leave(
        "g", [MemberIdentity(member_id=joined.member_id), MemberIdentity(member_id="x")], driver.now
    )
    assert [answer.error_code for answer in answers] == [NONE, UnknownMemberId.code]
    assert driver.shown().group_epoch == 4


def test_the_last_consumer_member_leaves_a_classic_group_behind(driver: MixedDriver) -> None:
    classic = upgraded(driver)
    driver.beat("new", -1)
    with pytest.raises(GroupIdNotFound):
        driver.shown()
    assert driver.coordinator.describe("g").group_state == "PreparingRebalance"
    assert driver.restarted().coordinator.describe("g").group_state == "Stable"
    joined = driver.join_classic(classic)
    assert (joined.generation_id, joined.leader) == (3, classic)
    assert driver.sync_classic(classic, 3, 0, 1, 2, 3) == (NONE, {0, 1, 2, 3})


def test_a_downgrade_that_the_log_refuses_leaves_the_group_as_it_was(driver: MixedDriver) -> None:
    upgraded(driver)
    before = driver.shown()
    driver.log.failure = NotEnoughReplicas()
    with pytest.raises(CoordinatorNotAvailable):
        driver.beat("new", -1)
    assert driver.shown() == before


def test_an_empty_group_changes_its_kind_and_keeps_its_offsets(driver: MixedDriver) -> None:
    driver.commit_as("", -1, 0)
    assert driver.coordinator.list_groups()[0].group_type == "classic"
    assert driver.enter("a").member_epoch == 2
    driver.beat("a", -1)
    joined = driver.join_classic()
    assert (joined.generation_id, joined.leader) == (1, joined.member_id)
    assert driver.coordinator.committed_offsets("g")["t"][0].offset == 5
    driver.sync_classic(joined.member_id, 1, 0)
    assert driver.restarted().coordinator.list_groups()[0].group_type == "classic"


def test_an_upgrade_that_the_policy_forbids_is_refused() -> None:
    driver = MixedDriver(group_consumer_migration_policy="disabled")
    driver.classic_group_of_one()
    with pytest.raises(GroupIdNotFound, match="online upgrade is disabled"):
        driver.enter("new")


def test_a_group_of_another_kind_is_no_consumer_group(driver: MixedDriver) -> None:
    request = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=45_000,
        rebalance_timeout_ms=60_000,
        member_id="",
        protocol_type="connect",
        protocols=[JoinGroupRequestProtocol(name="x", metadata=b"")],
    )
    driver.coordinator.join(request, client=CLIENT, api_version=3, now=driver.now, reply=lambda response: None)
    with pytest.raises(GroupIdNotFound, match="does not use the consumer embedded protocol"):
        driver.enter("new")


def test_a_connect_worker_cannot_join_a_consumer_group(driver: MixedDriver) -> None:
    driver.enter("new")
    answer: Answer[JoinGroupResponse] = Answer()
    request = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=45_000,
        rebalance_timeout_ms=60_000,
        protocol_type="connect",
        protocols=[JoinGroupRequestProtocol(name="x", metadata=b"")],
    )
    driver.coordinator.join(request, client=CLIENT, api_version=9, now=driver.now, reply=answer)
    assert answer.error == InconsistentGroupProtocol.code


def test_subscriptions_of_newer_versions_are_read_as_far_as_they_are_known() -> None:
    newer = b"\0\x09" + encode(ConsumerProtocolSubscription(topics=["t"], rack_id="r"), 3)
    assert (read_subscription(newer).topics, read_subscription(newer).rack_id) == (["t"], "r")


def test_a_static_member_comes_back_with_the_new_protocol_and_keeps_its_partitions(driver: MixedDriver) -> None:
    joined = driver.join_classic(instance_id="i")
    driver.sync_classic(joined.member_id, 1, 0, 1, 2, 3)
    answer = driver.enter("new", instance_id="i")
    assert given(answer) == {0, 1, 2, 3}
    assert [member.member_type for member in driver.shown().members] == [1]
