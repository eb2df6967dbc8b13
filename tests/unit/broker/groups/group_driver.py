"""Members of groups as tests play them: requests in, answers kept, time turned by hand, the log in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from broker.config import BrokerConfig
from broker.errors import NONE, KafkaError
from broker.groups.coordinator import GroupCoordinator
from broker.groups.deadlines import Now
from broker.groups.members import Client
from broker.groups.offsets import OffsetStore, OpenTransaction, PartitionOffset, WhenDurable
from broker.groups.records import CommittedOffset, OffsetsRecord
from broker.protocol.messages.describe_groups import DescribedGroup
from broker.protocol.messages.heartbeat import HeartbeatRequest
from broker.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from broker.protocol.messages.leave_group import MemberIdentity
from broker.protocol.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from broker.protocol.primitives import NULL_UUID

WALL_START_MS = 1_790_000_000_000
SESSION_MS = 10_000
REBALANCE_MS = 60_000
CLIENT = Client("app", "/127.0.0.1")

ResponseT = TypeVar("ResponseT", JoinGroupResponse, SyncGroupResponse)


class MemoryOffsetsLog:
    """An OffsetsLog in memory; `failure`, when set, is what the next appends raise."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[OffsetsRecord]]] = []
        self.failure: KafkaError | None = None

    def append(
        self,
        group_id: str,
        records: Sequence[OffsetsRecord],
        *,
        wall_ms: int,
        producer_id: int = -1,
        producer_epoch: int = -1,
    ) -> None:
        assert records, "an empty batch is not a batch"
        if self.failure is not None:
            raise self.failure
        self.batches.append((group_id, list(records)))

    @property
    def is_strict(self) -> bool:
        return False

    @property
    def open_transactions(self) -> list[OpenTransaction]:
        return []

    def is_kept_in(self, group_id: str, partition: int) -> bool:
        return True

    def when_durable(self, group_id: str, callback: WhenDurable) -> None:
        callback(None)

    def read(self) -> Iterator[OffsetsRecord]:
        return iter([record for _, records in self.batches for record in records])

    def forget(self) -> None:
        self.batches.clear()


class Answer(Generic[ResponseT]):
    """The answer to a request that may have to wait."""

    def __init__(self) -> None:
        self.responses: list[ResponseT] = []

    def __call__(self, response: ResponseT) -> None:
        assert not self.responses, "a request is answered once"
        self.responses.append(response)

    @property
    def is_waiting(self) -> bool:
        return not self.responses

    @property
    def response(self) -> ResponseT:
        return self.responses[0]

    @property
    def error(self) -> int:
        return self.response.error_code


def subscription(*topics: str) -> bytes:
    """A consumer's subscription as ConsumerProtocolSubscription version 0 with its version in front."""
    names = b"".join(len(topic).to_bytes(2) + topic.encode() for topic in topics)
    return b"\0\0" + len(topics).to_bytes(4) + names + b"\xff\xff\xff\xff"


