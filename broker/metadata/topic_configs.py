"""The configs of a topic: their types, rules, defaults and what they mean to its log.

Names, defaults, rules and messages are those of Apache Kafka 4.3.1 (measured), those that begin with `confluent.` of
Confluent Server; the documentation is ours.
A topic keeps only what was set on it, as text; everything else comes from the broker's configs of related names
(`retention.ms` from `log.retention.ms`, `.minutes` or `.hours`), so changing the broker changes such topics too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.errors import InvalidConfig
from broker.log import LogConfig
from broker.metadata.broker_configs import ConfigType
from broker.metadata.config_entries import BrokerLayers, ConfigEntry, ConfigSource, Synonym, synonyms_of, value_of
from broker.metadata.config_values import (
    LONG_MAX,
    AtLeast,
    Between,
    BetweenOrEqual,
    OneOf,
    Rule,
    Value,
    parse,
    throttled_replicas,
    to_text,
)
from broker.schemas import Strategy

HOURS: Final = 3_600_000
MINUTES: Final = 60_000


@dataclass(frozen=True, slots=True)
class BrokerSynonym:
    """A broker config that gives a topic config its value; `unit_ms` turns its hours or minutes into milliseconds."""

    name: str
    unit_ms: int = 1


@dataclass(frozen=True, slots=True)
class TopicConfigDefinition:
    """What is known of one topic config."""

    name: str
    type: ConfigType
    default: str
    documentation: str
    rule: Rule | None = None
    broker_synonyms: tuple[BrokerSynonym, ...] = ()
    """The strongest first; the first name is the one that DescribeConfigs lists."""
    is_internal: bool = False
    """Accepted, but shown only where it is set."""

    def parse(self, text: str) -> Value:
        """The typed and checked value of a text. Raises InvalidConfig."""
        value = parse(self.name, text, self.type)
        if self.rule is not None:
            self.rule(self.name, value)
        return value


def _define(
    name: str,
    type_: ConfigType,
    default: str,
    rule: Rule | None,
    synonyms: str | tuple[BrokerSynonym, ...],
    documentation: str,
    *,
    is_internal: bool = False,
) -> TopicConfigDefinition:
    if isinstance(synonyms, str):
        synonyms = (BrokerSynonym(synonyms),) if synonyms else ()
    return TopicConfigDefinition(name, type_, default, documentation, rule, synonyms, is_internal)


STRATEGIES: Final = tuple(strategy.value for strategy in Strategy)
TOPIC_NAME_STRATEGY: Final = Strategy.TOPIC_NAME.value

_BOOLEAN, _STRING, _INT = ConfigType.BOOLEAN, ConfigType.STRING, ConfigType.INT
_LONG, _DOUBLE, _LIST = ConfigType.LONG, ConfigType.DOUBLE, ConfigType.LIST

# fmt: off
_DEFINITIONS = (
    _define("cleanup.policy", _LIST, "delete", OneOf(("compact", "delete")), "log.cleanup.policy",
            "What happens to old records: `delete` drops segments past their retention, `compact` keeps the newest "
            "record of each key, both do both; empty keeps everything."),
    _define("compression.gzip.level", _INT, "-1", BetweenOrEqual(1, 9, -1), "compression.gzip.level",
            "How hard gzip tries when the broker recompresses: 1 is fastest, 9 is smallest, -1 is gzip's own default."),
    _define("compression.lz4.level", _INT, "9", Between(1, 17), "compression.lz4.level",
            "How hard lz4 tries when the broker recompresses: 1 is fastest, 17 is smallest."),
    _define("compression.type", _STRING, "producer",
            OneOf(("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer")), "compression.type",
            "The codec that batches are stored in; `producer` stores them as they were sent."),
    _define("compression.zstd.level", _INT, "3", Between(-131072, 22), "compression.zstd.level",
            "How hard zstd tries when the broker recompresses: negative is fastest, 22 is smallest."),
    _define("confluent.key.schema.validation", _BOOLEAN, "false", None, "",
            "Whether every record's key must begin with the id of a schema that is registered for this topic; null "
            "keys pass. The Schema Registry must keep its schemas in this cluster."),
    _define("confluent.key.subject.name.strategy", _STRING, TOPIC_NAME_STRATEGY, OneOf(STRATEGIES), "",
            "The subject that a key's schema must be registered under, where keys are validated: of the topic, of the "
            "record's name, or of both."),
    _define("confluent.value.schema.validation", _BOOLEAN, "false", None, "",
            "Whether every record's value must begin with the id of a schema that is registered for this topic; null "
            "values pass. The Schema Registry must keep its schemas in this cluster."),
    _define("confluent.value.subject.name.strategy", _STRING, TOPIC_NAME_STRATEGY, OneOf(STRATEGIES), "",
            "The subject that a value's schema must be registered under, where values are validated: of the topic, of "
            "the record's name, or of both."),
    _define("delete.retention.ms", _LONG, "86400000", AtLeast(0), "log.cleaner.delete.retention.ms",
            "How long compaction keeps tombstones, so that a reader who started at the beginning still sees them."),
    _define("file.delete.delay.ms", _LONG, "60000", AtLeast(0), "log.segment.delete.delay.ms",
            "How long the file of a deleted segment stays on disk for reads that are under way."),
    _define("flush.messages", _LONG, str(LONG_MAX), AtLeast(1), "log.flush.interval.messages",
            "Force the log to disk after this many records; 1 means before each acknowledgement."),
    _define("flush.ms", _LONG, str(LONG_MAX), AtLeast(0),
            (BrokerSynonym("log.flush.interval.ms"), BrokerSynonym("log.flush.scheduler.interval.ms")),
            "Force the log to disk when its oldest unflushed record is this old."),
    _define("follower.replication.throttled.replicas", _LIST, "", throttled_replicas, "",
            "Replicas whose following is throttled, as `partition:broker` pairs or `*`."),
    _define("index.interval.bytes", _INT, "4096", AtLeast(0), "log.index.interval.bytes",
            "How many bytes of records lie between two entries of the offset index."),
    _define("internal.segment.bytes", _INT, "", None, "",
            "Segment size without a lower bound, for tests.", is_internal=True),
    _define("leader.replication.throttled.replicas", _LIST, "", throttled_replicas, "",
            "Replicas whose leader side is throttled, as `partition:broker` pairs or `*`."),
    _define("local.retention.bytes", _LONG, "-2", AtLeast(-2), "log.local.retention.bytes",
            "With tiered storage, how much stays on this broker; -2 means as `retention.bytes`."),
    _define("local.retention.ms", _LONG, "-2", AtLeast(-2), "log.local.retention.ms",
            "With tiered storage, how long records stay on this broker; -2 means as `retention.ms`."),
    _define("max.compaction.lag.ms", _LONG, str(LONG_MAX), AtLeast(1), "log.cleaner.max.compaction.lag.ms",
            "A record older than this must be compacted soon, however little there is to gain."),
    _define("max.message.bytes", _INT, "1048588", AtLeast(0), "message.max.bytes",
            "The largest record batch that is accepted, in bytes as sent (after compression)."),
    _define("message.timestamp.after.max.ms", _LONG, "3600000", AtLeast(0), "log.message.timestamp.after.max.ms",
            "How far a record's timestamp may lie ahead of the broker's clock."),
    _define("message.timestamp.before.max.ms", _LONG, str(LONG_MAX), AtLeast(0), "log.message.timestamp.before.max.ms",
            "How far a record's timestamp may lie behind the broker's clock."),
    _define("message.timestamp.type", _STRING, "CreateTime", OneOf(("CreateTime", "LogAppendTime")),
            "log.message.timestamp.type",
            "Whether records keep the producer's timestamp or get the time they were appended."),
    _define("min.cleanable.dirty.ratio", _DOUBLE, "0.5", Between(0, 1), "log.cleaner.min.cleanable.ratio",
            "The share of uncompacted bytes from which a compacted log is compacted again."),
    _define("min.compaction.lag.ms", _LONG, "0", AtLeast(0), "log.cleaner.min.compaction.lag.ms",
            "A record younger than this is never compacted away."),
    # Differs from Kafka: min.insync.replicas has its static default, because there are no eligible leader replicas
    # (KIP-966), which make a new cluster of Kafka set it as a dynamic one.
    _define("min.insync.replicas", _INT, "1", AtLeast(1), "min.insync.replicas",
            "How many replicas must be in sync for a write with acks=all to be accepted."),
    _define("preallocate", _BOOLEAN, "false", None, "log.preallocate",
            "Whether a new segment's file gets its full size at once."),
    _define("remote.log.copy.disable", _BOOLEAN, "false", None, "",
            "With tiered storage, whether copying to the remote tier is paused."),
    _define("remote.log.delete.on.disable", _BOOLEAN, "false", None, "",
            "Whether turning tiered storage off deletes what the remote tier holds."),
    _define("remote.storage.enable", _BOOLEAN, "false", None, "",
            "Whether old segments move to a remote tier."),
    _define("retention.bytes", _LONG, "-1", None, "log.retention.bytes",
            "The oldest segments of a partition are deleted while it is larger than this; -1 means no limit."),
    _define("retention.ms", _LONG, "604800000", AtLeast(-1),
            (BrokerSynonym("log.retention.ms"), BrokerSynonym("log.retention.minutes", MINUTES),
             BrokerSynonym("log.retention.hours", HOURS)),
            "Segments whose newest record is older than this are deleted; -1 means never."),
    _define("segment.bytes", _INT, "1073741824", AtLeast(1024 * 1024), "log.segment.bytes",
            "The size at which a segment file is closed and a new one begun."),
    _define("segment.index.bytes", _INT, "10485760", AtLeast(4), "log.index.size.max.bytes",
            "The largest size of a segment's offset index."),
    _define("segment.jitter.ms", _LONG, "0", AtLeast(0),
            (BrokerSynonym("log.roll.jitter.ms"), BrokerSynonym("log.roll.jitter.hours", HOURS)),
            "Up to this much, at random, is taken off `segment.ms`, so that not all logs roll at once."),
    _define("segment.ms", _LONG, "604800000", AtLeast(1),
            (BrokerSynonym("log.roll.ms"), BrokerSynonym("log.roll.hours", HOURS)),
            "The age at which a segment is closed even if it is not full."),
    _define("unclean.leader.election.enable", _BOOLEAN, "false", None, "unclean.leader.election.enable",
            "Whether a replica that was not in sync may lead when no other is left, losing records."),
)
# fmt: on

DEFINITIONS: Final[Mapping[str, TopicConfigDefinition]] = {definition.name: definition for definition in _DEFINITIONS}
"""Every topic config by name, in alphabetical order."""

# Differs from Kafka: topics have the configs `confluent.key.schema.validation`, `confluent.value.schema.validation` and
# two for their subjects, because Confluent Server has them; Kafka refuses them as unknown.
VALIDATION_CONFIGS: Final = tuple(name for name in DEFINITIONS if name.startswith("confluent."))
"""Confluent Server's own, which Apache Kafka does not know."""


