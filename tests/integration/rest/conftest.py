"""The REST Proxy on our own broker and on a genuine Apache Kafka: every test here runs on both."""

import uuid
from collections.abc import Iterator

import pytest

from caudal.testing import Broker
from tests.integration.rest.running_proxy import RunningProxy, running_proxy


@pytest.fixture(scope="module", params=["caudal", pytest.param("kafka", marks=pytest.mark.java)])
def bootstrap_servers(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "caudal":
        with Broker() as broker:
            yield broker.bootstrap_servers
    else:
        yield request.getfixturevalue("real_kafka").bootstrap_servers


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
