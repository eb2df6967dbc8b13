"""Our client side of TLS and SASL, against a broker that wants both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.client_properties import read_client_properties
from app.kafka.ports import ClusterUnreachable
from broker.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanism
from tests.integration.broker.certificates import Authority
from tests.integration.broker.secured_broker import JAAS, SecuredBroker


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    settings = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "sasl.jaas.config": JAAS,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("broker", "/CN=localhost")),
    }
    broker = SecuredBroker(tmp_path_factory.mktemp("secured"), {"BOTH": "SASL_SSL"}, settings)
    yield broker
    broker.close()


@pytest.fixture
def properties(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "client.properties"
    path.write_text(
        "security.protocol=SASL_SSL\nssl.truststore.type=PEM\n"
        f"ssl.truststore.location={authority.certificate}\nrequest.timeout.ms=5000\n"
    )
    return path


async def ask(secured: SecuredBroker, properties: Path, mechanism: str = "", password: str = "bob-secret") -> str:
    with properties.open("a") as file:
        if mechanism:
            file.write(
                f'sasl.mechanism={mechanism}\nsasl.jaas.config=M required username="bob" password="{password}";\n'
            )
    admin = KafkaClusterAdmin(secured.addresses["BOTH"], read_client_properties(properties))
    try:
        return (await admin.metadata()).cluster_id
    finally:
        await admin.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_a_user_with_the_right_password_is_let_in(secured, properties, mechanism):
    assert await ask(secured, properties, mechanism) == secured.ready["cluster_id"]


@pytest.mark.parametrize(
    ("mechanism", "password", "error"),
    [
        ("PLAIN", "wrong", SaslAuthenticationFailed),
        ("SCRAM-SHA-256", "wrong", SaslAuthenticationFailed),
        ("SCRAM-SHA-512", "bob-secret", UnsupportedSaslMechanism),
    ],
)
async def test_a_refused_login_is_the_brokers_error(secured, properties, mechanism, password, error):
    with pytest.raises(KafkaError) as caught:
        await ask(secured, properties, mechanism, password)
    assert type(caught.value) is error


async def test_a_broker_without_the_right_certificate_is_not_spoken_to(secured, properties):
    properties.write_text("security.protocol=SSL\n")
    with pytest.raises(ClusterUnreachable, match=r"(?i)certificate"):
        await ask(secured, properties)
