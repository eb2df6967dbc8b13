import pytest

from app.kafka.client_properties import WrongClientProperties, connection_settings, parse_properties
from app.kafka.sasl import SaslLogin
from broker.errors import SaslAuthenticationFailed

SCRAM = """
# what the tools of a cluster are given
security.protocol = SASL_PLAINTEXT
sasl.mechanism: SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\
    username="al\\"ice" password='a;b=c' ;
request.timeout.ms=2500
client.id=mover
acks=all
"""


def test_a_file_as_kafkas_tools_read_it():
    settings = connection_settings(parse_properties(SCRAM))
    assert settings.login == SaslLogin("SCRAM-SHA-512", 'al"ice', "a;b=c")
    assert (settings.request_timeout_s, settings.client_id, settings.tls) == (2.5, "mover", None)


def test_nothing_said_is_a_plain_connection():
    settings = connection_settings({})
    assert (settings.tls, settings.login) == (None, None)


def test_tls_checks_the_name_unless_told_not_to():
    assert connection_settings({"security.protocol": "SSL"}).tls.check_hostname
    unnamed = {"security.protocol": "ssl", "ssl.endpoint.identification.algorithm": ""}
    assert not connection_settings(unnamed).tls.check_hostname


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"security.protocol": "TLS"}, "security.protocol=TLS is none of"),
        ({"security.protocol": "SASL_SSL"}, "sasl.mechanism=GSSAPI is not served here"),
        ({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}, "sasl.jaas.config must have username"),
        ({"security.protocol": "SSL", "ssl.truststore.location": "/no/where.jks"}, "ssl.truststore.type=JKS"),
        (
            {"security.protocol": "SSL", "ssl.truststore.location": "/no/where.pem", "ssl.truststore.type": "PEM"},
            "the certificates cannot be used",
        ),
        ({"security.protocol": "SSL", "ssl.keystore.key": "-----BEGIN"}, "ssl.keystore.key inside the file"),
        ({"request.timeout.ms": "soon"}, "request.timeout.ms=soon"),
    ],
)
def test_what_cannot_be_served_is_named(given, said):
    with pytest.raises(WrongClientProperties, match=said):
        connection_settings(given)


def test_a_password_is_never_shown():
    assert "a;b=c" not in repr(connection_settings(parse_properties(SCRAM)))


@pytest.mark.parametrize("challenge", [b"", b"r=other,s=AAAA,i=4096", b"r=%s,s=A,i=4096", b"r=%s,s=AAAA,i=99999999"])
def test_a_challenge_that_is_none_is_refused(challenge):
    exchange = SaslLogin("SCRAM-SHA-256", "alice", "secret").exchange()
    nonce = next(exchange).partition(b",r=")[2]
    with pytest.raises(SaslAuthenticationFailed):
        exchange.send(challenge.replace(b"%s", nonce))


def test_a_broker_that_does_not_know_the_password_is_not_trusted():
    exchange = SaslLogin("SCRAM-SHA-256", "alice", "secret").exchange()
    nonce = next(exchange).partition(b",r=")[2]
    exchange.send(b"r=" + nonce + b"more,s=c2FsdA==,i=4096")
    with pytest.raises(SaslAuthenticationFailed, match="it may be another's"):
        exchange.send(b"v=AAAA")
