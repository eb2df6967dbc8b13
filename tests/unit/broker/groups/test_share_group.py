"""Share groups as their members see them, as measured on Apache Kafka 4.3.1."""

from __future__ import annotations

import pytest

from broker.config import BrokerConfig
from broker.errors import (
    CoordinatorNotAvailable,
    FencedMemberEpoch,
    GroupIdNotFound,
    GroupMaxSizeReached,
    InconsistentGroupProtocol,
    InvalidRequest,
    KafkaError,
    NonEmptyGroup,
    NotEnoughReplicas,
    UnknownMemberId,
)
from broker.groups.assignors import GroupSpec, TopicPartition
from broker.groups.coordinator import GroupCoordinator
from broker.groups.offsets import OffsetStore
from broker.groups.simple_assignor import assign_simple
from broker.protocol.messages.join_group import JoinGroupRequest
from broker.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from broker.share import ShareKey
from tests.unit.broker.groups.consumer_group_driver import ConsumerDriver, MemoryTopics, given
from tests.unit.broker.groups.group_driver import CLIENT, Answer, MemoryOffsetsLog
from tests.unit.broker.share.memory_state_log import MemoryStateLog, shares_on

SESSION_MS = 45_000


class ShareDriver(ConsumerDriver):
    """A coordinator with a place for share groups' state."""

    def __init__(self, log=None, at_ms=0, topics=None, states=None, **config) -> None:
        self.log = log or MemoryOffsetsLog()
        self.topics = MemoryTopics(t=4) if topics is None else topics
        self.states = states or MemoryStateLog()
        self.settings, self.at_ms = config, at_ms
        self.shares = shares_on(self.states)
        self.coordinator = GroupCoordinator(OffsetStore(self.log), BrokerConfig(**config), self.topics, self.shares)
        self.coordinator.load(self.now)

    def restarted(self) -> ShareDriver:
        return ShareDriver(self.log, self.at_ms, self.topics, self.states, **self.settings)

    def share(self, member_id: str, epoch: int, *topics: str, group_id: str = "s", **fields):
        request = ShareGroupHeartbeatRequest(
            group_id=group_id,
            member_id=member_id,
            member_epoch=epoch,
            subscribed_topic_names=list(topics) or None,
            **fields,
        )
        return self.coordinator.share_heartbeat(request, client=CLIENT, now=self.now)

    def described(self, group_id: str = "s"):
        return self.coordinator.share_groups.describe(group_id)


@pytest.fixture
def driver() -> ShareDriver:
    return ShareDriver()


def indexes(response: ShareGroupHeartbeatResponse) -> set[int] | None:
    return given(response)


def test_the_first_member_reads_everything_at_once(driver):
    joined = driver.share("m", 0, "t")
    assert (joined.member_epoch, joined.heartbeat_interval_ms, indexes(joined)) == (2, 5_000, {0, 1, 2, 3})
    assert sorted(index for _, index in driver.shares.of_group("s")) == [0, 1, 2, 3]
    assert indexes(driver.share("m", 2)) is None, "nothing has changed"


def test_two_members_read_two_halves_after_the_assignment_interval(driver):
    driver.share("m", 0, "t")
    second = driver.share("n", 0, "t")
    assert (second.member_epoch, indexes(second)) == (2, set())
    driver.at_ms += 1_000
    first, second = driver.share("m", 2), driver.share("n", 2)
    assert (first.member_epoch, second.member_epoch) == (3, 3)
    assert len(indexes(first)) == len(indexes(second)) == 2
    assert indexes(first) | indexes(second) == {0, 1, 2, 3}


def test_a_lost_answer_may_be_asked_for_again(driver):
    driver.share("m", 0, "t")
    driver.share("n", 0, "t")
    driver.at_ms += 1_000
    assert driver.share("m", 2).member_epoch == 3
    assert driver.share("m", 2).member_epoch == 3
    with pytest.raises(FencedMemberEpoch, match="greater"):
        driver.share("m", 9)
    driver.share("m", 3, "t", "u")
    driver.at_ms += 1_000
    driver.share("m", 3)
    with pytest.raises(FencedMemberEpoch, match="smaller"):
        driver.share("m", 2)


