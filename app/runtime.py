"""Who starts before whom: broker, metadata DB, cluster access, sampler, surfaces; and the way back."""

import asyncio
import contextlib
import functools
import gc
import importlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from app import resources
from app.broker_process import BrokerProcess
from app.clock import Clock
from app.cluster_address import connection_of
from app.control_center.access import ClusterAccess, ControlCenterSettings
from app.control_center.app import create_control_center
from app.damaged_ranges import DamagedRanges
from app.data_directory import DataDirectory
from app.db.engine import open_engine, sqlite_url
from app.db.migrate import upgrade
from app.db.session import sessions_of
from app.embedded_listener import own_listener
from app.errors import StartError
from app.kafka.admin import KafkaClusterAdmin
from app.kafka.connection import ClusterUntrusted
from app.kafka.given_up import report_given_up_requests
from app.kafka.group_consumer import AiokafkaConsumers
from app.kafka.ports import ClusterUnreachable
from app.kafka.producer import KafkaProducer
from app.left_broker import note_broker, replace_left_broker
from app.listeners import is_loopback
from app.metrics.history import History
from app.metrics.sampler import Sampler
from app.metrics.store import SqlHistoryStore
from app.registry.refusals import StoreFailed
from app.registry.settings import RegistrySettings
from app.rest.access.open_gate import with_gate
from app.rest.app import OtherCluster, create_rest, routes_of
from app.rest.observation.access_log import AccessLog
from app.rest.observation.observed import Observed
from app.rest.observation.request_stats import RequestStats
from app.rest.settings import RESPONSE_GZIP_MIN_BYTES, RestSettings
from app.schemas.ports import SchemaAccess
from app.settings import ClusterSettings, SchemaRegistrySettings, Settings
from app.version import VERSION
from app.web_metrics.sources import Sources
from broker.errors import KafkaError

if TYPE_CHECKING:
    from app.control_center.schemas.desk import SchemaDesk
    from app.registry.routes import RegistryApp
    from app.registry.service import RegistryService

log = logging.getLogger("caudal.runtime")

RETRY_S = 0.2


async def _ignore(_reason: str) -> None:
    return None


