"""Failed logins and impossible ACLs get the answers of Apache Kafka 4.3.1, see test_wrong_input.py."""

from collections.abc import Iterator

import pytest

from tests.conformance.asking import Side
from tests.conformance.cases import security
from tests.conformance.recording import Recording
from tests.conformance.table import Case
from tests.conftest import start_real_kafka
from tests.integration.broker.secured_broker import JAAS, SecuredBroker, logged_in

CASES = security.TABLE.cases


@pytest.fixture(scope="module")
def our_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = SecuredBroker(
        tmp_path_factory.mktemp("secured"),
        {"CLIENT": "SASL_PLAINTEXT"},
        {
            "node.id": "1",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.client.plain.sasl.jaas.config": JAAS,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:admin",
        },
    )
    yield broker.addresses["CLIENT"]
    broker.close()


@pytest.fixture(scope="module")
def real_address(
    has_kit: bool, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str | None]:
    if not has_kit:
        yield None
        return
    request.getfixturevalue("java_tools")  # fetches the jars
    kafka = start_real_kafka(tmp_path_factory.mktemp("secured-kafka"), "--sasl", "--acls")
    yield kafka.bootstrap_servers
    kafka.stop()


def as_admin(address: str) -> Side:
    return Side(address, lambda each: logged_in(each, "admin"))


@pytest.fixture(scope="module")
def ours(our_address: str) -> Iterator[Side]:
    side = as_admin(our_address)
    yield side
    side.close()


@pytest.fixture(scope="module")
def real(real_address: str | None) -> Iterator[Side | None]:
    side = None if real_address is None else as_admin(real_address)
    yield side
    if side is not None:
        side.close()


@pytest.fixture(scope="module")
def recording() -> Iterator[Recording]:
    with Recording("wrong_login") as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_is_that_of_apache_kafka(case: Case, ours: Side, real: Side | None, recording: Recording) -> None:
    recording.judge(case, case.ask(ours), None if real is None else case.ask(real), is_live=real is not None)


def test_each_difference_is_told(recording: Recording) -> None:
    assert recording.untold(CASES) == []
    assert recording.names() == {case.name for case in CASES}
