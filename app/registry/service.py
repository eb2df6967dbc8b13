"""The registry of one node: its parts, wired."""

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

    async def leader_url(self) -> str | None:
        """None when this node is the one; else where it is. Raises UnknownLeader."""

    async def stop(self) -> None: ...


class SingleNode:
    """The only node of its cluster."""

    async def leader_url(self) -> str | None:
        return None

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
    return RegistryService(
        settings,
        store,
        writer or SingleNode(),
        SchemaRegistry(core),
        Deletion(core),
        ScopeChanges(core),
        admin,
    )
