"""All metrics as text, gathered from the broker's parts when somebody asks and in pieces of a millisecond or two."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from broker.clock import Clock
from broker.counters import FlushStats, summed_errors
from broker.errors import by_code
from broker.fetch_sessions import FetchSessions
from broker.groups import GroupCoordinator
from broker.log import LogDirectory, PartitionLog
from broker.metadata.topics import TopicRegistry
from broker.metrics import process
from broker.metrics.catalogue import CATALOGUE
from broker.metrics.exposition import family, head, labels_text, sample, single, sum_and_count
from broker.metrics.loop_lag import LoopLag
from broker.metrics.names import request_name
from broker.metrics.request_times import RequestTimes
from broker.protocol.api_keys import ApiKey
from broker.security.client_quotas import ClientQuotas
from broker.server import Server
from broker.transactions import TransactionCoordinator

PER_PIECE: Final = 250
"""Partitions, connections or groups looked at between two pieces."""

_PREFIX: Final = "kafka_server_brokertopicmetrics_"
_LOGINS: Final = {
    "success": "kafka_server_socket_server_metrics_successful_authentication_total",
    "failure": "kafka_server_socket_server_metrics_failed_authentication_total",
    "renewal": "kafka_server_socket_server_metrics_successful_reauthentication_total",
}
_CONNECTIONS: Final = {
    "kafka_server_socket_server_metrics_connection_count": "connections",
    "kafka_server_socket_server_metrics_connection_creation_total": "created",
    "kafka_server_socket_server_metrics_expired_connections_killed_count": "expired",
    "caudal_connections_refused_total": "refused",
    "caudal_connections_idle_closed_total": "idle_closed",
    "caudal_connections_bad_request_total": "bad_requests",
    "caudal_tls_handshakes_failed_total": "handshakes_failed",
}
_WAITING: Final = {
    ApiKey.FETCH: "Fetch",
    ApiKey.PRODUCE: "Produce",
    ApiKey.JOIN_GROUP: "Rebalance",
    ApiKey.SYNC_GROUP: "Rebalance",
}
_T = TypeVar("_T")


@dataclass(slots=True)
class MetricsRenderer:
    """The parts that are asked. `has_partitions`: whether each partition and each group's offsets get series."""

    server: Server
    logs: LogDirectory
    topics: TopicRegistry
    groups: GroupCoordinator
    transactions: TransactionCoordinator
    fetch_sessions: FetchSessions
    quotas: ClientQuotas
    flush_stats: FlushStats
    loop_lag: LoopLag
    clock: Clock
    has_partitions: bool
    request_times: RequestTimes

    def render(self) -> Iterator[str]:
        """The text, in pieces, of which some are empty: between two of them other work may be done."""
        parts = (self._traffic, self._requests, self._connections, self._waiting, self._partitions, self._storage)
        for part in (*parts, self._groups, self._transactions, self._process):
            yield from part()

    def _traffic(self) -> Iterator[str]:
        totals: dict[str, list[int]] = {}
        everything = list(self.logs.gone_traffic)
        for logs in _sliced(self.logs.opened()):
            for log in logs:
                of_topic = totals.setdefault(log.topic, [0, 0, 0])
                for index, count in enumerate(log.traffic):
                    of_topic[index] += count
                    everything[index] += count
            yield ""
        for index, name in enumerate(("messagesin_total", "bytesin_total", "bytesout_total")):
            yield _by_topic(_PREFIX + name, everything[index], ((topic, each[index]) for topic, each in totals.items()))
        for name, failures in (("produce", self.logs.failed_appends), ("fetch", self.logs.failed_reads)):
            by_topic = [(topic, count) for topic, count in failures.items() if topic]
            yield _by_topic(f"{_PREFIX}failed{name}requests_total", sum(failures.values()), by_topic)

    def _requests(self) -> Iterator[str]:
        stats = self.server.routes.stats
        for name, key in (("produce", ApiKey.PRODUCE), ("fetch", ApiKey.FETCH)):
            count = sum(each.count for number, each in stats.items() if number >> 16 == key)
            yield single(f"{_PREFIX}total{name}requests_total", count)
        requests = [((request_name(each.api_name), each.version), each.count) for each in stats.values()]
        yield family("kafka_network_requestmetrics_requests_total", requests)
        errors = [
            ((request_name(api_name), _error_name(code)), count)
            for (api_name, code), count in summed_errors(stats).items()
        ]
        yield family("kafka_network_requestmetrics_errors_total", errors)
        yield from self.request_times.render(stats, self.clock.monotonic_ms())
        throttled = [
            ((request_name(api) if api.isupper() else api,), float(total_ms), count)
            for api, (count, total_ms) in self.quotas.throttled.items()
        ]
        yield sum_and_count("kafka_network_requestmetrics_throttletimems", throttled)

    def _connections(self) -> Iterator[str]:
        stats = list(self.server.listener_stats.items())
        for name, attribute in _CONNECTIONS.items():
            yield family(name, [((listener,), getattr(each, attribute)) for listener, each in stats])
        for outcome, name in _LOGINS.items():
            yield family(
                name,
                [
                    ((listener, mechanism), count)
                    for listener, each in stats
                    for (mechanism, found), count in each.logins.items()
                    if found == outcome
                ],
            )

    def _waiting(self) -> Iterator[str]:
        waiting: Counter[str] = Counter()
        for connections in _sliced(list(self.server.connections)):
            for connection in connections:
                route = connection.waits_for
                if route is not None:
                    waiting[_WAITING.get(route.api.api_key, "Other")] += 1
            yield ""
        kinds = (*dict.fromkeys(_WAITING.values()), "Other")
        yield family(
            "kafka_server_delayedoperationpurgatory_purgatorysize", [((kind,), waiting[kind]) for kind in kinds]
        )
        yield single("kafka_server_fetchsessioncache_numincrementalfetchsessions", len(self.fetch_sessions))

    def _partitions(self) -> Iterator[str]:
        count = sum(topic.partition_count for topic in self.topics)
        offline = producers = quarantined = 0
        for logs in _sliced(self.logs.opened()):
            offline += sum(log.is_offline for log in logs)
            producers += sum(len(log.producer_state) for log in logs)
            quarantined += sum(len(log.quarantines) for log in logs)
            yield ""
        yield single("kafka_server_replicamanager_leadercount", count - offline)
        yield single("kafka_server_replicamanager_partitioncount", count)
        yield single("kafka_server_replicamanager_underreplicatedpartitions", 0)
        yield single("kafka_server_replicamanager_offlinereplicacount", offline)
        yield single("kafka_controller_kafkacontroller_activecontrollercount", 1)
        yield single("kafka_controller_kafkacontroller_offlinepartitionscount", offline)
        yield single("kafka_controller_kafkacontroller_globaltopiccount", len(self.topics))
        yield single("kafka_controller_kafkacontroller_globalpartitioncount", count)
        yield single("kafka_server_replicamanager_produceridcount", producers)
        yield single("caudal_log_quarantined_ranges", quarantined)
        if self.has_partitions:
            yield from self._each_partition()

    def _each_partition(self) -> Iterator[str]:
        yield from self._each_log("kafka_log_log_size", lambda log: log.size_bytes)
        yield from self._each_log("kafka_log_log_numlogsegments", lambda log: log.segment_count)
        for index, name in enumerate(("kafka_log_log_logstartoffset", "kafka_log_log_logendoffset")):
            labels = CATALOGUE[name].labels
            yield head(name)
            for keys in _sliced(self.logs.partitions()):
                lines = []
                for key in keys:
                    offsets = self.logs.known_offsets(*key)
                    if offsets is not None:
                        lines.append(sample(name, offsets[index], labels_text(labels, key)))
                yield "".join(lines)

    def _each_log(self, name: str, value: Callable[[PartitionLog], int]) -> Iterator[str]:
        labels = CATALOGUE[name].labels
        yield head(name)
        for logs in _sliced(self.logs.opened()):
            yield "".join(sample(name, value(log), labels_text(labels, (log.topic, log.partition))) for log in logs)

    def _storage(self) -> Iterator[str]:
        flushes = self.flush_stats
        times = [((), flushes.total_s * 1000, flushes.count)]
        yield sum_and_count("kafka_log_logflushstats_logflushrateandtimems", times)
        yield single("caudal_log_flush_longest_seconds", flushes.longest_s)
        yield single("caudal_log_recovery_cut_bytes_total", self.logs.torn_bytes)
        total, usable = self.logs.usage()
        yield single("caudal_disk_total_bytes", total)
        yield single("caudal_disk_usable_bytes", usable)
        yield single("caudal_disk_is_full", int(self.logs.reserve.is_spent))

    def _groups(self) -> Iterator[str]:
        states: Counter[tuple[str, str]] = Counter()
        group_ids = self.groups.group_ids()
        for some in _sliced(group_ids):
            for group_id in some:
                found = self.groups.type_and_state(group_id)
                if found is not None:
                    states[found] += 1
            yield ""
        yield single("kafka_coordinator_group_groupmetadatamanager_numgroups", len(group_ids))
        yield family("caudal_groups", states.items())
        yield family("caudal_group_rebalances_total", [((kind,), n) for kind, n in self.groups.rebalances.items()])
        if self.has_partitions:
            yield from self._offsets("kafka_consumergroup_current_offset", group_ids, lambda committed, _: committed)
            yield from self._offsets(
                "kafka_consumergroup_lag", group_ids, lambda committed, end: max(end - committed, 0)
            )

    def _offsets(self, name: str, group_ids: list[str], value: Callable[[int, int], int]) -> Iterator[str]:
        labels = CATALOGUE[name].labels
        yield head(name)
        committed = (
            (group_id, topic, partition, offset.offset)
            for group_id in group_ids
            for topic, partitions in list(self.groups.offsets_of(group_id).items())
            for partition, offset in list(partitions.items())
        )
        while some := list(itertools.islice(committed, PER_PIECE)):
            lines = []
            for group_id, topic, partition, offset in some:
                offsets = self.logs.known_offsets(topic, partition)
                if offsets is not None:
                    values = (group_id, topic, partition)
                    lines.append(sample(name, value(offset, offsets[1]), labels_text(labels, values)))
            yield "".join(lines)

    def _transactions(self) -> Iterator[str]:
        open_count, oldest_ms = self.transactions.open_and_oldest()
        yield single("caudal_transactions_open", open_count)
        age_ms = 0 if oldest_ms is None else max(self.clock.now_ms() - oldest_ms, 0)
        yield single("caudal_transaction_oldest_age_seconds", age_ms / 1000)

    def _process(self) -> Iterator[str]:
        yield sum_and_count("caudal_event_loop_lag_seconds", [((), self.loop_lag.total_s, self.loop_lag.count)])
        yield single("caudal_event_loop_lag_longest_seconds", self.loop_lag.longest_s)
        for name, number in process.readings():
            yield single(name, number)


def _by_topic(name: str, total: int, by_topic: Iterable[tuple[str, int]]) -> str:
    return (
        head(name)
        + sample(name, total)
        + "".join(sample(name, count, labels_text(("topic",), (topic,))) for topic, count in by_topic)
    )


def _error_name(code: int) -> str:
    return by_code(code).name


def _sliced(items: list[_T]) -> Iterator[list[_T]]:
    for start in range(0, len(items), PER_PIECE):
        yield items[start : start + PER_PIECE]
