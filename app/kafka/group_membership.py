"""Membership of a classic consumer group whose protocol is ours to fill: metadata in, an assignment out.

What a rebalance is used for (electing one of several nodes, say) is the caller's business.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from app.kafka.answers import raise_for
from app.kafka.connection import ConnectionSettings
from app.kafka.ports import JoinedGroup
from app.kafka.requests import ClusterRequests
from broker.errors import (
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    KafkaError,
    MemberIdRequired,
    NotCoordinator,
)
from broker.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from broker.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from broker.protocol.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from broker.protocol.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from broker.protocol.primitives import Message

Answer = TypeVar("Answer", bound=Message)

LANE = "membership"  # a join waits for the others: it must not hold up what else is asked
LEAVE_TIMEOUT_S = 2.0
_COORDINATOR_MOVING = frozenset({NotCoordinator.code, CoordinatorNotAvailable.code, CoordinatorLoadInProgress.code})


class KafkaGroupMembership:
    """One member (see ports.GroupMembership)."""

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        settings: ConnectionSettings,
        *,
        group_id: str,
        protocol_type: str,
        protocol: str,
        session_timeout_ms: int,
        rebalance_timeout_ms: int,
    ) -> None:
        self.session_timeout_s = session_timeout_ms / 1000
        self._cluster = ClusterRequests(bootstrap_servers, settings)
        self._group_id = group_id
        self._protocol_type = protocol_type
        self._protocol = protocol
        self._rebalance_timeout_ms = rebalance_timeout_ms
        self._member_id = ""
        self._generation_id = -1

    async def join(self, metadata: bytes) -> JoinedGroup:
        request = JoinGroupRequest(
            group_id=self._group_id,
            session_timeout_ms=int(self.session_timeout_s * 1000),
            rebalance_timeout_ms=self._rebalance_timeout_ms,
            member_id=self._member_id,
            protocol_type=self._protocol_type,
            protocols=[JoinGroupRequestProtocol(name=self._protocol, metadata=metadata)],
        )
        waits_s = self._rebalance_timeout_ms / 1000
        answer = await self._ask(request, JoinGroupResponse, 5, lambda one: one.error_code, waits_s=waits_s)
        if answer.error_code == MemberIdRequired.code:
            self._member_id = request.member_id = answer.member_id
            answer = await self._ask(request, JoinGroupResponse, 5, lambda one: one.error_code, waits_s=waits_s)
        raise_for(answer.error_code, None)
        self._member_id, self._generation_id = answer.member_id, answer.generation_id
        members = {member.member_id: bytes(member.metadata) for member in answer.members}
        return JoinedGroup(answer.member_id, answer.generation_id, answer.leader, members)

    async def sync(self, assignments: Mapping[str, bytes]) -> bytes:
        request = SyncGroupRequest(
            group_id=self._group_id,
            generation_id=self._generation_id,
            member_id=self._member_id,
            assignments=[
                SyncGroupRequestAssignment(member_id=member_id, assignment=assignment)
                for member_id, assignment in assignments.items()
            ],
        )
        waits_s = self._rebalance_timeout_ms / 1000
        answer = await self._ask(request, SyncGroupResponse, 3, lambda one: one.error_code, waits_s=waits_s)
        raise_for(answer.error_code, None)
        return bytes(answer.assignment)

    async def heartbeat(self) -> None:
        request = HeartbeatRequest(
            group_id=self._group_id, generation_id=self._generation_id, member_id=self._member_id
        )
        answer = await self._ask(request, HeartbeatResponse, 3, lambda one: one.error_code)
        raise_for(answer.error_code, None)

    def forget(self) -> None:
        self._member_id, self._generation_id = "", -1

    async def close(self) -> None:
        try:
            if self._member_id:
                request = LeaveGroupRequest(group_id=self._group_id, member_id=self._member_id)
                async with asyncio.timeout(LEAVE_TIMEOUT_S):
                    await self._ask(request, LeaveGroupResponse, 2, lambda one: one.error_code)
        except (KafkaError, TimeoutError, ConnectionError):
            pass  # the session's end will tell the others
        finally:
            self.forget()
            await self._cluster.connections.close()

    async def _ask(
        self,
        request: Message,
        answer_type: type[Answer],
        version_max: int,
        error_code_of: Callable[[Answer], int],
        *,
        waits_s: float = 0.0,
    ) -> Answer:
        timeout_s = self._cluster.connections.settings.request_timeout_s + waits_s

        async def ask_at(node_id: int, group_ids: Sequence[str]) -> dict[str, Answer]:
            connection = await self._cluster.connections.to_node(node_id, lane=LANE)
            answer = cast(Answer, await connection.request(request, version_max=version_max, timeout_s=timeout_s))
            assert isinstance(answer, answer_type)
            if error_code_of(answer) in _COORDINATOR_MOVING:
                raise_for(error_code_of(answer), None)
            return dict.fromkeys(group_ids, answer)

        if not self._cluster.connections.nodes:
            await self._cluster.metadata()
        return (await self._cluster.ask_coordinators([self._group_id], ask_at))[self._group_id]
