"""Logging in over SASL and TLS, with real clients and on the wire."""

import asyncio
import contextlib
import hashlib
import itertools
import secrets
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from broker.protocol.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialUpsertion,
)
from broker.protocol.messages.api_versions import ApiVersionsRequest
from broker.protocol.messages.metadata import MetadataRequest
from broker.protocol.messages.sasl_authenticate import SaslAuthenticateRequest
from broker.protocol.messages.sasl_handshake import SaslHandshakeRequest
from tests.integration.broker.certificates import Authority
from tests.integration.broker.secured_broker import JAAS, SecuredBroker
from tests.integration.broker.wire_client import WireClient

_names = itertools.count(1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecuredBroker]:
    keystore = authority.issue("server", "/CN=localhost")
    broker = SecuredBroker(
        tmp_path_factory.mktemp("data"),
        {"INNER": "PLAINTEXT", "LOGIN": "SASL_PLAINTEXT", "TLS": "SSL", "BOTH": "SASL_SSL", "SHORT": "SASL_PLAINTEXT"},
        {
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.login.plain.sasl.jaas.config": JAAS,
            "listener.name.both.plain.sasl.jaas.config": JAAS,
            "listener.name.short.plain.sasl.jaas.config": JAAS,
            "listener.name.short.connections.max.reauth.ms": "3000",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.certificate),
            "listener.name.tls.ssl.client.auth": "required",
        },
    )
    yield broker
    broker.close()


def client_config(
    secured: SecuredBroker, listener: str, mechanism: str, user: str, password: str, **more: object
) -> dict[str, object]:
    protocol = "SASL_SSL" if listener == "BOTH" else "SASL_PLAINTEXT"
    return {
        "bootstrap.servers": secured.addresses[listener],
        "security.protocol": protocol,
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
        **more,
    }


