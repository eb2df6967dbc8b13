"""The registry of one node: its parts, wired."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from app.kafka.ports import ClusterAdmin, Producer
from app.registry.deletion import Deletion
from app.registry.registry import RegistryCore, SchemaRegistry
from app.registry.scope_changes import ScopeChanges
from app.registry.settings import RegistrySettings
from app.registry.store import SchemasTopic


class Writer(Protocol):
    """Who may write: of all nodes on one topic exactly one."""

    async def start(self) -> None: ...
    def writing(self) -> AbstractAsyncContextManager[str | None]:
        """None: this node may write, until the block ends. Else the URL of the one that may. Raises UnknownLeader."""

    def check(self) -> None:
        """Raises UnknownLeader when this node may no longer write."""

    def on_elected(self, action: Callable[[], Awaitable[None]]) -> None:
        """What to do before the first write after an election."""

    async def stop(self) -> None: ...


class SingleNode:
    """The only node of its cluster."""

    async def start(self) -> None:
        return None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[str | None]:
        yield None

    def check(self) -> None:
        return None

    def on_elected(self, action: Callable[[], Awaitable[None]]) -> None:
        del action

    async def stop(self) -> None:
        return None


@dataclass(slots=True)
class RegistryService:
    """What the routes work with."""

    settings: RegistrySettings
    store: SchemasTopic
    writer: Writer
    registry: SchemaRegistry
    deletion: Deletion
    scopes: ScopeChanges
    admin: ClusterAdmin

    async def start(self) -> None:
        await self.store.start()

    async def stop(self) -> None:
        await self.writer.stop()
        await self.store.stop()


def create_service(
    *, admin: ClusterAdmin, producer: Producer, settings: RegistrySettings | None = None, writer: Writer | None = None
) -> RegistryService:
    """start() and stop() are its owner's to call."""
    settings = settings or RegistrySettings()
    store = SchemasTopic(
        admin, producer, topic=settings.kafkastore_topic, timeout_s=settings.kafkastore_timeout_ms / 1000
    )
    core = RegistryCore(store, settings)
    writer = writer or SingleNode()
    writer.on_elected(store.take_over)
    store.check_writer = writer.check
    return RegistryService(
        settings,
        store,
        writer,
        SchemaRegistry(core),
        Deletion(core),
        ScopeChanges(core),
        admin,
    )