def test_topics_that_come_and_grow_are_read(driver):
    driver.share("m", 0, "t", "later")
    driver.topics.create("later", 2)
    driver.topics.grow("t", 5)
    told = driver.share("m", 2)
    assert told.member_epoch == 3
    assert sum(len(topic.partitions) for topic in told.assignment.topic_partitions) == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"member_id": ""},
        {"member_id": "m" * 37},
        {"group_id": ""},
        {"rack_id": ""},
        {"epoch": -2},
        {"topics": ()},
    ],
)
def test_a_heartbeat_that_makes_no_sense_is_refused(driver, wrong):
    fields = {"member_id": "m", "epoch": 0, "topics": ("t",)} | wrong
    with pytest.raises(InvalidRequest):
        driver.share(fields.pop("member_id"), fields.pop("epoch"), *fields.pop("topics"), **fields)
    assert driver.coordinator.list_groups() == []


@pytest.mark.parametrize(("epoch", "words"), [(5, "Share group s not found"), (-1, "Group s not found")])
def test_nobody_stays_in_or_leaves_a_group_that_is_not_there(driver, epoch, words):
    with pytest.raises(GroupIdNotFound, match=words):
        driver.share("m", epoch)


def test_a_group_has_so_many_members_at_most():
    driver = ShareDriver(group_share_max_size=1)
    driver.share("m", 0, "t")
    with pytest.raises(GroupMaxSizeReached):
        driver.share("n", 0, "t")
    assert driver.share("m", 0, "t").member_epoch == 2


def test_who_leaves_or_falls_silent_is_out(driver):
    driver.share("m", 0, "t")
    driver.share("n", 0, "t")
    gone = driver.share("n", -1)
    assert (gone.member_id, gone.member_epoch) == ("n", -1)
    with pytest.raises(UnknownMemberId):
        driver.share("n", -1)
    driver.at_ms += SESSION_MS
    driver.coordinator.tick(driver.now)
    assert (driver.described().group_state, driver.described().members) == ("Empty", [])


def test_a_restart_finds_the_group_as_it_was(driver):
    driver.share("m", 0, "t", rack_id="r")
    before = driver.described()
    again = driver.restarted()
    assert again.described() == before
    assert indexes(again.share("m", 2)) is None
    again.at_ms += SESSION_MS
    again.coordinator.tick(again.now)
    assert again.described().group_state == "Empty"


def test_a_refused_write_changes_nothing(driver):
    driver.share("m", 0, "t")
    before = driver.described()
    driver.log.failure = NotEnoughReplicas("no")
    with pytest.raises(CoordinatorNotAvailable):
        driver.share("n", 0, "t")
    with pytest.raises(CoordinatorNotAvailable):
        driver.share("m", -1)
    driver.at_ms += SESSION_MS
    driver.coordinator.tick(driver.now)
    assert driver.described() == before
    driver.log.failure = None
    driver.at_ms += 1_000
    driver.coordinator.tick(driver.now)
    assert driver.described().group_state == "Empty"


def test_a_group_id_stands_for_one_kind_of_group(driver):
    driver.share("m", 0, "t")
    with pytest.raises(GroupIdNotFound, match="not a consumer group"):
        driver.enter("c", group_id="s")
    with pytest.raises(GroupIdNotFound, match="not a classic group"):
        driver.coordinator.describe("s")
    request = JoinGroupRequest(group_id="s", session_timeout_ms=10_000, protocol_type="consumer")
    answer = Answer()
    driver.coordinator.join(request, client=CLIENT, api_version=9, now=driver.now, reply=answer)
    assert answer.error == InconsistentGroupProtocol.code
    driver.enter("c", group_id="g")
    with pytest.raises(GroupIdNotFound, match="not a share group"):
        driver.share("m", 0, "t", group_id="g")


def test_share_groups_are_listed_by_their_type(driver):
    driver.share("m", 0, "t")
    driver.enter("c", group_id="g")
    (listed,) = driver.coordinator.list_groups(types=["Share"])
    assert (listed.group_id, listed.protocol_type, listed.group_type, listed.group_state) == (
        "s",
        "share",
        "share",
        "Stable",
    )


