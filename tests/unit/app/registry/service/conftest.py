"""The Schema Registry over a cluster in memory, and an HTTP client without sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.kafka.ports import FetchedBatch, RecordToSend, TopicPartition
from app.registry.routes import create_registry
from app.registry.service import RegistryService, create_service
from app.registry.settings import RegistrySettings
from tests.memory_cluster import MemoryCluster

V1 = "application/vnd.schemaregistry.v1+json"


class WaitingCluster(MemoryCluster):
    """A cluster in memory whose fetches wait for records, as a broker's do."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster_id = "c-1"
        self.grown = asyncio.Event()

    def produce(self, topic: str, partition: int, *values: bytes | RecordToSend | None) -> int:
        offset = super().produce(topic, partition, *values)
        self.grown.set()
        return offset

    async def fetch(
        self,
        partition: TopicPartition,
        *,
        offset: int,
        bytes_max: int,
        wait_ms: int = 0,
        read_committed: bool = False,
    ) -> FetchedBatch:
        fetched = await super().fetch(partition, offset=offset, bytes_max=bytes_max, read_committed=read_committed)
        if not fetched.data and wait_ms:
            self.grown.clear()
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    await self.grown.wait()
            except TimeoutError:
                return fetched
            return await super().fetch(partition, offset=offset, bytes_max=bytes_max, read_committed=read_committed)
        return fetched


@dataclass
class Answer:
    status: int
    body: Any
    headers: httpx.Headers

    @property
    def code(self) -> int:
        """The error_code."""
        return int(self.body["error_code"])


@dataclass
class Api:
    """Calls as curl would make them."""

    http: httpx.AsyncClient

    async def __call__(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        parameters = {
            key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in query.items()
        }
        answer = await self.http.request(
            method, path, content=content, params=parameters or None, headers={"Content-Type": V1}
        )
        is_json = answer.content[:1] in b'{["' or answer.content.isdigit()
        return Answer(answer.status_code, answer.json() if answer.content and is_json else answer.text, answer.headers)

    async def register(self, subject: str, schema: object, **more: object) -> Answer:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return await self("POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": text, **more})


def record(name: str = "R", **fields: object) -> dict[str, object]:
    """An Avro record; a field's value is its type, or (type, default)."""
    shown = []
    for field, kind in fields.items():
        if isinstance(kind, tuple):
            shown.append({"name": field, "type": kind[0], "default": kind[1]})
        else:
            shown.append({"name": field, "type": kind})
    return {"type": "record", "name": name, "fields": shown}


@pytest.fixture
def settings() -> RegistrySettings:
    return RegistrySettings(kafkastore_timeout_ms=10_000, request_max_bytes=2_000_000)


@pytest.fixture
async def cluster() -> WaitingCluster:
    return WaitingCluster()


@pytest.fixture
async def service(cluster: WaitingCluster, settings: RegistrySettings) -> AsyncIterator[RegistryService]:
    service = create_service(admin=cluster, producer=cluster, settings=settings)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def api(service: RegistryService) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(app=create_registry(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry.example:8081") as http:
        yield Api(http)