def known_to_kafka(configs: Mapping[str, str]) -> dict[str, str]:
    """Those of a topic's configs that Apache Kafka takes too."""
    return {name: value for name, value in configs.items() if name not in VALIDATION_CONFIGS}


DEFINITION_BY_BROKER_CONFIG: Final[Mapping[str, TopicConfigDefinition]] = {
    synonym.name: definition
    for definition in _DEFINITIONS
    for synonym in definition.broker_synonyms
    if synonym.unit_ms == 1
}
"""Which topic config a broker config is the default of, and whose type and rule it therefore shares."""


def check_overrides(overrides: Mapping[str, str], layers: BrokerLayers) -> None:
    """Check what is set on a topic. Raises InvalidConfig, in the order and words of Kafka."""
    for name in overrides:
        if name not in DEFINITIONS:
            raise InvalidConfig(f"Unknown topic config name: {name}")
    for name, definition in DEFINITIONS.items():
        if name in overrides:
            definition.parse(overrides[name])
    shortest, longest = (_number(f"{bound}.compaction.lag.ms", overrides, layers) for bound in ("min", "max"))
    if shortest > longest:
        detail = f"min.compaction.lag.ms ({shortest}) > max.compaction.lag.ms ({longest})"
        raise InvalidConfig(f"conflict topic config setting {detail}")
    if typed_value("remote.storage.enable", overrides, layers):
        tiered_storage = "Tiered Storage functionality is disabled in the broker."
        raise InvalidConfig(f"{tiered_storage} Topic cannot be configured with remote log storage.")


