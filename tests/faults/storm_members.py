"""Members of a consumer group that come and go at random, with nothing between them and the wire.

Each one joins, gets its partitions, asks how far they are committed, commits a little further, and remembers all of it.
The leader deals the partitions round. A real client would hide what the checker has to see: generations, and which
answers never came.
"""

import asyncio
import contextlib
import math
import random
import struct
import time
from dataclasses import dataclass, field

from broker.errors import (
    NONE,
    FencedInstanceId,
    IllegalGeneration,
    MemberIdRequired,
    RebalanceInProgress,
    UnknownMemberId,
)
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.heartbeat import HeartbeatRequest
from broker.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from broker.protocol.messages.leave_group import LeaveGroupRequest, MemberIdentity
from broker.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from broker.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestTopic
from broker.protocol.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from broker.protocol.primitives import Message
from tests.faults.checker import Committed, Fetched, GroupHistory, Owned

GROUP = "storm"
TOPIC = "storm"
PARTITIONS = 12
SESSION_TIMEOUT_MS = 3_000
REBALANCE_TIMEOUT_MS = 1_500
HEARTBEAT_S = 0.1
ANSWER_S = 10
_JOIN_AGAIN = (IllegalGeneration.code, RebalanceInProgress.code, UnknownMemberId.code, FencedInstanceId.code)


@dataclass(slots=True)
class Storm:
    """What all members share."""

    port: int
    chance: random.Random
    leave_rate: float
    """How likely a member goes at each heartbeat; one of five goes without a word."""
    is_over: bool = False
    """No member goes any more, so that the group may settle."""
    history: GroupHistory = field(default_factory=GroupHistory)
    unforeseen: list[str] = field(default_factory=list)


class _Rejoin(Exception):
    """The group has moved on without this member."""


class StormMember:
    """One member, as long as `run` runs. `settled` is the generation in which it has its partitions, or None."""

    def __init__(self, storm: Storm) -> None:
        self.settled: int | None = None
        self.partitions: frozenset[int] = frozenset()
        self._storm = storm
        self._member_id = ""
        self._generation_id = -1
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        while True:
            try:
                await self._join()
                await self._work()
            except _Rejoin:
                continue
            except (OSError, EOFError, TimeoutError):
                self._hang_up()
                await asyncio.sleep(0.05)
            finally:
                self.settled = None

    async def _join(self) -> None:
        joined = await self._ask(self._join_request(), 5)
        assert isinstance(joined, JoinGroupResponse)
        if joined.error_code == MemberIdRequired.code:
            self._member_id = joined.member_id
            joined = await self._ask(self._join_request(), 5)
            assert isinstance(joined, JoinGroupResponse)
        await self._check(joined.error_code)
        self._member_id, self._generation_id = joined.member_id, joined.generation_id
        assignments = []
        if joined.leader == joined.member_id:
            members = [member.member_id for member in joined.members]
            assignments = [
                SyncGroupRequestAssignment(member_id=member, assignment=bytes(range(PARTITIONS))[at :: len(members)])
                for at, member in enumerate(members)
            ]
        request = SyncGroupRequest(assignments=assignments, **self._identity())
        synced = await self._ask(request, 3)
        await self._check(synced.error_code)
        self.partitions = frozenset(synced.assignment)
        self._storm.history.owned.append(Owned(self._member_id, self._generation_id, self.partitions))
        self.settled = self._generation_id

    def _join_request(self) -> JoinGroupRequest:
        return JoinGroupRequest(
            group_id=GROUP,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            member_id=self._member_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="deal", metadata=struct.pack(">hii", 0, 0, -1))],
        )

    def _identity(self) -> dict[str, object]:
        return {"group_id": GROUP, "generation_id": self._generation_id, "member_id": self._member_id}

    async def _work(self) -> None:
        """Commit, and keep the membership alive, until it is time to go."""
        storm = self._storm
        positions = {partition: await self._fetch_committed(partition) for partition in self.partitions}
        while True:
            for partition, position in positions.items():
                positions[partition] = await self._commit(partition, max(position, 0) + storm.chance.randint(1, 5))
            await asyncio.sleep(HEARTBEAT_S)
            await self._check((await self._ask(HeartbeatRequest(**self._identity()), 3)).error_code)
            if not storm.is_over and storm.chance.random() < storm.leave_rate:
                await self._go()

    async def _go(self) -> None:
        """Leave, or vanish without a word; come back as somebody new."""
        chance = self._storm.chance
        if chance.random() < 0.8:
            await self._ask(LeaveGroupRequest(group_id=GROUP, members=[MemberIdentity(member_id=self._member_id)]), 3)
        self._hang_up()
        self._member_id = ""
        self.settled = None
        await asyncio.sleep(chance.uniform(0, 1))
        raise _Rejoin

    async def _fetch_committed(self, partition: int) -> int:
        request = OffsetFetchRequest(
            group_id=GROUP, topics=[OffsetFetchRequestTopic(name=TOPIC, partition_indexes=[partition])]
        )
        sent_s = time.monotonic()
        answer = await self._ask(request, 5)
        await self._check(answer.error_code)
        offset = answer.topics[0].partitions[0].committed_offset
        self._storm.history.fetched.append(Fetched(partition, offset, sent_s, time.monotonic()))
        return int(offset)

    async def _commit(self, partition: int, offset: int) -> int:
        asked = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset)
        topics = [OffsetCommitRequestTopic(name=TOPIC, partitions=[asked])]
        request = OffsetCommitRequest(
            group_id=GROUP, generation_id_or_member_epoch=self._generation_id, member_id=self._member_id, topics=topics
        )
        commits, sent_s = self._storm.history.committed, time.monotonic()
        commits.append(Committed(partition, offset, sent_s, math.inf))  # unless the answer comes
        at = len(commits) - 1
        answer = await self._ask(request, 7)
        await self._check(answer.topics[0].partitions[0].error_code)
        commits[at] = Committed(partition, offset, sent_s, time.monotonic())
        return offset

    async def _check(self, error_code: int) -> None:
        """Go on, or join again: at once where that is asked for, else a little later."""
        if error_code == NONE:
            return
        self.settled = None
        if error_code == UnknownMemberId.code:
            self._member_id = ""
        elif error_code not in _JOIN_AGAIN:
            if error_code not in (14, 15, 16):  # loading, not available, not coordinator
                self._storm.unforeseen.append(f"error {error_code}")
            await asyncio.sleep(0.05)
        raise _Rejoin

    async def _ask(self, request: Message, version: int) -> Message:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._storm.port)
        assert self._reader is not None
        self._writer.write(request_frame(request.API_KEY, version, 1, "storm", request))
        async with asyncio.timeout(ANSWER_S):
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            return decode_response(request.API_KEY, version, await self._reader.readexactly(size))[1]

    def _hang_up(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.transport.abort()
        self._reader = self._writer = None
