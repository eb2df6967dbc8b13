"""The settings of listeners: JAAS texts, mechanisms, certificates, and who may listen where."""

import pytest

from broker.config import ConfigError, broker_config
from broker.security.jaas import parse_jaas, plain_users
from broker.security.listener_security import check_reachable, listener_security
from broker.security.principal_mapping import PrincipalMapping
from broker.security.tls import distinguished_name

JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b" user_c="d\\"=;";'


def security(listener: str, **settings: str):
    dotted = {name if "." in name else name.replace("_", "."): text for name, text in settings.items()}
    config = broker_config({"listeners": listener, **dotted})
    return config, config.listeners[0]


def test_jaas_quotes_are_read():
    assert plain_users(parse_jaas(JAAS)) == {"c": 'd"=;'}


@pytest.mark.parametrize(
    "text", ["", "Module", "Module required", 'Module required user_a="b"', 'M required user_a="b;']
)
def test_a_jaas_text_that_cannot_be_read_is_refused_without_repeating_it(text):
    with pytest.raises(ConfigError) as refused:
        parse_jaas(text)
    assert "user_a" not in str(refused.value)


def test_the_nearest_setting_counts():
    config, listener = security(
        "SASL_PLAINTEXT://127.0.0.1:1",
        sasl_enabled_mechanisms="SCRAM-SHA-256",
        connections_max_reauth_ms="1",
        **{
            "listener.name.sasl_plaintext.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": JAAS,
            "listener.name.sasl_plaintext.plain.connections.max.reauth.ms": "2",
        },
    )
    found = listener_security(config, listener)
    assert found.mechanisms == ("PLAIN", "SCRAM-SHA-512")
    assert found.lifetime_ms_max == {"PLAIN": 2, "SCRAM-SHA-512": 1}


@pytest.mark.parametrize(
    ("listener", "settings", "words"),
    [
        ("SASL_PLAINTEXT://:1", {}, "GSSAPI is not served"),
        ("SASL_PLAINTEXT://:1", {"sasl_enabled_mechanisms": "PLAIN"}, "has no users"),
        ("SSL://:1", {}, "ssl.keystore.type=JKS is not served"),
        ("SSL://:1", {"ssl_keystore_type": "PEM"}, "has no certificate"),
        ("SSL://:1", {"ssl_keystore_type": "PEM", "ssl_keystore_location": "/nowhere"}, "/nowhere"),
    ],
)
def test_what_cannot_be_served_is_said_in_words(listener, settings, words):
    with pytest.raises(ConfigError, match=words):
        listener_security(*security(listener, **settings))


@pytest.mark.parametrize(
    ("listener", "settings"),
    [
        ("PLAINTEXT://127.0.0.1:1", {}),
        ("SASL_PLAINTEXT://:1", {"sasl_enabled_mechanisms": "SCRAM-SHA-256"}),
        ("SASL_PLAINTEXT://127.0.0.1:1", {"sasl_enabled_mechanisms": "PLAIN", "sasl_jaas_config": JAAS}),
    ],
)
def test_who_logs_in_may_come_from_anywhere(listener, settings):
    check_reachable(*security(listener, **settings))


@pytest.mark.parametrize(
    ("listener", "settings", "words"),
    [
        ("PLAINTEXT://:1", {}, "nobody has to log in"),
        ("SASL_PLAINTEXT://:1", {"sasl_enabled_mechanisms": "PLAIN", "sasl_jaas_config": JAAS}, "in clear text"),
    ],
)
def test_an_open_door_needs_to_be_asked_for(listener, settings, words):
    with pytest.raises(ConfigError, match=words):
        check_reachable(*security(listener, **settings))


def test_a_distinguished_name_is_written_as_java_writes_it():
    subject = ((("countryName", "DE"),), (("organizationName", "Ex, Inc."),), (("commonName", "alice"),))
    assert distinguished_name({"subject": subject}) == "CN=alice,O=Ex\\, Inc.,C=DE"


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        ("DEFAULT", "CN=Alice,O=X"),
        ("RULE:^CN=(.*?),.*$/$1/", "Alice"),
        ("RULE:^CN=(.*?),.*$/$1/L", "alice"),
        ("RULE:^CN=(.*?),.*$/$1/U,DEFAULT", "ALICE"),
        ("RULE:^OU=(.*?)$/$1/,DEFAULT", "CN=Alice,O=X"),
        ("RULE:^OU=(.*?)$/$1/", "CN=Alice,O=X"),
    ],
)
def test_names_of_certificates_are_mapped(rules, name):
    assert PrincipalMapping(rules).name("CN=Alice,O=X") == name


def test_a_mapping_rule_that_cannot_be_read_is_refused():
    with pytest.raises(ConfigError, match=r"ssl\.principal"):
        PrincipalMapping("RULE:(")