def typed_value(name: str, overrides: Mapping[str, str], layers: BrokerLayers) -> Value:
    """The value that holds for a topic: its own, else the broker's, else the default."""
    definition = DEFINITIONS[name]
    if name in overrides:
        return definition.parse(overrides[name])
    for synonym in definition.broker_synonyms:
        text = value_of(synonym.name, layers)
        if text is not None:
            return _from_broker(definition, synonym, text)
    return definition.parse(definition.default)


def _from_broker(definition: TopicConfigDefinition, synonym: BrokerSynonym, text: str) -> Value:
    if synonym.unit_ms == 1:
        return parse(synonym.name, text, definition.type)
    number = parse(synonym.name, text, ConfigType.INT)
    assert isinstance(number, int)
    return number * synonym.unit_ms if number >= 0 else -1


def _number(name: str, overrides: Mapping[str, str], layers: BrokerLayers) -> int:
    value = typed_value(name, overrides, layers)
    assert isinstance(value, int)
    return value


def log_config(overrides: Mapping[str, str], layers: BrokerLayers) -> LogConfig:
    """What a topic's configs mean to its partitions' logs. `overrides` must have passed `check_overrides`."""
    values = {name: typed_value(name, overrides, layers) for name in LOG_CONFIG_FIELDS}
    if "internal.segment.bytes" in overrides:
        values["segment.bytes"] = typed_value("internal.segment.bytes", overrides, layers)
    values["cleanup.policy"] = to_text(values["cleanup.policy"])
    return LogConfig(**{field: values[name] for name, field in LOG_CONFIG_FIELDS.items()})  # type: ignore[arg-type]


