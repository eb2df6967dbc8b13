"""The Control Center with a Schema Registry, both over a cluster in memory."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from app.control_center.access import ClusterAccess, ControlCenterSettings
from app.control_center.app import create_control_center
from app.control_center.schemas.desk import SchemaDesk
from app.metrics.sampler import Sampler
from app.registry.registry import NewSchema
from app.registry.service import RegistryService, create_service
from app.registry.settings import RegistrySettings
from tests.doubles import ManualClock
from tests.unit.app.control_center.conftest import Visitor
from tests.unit.app.registry.service.conftest import WaitingCluster, record


def avro(name: str = "Order", **fields: object) -> str:
    return json.dumps(record(name, **fields))


@pytest.fixture
async def service() -> AsyncIterator[RegistryService]:
    cluster = WaitingCluster()
    service = create_service(admin=cluster, producer=cluster, settings=RegistrySettings(kafkastore_timeout_ms=2_000))
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def desk(service: RegistryService) -> SchemaDesk:
    return SchemaDesk(service)


@pytest.fixture
async def visitor(
    service: RegistryService, desk: SchemaDesk, settings: ControlCenterSettings, cluster, clock: ManualClock
) -> AsyncIterator[Visitor]:
    """cluster: the one that the pages show; the registry keeps its topic in another one."""
    sampler = Sampler(cluster, clock=clock)
    await sampler.refresh()
    app = create_control_center(settings, [ClusterAccess("prod", sampler, cluster, cluster, schemas=desk)], clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://caudal") as client:
        yield Visitor(client)


@pytest.fixture
async def orders(service: RegistryService) -> RegistryService:
    """orders-value has two versions: version 2 added a note."""
    await service.registry.register("orders-value", NewSchema(avro(id="long", amount="int")))
    await service.registry.register("orders-value", NewSchema(avro(id="long", amount="int", note=("string", ""))))
    return service
