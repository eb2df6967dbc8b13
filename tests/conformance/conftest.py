"""The two brokers under comparison: ours always, a genuine Apache Kafka 4.3.1 where Java and Maven are."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping

import pytest

from broker.protocol.api_keys import ApiKey
from caudal.testing import Broker
from tests.conformance.asking import Side
from tests.conftest import IN_CI

BROKER_CONFIGS = 4
BEGAN_ANEW = "client began anew"
LIKE_THE_KIT = {
    "node.id": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "4",
}
"""What the kit sets otherwise than our defaults, so that answers can be equal."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = [
        value
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == BEGAN_ANEW
    ]
    if told:
        terminalreporter.section("clients of the conformance tests that began anew, and why")
        for line in told:
            terminalreporter.write_line(str(line))


@pytest.fixture(scope="session")
def our_broker() -> Iterator[Broker]:
    with running_broker() as running:
        yield running


@contextlib.contextmanager
def running_broker(settings: Mapping[str, str] | None = None) -> Iterator[Broker]:
    """One with the kit's settings, and more if wanted."""
    with Broker(settings={**LIKE_THE_KIT, **(settings or {})}) as running:
        side = Side(running.bootstrap_servers)
        # Kafka's controller sets this for all brokers when eligible leader replicas come on (docs/differences.md).
        configs = [{"name": "min.insync.replicas", "config_operation": 0, "value": "1"}]
        resources = [{"resource_type": BROKER_CONFIGS, "resource_name": "", "configs": configs}]
        assert side.raw(ApiKey.INCREMENTAL_ALTER_CONFIGS, 1, resources=resources).responses[0].error_code == 0
        side.close()
        yield running


@pytest.fixture(scope="session")
def has_kit() -> bool:
    """Whether there is a genuine Kafka to compare with; in CI there must be."""
    return IN_CI or (shutil.which("java") is not None and shutil.which("mvn") is not None)