class GroupDriver:
    """One coordinator and its time."""

    def __init__(self, log: MemoryOffsetsLog | None = None, at_ms: int = 0, **config: int) -> None:
        self.log = log or MemoryOffsetsLog()
        self.config = config
        self.at_ms = at_ms
        self.coordinator = GroupCoordinator(OffsetStore(self.log), BrokerConfig(**config))
        self.coordinator.load(self.now)

    @property
    def now(self) -> Now:
        return Now(monotonic_ms=self.at_ms, wall_ms=WALL_START_MS + self.at_ms)

    def restarted(self) -> GroupDriver:
        """A broker that starts with the log this one has left."""
        return GroupDriver(self.log, self.at_ms, **self.config)

    def passes(self, ms: int) -> None:
        """Let time pass, with a tick whenever the coordinator asks for one."""
        end_ms = self.at_ms + ms
        while (due_ms := self.coordinator.next_deadline_ms()) is not None and due_ms <= end_ms:
            self.at_ms = max(self.at_ms, due_ms)
            self.coordinator.tick(self.now)
        self.at_ms = end_ms

    def join(
        self,
        group_id: str = "g",
        member_id: str = "",
        *,
        instance: str | None = None,
        protocols: Sequence[tuple[str, bytes]] = (("range", subscription("t")),),
        protocol_type: str = "consumer",
        session_timeout_ms: int = SESSION_MS,
        rebalance_timeout_ms: int = REBALANCE_MS,
        client: Client = CLIENT,
        version: int = 9,
    ) -> Answer[JoinGroupResponse]:
        request = JoinGroupRequest(
            group_id=group_id,
            session_timeout_ms=session_timeout_ms,
            rebalance_timeout_ms=rebalance_timeout_ms,
            member_id=member_id,
            group_instance_id=instance,
            protocol_type=protocol_type,
            protocols=[JoinGroupRequestProtocol(name=name, metadata=data) for name, data in protocols],
        )
        answer: Answer[JoinGroupResponse] = Answer()
        self.coordinator.join(request, client=client, api_version=version, now=self.now, reply=answer)
        return answer

    def new_member(self, group_id: str = "g", **how: object) -> tuple[str, Answer[JoinGroupResponse]]:
        """Ask for a member id, then join with it: what every client since 2019 does."""
        member_id = self.join(group_id, **how).response.member_id  # type: ignore[arg-type]
        return member_id, self.join(group_id, member_id, **how)  # type: ignore[arg-type]

    def sync(
        self,
        member_id: str,
        generation_id: int,
        assignments: dict[str, bytes] | None = None,
        *,
        group_id: str = "g",
        instance: str | None = None,
        protocol_type: str | None = "consumer",
        protocol_name: str | None = "range",
    ) -> Answer[SyncGroupResponse]:
        request = SyncGroupRequest(
            group_id=group_id,
            generation_id=generation_id,
            member_id=member_id,
            group_instance_id=instance,
            protocol_type=protocol_type,
            protocol_name=protocol_name,
            assignments=[
                SyncGroupRequestAssignment(member_id=each, assignment=assignment)
                for each, assignment in (assignments or {}).items()
            ],
        )
        answer: Answer[SyncGroupResponse] = Answer()
        self.coordinator.sync(request, now=self.now, reply=answer)
        return answer

    def heartbeat(self, member_id: str, generation_id: int, group_id: str = "g", instance: str | None = None) -> int:
        """The error code."""
        request = HeartbeatRequest(
            group_id=group_id,
            generation_id=generation_id,
            member_id=member_id,
            group_instance_id=instance,
        )
        try:
            self.coordinator.heartbeat(request, self.now)
        except KafkaError as error:
            return error.code
        return NONE

    def leave(self, *members: str | tuple[str, str | None], group_id: str = "g") -> list[int]:
        """Member ids, or (member id, instance); the error code of each."""
        identities = [(member, None) if isinstance(member, str) else member for member in members]
        leaving = [MemberIdentity(member_id=member_id, group_instance_id=name) for member_id, name in identities]
        return [answer.error_code for answer in self.coordinator.leave(group_id, leaving, self.now)]

    def commit(
        self,
        offset: int,
        topic: str = "t",
        partition: int = 0,
        *,
        group_id: str = "g",
        member_id: str = "",
        generation_id: int = -1,
        instance: str | None = None,
        metadata: str = "",
        retention_ms: int | None = None,
        topic_id: bytes = NULL_UUID,
    ) -> int:
        """The error code."""
        wall_ms = self.now.wall_ms
        expires_ms = None if retention_ms is None else wall_ms + retention_ms
        committed = CommittedOffset(offset, -1, metadata, wall_ms, expires_ms, topic_id)
        try:
            return self.coordinator.commit_offsets(
                group_id,
                [PartitionOffset(topic, partition, committed)],
                member_id=member_id,
                group_instance_id=instance,
                generation_id=generation_id,
                now=self.now,
            )[0]
        except KafkaError as error:
            return error.code

    def committed(self, topic: str = "t", partition: int = 0, group_id: str = "g") -> int | None:
        found = self.coordinator.committed_offsets(group_id).get(topic, {}).get(partition)
        return None if found is None else found.offset

    def describe(self, group_id: str = "g") -> DescribedGroup:
        return self.coordinator.describe(group_id)

    def state(self, group_id: str = "g") -> str:
        return str(self.describe(group_id).group_state)

    def stable_group(self, size: int = 1, group_id: str = "g") -> tuple[list[str], int]:
        """A Stable group of that many dynamic members: their ids, the leader's first, and the generation."""
        members = [self.new_member(group_id)[0]]
        for _ in range(size - 1):
            member_id, answer = self.new_member(group_id)
            rejoins = [self.join(group_id, each) for each in members]
            members.append(member_id)
            assert not answer.is_waiting
            assert all(not each.is_waiting for each in rejoins)
        generation_id = self.join(group_id, members[0]).response.generation_id
        syncs = [self.sync(each, generation_id, group_id=group_id) for each in reversed(members)]
        assert all(each.error == NONE for each in syncs)
        return members, generation_id
