"""Random histories of a consumer group: members that join, sync, crash, return and leave, a broker that restarts.

The members behave as clients do and the leader assigns properly; then, whatever the order of events, no partition has
two owners in one generation, generations only rise, committed offsets are exactly those last acknowledged, and nobody
waits for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from broker.errors import (
    NONE,
    FencedInstanceId,
    IllegalGeneration,
    KafkaError,
    MemberIdRequired,
    NotCoordinator,
    NotEnoughReplicas,
    RebalanceInProgress,
    UnknownMemberId,
)
from broker.protocol.messages.join_group import JoinGroupResponse
from broker.protocol.messages.sync_group import SyncGroupResponse
from tests.unit.broker.groups.group_driver import Answer, GroupDriver

PARTITIONS = 5
SOME = st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True)
"""Which of the consumers act."""
SUBSCRIPTIONS = st.sampled_from([b"\0\0\0\0\0\1\0\1t", b"\0\0\0\0\0\1\0\1u"])
REJOIN = {RebalanceInProgress.code, IllegalGeneration.code, UnknownMemberId.code, FencedInstanceId.code}


@dataclass
class Consumer:
    """One client, as far as it knows."""

    instance: str | None
    version: int
    member_id: str = ""
    generation_id: int = -1
    joining: Answer[JoinGroupResponse] | None = None
    joined: JoinGroupResponse | None = None
    syncing: Answer[SyncGroupResponse] | None = None
    owned: bytes | None = None
    all_answers: list[Answer[JoinGroupResponse] | Answer[SyncGroupResponse]] = field(default_factory=list)

    def forget(self, *, keep_member_id: bool) -> None:
        """Begin anew, as after a heartbeat that said so."""
        self.joining = self.joined = self.syncing = self.owned = None
        if not keep_member_id:
            self.member_id, self.generation_id = "", -1


class GroupHistory(RuleBasedStateMachine):
    """One group, up to six consumers of which two are static, and a broker."""

    @initialize(delay_ms=st.sampled_from([0, 3_000]))
    def start(self, delay_ms: int) -> None:
        self.groups = GroupDriver(group_initial_rebalance_delay_ms=delay_ms, group_max_size=12)
        self.consumers = [Consumer(None, version) for version in (0, 4, 9, 9)]
        self.consumers += [Consumer("i1", 9), Consumer("i2", 7)]
        self.generation_seen = 0
        self.assigned_generation = 0
        self.owners: dict[tuple[int, int], str] = {}
        self.committed: dict[int, int] = {}

    # What consumers do.

    @rule(which=SOME, subscription=SUBSCRIPTIONS)
    def join(self, which: list[int], subscription: bytes) -> None:
        """Join, or give up the waiting request and join again."""
        for at in which:
            self._join(at, subscription)

    @rule(which=SOME)
    def sync(self, which: list[int]) -> None:
        for at in which:
            self._sync(self.consumers[at])

    @rule(which=SOME, subscription=SUBSCRIPTIONS)
    def poll(self, which: list[int], subscription: bytes) -> None:
        """What clients do all the time: heartbeat, and join and sync as far as they are told to."""
        for _ in range(3):
            for at in which:
                consumer = self.consumers[at]
                self._heartbeat(consumer)
                if consumer.joined is None and consumer.joining is None:
                    self._join(at, subscription)
            for at in which:
                consumer = self.consumers[at]
                if consumer.joined is not None and consumer.owned is None and consumer.syncing is None:
                    self._sync(consumer)
            self.time_passes(1_000)

    @rule(which=SOME)
    def heartbeat(self, which: list[int]) -> None:
        for at in which:
            self._heartbeat(self.consumers[at])

    @rule(at=st.integers(0, 5))
    def leave(self, at: int) -> None:
        consumer = self.consumers[at]
        self.groups.leave((consumer.member_id, consumer.instance))
        consumer.forget(keep_member_id=False)
        self._take_answers()

    @rule(at=st.integers(0, 5))
    def crash(self, at: int) -> None:
        """The process dies without a word, and a new one knows nothing."""
        self.consumers[at].forget(keep_member_id=False)

    @rule(at=st.integers(0, 5), partition=st.integers(0, PARTITIONS - 1), offset=st.integers(0, 1_000))
    def commit(self, at: int, partition: int, offset: int) -> None:
        consumer = self.consumers[at]
        error = self.groups.commit(
            offset,
            partition=partition,
            member_id=consumer.member_id,
            generation_id=consumer.generation_id,
            instance=consumer.instance,
        )
        if error == NONE:
            self.committed[partition] = offset

    # What happens to the broker.

    @rule(ms=st.integers(1, 12_000))
    def time_passes(self, ms: int) -> None:
        self.groups.passes(ms)
        self._take_answers()

    @rule()
    def broker_restarts(self) -> None:
        self.groups = self.groups.restarted()
        for consumer in self.consumers:
            consumer.joining = consumer.syncing = None  # their connections are gone
            consumer.all_answers.clear()
        # A generation that nobody was assigned in was never written down, and its number may come again.
        self.generation_seen = self.assigned_generation

    @rule(which=SOME, subscription=SUBSCRIPTIONS)
    def poll_while_the_log_fails(self, which: list[int], subscription: bytes) -> None:
        self.groups.log.failure = NotEnoughReplicas()
        self.poll(which, subscription)
        self.groups.log.failure = None

    @rule()
    def delete_group(self) -> None:
        try:
            self.groups.coordinator.delete_group("g", self.groups.now)
        except KafkaError:
            return
        self.committed.clear()
        self.owners.clear()
        self.generation_seen = self.assigned_generation = 0

    # What must hold.

    @invariant()
    def offsets_are_those_last_acknowledged(self) -> None:
        for partition in range(PARTITIONS):
            assert self.groups.committed(partition=partition) == self.committed.get(partition)

    def teardown(self) -> None:
        """Once everybody is silent, everybody has been answered, and the group is empty."""
        if not hasattr(self, "groups"):
            return
        self.groups.passes(1_000_000)
        for consumer in self.consumers:
            assert not any(answer.is_waiting for answer in consumer.all_answers)
        for group in self.groups.coordinator.list_groups():
            assert group.group_state == "Empty"
        assert {
            partition: self.groups.restarted().committed(partition=partition) for partition in range(PARTITIONS)
        } == {partition: self.committed.get(partition) for partition in range(PARTITIONS)}

    # What one consumer does.

    def _join(self, at: int, subscription: bytes) -> None:
        consumer = self.consumers[at]
        consumer.forget(keep_member_id=True)
        consumer.joining = self.groups.join(
            member_id=consumer.member_id,
            instance=consumer.instance,
            protocols=[("range", subscription), ("sticky", subscription)],
            session_timeout_ms=6_000 + 1_000 * at,
            rebalance_timeout_ms=10_000,
            version=consumer.version,
        )
        consumer.all_answers.append(consumer.joining)
        self._take_answers()

    def _sync(self, consumer: Consumer) -> None:
        if consumer.joined is None:
            return
        assignments = {}
        if consumer.joined.leader == consumer.member_id and not consumer.joined.skip_assignment:
            members = sorted(each.member_id for each in consumer.joined.members)
            for place, member_id in enumerate(members):
                assignments[member_id] = bytes(range(place, PARTITIONS, len(members)))
        consumer.syncing = self.groups.sync(
            consumer.member_id,
            consumer.generation_id,
            assignments,
            instance=consumer.instance,
            protocol_name=consumer.joined.protocol_name,
        )
        consumer.all_answers.append(consumer.syncing)
        self._take_answers()

    def _heartbeat(self, consumer: Consumer) -> None:
        if consumer.generation_id < 0:
            return
        error = self.groups.heartbeat(consumer.member_id, consumer.generation_id, instance=consumer.instance)
        assert error in REJOIN | {NONE}
        if error in REJOIN and consumer.joining is None:
            consumer.forget(keep_member_id=error == RebalanceInProgress.code)

    # What consumers make of answers.

    def _take_answers(self) -> None:
        for consumer in self.consumers:
            if consumer.joining is not None and not consumer.joining.is_waiting:
                self._take_join(consumer, consumer.joining.response)
            if consumer.syncing is not None and not consumer.syncing.is_waiting:
                self._take_sync(consumer, consumer.syncing.response)

    def _take_join(self, consumer: Consumer, response: JoinGroupResponse) -> None:
        consumer.joining = None
        if response.error_code == NONE:
            assert response.generation_id >= self.generation_seen, "generations only rise"
            self.generation_seen = response.generation_id
            consumer.member_id, consumer.generation_id = response.member_id, response.generation_id
            consumer.joined = response
        elif response.error_code == MemberIdRequired.code:
            consumer.member_id = response.member_id
        elif response.error_code != RebalanceInProgress.code:
            consumer.forget(keep_member_id=False)

    def _take_sync(self, consumer: Consumer, response: SyncGroupResponse) -> None:
        consumer.syncing = None
        if response.error_code != NONE:
            consumer.forget(keep_member_id=response.error_code in (RebalanceInProgress.code, NotCoordinator.code))
            return
        consumer.owned = bytes(response.assignment)
        self.assigned_generation = consumer.generation_id
        owner = consumer.instance or consumer.member_id
        for partition in consumer.owned:
            first = self.owners.setdefault((consumer.generation_id, partition), owner)
            assert first == owner, f"partition {partition} has two owners in generation {consumer.generation_id}"


TestGroupHistory = GroupHistory.TestCase
TestGroupHistory.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
