"""franz-go, the Go client, against our broker, unchanged."""

import pytest
from confluent_kafka import ConsumerGroupType
from confluent_kafka.admin import AdminClient

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


def test_two_members_share_a_group(franz_go: FranzGo, broker: Broker) -> None:
    broker.create_topic("franz-shared", partitions=4)
    members = [franz_go(broker.bootstrap_servers, "consume", "franz-shared", "pair", "1") for _ in range(2)]
    # Each member stops after its first poll with records and commits, so both ends only come when both got a share.
    for round_number in range(10):
        finish(franz_go(broker.bootstrap_servers, "produce", "franz-shared", "40", f"round{round_number}"))
        if all(member.poll() is not None for member in members):
            break
    seen = [{line.split(" ")[0] for line in finish(member)} for member in members]
    assert seen[0], "the first member got nothing"
    assert seen[1], "the second member got nothing"


def test_auto_created_topic_is_usable_at_once(franz_go: FranzGo, broker: Broker) -> None:
    assert len(finish(franz_go(broker.bootstrap_servers, "produce", "franz-new", "10", "x"))) == 10


def test_the_consumer_protocol_when_it_is_opted_in(franz_go: FranzGo, broker: Broker) -> None:
    broker.create_topic("franz-848", partitions=3)
    acknowledged = finish(franz_go(broker.bootstrap_servers, "produce", "franz-848", "300", "go"))
    rows = finish(franz_go(broker.bootstrap_servers, "consume-848", "franz-848", "gophers-848", "300"))
    assert {row.split(" ")[2] for row in rows} == set(acknowledged)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    described = admin.describe_consumer_groups(["gophers-848"])["gophers-848"].result()
    assert described.type is ConsumerGroupType.CONSUMER
