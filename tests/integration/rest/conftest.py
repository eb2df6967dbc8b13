"""The REST Proxy on our own broker and on a genuine Apache Kafka: every test here runs on both."""

import contextlib
import uuid
from collections.abc import Iterator

import pytest

from caudal.testing import Broker
from tests.conftest import JavaTools, RealKafka, start_real_kafka
from tests.integration.rest.running_proxy import RunningProxy, running_proxy


@pytest.fixture(scope="module", params=["caudal", pytest.param("kafka", marks=pytest.mark.java)])
def bootstrap_servers(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "caudal":
        with Broker() as broker:
            yield broker.bootstrap_servers
    else:
        yield request.getfixturevalue("real_kafka").bootstrap_servers


# No ACL forbids anything yet, and nothing comes into being by being asked for.
GUARDED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin",
    "allow.everyone.if.no.acl.found": "true",
    "auto.create.topics.enable": "false",
}


@pytest.fixture(scope="session")
def guarded_kafka(java_tools: JavaTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    kafka = start_real_kafka(tmp_path_factory.mktemp("guarded-kafka"), settings=GUARDED)
    yield kafka
    kafka.stop()


@pytest.fixture(scope="module", params=["caudal", pytest.param("kafka", marks=pytest.mark.java)])
def guarded_proxy(request: pytest.FixtureRequest) -> Iterator[RunningProxy]:
    """A proxy on a cluster with an authorizer."""
    with contextlib.ExitStack() as stack:
        if request.param == "caudal":
            servers = stack.enter_context(Broker(settings=GUARDED)).bootstrap_servers
        else:
            servers = request.getfixturevalue("guarded_kafka").bootstrap_servers
        yield stack.enter_context(running_proxy(servers))


@pytest.fixture(scope="module", params=["caudal", pytest.param("three", marks=pytest.mark.java)])
def operations_proxy(request: pytest.FixtureRequest) -> Iterator[RunningProxy]:
    """A proxy on our own broker, or on three of Apache Kafka; both have an authorizer."""
    with contextlib.ExitStack() as stack:
        if request.param == "caudal":
            servers = stack.enter_context(Broker(settings=GUARDED)).bootstrap_servers
        else:
            servers = request.getfixturevalue("kafka_of_three").bootstrap_servers
        yield stack.enter_context(running_proxy(servers))


@pytest.fixture(scope="module")
def proxy(bootstrap_servers: str) -> Iterator[RunningProxy]:
    with running_proxy(bootstrap_servers, with_registry=True) as proxy:
        yield proxy


@pytest.fixture
def topic() -> str:
    """A name that no other test uses; the topic is not there yet."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def group() -> str:
    return f"g-{uuid.uuid4().hex[:12]}"
