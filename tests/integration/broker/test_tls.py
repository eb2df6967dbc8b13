"""TLS as clients meet it: versions, certificates that are wrong, and whom a certificate stands for."""

import contextlib
import itertools
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from broker.protocol.messages.metadata import MetadataRequest
from tests.conftest import wait_until
from tests.integration.broker.certificates import Authority
from tests.integration.broker.secured_broker import SecuredBroker
from tests.integration.broker.wire_client import WireClient

_names = itertools.count(1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "broker.log"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, authority: Authority, log_file: Path) -> Iterator[SecuredBroker]:
    broker = SecuredBroker(
        tmp_path_factory.mktemp("data"),
        {"ASKS": "SSL", "DEMANDS": "SSL"},
        {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(authority.issue("server", "/CN=localhost")),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.certificate),
            "listener.name.asks.ssl.client.auth": "requested",
            "listener.name.demands.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*?),O=Example$/$1/L,DEFAULT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:carol",
        },
        log_file=log_file,
    )
    yield broker
    broker.close()


class TlsClient(WireClient):
    """A raw connection inside TLS."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        super().__init__(address)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def may_create(self) -> bool:
        """Whether whoever this is may create topics; answers that it is let in at all."""
        asked = CreateTopicsRequest(topics=[CreatableTopic(f"tls-{next(_names)}", 1, 1)])
        return self.ask(asked, 5).topics[0].error_code == 0


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


def tls_lines(log_file: Path) -> list[str]:
    return [line for line in log_file.read_text().splitlines() if "tls handshake failed" in line]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(secured, trusting, version):
    trusting.minimum_version = trusting.maximum_version = version
    with TlsClient(secured.addresses["ASKS"], trusting) as client:
        assert client.socket.version() == version.name.replace("_", ".")
        assert client.ask(MetadataRequest(topics=[]), 9).brokers


@pytest.mark.parametrize(
    ("subject", "is_super_user"), [("/O=Example/CN=Carol", True), ("/O=Other/CN=carol", False), (None, False)]
)
def test_a_certificate_says_who_comes_through_the_mapping_rules(secured, authority, trusting, subject, is_super_user):
    if subject is not None:
        trusting.load_cert_chain(authority.issue("client", subject))
    with TlsClient(secured.addresses["ASKS"], trusting) as client:
        assert client.may_create() == is_super_user


@pytest.mark.parametrize("listener", ["ASKS", "DEMANDS"])
@pytest.mark.parametrize("kind", ["expired", "of another authority"])
def test_a_wrong_certificate_is_refused_with_one_line_and_hurts_nobody(
    secured, authority, trusting, tmp_path, log_file, listener, kind
):
    other = ssl.create_default_context(cafile=authority.certificate)
    other.load_cert_chain(authority.issue("good", "/O=Example/CN=carol"))
    if kind == "expired":
        wrong = authority.issue("late", "/CN=late", is_expired=True)
    else:
        wrong = Authority(tmp_path).issue("client", "/CN=stranger")
    trusting.load_cert_chain(wrong)
    before = len(tls_lines(log_file))
    with TlsClient(secured.addresses[listener], other) as bystander:
        # With TLS 1.3 a client learns of it only when it reads.
        with (
            contextlib.suppress(ssl.SSLError, ConnectionError),
            TlsClient(secured.addresses[listener], trusting) as client,
        ):
            client.send(MetadataRequest(topics=[]), 9)
            assert client.socket.recv(1) == b""
        assert bystander.may_create()
    wait_until(lambda: len(tls_lines(log_file)) > before)
    (line,) = tls_lines(log_file)[before:]
    assert f"listener={listener}" in line
    assert ("certificate has expired" if kind == "expired" else "unable to get local issuer certificate") in line


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(100)])
def test_what_is_no_tls_gets_no_answer_and_hurts_nobody(secured, authority, trusting, said):
    trusting.load_cert_chain(authority.issue("good", "/O=Example/CN=carol"))
    host, _, port = secured.addresses["DEMANDS"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as stranger:
        stranger.sendall(said)
        with TlsClient(secured.addresses["DEMANDS"], trusting) as client:
            assert client.may_create()
