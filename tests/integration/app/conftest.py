"""Clusters for the tests of cluster access: ours, a genuine Apache Kafka, and the one in memory."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.connection import ConnectionSettings
from app.kafka.producer import KafkaProducer
from caudal.testing import Broker

_numbers = itertools.count()


@pytest.fixture(scope="module")
def own_broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture(params=["caudal", "kafka"])
def servers(request: pytest.FixtureRequest) -> str:
    """Bootstrap servers of our broker, then of Apache Kafka."""
    if request.param == "caudal":
        return str(request.getfixturevalue("own_broker").bootstrap_servers)
    return str(request.getfixturevalue("real_kafka").bootstrap_servers)


@pytest.fixture
async def admin(servers: str) -> AsyncIterator[KafkaClusterAdmin]:
    admin = KafkaClusterAdmin(servers, ConnectionSettings(request_timeout_s=15))
    yield admin
    await admin.close()


@pytest.fixture
async def producer(servers: str) -> AsyncIterator[KafkaProducer]:
    producer = KafkaProducer(servers)
    yield producer
    await producer.close()


@pytest.fixture
def name() -> str:
    """A name no other test has: for a topic, or a group."""
    return f"test-{next(_numbers)}"