class Runtime:
    """All parts of one running Caudal. start() may be called once; stop() always, also after a start that failed."""

    def __init__(
        self,
        settings: Settings,
        data: DataDirectory,
        *,
        registry_url: str = "",
        on_fatal: Callable[[str], Awaitable[None]] = _ignore,
    ) -> None:
        """registry_url: where other nodes on the cluster reach this one's registry; '' when there are none."""
        self.settings = settings
        self.data = data
        self.clock = Clock()
        self.bootstrap_servers = settings.kafka.bootstrap_servers
        self.rest: ASGIApp | None = None
        self.metrics: Sources | None = None
        self.control_center: ASGIApp | None = None
        self.registry: RegistryApp | None = None
        self.broker: BrokerProcess | None = None
        self.sampler: Sampler | None = None
        self._on_fatal = on_fatal
        self._registry_url = registry_url
        self._schemas: SchemaAccess | None = None
        self._access_log: AccessLog | None = None
        self._closing = contextlib.AsyncExitStack()

    @property
    def is_started(self) -> bool:
        return self.rest is not None

    def pids(self) -> dict[str, int]:
        """Process ids by role."""
        pids = {"web": os.getpid()}
        if self.broker is not None and self.broker.ready is not None:
            pids["broker"] = self.broker.ready.pid
        return pids

    def not_ready_reason(self) -> str | None:
        """Why requests would fail now, or None."""
        if not self.is_started or self.sampler is None:
            return "starting or stopping"
        return self.sampler.snapshot.unreachable_reason or None

    async def start(self) -> None:
        """Start everything; whoever comes later may count on those before. Raises StartError."""
        # What can be wrong in the settings is told before anything runs.
        routes_of(_rest_settings(self.settings))
        self._open_access_log()
        report_given_up_requests(asyncio.get_running_loop())
        self._connection = connection_of(self.settings.kafka, "kafka", self.settings.kafka.request_timeout_ms)
        if self.settings.is_embedded:
            await self._launch_broker()
        # Meanwhile the broker's process starts.
        reading = asyncio.create_task(asyncio.to_thread(importlib.import_module, "app.registry.node"))
        await self._open_database()
        if self.broker is not None:
            self.bootstrap_servers = (await self.broker.wait_ready()).kafka
        await reading
        await self._open_cluster()

    async def stop(self) -> None:
        """Stop in the opposite order. Surfaces answer 503 from now on."""
        self.rest = self.control_center = self.registry = self.metrics = None
        await self._closing.aclose()

    async def _launch_broker(self) -> None:
        configs, host, port = broker_configs(self.settings), self.settings.http.host, self.settings.kafka.port
        own = own_listener(configs, host, port, self._connection.security_protocol)
        self.broker = BrokerProcess(
            data_dir=self.data.kafka,
            host=host,
            port=port,
            configs=configs,
            is_exposed=self.settings.insecure and (bool(own.listeners) or not is_loopback(host)),
            own_listener=own,
            on_fatal=self._on_fatal,
            on_launched=functools.partial(note_broker, self.data.path),
        )
        await replace_left_broker(self.data.path, self.data.kafka)
        self._closing.push_async_callback(self.broker.stop)
        await self.broker.launch()

    async def _open_database(self) -> None:
        url = self.settings.db.url or sqlite_url(self.data.database)
        try:
            # In a thread: migrations run their own event loop.
            await asyncio.to_thread(upgrade, url, migrations=resources.MIGRATIONS)
        except Exception as error:
            raise StartError(
                f"cannot open the metadata DB: {_first_line(error)} Check the setting db.url, or move "
                f"{self.data.database} away to begin a new history."
            ) from error
        engine = open_engine(url)
        self._closing.push_async_callback(engine.dispose)
        self._history = History(SqlHistoryStore(sessions_of(engine)), now_ms=self.clock.now_ms)

    async def _open_cluster(self) -> None:
        servers = self.bootstrap_servers
        connection = self._connection
        try:
            admin = KafkaClusterAdmin(servers, connection)
        except ValueError as error:
            raise StartError(f"{error}. Check --bootstrap-servers.") from error
        self._closing.push_async_callback(admin.close)
        await self._first_contact(admin)
        producer = KafkaProducer(servers, connection)
        self._closing.push_async_callback(producer.close)
        is_embedded = self.settings.is_embedded
        self.sampler = Sampler(
            admin,
            history=self._history,
            clock=self.clock,
            is_embedded=is_embedded,
            find_damage=DamagedRanges(self.data.kafka) if is_embedded else None,
        )
        await self.sampler.start()
        self._closing.push_async_callback(self.sampler.stop)
        await self._start_registry(admin, producer)
        self._mount(admin, producer, AiokafkaConsumers(servers.split(","), connection))

    async def _start_registry(self, admin: KafkaClusterAdmin, producer: KafkaProducer) -> None:
        """Its topic is read in the background; who asks before the end waits."""
        from app.registry.node import open_node, schema_access  # read already, by start()

        registry = open_node(
            self.bootstrap_servers,
            self._connection,
            admin=admin,
            producer=producer,
            settings=_registry_settings(self.settings, self._registry_url),
        )
        await registry.service.start()
        self._closing.push_async_callback(registry.service.stop)
        if not self.settings.is_embedded:
            # Kafka holds a new group's first member back for seconds: better now than at the first write.
            await registry.service.writer.start()
        self._schemas = schema_access(registry.service)
        self.registry = registry
        freezing = asyncio.create_task(_freeze_once_read(registry.service))
        self._closing.callback(freezing.cancel)

    async def _first_contact(self, admin: KafkaClusterAdmin) -> None:
        """Wait until the cluster answers, as long as kafka.connect_timeout_ms allows. Raises StartError."""
        deadline = self.clock.monotonic_ms() + self.settings.kafka.connect_timeout_ms
        while True:
            try:
                await admin.metadata()
                return
            except ClusterUnreachable as error:
                if self.clock.monotonic_ms() > deadline or isinstance(error, ClusterUntrusted):
                    raise StartError(
                        f"no broker answers at {self.bootstrap_servers} ({error}). "
                        "Check --bootstrap-servers, --command-config and that the cluster is up."
                    ) from error
            except KafkaError as error:
                if not error.retriable or self.clock.monotonic_ms() > deadline:
                    raise StartError(
                        f"the cluster at {self.bootstrap_servers} refuses: {error.message}. "
                        "Check --command-config and the settings kafka.sasl_…."
                    ) from error
            await asyncio.sleep(RETRY_S)

    def _open_access_log(self) -> None:
        if self.settings.rest.access_log:
            self._access_log = AccessLog(self.settings.rest.access_log, self.clock)
            self._access_log.start()
            self._closing.push_async_callback(self._access_log.stop)

    def _open_other(self, name: str, settings: ClusterSettings) -> OtherCluster:
        """A cluster beside the default one. Nobody waits for it: it may be away, now and later. Raises StartError."""
        section = f"clusters.{name}"
        connection = connection_of(settings, section, self.settings.kafka.request_timeout_ms)
        try:
            admin = KafkaClusterAdmin(settings.bootstrap_servers, connection)
        except ValueError as error:
            raise StartError(f"{error}. Check the setting {section}.bootstrap_servers.") from error
        self._closing.push_async_callback(admin.close)
        producer = KafkaProducer(settings.bootstrap_servers, connection)
        self._closing.push_async_callback(producer.close)
        return OtherCluster(name, admin, producer)

    def _mount(self, admin: KafkaClusterAdmin, producer: KafkaProducer, consumers: AiokafkaConsumers) -> None:
        assert self.sampler is not None
        settings = self.settings
        rest = create_rest(
            admin=admin,
            producer=producer,
            consumers=consumers,
            settings=_rest_settings(settings),
            clock=self.clock,
            schemas=self._schemas,
            others=[self._open_other(*one) for one in settings.clusters.items()],
        )
        self._closing.push_async_callback(rest.stop)
        schemas = _desk(self.registry.service) if self.registry is not None else None
        self.control_center = create_control_center(
            ControlCenterSettings(
                version=VERSION,
                templates=resources.TEMPLATES,
                static=resources.STATIC,
                insecure=settings.insecure and not is_loopback(settings.http.host),
            ),
            (
                ClusterAccess(
                    settings.control_center.cluster_name,
                    self.sampler,
                    admin,
                    producer,
                    schemas=schemas,
                    payloads=self._schemas,
                ),
            ),
            self.clock,
        )
        gated = with_gate(rest, settings.rest, self.clock)
        stats = RequestStats()
        self.metrics = Sources(stats, rest.context, producer, self._access_log)
        self.rest = Observed(gated, stats, self._access_log)


