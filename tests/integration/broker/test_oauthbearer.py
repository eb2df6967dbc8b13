"""Logging in with tokens, with real clients and on the wire."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from broker.protocol.messages.metadata import MetadataRequest
from broker.protocol.messages.sasl_authenticate import SaslAuthenticateRequest
from broker.protocol.messages.sasl_handshake import SaslHandshakeRequest
from broker.security.json_web_keys import fetch, read_keys
from tests.integration.broker.certificates import Authority
from tests.integration.broker.secured_broker import SecuredBroker
from tests.integration.broker.token_issuer import KeyServer, TokenIssuer, raw_token
from tests.integration.broker.wire_client import WireClient

_names = itertools.count(1)


@pytest.fixture(scope="module")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture(scope="module")
def key_server(issuer: TokenIssuer) -> Iterator[KeyServer]:
    server = KeyServer(issuer.jwks("ES256"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def secured(
    tmp_path_factory: pytest.TempPathFactory, issuer: TokenIssuer, key_server: KeyServer
) -> Iterator[SecuredBroker]:
    keys = tmp_path_factory.mktemp("keys") / "jwks.json"
    keys.write_text(issuer.jwks("ES256", "RS256"))
    oauth = "oauthbearer.sasl.oauthbearer."
    broker = SecuredBroker(
        tmp_path_factory.mktemp("data"),
        {"TOKEN": "SASL_PLAINTEXT", "WEB": "SASL_PLAINTEXT", "DEV": "SASL_PLAINTEXT"},
        {
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.expected.audience": "kafka",
            f"listener.name.token.{oauth}jwks.endpoint.url": f"file://{keys}",
            f"listener.name.token.{oauth}expected.issuer": "issuer",
            f"listener.name.web.{oauth}jwks.endpoint.url": key_server.url,
            "listener.name.web.oauthbearer.connections.max.reauth.ms": "60000",
            "listener.name.dev.oauthbearer.sasl.jaas.config": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
            ),
            "listener.name.dev.oauthbearer.sasl.server.callback.handler.class": (
                "org.apache.kafka.common.security.oauthbearer.internals.unsecured."
                "OAuthBearerUnsecuredValidatorCallbackHandler"
            ),
        },
    )
    yield broker
    broker.close()


@pytest.fixture
def wire(secured):
    with WireClient(secured.addresses["TOKEN"]) as client:
        yield client


def give(wire: WireClient, token: str):
    """Handshake and the first message; the broker's answer."""
    assert wire.ask(SaslHandshakeRequest(mechanism="OAUTHBEARER"), 1).error_code == 0
    return wire.ask(SaslAuthenticateRequest(auth_bytes=f"n,,\x01auth=Bearer {token}\x01\x01".encode()), 2)


def test_a_token_logs_in_until_it_ends(issuer, wire):
    answer = give(wire, issuer.token(exp=int(time.time()) + 100))
    assert (answer.error_code, answer.auth_bytes) == (0, b"")
    assert 90_000 < answer.session_lifetime_ms <= 100_000
    assert wire.ask(MetadataRequest(), 9).brokers


@pytest.mark.parametrize("kind", ["expired", "unsigned", "garbage", "long"])
def test_a_bad_token_is_told_why_and_fails_once_the_client_has_heard(issuer, wire, kind):
    token = {
        "expired": lambda: issuer.token(iat=1, exp=2),
        "unsigned": lambda: raw_token({"alg": "none"}, {"sub": "root", "exp": time.time() + 60}),
        "garbage": lambda: "a.b.c",
        "long": lambda: "a" * 400_000,
    }[kind]()
    answer = give(wire, token)
    assert (answer.error_code, json.loads(answer.auth_bytes)) == (0, {"status": "invalid_token"})
    answer = wire.ask(SaslAuthenticateRequest(auth_bytes=b"\x01"), 2)
    assert (answer.error_code, answer.error_message) == (58, '{"status":"invalid_token"}')
    assert wire.is_closed_without_answer()


def test_nothing_is_answered_between_a_bad_token_and_its_end(wire):
    give(wire, "a.b.c")
    wire.send(MetadataRequest(), 9)
    assert wire.is_closed_without_answer()


