"""Changes that pages ask for, on a node that may not write: they go to the one that may and come back as its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn

from app.registry.changes import RegistryChanges
from app.registry.errors import InvalidSchema
from app.registry.refusals import ForwardingFailed, IncompatibleSchema, OperationNotPermitted, ReferenceExists
from app.registry.registry import NewSchema
from app.registry.routes import create_registry
from app.registry.schema import Reference
from app.registry.service import RegistryService, SingleNode, create_service
from tests.unit.app.registry.service.conftest import WaitingCluster


class Follower(SingleNode):
    """A node that knows who writes."""

    url = ""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[str | None]:
        yield self.url


@pytest.fixture
async def follower() -> AsyncIterator[RegistryService]:
    cluster, role = WaitingCluster(), Follower()
    leader = create_service(admin=cluster, producer=cluster)
    follower = create_service(admin=cluster, producer=cluster, writer=role)
    server = uvicorn.Server(
        uvicorn.Config(create_registry(leader), port=0, lifespan="off", log_level="error", access_log=False)
    )
    await leader.start()
    await follower.start()
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    role.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield follower
    server.should_exit = True
    await serving
    await follower.stop()
    await leader.stop()


async def test_a_change_is_seen_here_when_the_call_returns(follower):
    changes, view = RegistryChanges(follower), follower.store.view
    assert await changes.register("a/b", NewSchema('"long"')) == 1
    assert view.latest("a/b").version == 1
    await changes.set_level("a/b", "FULL")
    assert view.configs["a/b"].compatibility_level == "FULL"
    await changes.set_level("a/b", None)
    assert "a/b" not in view.configs
    await changes.set_mode(None, "READONLY")
    assert view.modes[None] == "READONLY"
    await changes.set_mode(None, None)
    await changes.delete_version("a/b", 1, permanent=False)
    assert view.latest("a/b") is None
    await changes.delete_version("a/b", 1, permanent=True)
    assert not view.versions("a/b")


async def test_the_writer_refuses_as_this_node_would(follower):
    changes = RegistryChanges(follower)
    record = '{{"type":"record","name":"R","fields":[{{"name":"a","type":"{}"}}]}}'
    await changes.register("s", NewSchema(record.format("long")))
    with pytest.raises(IncompatibleSchema, match="TYPE_MISMATCH"):
        await changes.register("s", NewSchema(record.format("string")))
    with pytest.raises(InvalidSchema, match="Undefined name"):
        await changes.register("s", NewSchema(record.format("lnog")))
    user = '{"type":"record","name":"U","fields":[{"name":"r","type":"R"}]}'
    await changes.register("u", NewSchema(user, references=(Reference("R", "s", 1),)))
    with pytest.raises(ReferenceExists):
        await changes.delete_subject("s", permanent=False)
    await changes.set_mode("s", "READONLY")
    with pytest.raises(OperationNotPermitted, match="read-only"):
        await changes.set_level("s", "NONE")


async def test_a_writer_that_is_gone_is_said(follower):
    follower.writer.url = "http://127.0.0.1:9"
    with pytest.raises(ForwardingFailed):
        await RegistryChanges(follower).register("s", NewSchema('"long"'))
    assert not follower.store.view.contents
