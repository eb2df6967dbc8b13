"""Every metric: its name, its type and what it says. `docs/metrics.md` is this table, and a test compares them.

Names are those that the JMX exporter makes of Kafka's own where Kafka has such a thing, so that its dashboards fit;
what only this broker knows is called `caudal_…`; the process speaks as every process does to Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
SUMMARY: Final = "summary"
HISTOGRAM: Final = "histogram"


class Metric(NamedTuple):
    """One family of series."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


_TOPIC: Final = ("topic",)
_PARTITION: Final = ("topic", "partition")
_LISTENER: Final = ("listener",)
_GROUP: Final = ("consumergroup", "topic", "partition")
_TOPIC_NOTE: Final = "by topic; the series without a topic is all of them"

_METRICS: Final = (
    Metric("kafka_server_brokertopicmetrics_messagesin_total", COUNTER, _TOPIC, f"Records appended, {_TOPIC_NOTE}."),
    Metric(
        "kafka_server_brokertopicmetrics_bytesin_total", COUNTER, _TOPIC,
        f"Bytes of batches appended, {_TOPIC_NOTE}.",
    ),
    Metric(
        "kafka_server_brokertopicmetrics_bytesout_total", COUNTER, _TOPIC,
        f"Bytes of batches sent to consumers, {_TOPIC_NOTE}.",
    ),
    Metric(
        "kafka_server_brokertopicmetrics_failedproducerequests_total", COUNTER, _TOPIC,
        f"Partitions of Produce requests that were refused, {_TOPIC_NOTE}.",
    ),
    Metric(
        "kafka_server_brokertopicmetrics_failedfetchrequests_total", COUNTER, _TOPIC,
        f"Partitions of Fetch requests that were refused, {_TOPIC_NOTE}.",
    ),
    Metric("kafka_server_brokertopicmetrics_totalproducerequests_total", COUNTER, (), "Produce requests."),
    Metric("kafka_server_brokertopicmetrics_totalfetchrequests_total", COUNTER, (), "Fetch requests."),
    Metric(
        "kafka_network_requestmetrics_requests_total", COUNTER, ("request", "version"),
        "Requests, by API and version.",
    ),
    Metric(
        "kafka_network_requestmetrics_errors_total", COUNTER, ("request", "error"),
        "Error codes answered, by API; one answer may have several.",
    ),
    Metric(
        "kafka_network_requestmetrics_totaltimems", SUMMARY, ("request",),
        "Milliseconds from a whole request to its answer handed to the socket, of every eighth request; "
        "the quantiles are of the last one to two minutes.",
    ),
    Metric(
        "kafka_network_requestmetrics_localtimems", SUMMARY, ("request",),
        "Of it the milliseconds spent working, as sum and count.",
    ),
    Metric(
        "kafka_network_requestmetrics_remotetimems", SUMMARY, ("request",),
        "Of it the milliseconds spent waiting for records, members or the disk, as sum and count.",
    ),
    Metric(
        "kafka_network_requestmetrics_throttletimems", SUMMARY, ("request",),
        "Milliseconds that clients were told to wait for a quota, as sum and count; request=connection "
        "are waits of new connections.",
    ),
    Metric(
        "caudal_request_time_seconds", HISTOGRAM, ("request",),
        "The same total times as a histogram since the start, of every eighth request.",
    ),
    Metric("kafka_server_socket_server_metrics_connection_count", GAUGE, _LISTENER, "Connections now."),
    Metric("kafka_server_socket_server_metrics_connection_creation_total", COUNTER, _LISTENER, "Connections taken."),
    Metric(
        "kafka_server_socket_server_metrics_expired_connections_killed_count", COUNTER, _LISTENER,
        "Connections closed because their session had ended and was not renewed.",
    ),
    Metric(
        "kafka_server_socket_server_metrics_successful_authentication_total", COUNTER, ("listener", "mechanism"),
        "Logins that succeeded.",
    ),
    Metric(
        "kafka_server_socket_server_metrics_failed_authentication_total", COUNTER, ("listener", "mechanism"),
        "Logins that were refused.",
    ),
    Metric(
        "kafka_server_socket_server_metrics_successful_reauthentication_total", COUNTER, ("listener", "mechanism"),
        "Logins that renewed a session.",
    ),
    Metric("caudal_connections_refused_total", COUNTER, _LISTENER, "Connections closed at once because of a limit."),
    Metric(
        "caudal_connections_idle_closed_total", COUNTER, _LISTENER,
        "Connections closed because nothing came for connections.max.idle.ms.",
    ),
    Metric(
        "caudal_connections_bad_request_total", COUNTER, _LISTENER,
        "Connections closed for a request that could not be answered.",
    ),
    Metric("caudal_tls_handshakes_failed_total", COUNTER, _LISTENER, "TLS handshakes that failed."),
    Metric("kafka_server_replicamanager_leadercount", GAUGE, (), "Partitions that this broker leads: all."),
    Metric("kafka_server_replicamanager_partitioncount", GAUGE, (), "Partitions."),
    Metric(
        "kafka_server_replicamanager_underreplicatedpartitions", GAUGE, (),
        "Partitions without all replicas in sync: none, there is one node.",
    ),
    Metric("kafka_server_replicamanager_offlinereplicacount", GAUGE, (), "Partitions whose disk has failed."),
    Metric(
        "kafka_controller_kafkacontroller_activecontrollercount", GAUGE, (),
        "Whether this broker is the controller: always.",
    ),
    Metric(
        "kafka_controller_kafkacontroller_offlinepartitionscount", GAUGE, (),
        "Partitions without a leader: those whose disk has failed.",
    ),
    Metric("kafka_controller_kafkacontroller_globaltopiccount", GAUGE, (), "Topics."),
    Metric("kafka_controller_kafkacontroller_globalpartitioncount", GAUGE, (), "Partitions."),
    Metric(
        "kafka_server_delayedoperationpurgatory_purgatorysize", GAUGE, ("delayedoperation",),
        "Requests that wait: fetches for records, produces for the disk, joins and syncs for other "
        "members.",
    ),
    Metric("kafka_server_fetchsessioncache_numincrementalfetchsessions", GAUGE, (), "Fetch sessions remembered."),
    Metric(
        "kafka_log_log_size", GAUGE, _PARTITION,
        "Bytes of the partition's segments; of partitions in use since the start, or looked at for "
        "retention.",
    ),
    Metric("kafka_log_log_numlogsegments", GAUGE, _PARTITION, "Segments; of the same partitions."),
    Metric("kafka_log_log_logstartoffset", GAUGE, _PARTITION, "The first offset that can be read."),
    Metric("kafka_log_log_logendoffset", GAUGE, _PARTITION, "The next offset to be given."),
    Metric(
        "kafka_log_logflushstats_logflushrateandtimems", SUMMARY, (),
        "Milliseconds of forcing files to disk, as sum and count.",
    ),
    Metric("caudal_log_flush_longest_seconds", GAUGE, (), "The longest flush since the start."),
    Metric("caudal_log_recovery_cut_bytes_total", COUNTER, (), "Bytes of half-written ends that recovery has cut off."),
    Metric("caudal_log_quarantined_ranges", GAUGE, (), "Damaged ranges that were set aside; see the broker's page."),
    Metric("caudal_disk_total_bytes", GAUGE, (), "Size of the data folder's file system."),
    Metric("caudal_disk_usable_bytes", GAUGE, (), "Of it what may still be written."),
    Metric("caudal_disk_is_full", GAUGE, (), "1 while the disk is full: producing is refused, all else goes on."),
    Metric("kafka_coordinator_group_groupmetadatamanager_numgroups", GAUGE, (), "Groups."),
    Metric("caudal_groups", GAUGE, ("type", "state"), "Groups, by type and state."),
    Metric(
        "caudal_group_rebalances_total", COUNTER, ("type",),
        "Assignments given to classic groups, epochs begun by consumer groups.",
    ),
    Metric("kafka_consumergroup_current_offset", GAUGE, _GROUP, "The committed offset, as kafka_exporter calls it."),
    Metric("kafka_consumergroup_lag", GAUGE, _GROUP, "Records behind it that were not read yet."),
    Metric("kafka_server_replicamanager_produceridcount", GAUGE, (), "Idempotent producers that partitions remember."),
    Metric("caudal_transactions_open", GAUGE, (), "Transactions that are neither committed nor aborted."),
    Metric(
        "caudal_transaction_oldest_age_seconds", GAUGE, (),
        "How long the oldest of them has been open; 0 without one.",
    ),
    Metric(
        "caudal_event_loop_lag_seconds", SUMMARY, (),
        "How much later than asked the event loop woke, looked at once a second, as sum and count.",
    ),
    Metric("caudal_event_loop_lag_longest_seconds", GAUGE, (), "The worst of the last minute."),
    Metric("process_open_fds", GAUGE, (), "File descriptors open."),
    Metric("process_max_fds", GAUGE, (), "File descriptors allowed."),
    Metric("process_resident_memory_bytes", GAUGE, (), "Memory in use."),
    Metric("process_cpu_seconds_total", COUNTER, (), "Processor time used."),
    Metric("process_start_time_seconds", GAUGE, (), "When the process started, in seconds since 1970."),
)  # fmt: skip

CATALOGUE: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _METRICS}


def reference_rows() -> list[str]:
    """The rows of the table in docs/metrics.md."""
    return rows_of(_METRICS)


def rows_of(metrics: Iterable[Metric]) -> list[str]:
    """Rows of such a table."""
    return [
        f"| `{each.name}` | {each.type} | {', '.join(f'`{label}`' for label in each.labels)} | {each.help} |"
        for each in metrics
    ]