def broker_configs(settings: Settings) -> dict[str, str]:
    """What the embedded broker is told: the user's own configs, and where the registry is if that is not the default.

    It reads the registry's topic itself, for topics that validate schema ids.
    """
    topic = settings.schema_registry.kafkastore_topic
    is_usual = topic == SchemaRegistrySettings().kafkastore_topic
    return {**({} if is_usual else {"caudal.schemas.topic": topic}), **settings.broker}


async def _freeze_once_read(service: "RegistryService") -> None:
    """The schemas stay: the garbage collector need not stop everything to look at them (100,000 of them: 0.2 s)."""
    with contextlib.suppress(StoreFailed):
        await service.store.ready()
        gc.freeze()


def _desk(service: "RegistryService") -> "SchemaDesk":
    from app.control_center.schemas.desk import SchemaDesk  # the registry behind it was read by start()

    return SchemaDesk(service)


def _rest_settings(settings: Settings) -> RestSettings:
    rest = settings.rest
    return RestSettings(
        request_max_bytes=rest.request_max_bytes,
        consumer_instances_max=rest.consumer_instances_max,
        consumer_instance_timeout_ms=rest.consumer_instance_timeout_ms,
        consumer_request_timeout_ms=rest.consumer_request_timeout_ms,
        consumer_request_max_bytes=rest.consumer_request_max_bytes,
        advertised_listeners=tuple(one.strip() for one in rest.advertised_listeners.split(",") if one.strip()),
        server_id=rest.id,
        resource_name_authority=rest.confluent_resource_name_authority,
        null_request_body_always_publishes_empty_record=rest.null_request_body_always_publishes_empty_record,
        response_gzip_min_bytes=RESPONSE_GZIP_MIN_BYTES if rest.compression_enable else sys.maxsize,
        produce_batch_entries_max=rest.api_v3_produce_batch_maximum_entries,
        produce_stream_duration_ms=rest.streaming_connection_max_duration_ms,
        produce_stream_idle_ms=rest.idle_timeout_ms,
        produce_stream_pending_max=rest.produce_stream_pending_max,
        produce_stream_pending_max_bytes=rest.produce_stream_pending_max_bytes,
        idempotency_ms=rest.idempotency_ms,
        idempotency_keys_max=rest.idempotency_keys_max,
        idempotency_bytes_max=rest.idempotency_bytes_max,
        api_v2_enable=rest.api_v2_enable,
        api_v3_enable=rest.api_v3_enable,
        api_endpoints_allowlist=rest.api_endpoints_allowlist,
        api_endpoints_blocklist=rest.api_endpoints_blocklist,
    )


def _registry_settings(settings: Settings, url: str) -> RegistrySettings:
    registry = settings.schema_registry
    return RegistrySettings(
        advertised_url=registry.advertised_url or url,
        schema_registry_group_id=registry.schema_registry_group_id,
        request_max_bytes=registry.request_max_bytes,
        kafkastore_topic=registry.kafkastore_topic,
        kafkastore_timeout_ms=registry.kafkastore_timeout_ms,
        schema_compatibility_level=registry.schema_compatibility_level,
        mode_mutability=registry.mode_mutability,
        incompatible_error_code=registry.incompatible_error_code,
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".") + "."
