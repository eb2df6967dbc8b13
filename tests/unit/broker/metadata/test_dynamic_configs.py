"""Rules and messages here were measured on Apache Kafka 4.3.1 unless a test says otherwise."""

import pytest

from broker.config import broker_config
from broker.errors import InvalidConfig, InvalidRequest
from broker.metadata.dynamic_configs import DYNAMIC_CONFIGS_FILE, DynamicConfigs, check


@pytest.fixture
def configs(tmp_path):
    opened = DynamicConfigs(tmp_path, broker_config({"node.id": "1", "log.segment.bytes": "2000000"}))
    opened.open()
    return opened


def described(configs, name, *, for_cluster=False):
    (found,) = configs.describe(for_cluster=for_cluster, names=[name])
    return found


def synonyms(configs, name, **kind):
    return [(s.name, s.value, int(s.source)) for s in described(configs, name, **kind).synonyms]


def test_settings_survive_a_restart(configs, tmp_path):
    configs.replace({"log.retention.ms": "1"}, for_cluster=True)
    configs.replace({"log.retention.ms": "2"}, for_cluster=False)
    again = DynamicConfigs(tmp_path, broker_config({}))
    again.open()
    assert again.of_cluster() == {"log.retention.ms": "1"}
    assert again.of_broker() == {"log.retention.ms": "2"}


def test_a_damaged_file_is_an_error_not_a_silent_loss(configs, tmp_path):
    configs.replace({"log.retention.ms": "1"}, for_cluster=True)
    path = tmp_path / DYNAMIC_CONFIGS_FILE
    path.write_bytes(path.read_bytes().replace(b"retention", b"retentiom"))
    with pytest.raises(ValueError, match=r"dynamic-configs\.json is damaged"):
        DynamicConfigs(tmp_path, broker_config({})).open()


def test_one_damaged_line_costs_nothing(configs, tmp_path):
    configs.replace({"log.retention.ms": "1"}, for_cluster=True)
    path = tmp_path / DYNAMIC_CONFIGS_FILE
    path.write_bytes(path.read_bytes().replace(b"retention", b"retentiom", 1))
    again = DynamicConfigs(tmp_path, broker_config({}))
    again.open()
    assert again.of_cluster() == {"log.retention.ms": "1"}


def test_a_change_is_told_and_reaches_the_logs(configs):
    told = []
    configs.on_change = lambda: told.append(configs.log_config({}).retention_ms)
    configs.replace({"log.retention.ms": "7"}, for_cluster=False)
    assert told == [7]


def test_topic_configs_are_checked_before_they_reach_a_log(configs):
    with pytest.raises(InvalidConfig):
        configs.log_config({"nope": "1"})


def test_a_key_without_a_value_is_as_good_as_not_there(tmp_path):
    # Ours; such lines stand in properties files that people copy.
    config = DynamicConfigs(tmp_path, broker_config({"log.retention.ms": "", "log.cleanup.policy": ""})).log_config({})
    assert (config.retention_ms, config.cleanup_policy) == (604_800_000, "")


def test_layers_are_shown_strongest_first(configs):
    configs.replace({"log.segment.bytes": "3000000"}, for_cluster=True)
    configs.replace({"log.segment.bytes": "4000000"}, for_cluster=False)
    assert synonyms(configs, "log.segment.bytes") == [
        ("log.segment.bytes", "4000000", 2),
        ("log.segment.bytes", "3000000", 3),
        ("log.segment.bytes", "2000000", 4),
        ("log.segment.bytes", "1073741824", 5),
    ]


def test_the_default_of_all_brokers_shows_only_what_was_set_there(configs):
    configs.replace({"log.retention.ms": "123456789"}, for_cluster=True)
    assert [entry.name for entry in configs.describe(for_cluster=True)] == ["log.retention.ms"]
    assert synonyms(configs, "log.retention.ms", for_cluster=True) == [("log.retention.ms", "123456789", 3)]


def test_log_retention_ms_unset_is_null_without_synonyms(configs):
    entry = described(configs, "log.retention.ms")
    assert (entry.value, entry.synonyms, entry.source) == (None, (), 5)


@pytest.mark.parametrize(
    ("name", "is_read_only"),
    [
        ("node.id", True),
        ("log.retention.hours", True),
        ("log.retention.ms", False),
        ("message.max.bytes", False),
        ("auto.create.topics.enable", True),
        ("listeners", True),  # ours: they are bound once
    ],
)
def test_what_cannot_change_is_read_only(configs, name, is_read_only):
    assert described(configs, name).is_read_only is is_read_only


def test_the_node_id_is_a_static_config_and_so_is_its_older_name(configs):
    assert described(configs, "node.id").source == 4
    assert synonyms(configs, "broker.id") == [("broker.id", "1", 4), ("broker.id", "-1", 5)]


def test_passwords_and_unknown_configs_are_never_shown(configs):
    configs.replace({"nope.nope": "2", "listener.name.plain.ssl.key.password": "x"}, for_cluster=False)
    for name in ("nope.nope", "listener.name.plain.ssl.key.password", "ssl.keystore.password"):
        assert described(configs, name).value is None
        assert described(configs, name).is_sensitive
    assert all(s.value is None for s in described(configs, "nope.nope").synonyms)


def test_every_config_has_one_line_of_documentation(configs):
    for entry in configs.describe(for_cluster=False):
        assert entry.documentation
        assert "\n" not in entry.documentation


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"node.id": "2"}, "Cannot update these configs dynamically: [node.id]"),
        ({"log.retention.hours": "2"}, "Cannot update these configs dynamically: [log.retention.hours]"),
        (
            {"ssl.key.password": "x"},
            "These security configs can be dynamically updated only per-listener using the listener prefix: "
            "[ssl.key.password]",
        ),
        (
            {"log.cleaner.threads": "x"},
            "Invalid value x for configuration log.cleaner.threads: Not a number of type INT",
        ),
        (
            {"log.retention.ms": "0"},
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
    ],
)
def test_what_kafka_refuses_is_refused_with_its_message(settings, message):
    with pytest.raises(InvalidRequest) as refused:
        check(settings, for_cluster=False)
    assert str(refused.value) == message


def test_a_per_broker_config_cannot_be_the_default_of_all():
    check({"max.connections.per.ip": "5"}, for_cluster=False)
    with pytest.raises(InvalidRequest) as refused:
        check({"max.connections.per.ip": "5"}, for_cluster=True)
    assert str(refused.value) == (
        "Cannot update these configs at default cluster level, broker id must be specified: [max.connections.per.ip]"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"nope.nope": "2"},
        {"message.max.bytes": "2000000"},
        {"log.retention.ms": "-1"},
        {"follower.replication.throttled.rate": "1000"},
        {"listener.name.plaintext.ssl.client.auth": "none"},
    ],
)
def test_what_kafka_accepts_is_accepted(settings):
    check(settings, for_cluster=False)
