"""Values and messages here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import pytest

from broker.config import DEFINITIONS as BROKER_DEFINITIONS
from broker.errors import InvalidConfig
from broker.log import LogConfig
from broker.metadata.config_entries import ConfigSource
from broker.metadata.topic_configs import DEFINITIONS, check_overrides, describe, log_config

DEFAULTS = {name: d.default for name, d in BROKER_DEFINITIONS.items() if d.default is not None}


def layers(*, broker=None, cluster=None, static=None):
    return (
        (ConfigSource.DYNAMIC_BROKER, broker or {}),
        (ConfigSource.DYNAMIC_DEFAULT_BROKER, cluster or {}),
        (ConfigSource.STATIC_BROKER, static or {}),
        (ConfigSource.DEFAULT, DEFAULTS),
    )


def entry(name, overrides=None, **which):
    (found,) = describe(overrides or {}, layers(**which), [name])
    return found


def synonyms(name, overrides=None, **which):
    return [(s.name, s.value, int(s.source)) for s in entry(name, overrides, **which).synonyms]


def test_the_defaults_are_those_that_a_log_has_by_itself():
    assert log_config({}, layers()) == LogConfig()


def test_kafkas_33_configs_and_confluents_4_are_described_and_the_internal_one_only_where_it_is_set():
    names = [entry.name for entry in describe({}, layers())]
    assert len(names) == 33 + 4
    assert [name for name in names if name.startswith("confluent.")] == [
        "confluent.key.schema.validation",
        "confluent.key.subject.name.strategy",
        "confluent.value.schema.validation",
        "confluent.value.subject.name.strategy",
    ]
    assert len(describe({"internal.segment.bytes": "100"}, layers())) == 38


@pytest.mark.parametrize("side", ["key", "value"])
def test_what_cannot_be_validated_by_is_refused(side):
    validation, strategy = f"confluent.{side}.schema.validation", f"confluent.{side}.subject.name.strategy"
    with pytest.raises(InvalidConfig, match=f"yes for configuration {validation}: Expected value to be either true or"):
        check_overrides({validation: "yes"}, layers())
    with pytest.raises(InvalidConfig, match=f"TopicName for configuration {strategy}: String must be one of: io.conf"):
        check_overrides({strategy: "TopicName"}, layers())
    known = "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"
    assert entry(strategy, {strategy: known}).value == known
    assert (entry(validation).value, entry(strategy).value.rpartition(".")[2]) == ("false", "TopicNameStrategy")


def test_every_config_has_documentation_a_default_and_a_fitting_broker_config():
    for definition in DEFINITIONS.values():
        assert definition.documentation.endswith(".")
        if not definition.is_internal:
            definition.parse(definition.default)
        for synonym in definition.broker_synonyms:
            assert synonym.name in BROKER_DEFINITIONS


@pytest.mark.parametrize(
    ("name", "default_synonyms"),
    [
        ("cleanup.policy", [("log.cleanup.policy", "delete", 5)]),
        ("max.message.bytes", [("message.max.bytes", "1048588", 5)]),
        ("retention.ms", []),
        ("flush.ms", []),
        ("segment.jitter.ms", []),
        ("segment.ms", []),
        ("preallocate", [("log.preallocate", "false", 5)]),
        ("remote.storage.enable", []),
    ],
)
def test_an_untouched_config_has_the_source_default_and_its_broker_synonym(name, default_synonyms):
    assert synonyms(name) == default_synonyms
    assert entry(name).source is ConfigSource.DEFAULT


def test_synonyms_come_strongest_first():
    assert synonyms(
        "retention.ms",
        {"retention.ms": "111"},
        broker={"log.retention.ms": "88888888"},
        cluster={"log.retention.ms": "123456789"},
    ) == [
        ("retention.ms", "111", 1),
        ("log.retention.ms", "88888888", 2),
        ("log.retention.ms", "123456789", 3),
        ("log.retention.hours", "168", 5),
    ]


def test_the_strongest_layer_decides():
    assert entry("retention.ms", cluster={"log.retention.ms": "3"}).value == "3"
    assert entry("retention.ms", cluster={"log.retention.ms": "3"}, broker={"log.retention.ms": "2"}).value == "2"
    assert entry("retention.ms", cluster={"log.retention.ms": "3"}).source is ConfigSource.DYNAMIC_DEFAULT_BROKER


@pytest.mark.parametrize(
    ("static", "retention_ms"),
    [
        ({"log.retention.hours": "1"}, 3_600_000),
        ({"log.retention.minutes": "1", "log.retention.hours": "9"}, 60_000),
        ({"log.retention.ms": "1", "log.retention.minutes": "9"}, 1),
        ({"log.retention.hours": "-1"}, -1),
    ],
)
def test_retention_comes_from_the_finest_unit_that_is_set(static, retention_ms):
    assert log_config({}, layers(static=static)).retention_ms == retention_ms


def test_an_age_that_only_hours_tell_shows_no_synonym():
    assert synonyms("retention.ms", static={"log.retention.hours": "1"}) == []
    assert entry("retention.ms", static={"log.retention.hours": "1"}).value == "3600000"


def test_values_are_shown_as_they_were_understood():
    overrides = {
        "retention.ms": " 5 ",
        "preallocate": "TRUE",
        "cleanup.policy": "delete,delete , compact",
        "min.cleanable.dirty.ratio": ".50",
        "retention.bytes": "+5",
    }
    check_overrides(overrides, layers())
    assert {e.name: e.value for e in describe(overrides, layers(), overrides)} == {
        "cleanup.policy": "delete,compact",
        "min.cleanable.dirty.ratio": "0.5",
        "preallocate": "true",
        "retention.bytes": "5",
        "retention.ms": "5",
    }


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"nope": "1"}, "Unknown topic config name: nope"),
        ({" retention.ms": "5"}, "Unknown topic config name:  retention.ms"),
        ({"message.format.version": "2.0"}, "Unknown topic config name: message.format.version"),
        ({"retention.ms": "x"}, "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        ({"retention.ms": ""}, "Invalid value  for configuration retention.ms: Not a number of type LONG"),
        ({"retention.ms": "-2"}, "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        (
            {"cleanup.policy": "none,delete"},
            "Invalid value none for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            {"segment.bytes": "1000"},
            "Invalid value 1000 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            {"segment.bytes": "99999999999"},
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
        ),
        (
            {"min.cleanable.dirty.ratio": "1.5"},
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            {"compression.type": "GZIP"},
            "Invalid value GZIP for configuration compression.type: "
            "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            {"compression.gzip.level": "0"},
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            {"compression.zstd.level": "-131073"},
            "Invalid value -131073 for configuration compression.zstd.level: Value must be at least -131072",
        ),
        ({"flush.messages": "0"}, "Invalid value 0 for configuration flush.messages: Value must be at least 1"),
        ({"segment.ms": "0"}, "Invalid value 0 for configuration segment.ms: Value must be at least 1"),
        (
            {"segment.index.bytes": "3"},
            "Invalid value 3 for configuration segment.index.bytes: Value must be at least 4",
        ),
        (
            {"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"},
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
        ),
        (
            {"remote.storage.enable": "true"},
            "Tiered Storage functionality is disabled in the broker. "
            "Topic cannot be configured with remote log storage.",
        ),
    ],
)
def test_what_kafka_refuses_is_refused_with_its_message(overrides, message):
    with pytest.raises(InvalidConfig) as refused:
        check_overrides(overrides, layers())
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "overrides",
    [
        {"cleanup.policy": ""},
        {"min.insync.replicas": "5"},
        {"retention.bytes": "-5"},
        {"local.retention.ms": "100000000000"},
        {"remote.log.copy.disable": "true"},
        {"leader.replication.throttled.replicas": "*"},
        {"internal.segment.bytes": "100"},
        {"segment.bytes": "1048576"},
    ],
)
def test_what_kafka_accepts_is_accepted(overrides):
    check_overrides(overrides, layers())


def test_a_log_gets_every_config_that_it_reads():
    config = log_config(
        {
            "cleanup.policy": "delete, compact",
            "flush.messages": "1",
            "internal.segment.bytes": "100",
            "max.message.bytes": "7",
            "message.timestamp.type": "LogAppendTime",
            "min.cleanable.dirty.ratio": "0.1",
            "preallocate": "true",
        },
        layers(static={"log.index.interval.bytes": "8"}),
    )
    assert config == LogConfig(
        cleanup_policy="delete,compact",
        flush_messages=1,
        segment_bytes=100,
        max_message_bytes=7,
        message_timestamp_type="LogAppendTime",
        min_cleanable_dirty_ratio=0.1,
        preallocate=True,
        index_interval_bytes=8,
    )
