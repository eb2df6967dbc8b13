"""The broker as a whole: opens its parts from a data folder, wires them, keeps their background work going, closes.

Owns no logic: what a part does is the part's own business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import broker.handlers
import broker.shortcuts  # noqa: F401  registers every shortcut
from broker.cleaner import Cleaner, CleanerSettings
from broker.clock import Clock
from broker.config import BrokerConfig, ConfigError, Listener
from broker.connection_limits import limits_of
from broker.counters import FlushStats
from broker.dispatch import RequestContext
from broker.errors import KafkaStorageError
from broker.fetch_sessions import FetchSessions
from broker.groups import OFFSETS_TOPIC, GroupCoordinator, Now, OffsetStore, PartitionOffsetsLog
from broker.log import FlushMode, FlushPolicy, LogDirectory, PartitionLog
from broker.metadata.config_entries import value_of
from broker.metadata.dynamic_configs import DynamicConfigs
from broker.metadata.topics import INTERNAL_TOPICS, TopicRegistry
from broker.producer_ids import ProducerIds
from broker.recoverer import Recoverer
from broker.recovery_wait import waiting_for_recovery
from broker.schemas import KnownSchemas, ReadAhead
from broker.security.listener_security import listener_security
from broker.security.security import Security
from broker.server import Server
from broker.share import SHARE_STATE_TOPIC, ShareConfigs, Shares, ShareSessions, ShareStateLog
from broker.slices import in_slices
from broker.transactions import TRANSACTIONS_TOPIC, HangingTransactions, Markers, TransactionCoordinator, TransactionLog

if TYPE_CHECKING:
    from broker.metrics.endpoint import MetricsEndpoint

log = logging.getLogger("broker")

GROUP_TICK_MS_MAX: Final = 100
"""A deadline that a request sets meanwhile is met this much late at most."""

REMOVE_DELETED_INTERVAL_MS: Final = 5_000

FOLDERS_INTERVAL_MS: Final = 500
"""How soon the folders of new partitions are made that nobody uses yet."""

FOLDERS_PATIENCE_MS: Final = 60_000
"""After which time it is tried again on a disk that has refused."""

SCHEMAS_INTERVAL_MS: Final = 500
"""How soon schemas are read that no producer has needed yet, where a topic validates."""

MARKERS_INTERVAL_MS: Final = 50
"""How soon the markers are written that a request with very many of them has left."""

_FindLogs = Callable[[], list[PartitionLog]]


class Broker:
    """One broker on one data folder. `bind` and `open` may raise ConfigError, DataRootError or OSError."""

    def __init__(self, config: BrokerConfig, data_folder: Path, clock: Clock | None = None) -> None:
        self.config = config
        self.server = Server(config, self._context)
        self.server.tls_of = lambda listener: self._listener_security[listener.name].tls
        self.flush_stats = FlushStats()
        self._folder = data_folder
        self._clock = clock or Clock()
        self._background: list[asyncio.Task[None]] = []
        self._logs: LogDirectory | None = None
        self._metrics: MetricsEndpoint | None = None
        self._folders_due_ms = 0

    @property
    def cluster_id(self) -> str:
        """The id of the cluster that this data folder belongs to; known once it is open."""
        return self._open_logs.cluster_id

    @property
    def metrics_address(self) -> str:
        """Where metrics are served; empty for nowhere."""
        return self._metrics.address if self._metrics is not None else ""

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Where clients find the broker, with the ports that were really bound."""
        return self.server.listeners

    async def start(self) -> None:
        """Take the addresses, open the data folder, answer clients."""
        self._listener_security = {each.name: listener_security(self.config, each) for each in self.config.listeners}
        self.server.bind()
        self._open()
        await self._serve_metrics()
        await self.server.start()
        config = self.config
        self._every(config.log_retention_check_interval_ms, self._retain)
        self._every(max(config.log_flush_offset_checkpoint_interval_ms, 1), self._write_checkpoints)
        self._every(REMOVE_DELETED_INTERVAL_MS, self._remove_deleted)
        self._every(FOLDERS_INTERVAL_MS, self._tend_folders)
        self._background.append(asyncio.create_task(self._flush()))
        self._background.append(asyncio.create_task(self._tick_groups()))
        if config.log_cleaner_enable:
            cleaner = Cleaner(self._open_logs, self._clock, self._cleaner_settings)
            self._background.append(asyncio.create_task(cleaner.run()))
        self._background.append(asyncio.create_task(self._tick_transactions()))
        self._background.append(asyncio.create_task(self._read_schemas()))
        self._every(SCHEMAS_INTERVAL_MS, self._read_schemas)
        for security in self._listener_security.values():
            self._background.append(asyncio.create_task(security.keep_fresh()))

    async def stop(self) -> None:
        """Refuse new connections, answer what waits, force everything to disk, mark the folder clean."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._logs is None:
            return
        await self._recoverer.stop()
        self._groups.close()
        self._transactions.close()
        await self.server.stop()
        if self._metrics is not None:
            await self._metrics.stop()
        await asyncio.to_thread(self._logs.close)
        log.info("broker stopped")

    def _open(self) -> None:
        config = self.config
        self._logs = LogDirectory.open(
            self._folder,
            node_id=config.node_id,
            clock=self._clock,
            flush=FlushPolicy(FlushMode(config.caudal_flush_mode), config.caudal_flush_interval_ms),
            producer_id_expiration_ms=config.producer_id_expiration_ms,
            essential_topics=INTERNAL_TOPICS,
        )
        self._recoverer = Recoverer(self._logs)
        self._configs = DynamicConfigs(self._folder, config)
        self._configs.open()
        self._topics = TopicRegistry(self._folder, self._logs, self._configs.log_config)
        self._topics.open()
        self._configs.on_change = self._reconfigure
        self._reconfigure_server()
        self._producer_ids = ProducerIds(self._folder)
        self._producer_ids.open()
        self._fetch_sessions = FetchSessions(config.max_incremental_fetch_session_cache_slots)
        self._shares = Shares(
            self._share_state_log(),
            ShareConfigs(self._configs.group_configs),
            updates_per_snapshot=config.share_coordinator_snapshot_update_records_per_snapshot,
        )
        self._share_sessions = ShareSessions(config.group_share_max_share_sessions)
        self._groups = GroupCoordinator(
            OffsetStore(self._offsets_log()), config, self._topics, self._shares, self._configs.group_configs
        )
        self._schemas = KnownSchemas(config.caudal_schemas_topic, self._schemas_log)
        self._schemas_ahead = ReadAhead(self._schemas, self._topics)
        self._security = Security(self._folder, config)
        self._security.open()
        self._security.on_handlers_change = self.server.routes.clear
        if not self._logs.is_clean:
            self._security.inner = lambda api: waiting_for_recovery(api, self._recoverer)
        if self._security.authorizer is not None:
            self._security.authorizer.on_change = self._fetch_sessions.clear
        self._are_groups_loaded = asyncio.Event()
        markers = Markers(self._topics.partition, self._groups)
        self._transactions = TransactionCoordinator(self._transaction_log(), markers, self._producer_ids, config)
        self._hanging = HangingTransactions(
            self._transactions, markers, self._logs.opened_logs, config.transaction_max_timeout_ms
        )

    @property
    def _open_logs(self) -> LogDirectory:
        assert self._logs is not None, "the broker is not open"
        return self._logs

    def _context(self, listener: Listener, client_host: str) -> RequestContext:
        return RequestContext(
            config=self.config,
            clock=self._clock,
            cluster_id=self.cluster_id,
            configs=self._configs,
            topics=self._topics,
            logs=self._open_logs,
            groups=self._groups,
            producer_ids=self._producer_ids,
            transactions=self._transactions,
            fetch_sessions=self._fetch_sessions,
            shares=self._shares,
            share_sessions=self._share_sessions,
            schemas=self._schemas,
            listener=listener,
            client_host=client_host,
            login=self._listener_security[listener.name].new_login(self._security.users, self._clock)
            if listener.has_sasl
            else None,
            security=self._security,
            stats=self.server.listener_stats[listener.name],
        )

    def _reconfigure(self) -> None:
        self._topics.reconfigure_logs()
        self._reconfigure_server()

    def _reconfigure_server(self) -> None:
        try:
            self.server.limits = limits_of(self.config, lambda name: value_of(name, self._configs.layers))
        except ConfigError as error:
            log.error("limits of connections stay as they are: %s", error)

    async def _serve_metrics(self) -> None:
        listener = self.config.metrics_listener
        if listener is None:
            return
        from broker.metrics.endpoint import MetricsEndpoint  # Only for those who ask.
        from broker.metrics.loop_lag import LoopLag
        from broker.metrics.rendering import MetricsRenderer
        from broker.metrics.request_times import RequestTimes

        loop_lag = LoopLag()
        renderer = MetricsRenderer(
            server=self.server,
            logs=self._open_logs,
            topics=self._topics,
            groups=self._groups,
            transactions=self._transactions,
            fetch_sessions=self._fetch_sessions,
            quotas=self._security.quotas,
            flush_stats=self.flush_stats,
            loop_lag=loop_lag,
            clock=self._clock,
            has_partitions=self.config.caudal_metrics_partitions_enable,
            request_times=RequestTimes(),
        )
        self._metrics = MetricsEndpoint(listener, renderer.render)
        await self._metrics.start()
        self._background.append(asyncio.create_task(loop_lag.run()))

    def _schemas_log(self) -> PartitionLog | None:
        """Where a Schema Registry keeps its schemas, if it does so here."""
        name = self.config.caudal_schemas_topic
        return self._open_logs.get(name, 0) if name in self._topics else None

    def _offsets_log(self) -> PartitionOffsetsLog:
        """The topic of committed offsets, made with the first commit, with Kafka's configs for it."""
        config = self.config
        existing, ensure = self._internal_topic(
            OFFSETS_TOPIC, config.offsets_topic_num_partitions, config.offsets_topic_segment_bytes, "producer"
        )
        return PartitionOffsetsLog(existing=existing, ensure=ensure)

    def _transaction_log(self) -> TransactionLog:
        """The topic of transactions, made with the first transactional id, with Kafka's configs for it."""
        config = self.config
        existing, ensure = self._internal_topic(
            TRANSACTIONS_TOPIC,
            config.transaction_state_log_num_partitions,
            config.transaction_state_log_segment_bytes,
            "uncompressed",
        )
        return TransactionLog(existing=existing, ensure=ensure)

    def _share_state_log(self) -> ShareStateLog:
        """The topic of share groups' state, made with the first share group, with Kafka's configs for it."""
        config = self.config
        existing, ensure = self._internal_topic(
            SHARE_STATE_TOPIC,
            config.share_coordinator_state_topic_num_partitions,
            config.share_coordinator_state_topic_segment_bytes,
            "uncompressed",
            # An update says only what has changed, so compaction would lose some: what is old is deleted instead.
            {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"},
        )
        return ShareStateLog(existing=existing, ensure=ensure)

    def _internal_topic(
        self,
        name: str,
        partition_count: int,
        segment_bytes: int,
        compression_type: str,
        cleanup: dict[str, str] | None = None,
    ) -> tuple[_FindLogs, _FindLogs]:
        """Two ways to get the logs of an internal topic, compacted by default: as it is, and made if need be."""

        def existing() -> list[PartitionLog]:
            return self._topics.partitions(name) if name in self._topics else []

        def ensure() -> list[PartitionLog]:
            if name not in self._topics:
                self._topics.create(
                    name,
                    partition_count=partition_count,
                    configs={
                        **(cleanup or {"cleanup.policy": "compact"}),
                        "compression.type": compression_type,
                        "segment.bytes": str(segment_bytes),
                    },
                )
            return existing()

        return existing, ensure

    def _cleaner_settings(self) -> CleanerSettings:
        """As they are now: they may be changed while the broker runs."""

        def value(name: str) -> float:
            return float(value_of(f"log.cleaner.{name}", self._configs.layers) or 0)

        return CleanerSettings(
            backoff_ms=int(value("backoff.ms")),
            key_map_bytes_max=int(value("dedupe.buffer.size") * value("io.buffer.load.factor")),
            bytes_per_second_max=value("io.max.bytes.per.second"),
        )

    def _every(self, interval_ms: int, work: Callable[[], Awaitable[None]]) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(interval_ms / 1000)
                try:
                    await work()
                except OSError as error:
                    log.error("background work failed and will be tried again error=%s", error)
                except Exception:
                    log.exception("background work failed and will be tried again")

        self._background.append(asyncio.create_task(repeat()))

    async def _retain(self) -> None:
        for _ in self._open_logs.retain_each(self._clock.now_ms()):
            await asyncio.sleep(0)

    async def _write_checkpoints(self) -> None:
        await in_slices(self._open_logs.persist_indexes(), self._clock)
        await asyncio.to_thread(self._open_logs.start_checkpoints())

    async def _remove_deleted(self) -> None:
        logs = self._open_logs
        if logs.reserve.is_spent and not logs.reserve.refill():
            await self._retain()
        await asyncio.to_thread(logs.remove_deleted, self._clock.now_ms())

    async def _tend_folders(self) -> None:
        """Make the folders that a request for very many partitions has left, and end deletions that it has begun."""
        await in_slices(self._topics.finish_deletions(), self._clock)
        if self._clock.monotonic_ms() < self._folders_due_ms:
            return
        try:
            await in_slices(self._open_logs.make_folders(), self._clock, slice_ms=1, pause_ms=1)
        except KafkaStorageError as error:
            log.warning("folders of new partitions are not made yet: %s", error)
            self._folders_due_ms = self._clock.monotonic_ms() + FOLDERS_PATIENCE_MS

    async def _read_schemas(self) -> None:
        await in_slices(self._schemas_ahead.steps(), self._clock)

    async def _flush(self) -> None:
        """Force what was appended to disk, in a thread, because the loop must not wait for a disk.

        Every `caudal.flush.interval.ms`, and at once when producers wait for it; who asks meanwhile shares the next.
        While nothing is appended it sleeps.
        """
        logs, loop = self._open_logs, asyncio.get_running_loop()
        wanted, dirty = asyncio.Event(), asyncio.Event()
        logs.on_flush_wanted, logs.on_dirty = wanted.set, dirty.set
        begun_ms = self._clock.monotonic_ms()
        while True:
            dirty.clear()
            if not logs.is_dirty:
                await dirty.wait()
                begun_ms = self._clock.monotonic_ms()
            left_ms = begun_ms + self.config.caudal_flush_interval_ms - self._clock.monotonic_ms()
            await _until_set(wanted, max(left_ms, 1) / 1000)
            wanted.clear()
            begun_ms = self._clock.monotonic_ms()
            job = logs.start_flush(self._clock.now_ms())
            if job is None:
                continue
            # A stop must not leave a flush half accounted for.
            in_thread = loop.run_in_executor(None, job.run)
            try:
                await asyncio.shield(in_thread)
            finally:
                await in_thread
                job.finish()
                self.flush_stats.took(job.seconds)

    async def _tick_groups(self) -> None:
        """Load the groups, then keep their deadlines."""
        await self._until_recovered(OFFSETS_TOPIC)
        for _ in self._groups.load_in_steps(self._now()):
            await asyncio.sleep(0)
        self._are_groups_loaded.set()
        while True:
            now = self._now()
            next_ms = self._groups.next_deadline_ms()
            wait_ms = GROUP_TICK_MS_MAX if next_ms is None else min(next_ms - now.monotonic_ms, GROUP_TICK_MS_MAX)
            await asyncio.sleep(max(wait_ms, 1) / 1000)
            try:
                self._groups.tick(self._now())
            except Exception:
                log.exception("a group's deadline failed")

    async def _until_recovered(self, name: str) -> None:
        """Wait for the logs of a topic of ours: who reads them all at a start must not meet one that is not ready."""
        topic = self._topics.get(name)
        if topic is not None:
            await self._recoverer.until_open((name, partition) for partition in range(topic.partition_count))

    async def _tick_transactions(self) -> None:
        """Load the transactions, then see to their timeouts and to markers that could not be written at once."""
        await self._until_recovered(TRANSACTIONS_TOPIC)
        await self._are_groups_loaded.wait()  # a transaction that is ended at once may have committed offsets
        transactions = self._transactions
        for _ in transactions.load_in_steps(self._now()):
            await asyncio.sleep(0)
        interval_ms = self.config.transaction_abort_timed_out_transaction_cleanup_interval_ms
        next_tick_ms = self._clock.monotonic_ms() + interval_ms
        ending = asyncio.Event()
        transactions.on_ending = ending.set
        while True:
            ending.clear()
            if not transactions.is_ending:
                await _until_set(ending, max(next_tick_ms - self._clock.monotonic_ms(), 1) / 1000)
            await asyncio.sleep(min(interval_ms, MARKERS_INTERVAL_MS) / 1000)
            now = self._now()
            try:
                while transactions.has_markers_to_write:
                    transactions.write_markers(self._now())
                    await asyncio.sleep(0)
                if now.monotonic_ms >= next_tick_ms:
                    next_tick_ms = now.monotonic_ms + interval_ms
                    transactions.tick(now)
                    self._hanging.tick(now)
            except Exception:
                log.exception("a transaction's deadline failed")

    def _now(self) -> Now:
        return Now(self._clock.monotonic_ms(), self._clock.now_ms())


async def _until_set(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event; a timer sets it at the latest. Unlike `wait_for` it makes no task."""
    timer = asyncio.get_running_loop().call_later(seconds, event.set)
    try:
        await event.wait()
    finally:
        timer.cancel()
