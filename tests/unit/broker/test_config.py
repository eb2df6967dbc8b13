"""Broker settings: Kafka's names and defaults, and what is refused."""

import pytest

from broker.config import (
    DEFINITIONS,
    BrokerConfig,
    ConfigError,
    Listener,
    broker_config,
    nearest_name,
    parse_listeners,
    read_properties,
)
from broker.metadata.broker_configs import KAFKA_BROKER_CONFIGS


def test_nothing_given_means_the_defaults():
    assert broker_config({}) == BrokerConfig()


def test_every_config_of_kafka_is_known():
    assert len(KAFKA_BROKER_CONFIGS) == 340
    assert KAFKA_BROKER_CONFIGS.keys() <= DEFINITIONS.keys()


@pytest.mark.parametrize(
    ("key", "text", "attribute", "value"),
    [
        ("num.partitions", "3", "num_partitions", 3),
        ("auto.create.topics.enable", "False", "auto_create_topics_enable", False),
        ("node.id", "7", "node_id", 7),
        ("broker.id", "7", "node_id", 7),
        ("caudal.flush.mode", "always", "caudal_flush_mode", "always"),
        ("broker.rack", "r1", "broker_rack", "r1"),
    ],
)
def test_a_setting_is_typed(key, text, attribute, value):
    assert getattr(broker_config({key: text}), attribute) == value


def test_a_config_without_effect_is_accepted_and_shown():
    config = broker_config({"num.network.threads": "9"})
    assert config.value("num.network.threads") == "9"
    assert config.value("num.io.threads") == "8"


def test_an_unknown_setting_names_the_nearest_known_one():
    with pytest.raises(ConfigError, match=r"log\.retention\.hour; did you mean log\.retention\.hours\?"):
        broker_config({"log.retention.hour": "1"})
    assert nearest_name("zzzzzzzzzzzz") is None


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("num.partitions", "many"),
        ("num.partitions", "0"),
        ("num.partitions", "99999999999"),
        ("auto.create.topics.enable", "yes"),
        ("log.cleaner.min.cleanable.ratio", "half"),
        ("caudal.flush.mode", "sometimes"),
        ("compression.type", "rar"),
        ("listeners", "nonsense"),
        ("listeners", "127.0.0.1:99999"),
        ("listeners", "A://127.0.0.1:1,A://127.0.0.1:2"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(key, text):
    with pytest.raises(ConfigError, match=key.replace(".", r"\.").rstrip("s")):
        broker_config({key: text})


def test_listeners_have_names_and_advertised_addresses():
    config = broker_config(
        {
            "listeners": "INSIDE://127.0.0.1:9092,OUTSIDE://:9093",
            "advertised.listeners": "OUTSIDE://kafka.example.org:443",
        }
    )
    assert config.listeners == (
        Listener("INSIDE", "127.0.0.1", 9092, "127.0.0.1", 9092),
        Listener("OUTSIDE", "", 9093, "kafka.example.org", 443),
    )


def test_a_wildcard_listener_advertises_what_the_client_dials():
    (listener,) = parse_listeners("0.0.0.0:9092")
    assert listener.advertised_host == ""
    assert not listener.is_loopback


def test_an_ipv6_address_stands_in_brackets():
    (listener,) = parse_listeners("[::1]:9092")
    assert (listener.host, listener.is_loopback, listener.address) == ("::1", True, "[::1]:9092")


def test_the_controller_listener_of_a_copied_file_is_left_out():
    config = broker_config(
        {"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "controller.listener.names": "CONTROLLER"}
    )
    assert [listener.name for listener in config.listeners] == ["PLAINTEXT"]


def test_properties_file_as_java_reads_it(tmp_path):
    path = tmp_path / "server.properties"
    path.write_text("# comment\n! another\n\nnum.partitions = 3\nnode.id: 4\nlog.dirs=/a,\\\n   /b\nbroker.rack\n")
    assert read_properties(path) == {
        "num.partitions": "3",
        "node.id": "4",
        "log.dirs": "/a,/b",
        "broker.rack": "",
    }


def test_a_properties_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.properties"):
        read_properties(tmp_path / "missing.properties")


def test_each_listener_has_a_security_protocol():
    config = broker_config(
        {
            "listeners": "SSL://:9092,INNER://127.0.0.1:9093,OUTER://:9094",
            "listener.security.protocol.map": "SSL:SSL,INNER:PLAINTEXT,OUTER:SASL_SSL",
        }
    )
    assert [listener.security_protocol for listener in config.listeners] == ["SSL", "PLAINTEXT", "SASL_SSL"]


def test_a_listener_that_the_map_leaves_out_is_refused():
    with pytest.raises(ConfigError, match=r"security\.protocol\.map"):
        broker_config({"listeners": "A://:1", "listener.security.protocol.map": "B:SSL"})


@pytest.mark.parametrize(
    "name",
    ["listener.name.outer.ssl.client.auth", "listener.name.outer.plain.sasl.jaas.config", "super.users"],
)
def test_settings_of_one_listener_are_known(name):
    assert broker_config({name: "none"}).given[name] == "none"


@pytest.mark.parametrize(
    "name", ["listener.name.outer", "listener.name.outer.nonsense", "listener.name.outer.plain.nonsense"]
)
def test_an_unknown_setting_of_one_listener_is_refused(name):
    with pytest.raises(ConfigError, match="unknown setting"):
        broker_config({name: "x"})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"group.share.record.lock.duration.ms": "1000"}, "group.share.min.record.lock.duration.ms=15000"),
        ({"group.share.session.timeout.ms": "60001"}, "group.share.max.session.timeout.ms=60000"),
        ({"group.share.max.delivery.count.limit": "3"}, "group.share.max.delivery.count.limit=3"),
        (
            {"group.share.min.delivery.count.limit": "8", "group.share.max.delivery.count.limit": "7"},
            "expected at least",
        ),
        (
            {"group.share.max.heartbeat.interval.ms": "50000", "group.share.heartbeat.interval.ms": "45000"},
            "expected less than group.share.session.timeout.ms",
        ),
        ({"group.share.assignors": "range"}, "expected some of simple"),
    ],
)
def test_settings_of_share_groups_must_fit_together(settings: dict[str, str], named: str):
    with pytest.raises(ConfigError) as refused:
        broker_config(settings)
    assert named in str(refused.value)
