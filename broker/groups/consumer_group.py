"""One KIP-848 consumer group: who is in it, which epoch it is in, and who is to read what.

Everything comes with a member's heartbeat: its subscription may raise the group's epoch, a higher epoch makes a new
target assignment, and the member goes one step toward its part of the target. Behaviour is that of Apache Kafka 4.3.
Plain synchronous methods; what changed is in the log as one batch before anybody is told, or has not happened.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from broker.errors import (
    NONE,
    FencedInstanceId,
    FencedMemberEpoch,
    GroupMaxSizeReached,
    IllegalGeneration,
    KafkaError,
    StaleMemberEpoch,
    UnknownMemberId,
    UnreleasedInstanceId,
    UnsupportedVersion,
)
from broker.groups.assignors import ASSIGNORS, GroupSpec, TopicPartition
from broker.groups.consumer_group_view import described_group
from broker.groups.consumer_member import (
    JOIN_EPOCH,
    STATIC_LEAVE_EPOCH,
    ConsumerMember,
    MemberState,
    Reconciliation,
)
from broker.groups.consumer_records import (
    SavedConsumerGroup,
    epoch_record,
    group_tombstones,
    member_record,
    member_tombstones,
    progress_record,
    target_epoch_record,
    target_record,
)
from broker.groups.deadlines import Deadline, DeadlineQueue, Now
from broker.groups.group_numbers import (
    CONSUMER_ASSIGNMENT_INTERVAL_MS,
    CONSUMER_HEARTBEAT_INTERVAL_MS,
    CONSUMER_SESSION_TIMEOUT_MS,
    GroupNumbers,
)
from broker.groups.regex_subscriptions import RegexSubscriptions
from broker.groups.subscribed_topics import KnownTopic, KnownTopics, metadata_hash
from broker.groups.topic_partitions import by_topic
from broker.protocol.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)

if TYPE_CHECKING:
    from broker.config import BrokerConfig
    from broker.groups.members import Client
    from broker.groups.offsets import PartitionOffset
    from broker.groups.records import OffsetsRecord
    from broker.protocol.messages.consumer_group_describe import DescribedGroup

log = logging.getLogger("broker.groups")

MEMBER_EPOCH_COMMIT_VERSION: Final = 9  # OffsetCommit
_RETRY_MS: Final = 1_000
"""When an expiry that the log refused is tried again."""

AppendRecords: TypeAlias = Callable[[str, Sequence["OffsetsRecord"], Now], None]
"""Write records of a group as one batch; raises KafkaError when they are not safely there."""

Downgrade: TypeAlias = Callable[["ConsumerGroup", Collection[str], Now], bool]
"""Become a classic group instead of letting these members go, if only members of the classic protocol are left."""


class ConsumerGroupState(StrEnum):
    """The states of a consumer group, spelt as ConsumerGroupDescribe does."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    """The epoch has risen and the targets are not computed yet."""
    RECONCILING = "Reconciling"
    """Somebody has not got to its target."""
    STABLE = "Stable"
    DEAD = "Dead"


class ConsumerGroup:
    """One group. Methods raise KafkaError to refuse; then nothing has changed."""

    uses_consumer_protocol: Final = True
    has_pending_members: Final = False

    def __init__(
        self,
        group_id: str,
        *,
        config: BrokerConfig,
        numbers: GroupNumbers,
        topics: KnownTopics,
        deadlines: DeadlineQueue,
        append: AppendRecords,
        downgrade: Downgrade,
    ) -> None:
        self.group_id = group_id
        self.epoch = 1
        self.target_epoch = 0
        self.members: dict[str, ConsumerMember] = {}
        self.targets: dict[str, frozenset[TopicPartition]] = {}
        self._config = config
        self._numbers = numbers
        self._topics = topics
        self._deadlines = deadlines
        self._append = append
        self._downgrade = downgrade
        self._is_saved = False
        """Whether the log has an epoch record of this group."""
        self._is_dead = False
        self._metadata_hash = 0
        self._seen_topics_version: int | None = None
        self._target_monotonic_ms: int | None = None
        """When the targets were computed last; None when not by this process."""
        self._static: dict[str, str] = {}
        """Member ids by instance id."""
        self._owners: dict[TopicPartition, str] = {}
        self._regexes = RegexSubscriptions(group_id, topics)
        self._sessions: dict[str, Deadline] = {}
        self._rebalances: dict[str, Deadline] = {}
        self._unsaved: list[OffsetsRecord] = []
        self._undo: list[Callable[[], object]] = []

    # What requests ask.

    def heartbeat(
        self,
        request: ConsumerGroupHeartbeatRequest,
        *,
        client: Client,
        now: Now,
        take_over: Callable[[], None] | None = None,
    ) -> ConsumerGroupHeartbeatResponse:
        """Join, or stay: take in what the member says, and tell it what it may read now.

        `take_over` lets the members of a classic group in before, in the same batch.
        Raises GroupMaxSizeReached, UnknownMemberId, FencedMemberEpoch, FencedInstanceId, UnreleasedInstanceId or
        InvalidRegularExpression.
        """
        if request.member_id not in self.members and len(self.members) >= self._config.group_consumer_max_size:
            raise GroupMaxSizeReached("The consumer group has reached its maximum capacity.")
        reported = _partitions(request.topic_partitions)
        self._regexes.check(request.subscribed_topic_regex)
        replaced_id = self._static.get(request.instance_id or "", request.member_id)
        with self.saving(now):
            if take_over is not None:
                take_over()
            before = self._member_of(request, reported)
            asked = self._updated(before, request, client)
            member = self.advance(before, asked, reported, now)
        if replaced_id != request.member_id:
            self._forget_deadlines(replaced_id)
        self.keep_alive(member, now)
        self._watch_rebalance(before, member, now)
        is_full = (
            request.rebalance_timeout_ms != -1
            and (request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None)
            and reported is not None
        )
        has_changed = before.assigned.keys() != member.assigned.keys()
        return ConsumerGroupHeartbeatResponse(
            member_id=member.member_id,
            member_epoch=member.epoch,
            heartbeat_interval_ms=self._numbers.number(self.group_id, CONSUMER_HEARTBEAT_INTERVAL_MS),
            assignment=_assignment(member.assigned)
            if request.member_epoch == JOIN_EPOCH or is_full or has_changed
            else None,
        )

    def leave(self, request: ConsumerGroupHeartbeatRequest, now: Now) -> ConsumerGroupHeartbeatResponse:
        """Go for good, or as a static member for a while. Raises UnknownMemberId or FencedInstanceId."""
        if request.instance_id is None:
            member = self._known(request.member_id)
        else:
            member = self._known_static(request.instance_id, request.member_id)
        if request.member_epoch == STATIC_LEAVE_EPOCH:
            log.info("static member leaves for now group=%s member=%s", self.group_id, member.member_id)
            with self.saving(now):
                # What it was asked to give up it has given up: it owns only what it will come back to.
                self.put(replace(member, epoch=STATIC_LEAVE_EPOCH, revoking={}))
            self.stop_expecting(member)
        else:
            log.info("member leaves group=%s member=%s", self.group_id, member.member_id)
            self.remove([member.member_id], now)
        return ConsumerGroupHeartbeatResponse(member_id=request.member_id, member_epoch=request.member_epoch)

    def commit_errors(
        self, commits: Sequence[PartitionOffset], *, member_id: str, epoch: int, api_version: int
    ) -> list[int]:
        """Which of these commits are from too long ago: an error code each, 0 for those to be stored (KIP-1251).

        Raises UnknownMemberId, StaleMemberEpoch, IllegalGeneration (for the classic protocol) or UnsupportedVersion.
        """
        if epoch < 0 and not self.members:
            return [NONE] * len(commits)
        member = self._known(member_id)
        if member.classic is None and api_version < MEMBER_EPOCH_COMMIT_VERSION:
            raise UnsupportedVersion("members of the consumer protocol commit with OffsetCommit v9 or above")
        if epoch == member.epoch:
            return [NONE] * len(commits)
        if epoch > member.epoch:
            raise self._stale(member, epoch)
        owned = member.owned
        stale = self._stale(member, epoch).code
        return [
            NONE
            if epoch >= owned.get(TopicPartition(each.committed.topic_id, each.partition), member.epoch + 1)
            else stale
            for each in commits
        ]

    def check_fetch(self, member_id: str | None, epoch: int) -> None:
        """Whether this caller may read committed offsets. Raises UnknownMemberId or StaleMemberEpoch."""
        if member_id is None and epoch < 0:
            return
        member = self._known(member_id or "")
        if epoch != member.epoch:
            raise self._stale(member, epoch)

    def describe(self) -> DescribedGroup:
        """The group as ConsumerGroupDescribe shows it."""
        return described_group(self)

    @property
    def state(self) -> ConsumerGroupState:
        """Empty, Assigning, Reconciling, Stable or Dead."""
        if self._is_dead:
            return ConsumerGroupState.DEAD
        if not self.members:
            return ConsumerGroupState.EMPTY
        if self.epoch > self.target_epoch:
            return ConsumerGroupState.ASSIGNING
        if all(member.is_reconciled_to(self.target_epoch) for member in self.members.values()):
            return ConsumerGroupState.STABLE
        return ConsumerGroupState.RECONCILING

    @property
    def assignor_name(self) -> str:
        """The one that most members ask for, else the broker's first."""
        votes = Counter(member.assignor for member in self.members.values() if member.assignor is not None)
        return votes.most_common(1)[0][0] if votes else self._config.group_consumer_assignors[0]

    @property
    def is_empty(self) -> bool:
        return not self.members

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic."""
        return any(topic in self.topic_names_of(member) for member in self.members.values())

    def retained_since_ms(self, committed_ms: int) -> int | None:
        """From when the retention of an offset counts: from its commit, for topics that nobody reads any more."""
        return committed_ms

    # What the coordinator does to it.

    def restore(self, saved: SavedConsumerGroup, now: Now) -> None:
        """Become what the log says; members get a full session, and the time to revoke, anew."""
        self.epoch = saved.epoch if saved.epoch is not None else 1
        self._is_saved = saved.epoch is not None
        self._metadata_hash = saved.metadata_hash
        self.target_epoch = saved.target_epoch
        self.targets = {member_id: saved.targets.get(member_id, frozenset()) for member_id in saved.members}
        self._regexes.resolved = dict(saved.regexes)
        for member in saved.members.values():
            sound = self._without_conflicts(member)
            self._place(None, sound)
            self.keep_alive(sound, now)
            self._watch_rebalance(sound, sound, now)

    def close(self) -> None:
        """Become Dead: forget all deadlines."""
        self._is_dead = True
        for deadline in (*self._sessions.values(), *self._rebalances.values()):
            deadline.cancel()
        self._sessions.clear()
        self._rebalances.clear()

    def tombstones(self) -> list[OffsetsRecord]:
        """The records that delete the group."""
        records = [each for member_id in self.members for each in member_tombstones(self.group_id, member_id)]
        records += self._regexes.tombstones(self._regexes.resolved)
        return records + (group_tombstones(self.group_id) if self._is_saved else [])

    # What those who let members in and out use: this class, and the classic protocol's requests.

    @contextlib.contextmanager
    def saving(self, now: Now) -> Iterator[None]:
        """Write what changes inside the block as one batch; if that fails, or the block does, nothing has changed."""
        assert not self._undo, "changes do not nest"
        try:
            yield
            if self._unsaved:
                self._append(self.group_id, self._unsaved, now)
                self._is_saved = True
        except BaseException:
            for undo in reversed(self._undo):
                undo()
            raise
        finally:
            self._unsaved = []
            self._undo = []

    def advance(
        self,
        before: ConsumerMember,
        asked: ConsumerMember,
        reported: Collection[TopicPartition] | None,
        now: Now,
    ) -> ConsumerMember:
        """Take in the member with what it asks now, then move the group and the member on as far as they can.

        To be called inside `saving`; `before` is the member as it was, without a subscription when it is new.
        """
        self.put(asked)
        is_current = self._seen_topics_version == self._topics.version
        if asked is before and is_current and self.epoch == self.target_epoch and asked.is_reconciled_to(self.epoch):
            return asked  # what nearly every heartbeat comes to
        names_before = set(self.topic_names_of(before))
        regex_topics_before = self._regexes.topics
        if not is_current or before.topic_regex != asked.topic_regex:
            self._resolve(topics_changed=not is_current, now=now)
        has_new_subscription = set(self.topic_names_of(asked)) != names_before
        has_changed = has_new_subscription or before.topic_names != asked.topic_names
        if has_changed or not is_current:
            self._follow_topics(has_changed=has_changed or self._regexes.topics != regex_topics_before)
        if self.epoch > self.target_epoch and self._may_assign(now):
            self._assign(now)
        if has_new_subscription or not asked.is_reconciled_to(self.target_epoch):
            step = Reconciliation(
                target=self.targets.get(asked.member_id, frozenset()),
                target_epoch=self.target_epoch,
                subscribed=self._subscribed_ids(asked),
                is_free=self.is_free,
                reported=reported,
                has_new_subscription=has_new_subscription,
            )
            asked = step.next_step(asked)
            self.put(asked)
        assert asked.epoch > JOIN_EPOCH, "a member that was let in is in an epoch"
        return asked

    def is_free(self, partition: TopicPartition) -> bool:
        """Whether no member owns the partition."""
        return partition not in self._owners

    def put(self, member: ConsumerMember) -> None:
        """Add or change a member, inside `saving`."""
        old = self.members.get(member.member_id)
        if old is member:
            return
        self._place(old, member)
        self._undo.append(lambda: self._place(member, old))
        if old is None or not old.has_same_metadata(member):
            self._unsaved.append(member_record(self.group_id, member))
        if old is None or not old.has_same_progress(member):
            if old is None and member.epoch == JOIN_EPOCH:
                return  # its progress is written when there is some, later in the same batch
            self._unsaved.append(progress_record(self.group_id, member))

    def write(self, record: OffsetsRecord) -> None:
        """Add a record to the batch, inside `saving`."""
        self._unsaved.append(record)

    def remove(self, member_ids: Collection[str], now: Now) -> None:
        """Let members go, in a new epoch; or become a classic group, when only members of the classic kind are left."""
        if not self._downgrade(self, member_ids, now):
            with self.saving(now):
                for member_id in member_ids:
                    self.take_out(member_id)
                self._resolve(topics_changed=False, now=now)
                self.set_epoch(self.epoch + 1, self._hash_of_topics())
        for member_id in member_ids:
            self._forget_deadlines(member_id)

    def take_out(self, member_id: str) -> None:
        """Remove a member and its target, inside `saving`."""
        member = self.members[member_id]
        self._place(member, None)
        self._undo.append(lambda: self._place(None, member))
        target = self.targets.pop(member_id, None)
        if target is not None:
            self._undo.append(partial(self.targets.__setitem__, member_id, target))
        self._unsaved += member_tombstones(self.group_id, member_id)

    def set_epoch(self, epoch: int, topics_hash: int) -> None:
        """Raise the group's epoch, inside `saving`."""
        before = (self.epoch, self._metadata_hash)

        def undo() -> None:
            self.epoch, self._metadata_hash = before

        self._undo.append(undo)
        self.epoch, self._metadata_hash = epoch, topics_hash
        self._unsaved.append(epoch_record(self.group_id, epoch, topics_hash))

    def set_targets(self, targets: dict[str, frozenset[TopicPartition]], epoch: int, assigned_ms: int) -> None:
        """Replace the target assignment, inside `saving`."""
        before = (self.targets, self.target_epoch)

        def undo() -> None:
            self.targets, self.target_epoch = before

        self._undo.append(undo)
        self._unsaved += [
            target_record(self.group_id, member_id, target)
            for member_id, target in targets.items()
            if self.targets.get(member_id) != target
        ]
        self._unsaved.append(target_epoch_record(self.group_id, epoch, assigned_ms))
        self.targets, self.target_epoch = targets, epoch

    def static_member(self, instance_id: str) -> ConsumerMember | None:
        """The member of that static name."""
        member_id = self._static.get(instance_id)
        return None if member_id is None else self.members[member_id]

    def with_new_id(self, old: ConsumerMember, member_id: str) -> ConsumerMember:
        """Give a static member's place, its target and its partitions to a new member id, inside `saving`."""
        target = self.targets.get(old.member_id, frozenset())
        new = replace(old, member_id=member_id, epoch=JOIN_EPOCH, previous_epoch=JOIN_EPOCH)
        if member_id != old.member_id:
            self.take_out(old.member_id)
            self._undo.append(partial(self.targets.pop, member_id, None))
            self.targets[member_id] = target
            self._unsaved.append(target_record(self.group_id, member_id, target))
        self.put(new)
        return new

    def topic_names_of(self, member: ConsumerMember) -> Collection[str]:
        """The topics that a member reads, by name and by expression."""
        if not member.topic_regex:
            return member.topic_names
        return self._regexes.topics_of(member.topic_regex) | set(member.topic_names)

    def topic_of(self, topic_id: bytes) -> KnownTopic | None:
        """The topic of that id."""
        return self._topics.by_id(topic_id)

    def topic_named(self, name: str) -> KnownTopic | None:
        """The topic of that name."""
        return self._topics.get(name)

    def session_timeout_ms_of(self, member: ConsumerMember) -> int:
        """How long it may be silent."""
        if member.classic is not None:
            return member.classic.session_timeout_ms
        return self._numbers.number(self.group_id, CONSUMER_SESSION_TIMEOUT_MS)

    def keep_alive(self, member: ConsumerMember, now: Now) -> None:
        """Begin its session anew."""
        session = self._sessions.get(member.member_id)
        if session is None:
            session = self._deadlines.deadline(partial(self._expire, member.member_id, "session"))
            self._sessions[member.member_id] = session
        session.set(now.monotonic_ms + self.session_timeout_ms_of(member))

    def expect(self, member: ConsumerMember, now: Now) -> None:
        """Expel a member of the classic protocol unless it goes on with its rebalance within its time."""
        deadline = self._rebalances.get(member.member_id)
        if deadline is None or deadline.at_ms is None:
            self._set_rebalance(member, now)

    def stop_expecting(self, member: ConsumerMember) -> None:
        """It has gone on."""
        deadline = self._rebalances.get(member.member_id)
        if deadline is not None:
            deadline.cancel()

    # Letting a member speak.

    def _member_of(
        self, request: ConsumerGroupHeartbeatRequest, reported: Collection[TopicPartition] | None
    ) -> ConsumerMember:
        """The member that a heartbeat is of, new or known."""
        is_joining = request.member_epoch == JOIN_EPOCH
        member = self.members.get(request.member_id)
        if request.instance_id is None:
            if is_joining:
                return member or ConsumerMember(request.member_id)
            member = self._known(request.member_id)
        elif is_joining:
            owner = self.static_member(request.instance_id)
            if owner is None:
                return member or ConsumerMember(request.member_id)
            # A static member of the classic protocol does not say goodbye, so its successor need not wait for that.
            if owner.epoch != STATIC_LEAVE_EPOCH and owner.classic is None:
                raise UnreleasedInstanceId(
                    f"Static member {request.member_id} with instance id {request.instance_id} cannot join the group "
                    "because the instance id is owned by a member."
                )
            log.info("static member returns group=%s member=%s", self.group_id, request.member_id)
            return self.with_new_id(owner, request.member_id)
        else:
            member = self._known_static(request.instance_id, request.member_id)
        self._check_epoch(member, request.member_epoch, reported)
        return member

    def _check_epoch(self, member: ConsumerMember, epoch: int, reported: Collection[TopicPartition] | None) -> None:
        if epoch == member.epoch:
            return
        # The answer that raised its epoch may have been lost: then it owns no more than it was given.
        is_repeated = (
            epoch == member.previous_epoch and reported is not None and member.assigned.keys() >= set(reported)
        )
        if epoch > member.epoch or not is_repeated:
            size = "greater" if epoch > member.epoch else "smaller"
            raise FencedMemberEpoch(
                f"The consumer group member has a {size} member epoch ({epoch}) than the one known by the group "
                f"coordinator ({member.epoch}). The member must abandon all its partitions and rejoin."
            )

    def _updated(
        self, member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, client: Client
    ) -> ConsumerMember:
        """The member with what the request says of it; what it leaves out stays as it was."""
        names, regex, timeout_ms = (
            request.subscribed_topic_names,
            request.subscribed_topic_regex,
            request.rebalance_timeout_ms,
        )
        updated = replace(
            member,
            instance_id=member.instance_id if request.instance_id is None else request.instance_id,
            rack_id=member.rack_id if request.rack_id is None else request.rack_id,
            client=client,
            rebalance_timeout_ms=member.rebalance_timeout_ms if timeout_ms < 0 else timeout_ms,
            topic_names=member.topic_names if names is None else tuple(sorted(set(names))),
            topic_regex=member.topic_regex if regex is None else regex,
            assignor=member.assignor if request.server_assignor is None else request.server_assignor,
            classic=None,
        )
        # A member that joins anew under its old id counts as the one it was.
        return member if updated == member and member.member_id in self.members else updated

    def _known(self, member_id: str) -> ConsumerMember:
        member = self.members.get(member_id)
        if member is None:
            raise UnknownMemberId(f"Member {member_id} is not a member of group {self.group_id}.")
        return member

    def _known_static(self, instance_id: str, member_id: str) -> ConsumerMember:
        member = self.static_member(instance_id)
        if member is None:
            raise UnknownMemberId(f"Instance id {instance_id} is unknown.")
        if member.member_id != member_id:
            raise FencedInstanceId(
                f"Static member {member_id} with instance id {instance_id} was fenced by member {member.member_id}."
            )
        return member

    def _stale(self, member: ConsumerMember, epoch: int) -> KafkaError:
        stale = StaleMemberEpoch if member.classic is None else IllegalGeneration
        return stale(f"The received member epoch {epoch} does not match the expected member epoch {member.epoch}.")

    # The group's epoch.

    def _follow_topics(self, *, has_changed: bool) -> None:
        """Raise the epoch if a subscription, or a topic that somebody subscribes to, has changed."""
        topics_hash = self._hash_of_topics()
        if has_changed or topics_hash != self._metadata_hash:
            log.info("group epoch rises group=%s epoch=%d", self.group_id, self.epoch + 1)
            self.set_epoch(self.epoch + 1, topics_hash)
        elif not self._is_saved:
            self.set_epoch(self.epoch, topics_hash)
        seen = self._seen_topics_version
        self._undo.append(lambda: setattr(self, "_seen_topics_version", seen))
        self._seen_topics_version = self._topics.version

    def _resolve(self, *, topics_changed: bool, now: Now) -> None:
        """Find the topics that the expressions in use stand for, as far as that may have changed."""
        used = {member.topic_regex for member in self.members.values() if member.topic_regex}
        if used or self._regexes.resolved:
            before = self._regexes.resolved
            self._undo.append(lambda: setattr(self._regexes, "resolved", before))
            self._unsaved += self._regexes.resolve(used, topics_changed=topics_changed, now_ms=now.wall_ms)

    def _hash_of_topics(self) -> int:
        names = {name for member in self.members.values() for name in self.topic_names_of(member)}
        return metadata_hash(topic for name in names if (topic := self._topics.get(name)) is not None)

    # The target assignment.

    def _may_assign(self, now: Now) -> bool:
        """Whether it is time: many members that come at once are assigned together.

        Differs from Kafka: the only member is assigned at once, because it would wait for a whole heartbeat interval.
        """
        if self._target_monotonic_ms is None or len(self.members) == 1:
            return True
        interval_ms = self._numbers.number(self.group_id, CONSUMER_ASSIGNMENT_INTERVAL_MS)
        return now.monotonic_ms - self._target_monotonic_ms >= interval_ms

    def _assign(self, now: Now) -> None:
        subscriptions = {member_id: self._subscribed_ids(member) for member_id, member in self.members.items()}
        topic_ids = {topic_id for ids in subscriptions.values() for topic_id in ids}
        counts = {
            topic_id: topic.partition_count
            for topic_id in topic_ids
            if (topic := self._topics.by_id(topic_id)) is not None
        }
        targets = ASSIGNORS[self.assignor_name](
            GroupSpec(
                subscriptions=subscriptions,
                partition_counts=counts,
                previous=self.targets,
                instance_ids={member_id: instance_id for instance_id, member_id in self._static.items()},
            )
        )
        self.set_targets(targets, self.epoch, now.wall_ms)
        before = self._target_monotonic_ms
        self._undo.append(lambda: setattr(self, "_target_monotonic_ms", before))
        self._target_monotonic_ms = now.monotonic_ms
        log.info(
            "targets computed group=%s epoch=%d members=%d assignor=%s",
            self.group_id,
            self.epoch,
            len(self.members),
            self.assignor_name,
        )

    def _subscribed_ids(self, member: ConsumerMember) -> frozenset[bytes]:
        found = (self._topics.get(name) for name in self.topic_names_of(member))
        return frozenset(topic.topic_id for topic in found if topic is not None)

    # State and time.

    def _place(self, old: ConsumerMember | None, new: ConsumerMember | None) -> None:
        """Put `new` where `old` was, with what it owns and its static name."""
        if old is not None:
            if new is None:
                del self.members[old.member_id]
            if old.instance_id is not None and self._static.get(old.instance_id) == old.member_id:
                del self._static[old.instance_id]
            for each in old.owned:
                if self._owners.get(each) == old.member_id:
                    del self._owners[each]
        if new is not None:
            self.members[new.member_id] = new
            if new.instance_id is not None:
                self._static[new.instance_id] = new.member_id
            for each in new.owned:
                owner = self._owners.setdefault(each, new.member_id)
                assert owner == new.member_id, f"{each} has two owners: {owner} and {new.member_id}"

    def _without_conflicts(self, member: ConsumerMember) -> ConsumerMember:
        """The member without partitions that another one owns already, which only a damaged log can say."""
        return replace(
            member,
            assigned={each: epoch for each, epoch in member.assigned.items() if self.is_free(each)},
            revoking={each: epoch for each, epoch in member.revoking.items() if self.is_free(each)},
        )

    def _watch_rebalance(self, before: ConsumerMember, member: ConsumerMember, now: Now) -> None:
        """A member that was asked to revoke has its rebalance timeout to do so."""
        if member.classic is not None:
            return  # its deadlines are those of its JoinGroup and SyncGroup
        deadline = self._rebalances.get(member.member_id)
        if member.state is not MemberState.UNREVOKED_PARTITIONS or not member.revoking:
            if deadline is not None:
                deadline.cancel()
        elif deadline is None or deadline.at_ms is None or before.revoking != member.revoking:
            self._set_rebalance(member, now)

    def _set_rebalance(self, member: ConsumerMember, now: Now) -> None:
        deadline = self._rebalances.get(member.member_id)
        if deadline is None:
            deadline = self._deadlines.deadline(partial(self._expire, member.member_id, "rebalance"))
            self._rebalances[member.member_id] = deadline
        deadline.set(now.monotonic_ms + max(member.rebalance_timeout_ms, 0))

    def _expire(self, member_id: str, what: str, now: Now) -> None:
        if member_id not in self.members:
            self._forget_deadlines(member_id)
            return
        log.info("member's %s timeout has passed group=%s member=%s", what, self.group_id, member_id)
        try:
            self.remove([member_id], now)
        except KafkaError as error:
            log.warning("member not removed yet group=%s member=%s error=%s", self.group_id, member_id, error)
            deadline = (self._sessions if what == "session" else self._rebalances)[member_id]
            deadline.set(now.monotonic_ms + _RETRY_MS)

    def _forget_deadlines(self, member_id: str) -> None:
        for deadlines in (self._sessions, self._rebalances):
            deadline = deadlines.pop(member_id, None)
            if deadline is not None:
                deadline.cancel()


def _partitions(topics: list[TopicPartitions] | None) -> frozenset[TopicPartition] | None:
    if topics is None:
        return None
    return frozenset(TopicPartition(bytes(each.topic_id), index) for each in topics for index in each.partitions)


def _assignment(partitions: Iterable[TopicPartition]) -> Assignment:
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, partitions=indexes) for topic_id, indexes in by_topic(partitions).items()
        ]
    )
