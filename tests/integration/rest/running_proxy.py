"""A REST Proxy behind uvicorn in a thread of this process, with real clients of a real cluster."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from app.clock import Clock
from app.kafka.admin import KafkaClusterAdmin
from app.kafka.connection import ConnectionSettings
from app.kafka.group_consumer import AiokafkaConsumers
from app.kafka.producer import KafkaProducer
from app.main import REGISTRY_ROOTS
from app.registry.node import schema_access
from app.registry.routes import create_registry
from app.registry.service import create_service
from app.registry.settings import RegistrySettings
from app.rest import RestSettings, create_rest
from tests.integration.running_app import running_app

V2 = {"Content-Type": "application/vnd.kafka.v2+json"}
JSON = {"Content-Type": "application/vnd.kafka.json.v2+json", "Accept": "application/vnd.kafka.v2+json"}
BINARY = {"Content-Type": "application/vnd.kafka.binary.v2+json", "Accept": "application/vnd.kafka.v2+json"}
READ_JSON = {"Accept": "application/vnd.kafka.json.v2+json"}
READ_BINARY = {"Accept": "application/vnd.kafka.binary.v2+json"}
CONNECTION = ConnectionSettings(request_timeout_s=5.0)


@dataclass
class RunningProxy:
    """The proxy's address, and a client for it."""

    url: str
    http: httpx.Client
    bootstrap_servers: str

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    @property
    def broker_count(self) -> int:
        return self.bootstrap_servers.count(":")

    def cluster_url(self) -> str:
        url: str = self.http.get("/v3/clusters").json()["data"][0]["metadata"]["self"]
        return url

    def create_topic(self, name: str, *, partitions: int = 1, **configs: str) -> None:
        """With a replica on every broker."""
        body = {
            "topic_name": name,
            "partitions_count": partitions,
            "replication_factor": self.broker_count,
            "configs": [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()],
        }
        answer = self.http.post(f"{self.cluster_url()}/topics", json=body)
        assert answer.status_code == 201, answer.text

    def produce(self, topic: str, *records: dict[str, object]) -> list[dict[str, object]]:
        answer = self.http.post(f"/topics/{topic}", json={"records": list(records)}, headers=JSON)
        assert answer.status_code == 200, answer.text
        offsets: list[dict[str, object]] = answer.json()["offsets"]
        return offsets

    def consumer(self, group: str, **config: object) -> "RestConsumer":
        body = {"format": "json", "auto.offset.reset": "earliest", **config}
        answer = self.http.post(f"/consumers/{group}", json=body, headers=V2)
        assert answer.status_code == 200, answer.text
        return RestConsumer(self.http, answer.json()["base_uri"])


@dataclass
class RestConsumer:
    """A consumer instance by its base_uri; deleted at the end of a with block."""

    http: httpx.Client
    base_uri: str

    def __enter__(self) -> "RestConsumer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.delete(self.base_uri)

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self.http.post(f"{self.base_uri}/{path}", json=body, headers=V2)

    def subscribe(self, *topics: str) -> "RestConsumer":
        answer = self.post("subscription", {"topics": topics})
        assert answer.status_code == 204, answer.text
        return self

    def read(self, *, timeout_ms: int = 5_000, embedded: str = "json", **query: object) -> list[dict[str, object]]:
        accept = {"Accept": f"application/vnd.kafka.{embedded}.v2+json"}
        answer = self.http.get(f"{self.base_uri}/records", params={"timeout": timeout_ms, **query}, headers=accept)
        assert answer.status_code == 200, answer.text
        records: list[dict[str, object]] = answer.json()
        return records

    def assignment(self) -> list[tuple[str, int]]:
        partitions = self.http.get(f"{self.base_uri}/assignments").json()["partitions"]
        return [(one["topic"], one["partition"]) for one in partitions]


class _BesideRegistry:
    """The proxy and a registry on one port, told apart by the path as in `caudal start`."""

    def __init__(self, proxy: ASGIApp, registry: ASGIApp) -> None:
        self._proxy = proxy
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_registry = scope["path"][1:].partition("/")[0] in REGISTRY_ROOTS
        await (self._registry if is_registry else self._proxy)(scope, receive, send)


@contextmanager
def running_proxy(
    bootstrap_servers: str,
    settings: RestSettings | None = None,
    *,
    with_registry: bool = False,
    connection: ConnectionSettings = CONNECTION,
) -> Iterator[RunningProxy]:
    @asynccontextmanager
    async def open_proxy(_url: str) -> AsyncIterator[ASGIApp]:
        admin = KafkaClusterAdmin(bootstrap_servers, connection)
        producer = KafkaProducer(bootstrap_servers, connection)
        service = None
        if with_registry:
            own_topic = RegistrySettings(kafkastore_topic=f"_schemas-{uuid.uuid4().hex[:12]}")
            service = create_service(admin=admin, producer=producer, settings=own_topic)
            await service.start()
        proxy = create_rest(
            admin=admin,
            producer=producer,
            consumers=AiokafkaConsumers(bootstrap_servers.split(","), connection),
            clock=Clock(),
            settings=settings or RestSettings(consumer_request_timeout_ms=10_000),
            schemas=None if service is None else schema_access(service),
        )
        yield proxy if service is None else _BesideRegistry(proxy, create_registry(service))
        await proxy.stop()
        if service is not None:
            await service.stop()
        await producer.close()
        await admin.close()

    with running_app(open_proxy) as url, httpx.Client(base_url=url, timeout=30) as http:
        yield RunningProxy(url, http, bootstrap_servers)
