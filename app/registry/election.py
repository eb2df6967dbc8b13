"""Of several nodes on one topic exactly one writes: elected by a consumer group, as Confluent's registry does it.

Group `schema-registry`, protocol type `sr`, the same metadata and assignment: nodes of both may be in one group.
The leader is the one that leads already, else the one with the smallest URL.

A node writes only while its last heartbeat is younger than the session, so before the group can have chosen another;
and none of its writes runs while it joins again. What remains is a Produce request sent in time that arrives late.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from app.kafka.ports import ClusterUnreachable, GroupMembership, JoinedGroup
from app.registry.refusals import RegistryError, UnknownLeader
from broker.errors import FencedInstanceId, IllegalGeneration, KafkaError, RebalanceInProgress, UnknownMemberId

log = logging.getLogger("caudal.registry")

PROTOCOL_TYPE = "sr"
PROTOCOL = "v0"
HEARTBEAT_S = 1.0
LEASE_PART = 0.7  # of the session: the rest is for clocks and the request's way
RETRY_WAIT_S = 0.5


class Identity(Struct, frozen=True):
    """A node, as the group's metadata names it."""

    host: str
    port: int
    version: int = 1
    master_eligibility: bool = True
    scheme: str = "http"
    leader: bool = False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Assignment(Struct, frozen=True):
    """What the group's leader tells every member: who writes. error 1: two nodes have one URL."""

    version: int = 1
    error: int = 0
    master: str | None = None
    master_identity: Identity | None = None


_identity = msgspec.json.Decoder(Identity)
_assignment = msgspec.json.Decoder(Assignment)


class Election:
    """A node's part in the election. It takes part from its first write on, or from start()."""

    def __init__(self, group: GroupMembership, url: str, *, wait_s: float = 10.0) -> None:
        """url: where the other nodes reach this one. wait_s: how long a write waits for an election."""
        parts = urlsplit(url)
        self._me = Identity(parts.hostname or "127.0.0.1", parts.port or 8081, scheme=parts.scheme)
        self._group = group
        self._wait_s = wait_s
        self._task: asyncio.Task[None] | None = None
        self._known = asyncio.Event()
        self._leads = False
        self._leader_url: str | None = None
        self._lease_end = 0.0
        self._running = 0
        self._idle = asyncio.Event()
        self._on_elected: Callable[[], Awaitable[None]] | None = None

    def on_elected(self, action: Callable[[], Awaitable[None]]) -> None:
        """What to do before the first write after an election: see what others wrote."""
        self._on_elected = action

    async def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._group.close()

    def check(self) -> None:
        """Raises UnknownLeader when this node may no longer write."""
        if not self._leads or asyncio.get_running_loop().time() > self._lease_end:
            raise UnknownLeader

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[str | None]:
        """None: this node may write, until the block ends. Else the URL of the one that may. Raises UnknownLeader."""
        await self.start()
        if not self._known.is_set():
            try:
                async with asyncio.timeout(self._wait_s):
                    await self._known.wait()
            except TimeoutError:
                raise UnknownLeader from None
        if not self._leads:
            if self._leader_url is None:
                raise UnknownLeader
            yield self._leader_url
            return
        self.check()
        self._running += 1
        try:
            yield None
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    # --- the group -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._take_part()
            except RebalanceInProgress:
                continue
            except (UnknownMemberId, IllegalGeneration, FencedInstanceId):
                self._step_down()
                self._group.forget()
            except (KafkaError, ClusterUnreachable, RegistryError) as error:
                self._step_down()
                log.warning("election failed, again in %g s error=%s", RETRY_WAIT_S, error)
                await asyncio.sleep(RETRY_WAIT_S)
            except Exception:
                self._step_down()
                log.exception("election failed, again in %g s", RETRY_WAIT_S)
                await asyncio.sleep(RETRY_WAIT_S)

    async def _take_part(self) -> None:
        """Join, learn who leads, stay a member until something changes."""
        self._known.clear()
        while self._running:
            self._idle.clear()
            await self._idle.wait()
        loop = asyncio.get_running_loop()
        joined = await self._group.join(msgspec.json.encode(msgspec.structs.replace(self._me, leader=self._leads)))
        begun = loop.time()
        found = _assignment.decode(await self._group.sync(_assignments(joined)))
        was_leading, self._leads = self._leads, found.master == joined.member_id
        self._leader_url = found.master_identity.url if found.master_identity and not found.error else None
        self._extend(begun)
        if self._leads and not was_leading and self._on_elected is not None:
            await self._on_elected()
        log.info("elected leader=%s is_this_node=%s generation=%d", self._leader_url, self._leads, joined.generation_id)
        self._known.set()
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            begun = loop.time()
            await self._group.heartbeat()
            self._extend(begun)

    def _extend(self, begun: float) -> None:
        self._lease_end = begun + LEASE_PART * self._group.session_timeout_s

    def _step_down(self) -> None:
        self._leads = False
        self._leader_url = None
        self._known.clear()


def _assignments(joined: JoinedGroup) -> Mapping[str, bytes]:
    """By the group's leader: the same for every member."""
    if joined.leader_id != joined.member_id:
        return {}
    known = {member_id: _identity.decode(metadata) for member_id, metadata in joined.members.items()}
    eligible = {member_id: one for member_id, one in known.items() if one.master_eligibility}
    error = int(len({one.url for one in eligible.values()}) < len(eligible))
    if not eligible or error:
        encoded = msgspec.json.encode(Assignment(error=error))
    else:
        master = min(eligible, key=lambda member_id: (not eligible[member_id].leader, eligible[member_id].url))
        encoded = msgspec.json.encode(Assignment(master=master, master_identity=eligible[master]))
    return dict.fromkeys(known, encoded)