def dialled(address: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    host, _, port = address.rpartition(":")
    return context.wrap_socket(socket.create_connection((host, int(port))), server_hostname="localhost")


def round_trip(config: dict[str, object]) -> bytes | None:
    """Produce one record with librdkafka and read its value back."""
    topic = f"login-{next(_names)}"
    producer = Producer(config)
    producer.produce(topic, b"hello")
    assert producer.flush(30) == 0
    consumer = Consumer({**config, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            consumer.close()
            return message.value()
    pytest.fail("nothing was read")


@pytest.mark.parametrize(
    ("mechanism", "user"), [("PLAIN", "alice"), ("SCRAM-SHA-256", "bob"), ("SCRAM-SHA-512", "bob")]
)
def test_librdkafka_logs_in(secured, mechanism, user):
    assert round_trip(client_config(secured, "LOGIN", mechanism, user, f"{user}-secret")) == b"hello"


def test_librdkafka_logs_in_over_tls(secured, authority):
    location = {"ssl.ca.location": str(authority.certificate)}
    assert round_trip(client_config(secured, "BOTH", "SCRAM-SHA-512", "bob", "bob-secret", **location)) == b"hello"


def test_librdkafka_comes_with_a_certificate(secured, authority):
    own = authority.issue("client", "/C=DE/O=Example/CN=carol")
    config = {
        "bootstrap.servers": secured.addresses["TLS"],
        "security.protocol": "SSL",
        "ssl.ca.location": str(authority.certificate),
        "ssl.certificate.location": str(own),
        "ssl.key.location": str(own),
    }
    assert round_trip(config) == b"hello"


@pytest.mark.parametrize(
    ("mechanism", "user"), [("PLAIN", "alice"), ("SCRAM-SHA-256", "bob"), ("SCRAM-SHA-512", "bob")]
)
@pytest.mark.parametrize("listener", ["LOGIN", "BOTH"])
async def test_aiokafka_logs_in(secured, authority, mechanism, user, listener):
    settings = {
        "bootstrap_servers": secured.addresses[listener],
        "security_protocol": "SASL_SSL" if listener == "BOTH" else "SASL_PLAINTEXT",
        "ssl_context": ssl.create_default_context(cafile=authority.certificate) if listener == "BOTH" else None,
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": f"{user}-secret",
    }
    topic = f"login-{next(_names)}"
    async with AIOKafkaProducer(**settings) as producer:
        await producer.send_and_wait(topic, b"hello")
    async with AIOKafkaConsumer(topic, auto_offset_reset="earliest", **settings) as consumer:
        assert (await asyncio.wait_for(consumer.getone(), 10)).value == b"hello"


def test_a_session_that_is_renewed_goes_on(secured):
    producer = Producer(client_config(secured, "SHORT", "PLAIN", "alice", "alice-secret"))
    topic = f"login-{next(_names)}"
    failed = []
    for _ in range(10):
        producer.produce(topic, b"x", on_delivery=lambda error, _: error and failed.append(error))
        assert producer.flush(30) == 0
        time.sleep(0.4)
    assert failed == []


def test_scram_users_come_and_go(secured):
    admin = AdminClient({"bootstrap.servers": secured.addresses["INNER"]})
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    alteration = UserScramCredentialUpsertion("dave", info, b"dave-secret")
    admin.alter_user_scram_credentials([alteration])["dave"].result()
    assert admin.describe_user_scram_credentials(["dave"])["dave"].result().scram_credential_infos[0].iterations == 4096
    assert round_trip(client_config(secured, "LOGIN", "SCRAM-SHA-256", "dave", "dave-secret")) == b"hello"

    deletion = UserScramCredentialDeletion("dave", ScramMechanism.SCRAM_SHA_256)
    admin.alter_user_scram_credentials([deletion])["dave"].result()
    with pytest.raises(KafkaException, match="does not exist"):
        admin.describe_user_scram_credentials(["dave"])["dave"].result()
    with pytest.raises(KafkaException, match="does not exist"):
        admin.alter_user_scram_credentials([deletion])["dave"].result()


def test_a_user_is_not_altered_twice_in_one_request(secured):
    salted = {"iterations": 4096, "salt": b"salt", "salted_password": b"x" * 64}
    upsertions = [ScramCredentialUpsertion(name="frank", mechanism=mechanism, **salted) for mechanism in (1, 2)]
    with WireClient(secured.addresses["INNER"]) as wire:
        answer = wire.ask(AlterUserScramCredentialsRequest(upsertions=upsertions), 0)
    (result,) = answer.results
    assert (result.user, result.error_code) == ("frank", 92)
    assert result.error_message == "A user credential cannot be altered twice in the same request"


def test_too_few_iterations_are_refused(secured):
    admin = AdminClient({"bootstrap.servers": secured.addresses["INNER"]})
    alteration = UserScramCredentialUpsertion("eve", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4095), b"x")
    with pytest.raises(KafkaException, match="Too few iterations"):
        admin.alter_user_scram_credentials([alteration])["eve"].result()


@pytest.fixture
def wire(secured):
    with WireClient(secured.addresses["LOGIN"]) as client:
        yield client


def test_nothing_else_is_answered_before_login(wire):
    assert wire.ask(ApiVersionsRequest(client_software_name="x", client_software_version="1"), 3).error_code == 0
    wire.send(MetadataRequest(), 9)
    assert wire.is_closed_without_answer()


def test_authenticate_without_a_handshake_closes(wire):
    wire.send(SaslAuthenticateRequest(auth_bytes=b"\0alice\0alice-secret"), 2)
    assert wire.is_closed_without_answer()


def test_an_unknown_mechanism_answers_those_that_are_served(wire):
    answer = wire.ask(SaslHandshakeRequest(mechanism="GSSAPI"), 1)
    assert (answer.error_code, answer.mechanisms) == (33, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
    assert wire.is_closed_without_answer()


@pytest.mark.parametrize(
    "token", [b"\0alice\0wrong", b"\0nobody\0alice-secret", b"x", b"", b"bob\0alice\0alice-secret"]
)
def test_a_wrong_password_answers_late_and_closes(wire, token):
    wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1)
    started = time.monotonic()
    answer = wire.ask(SaslAuthenticateRequest(auth_bytes=token), 2)
    assert answer.error_code == 58
    assert time.monotonic() - started >= 0.09
    assert wire.is_closed_without_answer()


def test_guesses_sent_together_get_one_answer(wire):
    wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1)
    wire.send(SaslAuthenticateRequest(auth_bytes=b"\0alice\0wrong"), 2)
    wire.send(SaslAuthenticateRequest(auth_bytes=b"\0alice\0alice-secret"), 2)
    wire.read_frame()
    assert wire.is_closed_without_answer()


def test_a_login_lasts_for_the_connection(wire):
    wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1)
    answer = wire.ask(SaslAuthenticateRequest(auth_bytes=b"\0alice\0alice-secret"), 2)
    assert (answer.error_code, answer.session_lifetime_ms) == (0, 0)
    assert wire.ask(MetadataRequest(), 9).brokers
    assert wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1).error_code == 34


