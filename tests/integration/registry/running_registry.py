"""A Schema Registry behind uvicorn in a thread of this process, with real clients of a real cluster."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.connection import ConnectionSettings
from app.kafka.group_membership import KafkaGroupMembership
from app.kafka.producer import KafkaProducer
from app.registry.election import PROTOCOL, PROTOCOL_TYPE, Election
from app.registry.routes import create_registry
from app.registry.service import RegistryService, create_service
from app.registry.settings import RegistrySettings
from tests.integration.running_app import running_app

V1 = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


@dataclass
class RunningRegistry:
    """The registry's address, a client for it, and its inside."""

    url: str
    http: httpx.Client
    service: RegistryService

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def register(self, subject: str, schema: object) -> dict[str, Any]:
        body = json.dumps({"schema": json.dumps(schema)})
        answer = self.http.post(f"/subjects/{subject}/versions", content=body, headers=V1)
        assert answer.status_code == 200, answer.text
        registered: dict[str, Any] = answer.json()
        return registered


def membership(bootstrap_servers: str, connection: ConnectionSettings, group_id: str) -> KafkaGroupMembership:
    return KafkaGroupMembership(
        bootstrap_servers,
        connection,
        group_id=group_id,
        protocol_type=PROTOCOL_TYPE,
        protocol=PROTOCOL,
        session_timeout_ms=6_000,
        rebalance_timeout_ms=6_000,
    )


@contextmanager
def running_registry(
    bootstrap_servers: str, settings: RegistrySettings | None = None, *, group_id: str = ""
) -> Iterator[RunningRegistry]:
    services: list[RegistryService] = []

    @asynccontextmanager
    async def open_registry(url: str) -> AsyncIterator[ASGIApp]:
        connection = ConnectionSettings(request_timeout_s=5.0)
        admin = KafkaClusterAdmin(bootstrap_servers, connection)
        producer = KafkaProducer(bootstrap_servers, connection)
        writer = Election(membership(bootstrap_servers, connection, group_id), url) if group_id else None
        service = create_service(admin=admin, producer=producer, settings=settings, writer=writer)
        services.append(service)
        await service.start()
        yield create_registry(service)
        await service.stop()
        await producer.close()
        await admin.close()

    with running_app(open_registry) as url, httpx.Client(base_url=url, timeout=30) as http:
        yield RunningRegistry(url, http, services[0])