LOG_CONFIG_FIELDS: Final = {
    "cleanup.policy": "cleanup_policy",
    "compression.type": "compression_type",
    "delete.retention.ms": "delete_retention_ms",
    "file.delete.delay.ms": "file_delete_delay_ms",
    "flush.messages": "flush_messages",
    "flush.ms": "flush_ms",
    "index.interval.bytes": "index_interval_bytes",
    "max.compaction.lag.ms": "max_compaction_lag_ms",
    "max.message.bytes": "max_message_bytes",
    "message.timestamp.after.max.ms": "message_timestamp_after_max_ms",
    "message.timestamp.before.max.ms": "message_timestamp_before_max_ms",
    "message.timestamp.type": "message_timestamp_type",
    "min.cleanable.dirty.ratio": "min_cleanable_dirty_ratio",
    "min.compaction.lag.ms": "min_compaction_lag_ms",
    "preallocate": "preallocate",
    "retention.bytes": "retention_bytes",
    "retention.ms": "retention_ms",
    "segment.bytes": "segment_bytes",
    "segment.index.bytes": "segment_index_bytes",
    "segment.jitter.ms": "segment_jitter_ms",
    "segment.ms": "segment_ms",
}
"""The topic configs that a log reads, and the LogConfig field each becomes."""


def describe(
    overrides: Mapping[str, str],
    layers: BrokerLayers,
    names: Iterable[str] | None = None,
    *,
    defaults: Mapping[str, ConfigEntry] | None = None,
) -> list[ConfigEntry]:
    """A topic's configs as DescribeConfigs and CreateTopics v5+ show them, in alphabetical order.

    `names` keeps only those; None or none at all means every config (a name that does not exist is passed over).
    `defaults` spares computing what a topic without overrides shows: see `describe_defaults`.
    """
    wanted, defaults = set(names or ()), defaults or {}
    return [
        _entry(definition, overrides, layers) if name in overrides or name not in defaults else defaults[name]
        for name, definition in DEFINITIONS.items()
        if (not wanted or name in wanted) and (not definition.is_internal or name in overrides)
    ]


def describe_defaults(layers: BrokerLayers) -> dict[str, ConfigEntry]:
    """What a topic shows that has nothing set; it changes with the broker's configs only."""
    return {entry.name: entry for entry in describe({}, layers)}


def _entry(definition: TopicConfigDefinition, overrides: Mapping[str, str], layers: BrokerLayers) -> ConfigEntry:
    name = definition.name
    value = to_text(typed_value(name, overrides, layers))
    synonyms: tuple[Synonym, ...] = ()
    if definition.broker_synonyms:
        synonyms = synonyms_of((synonym.name for synonym in definition.broker_synonyms), layers)
    if name in overrides:
        synonyms = (Synonym(name, value, ConfigSource.TOPIC), *synonyms)
    source = synonyms[0].source if synonyms else ConfigSource.DEFAULT
    return ConfigEntry(name, value, source, definition.type, synonyms, documentation=definition.documentation)
