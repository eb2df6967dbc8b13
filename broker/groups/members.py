"""Who is in a classic group: members, their static names, the protocols they have in common, who leads.

Counts are kept as members change, so that no question that every request asks ("have all joined?", "do all support this
protocol?") walks the members.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from broker.errors import FencedInstanceId, UnknownMemberId
from broker.groups.deadlines import Deadline
from broker.protocol.messages.join_group import JoinGroupRequestProtocol, JoinGroupResponse
from broker.protocol.messages.sync_group import SyncGroupResponse

JoinReply: TypeAlias = Callable[[JoinGroupResponse], None]
SyncReply: TypeAlias = Callable[[SyncGroupResponse], None]


class Client(NamedTuple):
    """Whose request it is, as DescribeGroups shows it."""

    client_id: str
    host: str
    """With a slash in front, as Java prints an address: `/127.0.0.1`."""


class SupportedProtocol(NamedTuple):
    """One protocol a member offers (an assignor, for consumers) and what it says in it (its subscription)."""

    name: str
    metadata: bytes


def supported_protocols(protocols: Iterable[JoinGroupRequestProtocol]) -> tuple[SupportedProtocol, ...]:
    """The protocols of a JoinGroup request, copied out of its frame; of a name given twice the first counts."""
    first_by_name: dict[str, SupportedProtocol] = {}
    for protocol in protocols:
        first_by_name.setdefault(protocol.name, SupportedProtocol(protocol.name, bytes(protocol.metadata)))
    return tuple(first_by_name.values())


@dataclass(slots=True, eq=False)
class Member:
    """One member of a classic group."""

    member_id: str
    group_instance_id: str | None
    """The static member's name (KIP-345); None for a dynamic member."""
    client: Client
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[SupportedProtocol, ...]
    """In the order in which it prefers them."""
    session: Deadline
    assignment: bytes = b""
    is_new: bool = False
    """It has never been answered a JoinGroup, so it cannot send heartbeats yet."""
    join_reply: JoinReply | None = None
    """Set by Membership only, which counts them."""
    sync_reply: SyncReply | None = None

    @property
    def is_awaited(self) -> bool:
        """The next word is ours, so the silence of this member is no reason to expel it."""
        return not self.is_new and (self.join_reply is not None or self.sync_reply is not None)

    def metadata(self, protocol_name: str) -> bytes:
        """What the member says in that protocol, which it must support."""
        return next(protocol.metadata for protocol in self.protocols if protocol.name == protocol_name)

    def answer_sync(self, response: SyncGroupResponse) -> bool:
        """Answer its waiting SyncGroup; False when none waits."""
        reply, self.sync_reply = self.sync_reply, None
        if reply is None:
            return False
        reply(response)
        return True


class Membership:
    """The members of one group, in the order in which they came."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._static_member_ids: dict[str, str] = {}
        self._supporters: Counter[str] = Counter()
        self.leader: str | None = None
        """Member id of the one that assigns; None when there are no members."""
        self.joined_count = 0
        """How many members have a JoinGroup waiting for its answer."""

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def __contains__(self, member_id: object) -> bool:
        return member_id in self._members

    def get(self, member_id: str) -> Member | None:
        """The member of that id."""
        return self._members.get(member_id)

    def static_member_id(self, group_instance_id: str | None) -> str | None:
        """The member id that a static member's name stands for now."""
        return None if group_instance_id is None else self._static_member_ids.get(group_instance_id)

    def checked(self, member_id: str, group_instance_id: str | None) -> Member:
        """The member that a request speaks for.

        Raises UnknownMemberId, or FencedInstanceId when another member id has taken over the static name.
        """
        if group_instance_id is not None:
            owner = self._static_member_ids.get(group_instance_id)
            if owner is not None and owner != member_id:
                raise FencedInstanceId(f"group.instance.id '{group_instance_id}' belongs to member '{owner}' now")
            if owner is None:
                raise UnknownMemberId(f"no static member '{group_instance_id}' in this group")
        member = self._members.get(member_id)
        if member is None:
            raise UnknownMemberId(f"no member '{member_id}' in this group")
        return member

    def add(self, member: Member) -> None:
        """Take in a new member; the first one leads."""
        self._members[member.member_id] = member
        if member.group_instance_id is not None:
            self._static_member_ids[member.group_instance_id] = member.member_id
        self._supporters.update(protocol.name for protocol in member.protocols)
        if member.join_reply is not None:
            self.joined_count += 1
        if self.leader is None:
            self.leader = member.member_id

    def remove(self, member: Member) -> None:
        """Let a member go; when it led, the longest-standing one leads. Its waiting requests are not answered here."""
        del self._members[member.member_id]
        if member.group_instance_id is not None:
            del self._static_member_ids[member.group_instance_id]
        self._supporters.subtract(protocol.name for protocol in member.protocols)
        if member.join_reply is not None:
            self.joined_count -= 1
        if self.leader == member.member_id:
            self.leader = next(iter(self._members), None)
        member.session.cancel()

    def replace(self, old: Member, new: Member) -> None:
        """Put a static member's new incarnation in the place of the old one, the lead included."""
        led = self.leader == old.member_id
        self.remove(old)
        self.add(new)
        if led:
            self.leader = new.member_id

    def offer(self, member: Member, protocols: tuple[SupportedProtocol, ...]) -> None:
        """Change what a member supports."""
        self._supporters.subtract(protocol.name for protocol in member.protocols)
        member.protocols = protocols
        self._supporters.update(protocol.name for protocol in protocols)

    def await_join(self, member: Member, reply: JoinReply) -> JoinReply | None:
        """Keep a JoinGroup waiting; gives back the one that waited before, which its client has given up."""
        given_up = member.join_reply
        member.join_reply = reply
        self.joined_count += given_up is None
        return given_up

    def answer_join(self, member: Member, response: JoinGroupResponse) -> None:
        """Answer a member's waiting JoinGroup, if one waits."""
        reply, member.join_reply = member.join_reply, None
        if reply is not None:
            self.joined_count -= 1
            reply(response)

    @property
    def have_all_joined(self) -> bool:
        return self.joined_count == len(self._members)

    @property
    def rebalance_timeout_ms(self) -> int:
        """How long the slowest member asks to be waited for; 0 without members."""
        return max((member.rebalance_timeout_ms for member in self._members.values()), default=0)

    def all_support_one_of(self, protocols: Iterable[JoinGroupRequestProtocol]) -> bool:
        """Whether at least one of the protocols is supported by every member."""
        return any(self._supporters[protocol.name] == len(self._members) for protocol in protocols)

    def choose_protocol(self) -> str:
        """The protocol with the most votes among those that all support; each votes for the one it prefers.

        There must be members, and they must have a protocol in common (JoinGroup refuses those that would not).
        """
        common = {name for name, supporters in self._supporters.items() if supporters == len(self._members)}
        votes = Counter(
            next(protocol.name for protocol in member.protocols if protocol.name in common)
            for member in self._members.values()
        )
        return max(votes, key=votes.__getitem__)

    def elect_joined_leader(self) -> bool:
        """Pass the lead on when the leader has not joined; False when nobody has."""
        leader = self._members.get(self.leader) if self.leader is not None else None
        if leader is not None and leader.join_reply is not None:
            return True
        joined = next((member for member in self._members.values() if member.join_reply is not None), None)
        if joined is not None:
            self.leader = joined.member_id
        return joined is not None
