"""franz-go, the Go client, against our broker, unchanged: what tests/conformance does not ask of it."""

import pytest

from caudal.testing import Broker
from tests.interop.conftest import FranzGo

pytestmark = pytest.mark.go


def finish(process: object) -> list[str]:
    out, error = process.communicate(timeout=70)  # type: ignore[attr-defined]
    assert process.returncode == 0, error  # type: ignore[attr-defined]
    return list(out.splitlines())


def test_produce_kill_9_and_consume_in_a_group(franz_go: FranzGo, broker: Broker) -> None:
    broker.create_topic("franz", partitions=3)
    acknowledged = finish(franz_go(broker.bootstrap_servers, "produce", "franz", "1000", "go"))
    assert len(acknowledged) == 1000
    broker.kill()
    broker.restart()
    rows = [
        line.split(" ") for line in finish(franz_go(broker.bootstrap_servers, "consume", "franz", "gophers", "1000"))
    ]
    assert {value for _, _, value in rows} == set(acknowledged)
    assert len({(partition, offset) for partition, offset, _ in rows}) == 1000


def test_auto_created_topic_is_usable_at_once(franz_go: FranzGo, broker: Broker) -> None:
    assert len(finish(franz_go(broker.bootstrap_servers, "produce", "franz-new", "10", "x"))) == 10
