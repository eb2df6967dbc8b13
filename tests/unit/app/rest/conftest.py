"""The REST Proxy over a cluster in memory, and an HTTP client without sockets."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.registry.service import RegistryService, create_service
from app.rest import RestProxy, RestSettings, create_rest
from app.schemas.ports import SchemaAccess
from tests.doubles import ManualClock
from tests.memory_cluster import MemoryCluster
from tests.unit.app.registry.service.conftest import WaitingCluster
from tests.unit.app.rest.memory_consumers import MemoryConsumers


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cluster(clock: ManualClock) -> MemoryCluster:
    cluster = MemoryCluster(broker_count=2, now_ms=clock.now_ms)
    cluster.cluster_id = "c-1"
    cluster.add_topic("orders", partitions=3, replication_factor=2, configs={"retention.ms": "86400000"})
    cluster.add_topic("single")
    return cluster


@pytest.fixture
def consumers(cluster: MemoryCluster, clock: ManualClock) -> MemoryConsumers:
    return MemoryConsumers(cluster, clock)


@pytest.fixture
def settings() -> RestSettings:
    return RestSettings(consumer_instances_max=3, request_max_bytes=20_000)


@pytest.fixture
async def service() -> AsyncIterator[RegistryService]:
    """A Schema Registry over a cluster of its own."""
    cluster = WaitingCluster()
    service = create_service(admin=cluster, producer=cluster)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def schemas() -> SchemaAccess | None:
    """The proxy's way to a registry: none, unless a module says otherwise."""
    return None


@pytest.fixture
async def proxy(
    cluster: MemoryCluster,
    consumers: MemoryConsumers,
    clock: ManualClock,
    settings: RestSettings,
    schemas: SchemaAccess | None,
) -> AsyncIterator[RestProxy]:
    proxy = create_rest(
        admin=cluster, producer=cluster, consumers=consumers, clock=clock, settings=settings, schemas=schemas
    )
    yield proxy
    await proxy.stop()


@pytest.fixture
async def client(proxy: RestProxy) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=proxy)
    async with httpx.AsyncClient(transport=transport, base_url="http://rest.example:8082") as client:
        yield client
