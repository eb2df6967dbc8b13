"""Random histories of a KIP-848 group: members that come, lose answers, fall silent, return and leave.

Topics come, grow and go meanwhile, the log refuses, and the broker is killed at any point.

Then, whatever the order of events: no partition has two readers, epochs only rise, the log always says exactly what the
broker believes, and in the end everybody reads its even share of all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from broker.errors import (
    FencedInstanceId,
    FencedMemberEpoch,
    GroupIdNotFound,
    KafkaError,
    NotEnoughReplicas,
    UnknownMemberId,
    UnreleasedInstanceId,
)
from broker.groups.assignors import TopicPartition
from broker.groups.consumer_group import ConsumerGroup
from tests.unit.broker.groups.consumer_group_driver import REBALANCE_MS, ConsumerDriver, MemoryTopics

LOST = (FencedMemberEpoch, UnknownMemberId, FencedInstanceId, GroupIdNotFound)
WHO = st.integers(0, 4)
SUBSCRIPTIONS = st.sampled_from(
    [
        {"subscribed_topic_names": ["t"]},
        {"subscribed_topic_names": ["t", "u"]},
        {"subscribed_topic_names": [], "subscribed_topic_regex": "[tu]"},
        {"subscribed_topic_names": []},
    ]
)


@dataclass
class Client:
    """One consumer, as far as it knows; number 4 is static."""

    number: int
    lives: int = 0
    epoch: int = 0
    is_in: bool = False
    owned: set[TopicPartition] = field(default_factory=set)
    subscription: dict = field(default_factory=lambda: {"subscribed_topic_names": ["t"]})
    has_news: bool = True

    @property
    def member_id(self) -> str:
        return f"c{self.number}-{self.lives}"

    @property
    def names(self) -> dict[str, str]:
        return {"instance_id": "static"} if self.number == 4 else {}

    def forget(self) -> None:
        self.epoch, self.is_in, self.owned, self.has_news = 0, False, set(), True


class ConsumerGroupHistory(RuleBasedStateMachine):
    """One group, five consumers, two topics and a broker."""

    @initialize(interval=st.sampled_from([0, 1_000]), assignor=st.sampled_from([("uniform",), ("range", "uniform")]))
    def begin(self, interval: int, assignor: tuple[str, ...]) -> None:
        self.driver = ConsumerDriver(
            topics=MemoryTopics(t=4),
            group_consumer_assignment_interval_ms=interval,
            group_consumer_assignors=assignor,
        )
        self.clients = [Client(number) for number in range(5)]
        self.epoch = 0
        self.member_epochs: dict[str, int] = {}

    @rule(who=WHO, is_lost=st.booleans(), says_owned=st.booleans())
    def beat(self, who: int, is_lost: bool, says_owned: bool) -> None:
        self._beat(self.clients[who], is_lost=is_lost, says_owned=says_owned)

    @rule(who=WHO, subscription=SUBSCRIPTIONS)
    def subscribe(self, who: int, subscription: dict) -> None:
        self.clients[who].subscription, self.clients[who].has_news = subscription, True
        self._beat(self.clients[who])

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        client = self.clients[who]
        epoch = -2 if client.number == 4 else -1
        if client.is_in:
            client.owned = set()  # a consumer gives everything up before it says goodbye
            try:
                self.driver.beat(client.member_id, epoch, **client.names)
            except KafkaError:
                pass
            client.forget()
            client.lives += 1

    @rule(who=WHO)
    def crash(self, who: int) -> None:
        self.clients[who].forget()
        self.clients[who].lives += 1

    @rule(ms=st.sampled_from([100, 1_000, 20_000, 61_000]))
    def time_passes(self, ms: int) -> None:
        self.driver.passes(ms)

    @rule(topic=st.sampled_from("tu"), partition_count=st.integers(1, 7))
    def topic_changes(self, topic: str, partition_count: int) -> None:
        known = self.driver.topics.get(topic)
        if known is None:
            self.driver.topics.create(topic, partition_count)
        elif known.partition_count < partition_count:
            self.driver.topics.grow(topic, partition_count)
        else:
            self.driver.topics.delete(topic)

    @rule()
    def kill_broker(self) -> None:
        self.driver = self.driver.restarted()

    @rule(who=WHO, is_leaving=st.booleans())
    def log_refuses(self, who: int, is_leaving: bool) -> None:
        self.driver.log.failure = NotEnoughReplicas()
        try:
            if is_leaving:
                self.leave(who)
            else:
                self._beat(self.clients[who])
        finally:
            self.driver.log.failure = None

    def _beat(self, client: Client, *, is_lost: bool = False, says_owned: bool = True) -> None:
        driver = self.driver
        try:
            if not client.is_in:
                client.owned = set()
                answer = driver.enter(client.member_id, **client.subscription, **client.names)
            else:
                # After a lost answer a client says everything, which has it told everything.
                fields = {"rebalance_timeout_ms": REBALANCE_MS, **client.subscription} if client.has_news else {}
                if says_owned or client.has_news:
                    fields["owned"] = sorted(client.owned)
                answer = driver.beat(client.member_id, client.epoch, **fields, **client.names)
        except LOST:
            client.forget()
            client.lives += client.number == 4
            return
        except UnreleasedInstanceId:
            return
        except KafkaError:
            return
        if is_lost:
            client.has_news = True
            return
        client.is_in, client.epoch, client.has_news = True, answer.member_epoch, False
        if answer.assignment is not None:
            client.owned = {
                TopicPartition(topic.topic_id, index)
                for topic in answer.assignment.topic_partitions
                for index in topic.partitions
            }

    @property
    def group(self) -> ConsumerGroup | None:
        group = self.driver.coordinator._groups.get("g")
        return group if isinstance(group, ConsumerGroup) else None

    @invariant()
    def nobody_reads_what_another_member_reads(self) -> None:
        group = self.group
        if group is None:
            return
        readers = [client for client in self.clients if client.is_in and client.member_id in group.members]
        read = [each for client in readers for each in client.owned]
        assert len(read) == len(set(read))
        owned = [each for member in group.members.values() for each in member.owned]
        assert len(owned) == len(set(owned))
        assert set(owned) == set(group._owners)

    @invariant()
    def epochs_only_rise(self) -> None:
        group = self.group
        if group is None:  # an empty group without offsets is forgotten after a while
            self.epoch, self.member_epochs = 0, {}
            return
        assert group.epoch >= self.epoch
        assert group.target_epoch <= group.epoch
        self.epoch = group.epoch
        for member_id, member in group.members.items():
            assert member.epoch == -2 or member.epoch >= self.member_epochs.get(member_id, 0)
            assert member.epoch <= group.target_epoch
            self.member_epochs[member_id] = member.epoch

    @invariant()
    def the_log_says_what_the_broker_believes(self) -> None:
        group = self.group
        if group is None:
            return
        saved = self.driver.restarted().group()
        assert saved.members == group.members
        assert saved.targets == {member_id: group.targets.get(member_id, frozenset()) for member_id in group.members}
        assert (saved.epoch, saved.target_epoch) == (group.epoch, group.target_epoch)
        assert saved._regexes.resolved == group._regexes.resolved

    def teardown(self) -> None:
        """Now all behave: everybody gets its share."""
        if not hasattr(self, "driver"):
            return
        for client in self.clients:
            client.subscription, client.has_news = (
                {"subscribed_topic_names": ["t", "u"], "subscribed_topic_regex": ""},
                True,
            )
        for _ in range(40):
            self.driver.passes(3_000)
            for client in self.clients:
                self._beat(client)
        assert self.driver.shown().group_state == "Stable"
        wanted = {each for topic in self.driver.topics for each in self.driver.topics.partitions(topic.name)}
        assert [*sorted(each for client in self.clients for each in client.owned)] == sorted(wanted)
        if self.group is not None and self.group.describe().assignor_name == "uniform":
            counts = [len(client.owned) for client in self.clients]
            assert max(counts) - min(counts) <= 1


TestConsumerGroupHistory = ConsumerGroupHistory.TestCase
TestConsumerGroupHistory.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
