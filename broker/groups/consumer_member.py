"""One member of a KIP-848 consumer group, and how it gets from what it reads to what it is meant to read.

Values only: a step gives a new member. What it has been given to read is `assigned`; what it has been asked to give up
is `revoking`, and stays its own until it no longer says that it owns it. So no partition ever has two owners.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from broker.groups.assignors import TopicPartition
from broker.groups.members import Client, SupportedProtocol

JOIN_EPOCH: Final = 0
LEAVE_EPOCH: Final = -1
STATIC_LEAVE_EPOCH: Final = -2

PartitionEpochs: TypeAlias = Mapping[TopicPartition, int]
"""Partitions, each with the member epoch at which it was given to the member (KIP-1251)."""

_NO_CLIENT: Final = Client("", "")
_NONE: Final[PartitionEpochs] = MappingProxyType({})


class MemberState(IntEnum):
    """How far a member is on its way to its target, as the log spells it."""

    STABLE = 0
    UNREVOKED_PARTITIONS = 1
    """It was asked to give partitions up and has not said that it did."""
    UNRELEASED_PARTITIONS = 2
    """It waits for partitions that other members still own."""


@dataclass(frozen=True, slots=True)
class ClassicPart:
    """What is kept of a member that speaks the classic protocol while the group migrates."""

    session_timeout_ms: int
    protocols: tuple[SupportedProtocol, ...]


@dataclass(frozen=True, slots=True)
class ConsumerMember:
    """One member as of now."""

    member_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    client: Client = _NO_CLIENT
    rebalance_timeout_ms: int = -1
    topic_names: tuple[str, ...] = ()
    """Sorted, each once."""
    topic_regex: str = ""
    assignor: str | None = None
    """The server-side assignor it asks for; None: whichever."""
    classic: ClassicPart | None = None
    """None for a member that speaks the consumer protocol."""
    state: MemberState = MemberState.STABLE
    epoch: int = JOIN_EPOCH
    """STATIC_LEAVE_EPOCH while a static member is away."""
    previous_epoch: int = JOIN_EPOCH
    assigned: PartitionEpochs = field(default_factory=dict)
    revoking: PartitionEpochs = field(default_factory=dict)

    @property
    def owned(self) -> PartitionEpochs:
        """All that nobody else may read."""
        return {**self.assigned, **self.revoking}

    def is_reconciled_to(self, target_epoch: int) -> bool:
        """Whether it has all that the target assignment of that epoch gives it, and no more."""
        return self.state is MemberState.STABLE and self.epoch == target_epoch

    def has_same_metadata(self, other: ConsumerMember) -> bool:
        """Whether the two differ in nothing but how far they are."""
        return (
            replace(
                other,
                state=self.state,
                epoch=self.epoch,
                previous_epoch=self.previous_epoch,
                assigned=self.assigned,
                revoking=self.revoking,
            )
            == self
        )

    def has_same_progress(self, other: ConsumerMember) -> bool:
        """Whether the two are equally far and own the same."""
        return (
            self.state is other.state
            and self.epoch == other.epoch
            and self.previous_epoch == other.previous_epoch
            and self.assigned == other.assigned
            and self.revoking == other.revoking
        )


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a member's next step depends on."""

    target: Collection[TopicPartition]
    target_epoch: int
    subscribed: Collection[bytes]
    """Ids of the topics it subscribes to now; of others it may own nothing, whatever the target says."""
    is_free: Callable[[TopicPartition], bool]
    """Whether nobody owns the partition."""
    reported: Collection[TopicPartition] | None
    """What the member says it owns; None when it did not say."""
    has_new_subscription: bool = False

    def next_step(self, member: ConsumerMember) -> ConsumerMember:
        """The member one step nearer to the target, or as it is when it has to wait."""
        match member.state:
            case MemberState.STABLE if member.epoch == self.target_epoch:
                return self._without_unsubscribed(member) if self.has_new_subscription else member
            case MemberState.UNREVOKED_PARTITIONS if self._still_owns(member.revoking):
                return self._without_unsubscribed(member) if self.has_new_subscription else member
            case _:
                return self._toward_target(member)

    def _still_owns(self, partitions: Collection[TopicPartition]) -> bool:
        """Whether the member has yet to give up one of these; silence counts as owning."""
        return bool(partitions) and (self.reported is None or any(each in partitions for each in self.reported))

    def _without_unsubscribed(self, member: ConsumerMember) -> ConsumerMember:
        """Take away topics that it subscribes to no more, without waiting for a new target."""
        kept = {each: epoch for each, epoch in member.assigned.items() if each.topic_id in self.subscribed}
        if len(kept) == len(member.assigned):
            return member
        revoking = {each: epoch for each, epoch in member.owned.items() if each not in kept}
        if not self._still_owns(revoking):
            return replace(member, previous_epoch=member.epoch, assigned=kept)
        return replace(
            member,
            state=MemberState.UNREVOKED_PARTITIONS,
            previous_epoch=member.epoch,
            assigned=kept,
            revoking=revoking,
        )

    def _toward_target(self, member: ConsumerMember) -> ConsumerMember:
        """Revoke first; then give what is free."""
        target = [each for each in self.target if each.topic_id in self.subscribed]
        wanted = set(target)
        kept = {each: epoch for each, epoch in member.assigned.items() if each in wanted}
        revoking = {each: epoch for each, epoch in member.assigned.items() if each not in wanted}
        if self._still_owns(revoking):
            return replace(
                member,
                state=MemberState.UNREVOKED_PARTITIONS,
                previous_epoch=member.epoch,
                assigned=kept,
                revoking=revoking,
            )
        missing = [each for each in target if each not in kept]
        given = [each for each in missing if each in member.revoking or self.is_free(each)]
        return replace(
            member,
            state=MemberState.STABLE if len(given) == len(missing) else MemberState.UNRELEASED_PARTITIONS,
            epoch=self.target_epoch,
            previous_epoch=member.epoch,
            assigned={**kept, **dict.fromkeys(given, self.target_epoch)},
            revoking=_NONE,
        )
