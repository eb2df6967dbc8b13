"""Who writes: the election's rules, and what a node that does not write answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import msgspec
import pytest

from app.kafka.ports import JoinedGroup
from app.registry.election import Assignment, Election, Identity
from app.registry.refusals import UnknownLeader
from app.registry.routes import create_registry
from app.registry.service import create_service
from app.registry.settings import RegistrySettings
from tests.unit.app.registry.service.conftest import Api, WaitingCluster


class MemoryGroup:
    """A group of this member and of others that only stand there."""

    session_timeout_s = 10.0

    def __init__(self, others: Mapping[str, Identity], *, is_leader: bool = True, assignment: bytes = b"") -> None:
        self.others = others
        self.is_leader = is_leader
        self.assignment = assignment
        self.assigned: Mapping[str, bytes] = {}

    async def join(self, metadata: bytes) -> JoinedGroup:
        members = {"me": metadata, **{name: msgspec.json.encode(one) for name, one in self.others.items()}}
        return JoinedGroup("me", 1, "me" if self.is_leader else "other", members if self.is_leader else {})

    async def sync(self, assignments: Mapping[str, bytes]) -> bytes:
        self.assigned = assignments
        return assignments["me"] if assignments else self.assignment

    async def heartbeat(self) -> None:
        return None

    def forget(self) -> None:
        return None

    async def close(self) -> None:
        return None


async def leader_of(group: MemoryGroup, url: str = "http://b:8081") -> str | None:
    election = Election(group, url, wait_s=1)
    try:
        async with election.writing() as leader:
            return leader
    finally:
        await election.stop()


async def test_alone_a_node_writes() -> None:
    assert await leader_of(MemoryGroup({})) is None


async def test_the_smallest_url_writes_unless_one_does_already() -> None:
    assert await leader_of(MemoryGroup({"x": Identity("a", 8081)})) == "http://a:8081"
    assert await leader_of(MemoryGroup({"x": Identity("c", 8081)})) is None
    assert await leader_of(MemoryGroup({"x": Identity("c", 8081, leader=True)})) == "http://c:8081"
    assert await leader_of(MemoryGroup({"x": Identity("a", 8081, master_eligibility=False)})) is None


async def test_every_member_is_told_the_same_as_confluents_registry_tells_it() -> None:
    group = MemoryGroup({"x": Identity("a", 8081)})
    await leader_of(group)
    identity = '{"host":"a","port":8081,"version":1,"master_eligibility":true,"scheme":"http","leader":false}'
    told = f'{{"version":1,"error":0,"master":"x","master_identity":{identity}}}'.encode()
    assert group.assigned == {"me": told, "x": told}


async def test_two_nodes_of_one_url_are_an_error() -> None:
    with pytest.raises(UnknownLeader):
        await leader_of(MemoryGroup({"x": Identity("b", 8081)}))


async def test_a_follower_is_told_the_leader() -> None:
    told = msgspec.json.encode(Assignment(master="x", master_identity=Identity("a", 1)))
    assert await leader_of(MemoryGroup({}, is_leader=False, assignment=told)) == "http://a:1"


@pytest.fixture
async def follower(cluster: WaitingCluster, settings: RegistrySettings) -> AsyncIterator[Api]:
    """A node whose writer is at an address where nobody listens."""
    told = msgspec.json.encode(Assignment(master="x", master_identity=Identity("127.0.0.1", 1)))
    election = Election(MemoryGroup({}, is_leader=False, assignment=told), "http://b:8081")
    service = create_service(admin=cluster, producer=cluster, settings=settings, writer=election)
    await service.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_registry(service)), base_url="http://b") as http:
        yield Api(http)
    await service.stop()


async def test_a_write_goes_to_the_leader_or_says_why_not(follower: Api) -> None:
    away = await follower.register("s", '"int"')
    assert (away.status, away.code) == (500, 50003)
    body = b'{"schema": "\\"int\\""}'
    circle = await follower.http.post("/subjects/s/versions", content=body, headers={"X-Forward": "false"})
    assert (circle.status_code, circle.json()["error_code"]) == (500, 50004)
    assert (await follower("GET", "/subjects")).body == []


async def test_a_lease_that_is_over_ends_writing() -> None:
    group = MemoryGroup({})
    group.session_timeout_s = 0.0
    election = Election(group, "http://b:8081", wait_s=1)
    await asyncio.sleep(0)
    with pytest.raises(UnknownLeader):
        async with election.writing():
            pass
    await election.stop()
