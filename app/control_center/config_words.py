"""Configs for people: what the common ones mean in one sentence, and their values in words."""

import re

from app.control_center import words
from app.kafka.ports import ConfigEntry, ConfigSource

SOURCES = {
    ConfigSource.DYNAMIC_TOPIC_CONFIG: "this topic",
    ConfigSource.DYNAMIC_BROKER_CONFIG: "this broker, set while running",
    ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG: "all brokers, set while running",
    ConfigSource.STATIC_BROKER_CONFIG: "broker's file",
    ConfigSource.DEFAULT_CONFIG: "default",
    ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG: "broker's logger",
    ConfigSource.UNKNOWN: "not known",
}
CONFIG_WORDS = {
    "cleanup.policy": "What happens to old records: delete drops them by age or size, compact keeps each key's last.",
    "compression.type": "How the broker stores batches; producer keeps what the producer chose.",
    "confluent.key.schema.validation": "Whether every key must carry the id of a schema registered for the topic.",
    "confluent.key.subject.name.strategy": "Which subject a key's schema must be registered under.",
    "confluent.value.schema.validation": "Whether every value must carry the id of a schema registered for the topic.",
    "confluent.value.subject.name.strategy": "Which subject a value's schema must be registered under.",
    "delete.retention.ms": "How long a deletion mark (a record without value) stays in a compacted topic.",
    "file.delete.delay.ms": "How long a deleted segment's files stay on disk.",
    "flush.messages": "Force a disk write after this many records.",
    "flush.ms": "Force a disk write after this time.",
    "index.interval.bytes": "One index entry for about this many bytes of log.",
    "max.compaction.lag.ms": "The longest that a record may stay out of compaction.",
    "max.message.bytes": "The largest record batch that the topic accepts, after compression.",
    "message.timestamp.after.max.ms": "How far in the future a record's time may lie.",
    "message.timestamp.before.max.ms": "How far in the past a record's time may lie.",
    "message.timestamp.type": "Whether a record's time is the producer's (CreateTime) or the broker's (LogAppendTime).",
    "min.cleanable.dirty.ratio": "How much of the log must be uncompacted before compaction starts.",
    "min.compaction.lag.ms": "The least time that a record stays as it is before it may be compacted.",
    "min.insync.replicas": "How many copies must have a record before a write with acks=all succeeds.",
    "preallocate": "Take the disk space of a segment when it is made.",
    "retention.bytes": "How large a partition may grow before its oldest segments are deleted.",
    "retention.ms": "How long records are kept before their segment is deleted.",
    "segment.bytes": "How large one file of the log grows before the next begins.",
    "segment.index.bytes": "How large the index of one segment may grow.",
    "segment.jitter.ms": "A random delay, so that many segments do not roll at once.",
    "segment.ms": "After this time a new segment begins, even when the old one is not full.",
    "unclean.leader.election.enable": "Whether a copy that is behind may lead when no other is left, losing records.",
}
NO_LIMIT = {"9223372036854775807"}
_MARKUP = re.compile(r"</?[a-z]+[^>]*>|`")


def source_words(source: ConfigSource) -> str:
    return SOURCES.get(source, "not known")


def documentation_words(entry: ConfigEntry) -> str:
    """What the broker says about a config: Kafka writes HTML there, others Markdown; a page wants plain words."""
    return " ".join(_MARKUP.sub("", entry.documentation or "").split())


def friendly_value(name: str, value: str | None) -> str:
    """'604800000' of retention.ms -> '7 days'; '' where the value speaks for itself."""
    if value is None or not value.lstrip("-").isdigit():
        return ""
    if value in NO_LIMIT:
        return "no limit"
    number = int(value)
    if name.endswith(".ms"):
        return "no limit" if number < 0 else words.exact_span(number) if number >= words.SECOND_MS else ""
    if name.endswith(".bytes"):
        return "no limit" if number < 0 else words.size(number) if number >= 1024 else ""
    return ""
