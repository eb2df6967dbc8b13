"""The Schema Registry on our own broker and on a genuine Apache Kafka: every test here runs on both."""

import uuid
from collections.abc import Iterator

import pytest

from app.registry.settings import RegistrySettings
from caudal.testing import Broker
from tests.integration.registry.running_registry import RunningRegistry, running_registry


@pytest.fixture(scope="module", params=["caudal", pytest.param("kafka", marks=pytest.mark.java)])
def bootstrap_servers(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "caudal":
        with Broker() as broker:
            yield broker.bootstrap_servers
    else:
        yield request.getfixturevalue("real_kafka").bootstrap_servers


@pytest.fixture
def settings() -> RegistrySettings:
    """A topic that no other test uses, so a registry of one's own."""
    return RegistrySettings(kafkastore_topic=f"_schemas-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def registry(bootstrap_servers: str, settings: RegistrySettings) -> Iterator[RunningRegistry]:
    with running_registry(bootstrap_servers, settings) as registry:
        yield registry
