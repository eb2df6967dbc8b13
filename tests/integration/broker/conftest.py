"""A real broker process for each module, and names that no other test uses."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from caudal.testing import Broker
from tests.integration.broker.wire_client import WireClient

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """Shared by a module's tests; those that stop it start one of their own."""
    with Broker() as running:
        yield running


@pytest.fixture
def fresh_name() -> Callable[[str], str]:
    """A topic or group name that is not in use yet."""
    return lambda kind="topic": f"{kind}-{next(_numbers)}"


@pytest.fixture
def topic(broker: Broker, fresh_name: Callable[[str], str]) -> str:
    """A topic of one partition."""
    name = fresh_name("topic")
    broker.create_topic(name)
    return name


@pytest.fixture
def wire(broker: Broker) -> Iterator[WireClient]:
    """A raw connection to the broker."""
    with WireClient(broker.bootstrap_servers) as client:
        yield client