def test_a_deleted_group_leaves_nothing_behind(driver):
    driver.share("m", 0, "t")
    with pytest.raises(NonEmptyGroup):
        driver.coordinator.delete_group("s", driver.now)
    driver.share("m", -1)
    driver.coordinator.delete_group("s", driver.now)
    again = driver.restarted()
    assert again.coordinator.list_groups() == []
    assert not again.shares.of_group("s")


def test_an_empty_group_stays_however_old_it_is(driver):
    driver.share("m", 0, "t")
    driver.share("m", -1)
    driver.at_ms += 30 * 86_400_000
    for _ in range(5):
        driver.coordinator.tick(driver.now)
    assert [each.group_id for each in driver.coordinator.list_groups()] == ["s"]


def test_offsets_are_set_and_deleted_while_nobody_is_in(driver):
    topic = driver.topics.get("t")
    groups, now = driver.coordinator.share_groups, driver.now
    groups.set_start_offsets("s", {topic.topic_id: (topic, {0: 7})}, now)
    driver.share("m", 0, "t")
    for refused in (
        lambda: groups.set_start_offsets("s", {}, now),
        lambda: groups.delete_offsets("s", {topic.topic_id}, now),
    ):
        with pytest.raises(NonEmptyGroup):
            refused()
    assert driver.shares.get(ShareKey("s", topic.topic_id, 0)).at.start_offset == 7
    driver.share("m", -1)
    groups.delete_offsets("s", {topic.topic_id}, now)
    assert not driver.restarted().shares.of_group("s")


def test_a_group_whose_state_is_lost_begins_anew(driver):
    driver.share("m", 0, "t")
    driver.states.records.clear()
    again = driver.restarted()
    assert again.share("m", 2).error_code == 0
    assert len(again.shares.of_group("s")) == 4
    again.coordinator.topics_deleted(["__share_group_state"], again.now)
    assert not again.shares.of_group("s")
    again.share("m", again.described().members[0].member_epoch)
    assert len(again.shares.of_group("s")) == 4


def test_a_topic_that_is_deleted_is_forgotten(driver):
    driver.share("m", 0, "t")
    driver.topics.delete("t")
    driver.coordinator.topics_deleted(["t"], driver.now)
    assert not driver.shares.of_group("s")
    driver.at_ms += 1_000
    told = driver.share("m", 2)
    assert (told.member_epoch, indexes(told)) == (3, set())


@pytest.mark.parametrize("failing", ["offsets", "states"])
def test_a_coordinator_that_cannot_write_lets_nobody_in(driver, failing):
    (driver.log if failing == "offsets" else driver.states).failure = NotEnoughReplicas("no")
    with pytest.raises(KafkaError):
        driver.share("m", 0, "t")
    assert driver.coordinator.list_groups() == []


@pytest.mark.parametrize(
    ("members", "partitions", "counts"),
    [(1, 4, [4]), (2, 4, [2, 2]), (3, 4, [1, 1, 2]), (4, 4, [1, 1, 1, 1]), (5, 2, [1, 1, 1, 1, 2]), (3, 1, [1, 1, 1])],
)
def test_every_member_and_every_partition_has_its_part(members, partitions, counts):
    spec = GroupSpec({f"m{n}": [b"t" * 16] for n in range(members)}, {b"t" * 16: partitions})
    assigned = assign_simple(spec)
    assert sorted(map(len, assigned.values())) == counts
    assert {each.partition for given_ in assigned.values() for each in given_} == set(range(partitions))
    assert assign_simple(GroupSpec(spec.subscriptions, spec.partition_counts, previous=assigned)) == assigned


def test_who_subscribes_to_different_topics_reads_those():
    spec = GroupSpec({"a": [b"t"], "b": [b"t", b"u"], "c": []}, {b"t": 2, b"u": 1})
    assigned = assign_simple(spec)
    assert assigned["c"] == frozenset()
    assert TopicPartition(b"u", 0) in assigned["b"]
    assert {each.partition for who in "ab" for each in assigned[who] if each.topic_id == b"t"} == {0, 1}
