"""BrokerConfig: the broker's settings, by Kafka's own names.

Every config of Apache Kafka 4.3 is accepted; the attributes of BrokerConfig are those that have an effect here, named
after their key with dots as underscores. Topic-level defaults (`log.retention.ms`, `message.max.bytes` …) are not
attributes: `broker.metadata.topic_configs` reads them by `value()`.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from broker.config_error import ConfigError as ConfigError
from broker.metadata.broker_configs import KAFKA_BROKER_CONFIGS, BrokerConfigDefinition, ConfigType

AUTHORIZER_CONFIGS: Final = {
    "super.users": BrokerConfigDefinition("super.users", ConfigType.STRING, "", False),
    "allow.everyone.if.no.acl.found": BrokerConfigDefinition(
        "allow.everyone.if.no.acl.found", ConfigType.BOOLEAN, "false", False
    ),
}
"""Settings that Kafka's StandardAuthorizer reads; Kafka's own table of broker configs does not know them."""

CAUDAL_BROKER_CONFIGS: Final = {
    "caudal.flush.mode": BrokerConfigDefinition("caudal.flush.mode", ConfigType.STRING, "interval", False),
    "caudal.flush.interval.ms": BrokerConfigDefinition("caudal.flush.interval.ms", ConfigType.LONG, "50", False),
    "caudal.log.format": BrokerConfigDefinition("caudal.log.format", ConfigType.STRING, "text", False),
    "caudal.log.level": BrokerConfigDefinition("caudal.log.level", ConfigType.STRING, "WARN", False),
    "caudal.log.repeat.max": BrokerConfigDefinition("caudal.log.repeat.max", ConfigType.INT, "20", False),
    "caudal.metrics.listener": BrokerConfigDefinition("caudal.metrics.listener", ConfigType.STRING, "", False),
    "caudal.metrics.partitions.enable": BrokerConfigDefinition(
        "caudal.metrics.partitions.enable", ConfigType.BOOLEAN, "true", False
    ),
    "caudal.partitions.max": BrokerConfigDefinition("caudal.partitions.max", ConfigType.INT, "20000", False),
    "caudal.schemas.topic": BrokerConfigDefinition("caudal.schemas.topic", ConfigType.STRING, "_schemas", False),
}
"""Settings of ours that Kafka has no name for: when appended bytes are forced to disk, what is logged, where metrics
are served, how many partitions there may be, where the Schema Registry keeps its schemas."""

# Differs from Kafka: rebalances start at once, offsets live in one partition, transactions and share states too, the
# node id may be left out, the accept queue is longer and the broker listens on loopback only, because one node on one
# machine is the case to be good at.
CAUDAL_DEFAULTS: Final = {
    "group.initial.rebalance.delay.ms": "0",
    "listeners": "PLAINTEXT://127.0.0.1:9092",
    "node.id": "0",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "socket.listen.backlog.size": "1024",
}

DEFINITIONS: Final[Mapping[str, BrokerConfigDefinition]] = {
    name: definition._replace(default=CAUDAL_DEFAULTS.get(name, definition.default))
    for name, definition in (KAFKA_BROKER_CONFIGS | AUTHORIZER_CONFIGS | CAUDAL_BROKER_CONFIGS).items()
}
"""All broker configs with the defaults that hold here."""

SECURITY_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
LISTENER_PREFIX: Final = "listener.name."

_CHOICES: Final = {
    "authorizer.class.name": ("org.apache.kafka.metadata.authorizer.StandardAuthorizer",),
    "caudal.flush.mode": ("interval", "never", "always"),
    "caudal.log.format": ("text", "json"),
    "caudal.log.level": ("DEBUG", "INFO", "WARN", "ERROR"),
    "compression.type": ("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
    "group.consumer.migration.policy": ("disabled", "upgrade", "downgrade", "bidirectional"),
    "log.message.timestamp.type": ("CreateTime", "LogAppendTime"),
    "ssl.client.auth": ("none", "requested", "required"),
}

_LIST_CHOICES: Final = {
    # Differs from Kafka: assignors of one's own are not loaded, because a Java class cannot be.
    "group.consumer.assignors": ("uniform", "range"),
    "group.share.assignors": ("simple",),
}

_AT_LEAST: Final = {
    "caudal.flush.interval.ms": 1,
    "caudal.log.repeat.max": 0,
    "caudal.partitions.max": 1,
    "default.replication.factor": 1,
    "fetch.max.bytes": 1024,
    "group.consumer.assignment.interval.ms": 0,
    "group.consumer.heartbeat.interval.ms": 1,
    "group.consumer.max.size": 1,
    "group.consumer.session.timeout.ms": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.max.session.timeout.ms": 1,
    "group.max.size": 1,
    "group.min.session.timeout.ms": 1,
    "group.share.assignment.interval.ms": 0,
    "group.share.delivery.count.limit": 2,
    "group.share.heartbeat.interval.ms": 1,
    "group.share.max.delivery.count.limit": 2,
    "group.share.max.heartbeat.interval.ms": 1,
    "group.share.max.partition.max.record.locks": 100,
    "group.share.max.record.lock.duration.ms": 1_000,
    "group.share.max.session.timeout.ms": 1,
    "group.share.max.share.sessions": 1,
    "group.share.max.size": 1,
    "group.share.min.delivery.count.limit": 2,
    "group.share.min.heartbeat.interval.ms": 1,
    "group.share.min.partition.max.record.locks": 100,
    "group.share.min.record.lock.duration.ms": 1_000,
    "group.share.min.session.timeout.ms": 1,
    "group.share.partition.max.record.locks": 100,
    "group.share.record.lock.duration.ms": 1_000,
    "group.share.session.timeout.ms": 1,
    "log.cleaner.backoff.ms": 0,
    "log.flush.offset.checkpoint.interval.ms": 0,
    "log.index.interval.bytes": 0,
    "log.index.size.max.bytes": 4,
    "log.retention.check.interval.ms": 1,
    "log.segment.bytes": 1024 * 1024,
    "max.connections": 0,
    "max.connections.per.ip": 0,
    "max.incremental.fetch.session.cache.slots": 0,
    "message.max.bytes": 0,
    "node.id": 0,
    "num.partitions": 1,
    "offset.metadata.max.bytes": 0,
    "offsets.retention.check.interval.ms": 1,
    "offsets.retention.minutes": 1,
    "offsets.topic.num.partitions": 1,
    "offsets.topic.segment.bytes": 1,
    "producer.id.expiration.ms": 1,
    "sasl.server.max.receive.size": 1,
    "share.coordinator.snapshot.update.records.per.snapshot": 0,
    "share.coordinator.state.topic.num.partitions": 1,
    "share.coordinator.state.topic.segment.bytes": 1,
    "socket.listen.backlog.size": 1,
    "socket.request.max.bytes": 1,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1,
    "transaction.max.timeout.ms": 1,
    "transaction.remove.expired.transaction.cleanup.interval.ms": 1,
    "transaction.state.log.num.partitions": 1,
    "transaction.state.log.segment.bytes": 1,
    "transactional.id.expiration.ms": 1,
}

_INTEGER_BITS: Final = {ConfigType.SHORT: 16, ConfigType.INT: 32, ConfigType.LONG: 64}


@dataclass(frozen=True, slots=True)
class Listener:
    """One address the broker answers on, and the address it tells clients to dial."""

    name: str
    host: str
    """Where it binds; empty means every interface."""
    port: int
    """0 until bound means any free port."""
    advertised_host: str
    """Empty: whatever local address the client reached, known only once it is connected."""
    advertised_port: int
    security_protocol: str = "PLAINTEXT"
    """One of SECURITY_PROTOCOLS; how it is set up stands in `broker.security.listener_security`."""

    @property
    def has_tls(self) -> bool:
        """Whether clients speak TLS."""
        return self.security_protocol.endswith("SSL")

    @property
    def has_sasl(self) -> bool:
        """Whether clients log in by SASL."""
        return self.security_protocol.startswith("SASL")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def address(self) -> str:
        """`host:port` as a client would write it, IPv6 in brackets."""
        host = self.advertised_host or self.host or "127.0.0.1"
        return f"[{host}]:{self.advertised_port}" if ":" in host else f"{host}:{self.advertised_port}"


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """The settings that have an effect, typed. Build one with `broker_config`; the defaults here are for tests only."""

    allow_everyone_if_no_acl_found: bool = False
    authorizer_class_name: str = ""
    auto_create_topics_enable: bool = True
    broker_rack: str | None = None
    caudal_flush_interval_ms: int = 50
    caudal_flush_mode: str = "interval"
    caudal_log_format: str = "text"
    caudal_log_level: str = "WARN"
    caudal_log_repeat_max: int = 20
    caudal_metrics_listener: str = ""
    caudal_metrics_partitions_enable: bool = True
    caudal_partitions_max: int = 20_000
    caudal_schemas_topic: str = "_schemas"
    connection_failed_authentication_delay_ms: int = 100
    connections_max_idle_ms: int = 600_000
    default_replication_factor: int = 1
    delete_topic_enable: bool = True
    fetch_max_bytes: int = 57_671_680
    group_consumer_assignment_interval_ms: int = 1_000
    group_consumer_assignors: tuple[str, ...] = ("uniform", "range")
    group_consumer_heartbeat_interval_ms: int = 5_000
    group_consumer_max_size: int = 2**31 - 1
    group_consumer_migration_policy: str = "bidirectional"
    group_consumer_session_timeout_ms: int = 45_000
    group_initial_rebalance_delay_ms: int = 0
    group_max_session_timeout_ms: int = 1_800_000
    group_max_size: int = 2**31 - 1
    group_min_session_timeout_ms: int = 6_000
    group_share_assignment_interval_ms: int = 1_000
    group_share_delivery_count_limit: int = 5
    group_share_heartbeat_interval_ms: int = 5_000
    group_share_max_delivery_count_limit: int = 10
    group_share_max_heartbeat_interval_ms: int = 15_000
    group_share_max_partition_max_record_locks: int = 4_000
    group_share_max_record_lock_duration_ms: int = 60_000
    group_share_max_session_timeout_ms: int = 60_000
    group_share_max_share_sessions: int = 2_000
    group_share_max_size: int = 200
    group_share_min_delivery_count_limit: int = 2
    group_share_min_heartbeat_interval_ms: int = 5_000
    group_share_min_partition_max_record_locks: int = 100
    group_share_min_record_lock_duration_ms: int = 15_000
    group_share_min_session_timeout_ms: int = 45_000
    group_share_partition_max_record_locks: int = 2_000
    group_share_record_lock_duration_ms: int = 30_000
    group_share_session_timeout_ms: int = 45_000
    log_cleaner_backoff_ms: int = 15_000
    log_cleaner_dedupe_buffer_size: int = 134_217_728
    log_cleaner_enable: bool = True
    log_cleaner_io_max_bytes_per_second: float = 1.7976931348623157e308
    log_flush_offset_checkpoint_interval_ms: int = 60_000
    log_retention_check_interval_ms: int = 300_000
    max_connections: int = 2**31 - 1
    max_connections_per_ip: int = 2**31 - 1
    max_incremental_fetch_session_cache_slots: int = 1_000
    node_id: int = 0
    num_partitions: int = 1
    offset_metadata_max_bytes: int = 4_096
    offsets_retention_check_interval_ms: int = 600_000
    offsets_retention_minutes: int = 10_080
    offsets_topic_num_partitions: int = 1
    offsets_topic_segment_bytes: int = 104_857_600
    producer_id_expiration_ms: int = 86_400_000
    queued_max_request_bytes: int = -1
    sasl_server_max_receive_size: int = 524_288
    share_coordinator_snapshot_update_records_per_snapshot: int = 500
    share_coordinator_state_topic_num_partitions: int = 1
    share_coordinator_state_topic_segment_bytes: int = 104_857_600
    socket_listen_backlog_size: int = 1_024
    socket_request_max_bytes: int = 104_857_600
    super_users: str = ""
    transaction_abort_timed_out_transaction_cleanup_interval_ms: int = 10_000
    transaction_max_timeout_ms: int = 900_000
    transaction_remove_expired_transaction_cleanup_interval_ms: int = 3_600_000
    transaction_state_log_num_partitions: int = 1
    transaction_state_log_segment_bytes: int = 104_857_600
    transactional_id_expiration_ms: int = 604_800_000

    listeners: tuple[Listener, ...] = (Listener("PLAINTEXT", "127.0.0.1", 9092, "127.0.0.1", 9092),)
    given: Mapping[str, str] = field(default_factory=dict)
    """What the properties file and the command line said, by Kafka's name; all else is default."""

    @property
    def metrics_listener(self) -> Listener | None:
        """Where metrics are served; None for nowhere."""
        text = self.caudal_metrics_listener
        return parse_listeners(text if "://" in text else f"METRICS://{text}")[0] if text else None

    def value(self, name: str) -> str | None:
        """A setting as text, whether it has an effect or not. Raises KeyError for a name that Kafka does not know."""
        return self.given[name] if name in self.given else DEFINITIONS[name].default


