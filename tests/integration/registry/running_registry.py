"""A Schema Registry behind uvicorn in a thread of this process, with real clients of a real cluster."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.connection import ConnectionSettings
from app.kafka.group_membership import KafkaGroupMembership
from app.kafka.producer import KafkaProducer
from app.registry.election import PROTOCOL, PROTOCOL_TYPE, Election
from app.registry.routes import create_registry
from app.registry.service import RegistryService, create_service
from app.registry.settings import RegistrySettings

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
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does not, for a socket made like this
    url = "http://{}:{}".format(*bound.getsockname())
    started, failed = threading.Event(), []
    server: list[uvicorn.Server] = []
    services: list[RegistryService] = []

    async def serve() -> None:
        connection = ConnectionSettings(request_timeout_s=5.0)
        admin = KafkaClusterAdmin(bootstrap_servers, connection)
        producer = KafkaProducer(bootstrap_servers, connection)
        writer = Election(membership(bootstrap_servers, connection, group_id), url) if group_id else None
        service = create_service(admin=admin, producer=producer, settings=settings, writer=writer)
        services.append(service)
        await service.start()
        config = uvicorn.Config(create_registry(service), lifespan="off", log_level="warning", access_log=False)
        server.append(uvicorn.Server(config))
        serving = asyncio.create_task(server[0].serve(sockets=[bound]))
        while not server[0].started and not serving.done():
            await asyncio.sleep(0.01)
        started.set()
        await serving
        await service.stop()
        await producer.close()
        await admin.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            started.set()

    thread = threading.Thread(target=run, name="schema-registry")
    thread.start()
    started.wait(10)
    assert not failed, failed
    try:
        with httpx.Client(base_url=url, timeout=30) as http:
            yield RunningRegistry(url, http, services[0])
    finally:
        server[0].should_exit = True
        thread.join(20)
        bound.close()
    assert not failed, failed