def test_a_renewed_login_keeps_its_user(issuer, secured):
    with WireClient(secured.addresses["TOKEN"]) as wire:
        assert give(wire, issuer.token(exp=int(time.time()) + 50)).error_code == 0
        time.sleep(1.1)  # Kafka, too, takes no new login within a second.
        assert 90_000 < give(wire, issuer.token(exp=int(time.time()) + 100)).session_lifetime_ms <= 100_000
        assert wire.ask(MetadataRequest(), 9).brokers
        answer = give(wire, issuer.token("mallory"))
        assert answer.error_code == 58
        assert "Cannot change principals" in answer.error_message


def test_connections_max_reauth_ms_ends_a_session_before_its_token(issuer, secured):
    with WireClient(secured.addresses["WEB"]) as wire:
        assert 50_000 < give(wire, issuer.token()).session_lifetime_ms <= 60_000


def test_a_key_that_is_new_at_the_issuer_is_fetched_while_the_login_waits(secured, key_server, issuer):
    newer = TokenIssuer()
    newer.generation = 2
    assert key_server.asked == 1
    key_server.body = newer.jwks("ES256")
    with WireClient(secured.addresses["WEB"]) as wire:
        assert give(wire, newer.token()).auth_bytes == b""
    assert key_server.asked == 2
    for _ in range(5):
        with WireClient(secured.addresses["WEB"]) as wire:
            assert json.loads(give(wire, issuer.token()).auth_bytes) == {"status": "invalid_token"}
    assert key_server.asked == 2


def round_trip(address: str, token: str) -> bytes | None:
    """Produce with librdkafka and read the value back; it asks `oauth_cb` for its token."""
    config = {
        "bootstrap.servers": address,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "oauth_cb": lambda _: (token, time.time() + 600),
    }
    topic = f"token-{next(_names)}"
    producer = Producer(config)
    producer.poll(0)
    producer.produce(topic, b"hello")
    assert producer.flush(10) == 0
    consumer = Consumer({**config, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    deadline = time.monotonic() + 10
    while (message := consumer.poll(0.5)) is None or message.error():
        assert time.monotonic() < deadline
    consumer.close()
    return message.value()


def test_librdkafka_logs_in(secured, issuer):
    assert round_trip(secured.addresses["TOKEN"], issuer.token(algorithm="RS256")) == b"hello"


def test_librdkafka_logs_in_with_an_unsecured_token_where_that_is_allowed(secured):
    token = raw_token({"alg": "none"}, {"sub": "dev", "exp": time.time() + 600})
    assert round_trip(secured.addresses["DEV"], token) == b"hello"


def test_librdkafka_is_told_that_its_token_is_bad(secured, issuer):
    errors = []
    producer = Producer(
        {
            "bootstrap.servers": secured.addresses["TOKEN"],
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "OAUTHBEARER",
            "oauth_cb": lambda _: (issuer.token(aud="somebody"), time.time() + 600),
            "error_cb": errors.append,
            "log_level": 0,
        }
    )
    deadline = time.monotonic() + 10
    while not any(error.code() == KafkaError._AUTHENTICATION for error in errors):
        producer.poll(0.1)
        assert time.monotonic() < deadline
    assert any("invalid_token" in error.str() for error in errors)


async def test_aiokafka_logs_in(secured, issuer):
    class Provider(AbstractTokenProvider):
        async def token(self) -> str:
            return issuer.token()

    settings = {
        "bootstrap_servers": secured.addresses["TOKEN"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_provider": Provider(),
    }
    async with AIOKafkaProducer(**settings) as producer:
        sent = await asyncio.wait_for(producer.send_and_wait(f"token-{next(_names)}", b"hello"), 10)
    assert sent.offset == 0


def test_keys_come_over_https_from_a_server_that_is_trusted(tmp_path, issuer):
    authority = Authority(tmp_path)
    server = KeyServer(issuer.jwks("ES256"), authority.issue("idp", "/CN=localhost"))
    try:
        assert read_keys(fetch(server.url, str(authority.certificate)))
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(server.url)
    finally:
        server.close()


def test_an_endless_key_set_is_not_read_to_its_end(issuer):
    server = KeyServer(issuer.jwks("ES256"))
    server.is_endless = True
    try:
        with pytest.raises(ValueError, match="more than"):
            fetch(server.url)
    finally:
        server.close()