_EFFECTIVE: Final = {
    config_field.name: config_field.name.replace("_", ".")
    for config_field in fields(BrokerConfig)
    if config_field.name not in ("listeners", "given")
}


def broker_config(given: Mapping[str, str]) -> BrokerConfig:
    """Check settings given by Kafka's names and type them. Raises ConfigError for the first one that cannot be used."""
    for name, given_text in given.items():
        _check(name, given_text)
    if "broker.id" in given and "node.id" not in given:
        given = {**given, "node.id": given["broker.id"]}
    typed: dict[str, Any] = {}
    for attribute, name in _EFFECTIVE.items():
        definition = DEFINITIONS[name]
        text = given.get(name) or definition.default
        value = None if text is None else typed_value(definition, text)
        typed[attribute] = tuple(value) if isinstance(value, list) else value
    config = BrokerConfig(**typed, listeners=_listeners(given), given=dict(given))
    check_share_limits(config)
    return config


SHARE_LIMITS: Final = (
    "delivery.count.limit",
    "heartbeat.interval.ms",
    "partition.max.record.locks",
    "record.lock.duration.ms",
    "session.timeout.ms",
)
"""Settings of share groups (`group.share.…`) with a `min` and a `max` beside them, between which they must be."""


def check_share_limits(config: BrokerConfig) -> None:
    """Whether the settings of share groups fit together (KIP-932). Raises ConfigError."""
    for name in SHARE_LIMITS:
        value, low, high = (
            getattr(config, f"group_share_{bound}{name.replace('.', '_')}") for bound in ("", "min_", "max_")
        )
        if high < low:
            raise ConfigError(f"group.share.max.{name}={high}: expected at least group.share.min.{name}={low}")
        if not low <= value <= high:
            raise ConfigError(
                f"group.share.{name}={value}: expected a number from group.share.min.{name}={low} to "
                f"group.share.max.{name}={high}"
            )
    if config.group_share_heartbeat_interval_ms >= config.group_share_session_timeout_ms:
        raise ConfigError("group.share.heartbeat.interval.ms: expected less than group.share.session.timeout.ms")