def test_tokens_after_handshake_v0_come_bare(wire):
    assert wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 0).error_code == 0
    wire.send_frame(b"\0alice\0alice-secret")
    assert wire.read_frame() == b""
    assert wire.ask(MetadataRequest(), 9).brokers


def test_frames_are_short_before_login(wire):
    wire.socket.sendall((600_000).to_bytes(4, "big"))
    assert wire.is_closed_without_answer()


def test_a_session_that_is_not_renewed_ends(secured):
    with WireClient(secured.addresses["SHORT"]) as wire:
        wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1)
        answer = wire.ask(SaslAuthenticateRequest(auth_bytes=b"\0alice\0alice-secret"), 2)
        assert answer.session_lifetime_ms == 3000
        assert wire.ask(MetadataRequest(), 9).brokers
        time.sleep(1.1)
        wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1)
        assert wire.ask(SaslAuthenticateRequest(auth_bytes=b"\0alice\0alice-secret"), 2).session_lifetime_ms == 3000
        time.sleep(3.1)
        wire.send(MetadataRequest(), 9)
        assert wire.is_closed_without_answer()


def test_a_session_cannot_change_its_user(secured):
    with WireClient(secured.addresses["SHORT"]) as wire:
        for user in ("alice", "admin"):
            wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1)
            answer = wire.ask(SaslAuthenticateRequest(auth_bytes=f"\0{user}\0{user}-secret".encode()), 2)
        assert answer.error_code == 58
        assert "Cannot change principals" in (answer.error_message or "")


def test_without_sasl_there_is_no_handshake(secured):
    with WireClient(secured.addresses["INNER"]) as wire:
        assert wire.ask(SaslHandshakeRequest(mechanism="PLAIN"), 1).error_code == 34
        assert wire.ask(SaslAuthenticateRequest(auth_bytes=b"x"), 2).error_code == 34
        assert wire.ask(MetadataRequest(), 9).brokers


def test_a_client_without_a_certificate_is_refused(secured, authority):
    context = ssl.create_default_context(cafile=authority.certificate)
    # With TLS 1.3 a client learns of it only when it reads.
    with contextlib.suppress(ssl.SSLError, ConnectionError), dialled(secured.addresses["TLS"], context) as secure:
        secure.sendall(b"x")
        assert secure.recv(1) == b""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(secured, authority):
    context = ssl.create_default_context(cafile=authority.certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        dialled(secured.addresses["BOTH"], context)


def test_plaintext_on_a_tls_port_is_closed(secured):
    with WireClient(secured.addresses["BOTH"]) as wire:
        wire.send(ApiVersionsRequest(), 0)
        with pytest.raises(EOFError):
            wire.read_exactly(100)


def test_new_certificates_count_without_a_restart(secured, authority):
    context = ssl.create_default_context(cafile=authority.certificate)

    def served() -> str:
        with dialled(secured.addresses["BOTH"], context) as secure:
            return hashlib.sha256(secure.getpeercert(binary_form=True)).hexdigest()

    before = served()
    keystore = authority.folder / "server.pem"
    good = keystore.read_text()
    keystore.write_text("torn")
    assert served() == before
    keystore.write_text(good)
    authority.issue("server", "/CN=localhost/O=" + secrets.token_hex(4))
    assert served() != before


def test_new_trusted_certificates_count_without_a_restart(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    truststore = tmp_path / "trusted.pem"
    truststore.write_text(old.certificate.read_text())
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(old.issue("server", "/CN=localhost")),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(truststore),
        "ssl.client.auth": "required",
    }
    broker = SecuredBroker(tmp_path / "data", {"TLS": "SSL"}, settings)

    def gets_in(authority: Authority) -> bool:
        context = ssl.create_default_context(cafile=old.certificate)
        context.load_cert_chain(authority.issue("client", "/CN=client"))
        try:
            with dialled(broker.addresses["TLS"], context) as secure:
                secure.sendall(bytes.fromhex("0000000a 0012 0000 00000001 ffff"))
                return len(secure.recv(1)) == 1
        except (ssl.SSLError, ConnectionError):
            return False

    try:
        assert gets_in(old)
        assert not gets_in(new)
        truststore.write_text(new.certificate.read_text())
        assert gets_in(new)
        assert not gets_in(old)
    finally:
        broker.close()