def nearest_name(name: str) -> str | None:
    """The known config most like a misspelt one."""
    close = difflib.get_close_matches(name, DEFINITIONS, n=1, cutoff=0.6)
    return close[0] if close else None


def typed_value(definition: BrokerConfigDefinition, text: str) -> bool | int | float | str | list[str]:
    """The text of a config in its type, as Kafka's own parser takes it (booleans in any case, lists by comma).

    Raises ConfigError when the text is not of the type.
    """
    name, text = definition.name, text.strip()
    if definition.type is ConfigType.BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"{name}={text}: expected true or false")
        return text.lower() == "true"
    if definition.type is ConfigType.LIST:
        return [item.strip() for item in text.split(",") if item.strip()]
    if definition.type is ConfigType.DOUBLE:
        try:
            return float(text)
        except ValueError:
            raise ConfigError(f"{name}={text}: expected a number") from None
    if definition.type in _INTEGER_BITS:
        limit = 1 << (_INTEGER_BITS[definition.type] - 1)
        try:
            number = int(text)
        except ValueError:
            raise ConfigError(f"{name}={text}: expected a whole number") from None
        if not -limit <= number < limit:
            raise ConfigError(f"{name}={text}: expected a number from {-limit} to {limit - 1}")
        return number
    return text


def read_properties(path: Path) -> dict[str, str]:
    """The settings of a Java properties file: `key=value` or `key: value`, `#` and `!` comments, `\\` continues a line.

    Raises ConfigError when the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}; name a readable server.properties file") from None
    given: dict[str, str] = {}
    logical = ""
    for line in lines:
        logical += line.lstrip() if logical else line.strip()
        if logical.endswith("\\"):
            logical = logical[:-1]
            continue
        if logical and logical[0] not in "#!":
            cut = min((at for at in map(logical.find, "=:") if at >= 0), default=len(logical))
            given[logical[:cut].strip()] = logical[cut + 1 :].strip()
        logical = ""
    return given


def parse_listeners(text: str, advertised: str = "", skip: frozenset[str] = frozenset()) -> tuple[Listener, ...]:
    """Listeners from `NAME://host:port,…` (or plain `host:port`), with the advertised addresses of the same names.

    `skip` names those that are not for clients (the controller's). Raises ConfigError.
    """
    advertised_at = {name: (host, port) for name, host, port in map(_endpoint, _items(advertised))}
    listeners = []
    for name, host, port in map(_endpoint, _items(text)):
        if name in skip:
            continue
        bound_host = "" if host in ("0.0.0.0", "::") else host
        advertised_host, advertised_port = advertised_at.get(name, (bound_host, port))
        listeners.append(Listener(name, host, port, advertised_host, advertised_port))
    if not listeners:
        raise ConfigError("listeners is empty; set for example listeners=PLAINTEXT://127.0.0.1:9092")
    if len({listener.name for listener in listeners}) < len(listeners):
        raise ConfigError(f"listeners={text}: two listeners have the same name")
    return tuple(listeners)


def _check(name: str, text: str) -> None:
    definition = DEFINITIONS.get(name) or _definition_for_listener(name)
    if definition is None:
        nearest = nearest_name(name)
        raise ConfigError(f"unknown setting {name}" + (f"; did you mean {nearest}?" if nearest else ""))
    if text == "":
        return
    value = typed_value(definition, text)
    name = definition.name
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ConfigError(f"{name}={text}: expected one of {', '.join(_CHOICES[name])}")
    if name in _LIST_CHOICES and isinstance(value, list) and not set(value) <= set(_LIST_CHOICES[name]):
        raise ConfigError(f"{name}={text}: expected some of {', '.join(_LIST_CHOICES[name])}")
    if name in _AT_LEAST and isinstance(value, int) and value < _AT_LEAST[name]:
        raise ConfigError(f"{name}={text}: expected at least {_AT_LEAST[name]}")


def _listeners(given: Mapping[str, str]) -> tuple[Listener, ...]:
    protocols = {
        name.upper(): protocol.upper()
        for name, _, protocol in (
            item.partition(":") for item in _items(given.get("listener.security.protocol.map", ""))
        )
    }
    controller = frozenset(_items(given.get("controller.listener.names", "")))
    text = given.get("listeners") or str(DEFINITIONS["listeners"].default)
    listeners = parse_listeners(text, given.get("advertised.listeners", ""), controller)
    secured = []
    for listener in listeners:
        protocol = protocols.get(listener.name, listener.name)
        if protocol not in SECURITY_PROTOCOLS:
            if given.get("listener.security.protocol.map"):
                raise ConfigError(
                    f"listeners: no security protocol is known for {listener.name}; name it in "
                    f"listener.security.protocol.map={listener.name}:PLAINTEXT (or {', '.join(SECURITY_PROTOCOLS[1:])})"
                )
            protocol = "PLAINTEXT"
        secured.append(replace(listener, security_protocol=protocol))
    return tuple(secured)


def _definition_for_listener(name: str) -> BrokerConfigDefinition | None:
    """The config that `listener.name.<listener>[.<mechanism>].<config>` sets for one listener."""
    if not name.startswith(LISTENER_PREFIX):
        return None
    config = name.removeprefix(LISTENER_PREFIX).partition(".")[2]
    return DEFINITIONS.get(config) or DEFINITIONS.get(config.partition(".")[2])


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _endpoint(text: str) -> tuple[str, str, int]:
    name, separator, address = text.rpartition("://")
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(f"listener {text}: expected host:port or NAME://host:port")
    return (name.upper() if separator else "PLAINTEXT"), host.removeprefix("[").removesuffix("]"), int(port)
