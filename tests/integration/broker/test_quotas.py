"""Client quotas as clients meet them."""

import time
from collections.abc import Iterator

import pytest

from broker.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    EntityData,
    OpData,
    RequestEntryData,
)
from broker.protocol.messages.api_versions import ApiVersionsRequest
from broker.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from broker.protocol.messages.describe_client_quotas import ComponentData, DescribeClientQuotasRequest
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.find_coordinator import FindCoordinatorRequest
from broker.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from broker.protocol.messages.metadata import MetadataRequest
from caudal.testing import Broker
from tests.integration.broker.wire_client import WireClient, batch, produce_request


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A window of one second, so that waits are short."""
    with Broker(settings={"quota.window.num": "2"}) as running:
        yield running


@pytest.fixture
def set_quota(wire):
    given = []

    def alter(kind: str, name: str | None, key: str, value: float | None) -> int:
        op = OpData(key, value or 0.0, value is None)
        entry = RequestEntryData([EntityData(kind, name)], [op])
        given.append((kind, name, key))
        return wire.ask(AlterClientQuotasRequest(entries=[entry]), 1).entries[0].error_code

    yield alter
    for kind, name, key in dict.fromkeys(given):
        alter(kind, name, key, None)


def described(wire: WireClient, *components: ComponentData, strict: bool = False) -> list[object]:
    response = wire.ask(DescribeClientQuotasRequest(components=list(components), strict=strict), 1)
    return [
        ([(part.entity_type, part.entity_name) for part in entry.entity], [(v.key, v.value) for v in entry.values])
        for entry in response.entries
    ]


def test_quotas_are_set_shown_and_removed(wire, set_quota):
    assert set_quota("user", "alice", "producer_byte_rate", 1000.0) == 0
    assert set_quota("client-id", None, "request_percentage", 50.0) == 0
    alice = ([("user", "alice")], [("producer_byte_rate", 1000.0)])
    anyone = ([("client-id", None)], [("request_percentage", 50.0)])
    assert described(wire) == [alice, anyone]
    assert described(wire, ComponentData("user", 0, "alice")) == [alice]
    assert described(wire, ComponentData("user", 2, None), strict=True) == [alice]
    assert described(wire, ComponentData("client-id", 1, None)) == [anyone]
    assert described(wire, ComponentData("user", 0, "bob")) == []
    assert set_quota("user", "alice", "producer_byte_rate", None) == 0
    assert described(wire, ComponentData("user", 2, None)) == []
    assert set_quota("user", "alice", "nonsense", 1.0) == 42


def test_a_producer_beyond_its_quota_is_told_and_made_to_wait(broker, wire, topic, set_quota):
    set_quota("client-id", "wire", "producer_byte_rate", 10_000.0)
    with WireClient(broker.bootstrap_servers) as producer:
        started = time.monotonic()
        response = producer.ask(produce_request(topic, batch(bytes(15_000))), 9)
        assert response.responses[0].partition_responses[0].error_code == 0
        assert 400 <= response.throttle_time_ms <= 600
        producer.ask(ApiVersionsRequest(client_software_name="x", client_software_version="1"), 3)
        assert time.monotonic() - started >= 0.3


def test_a_consumer_beyond_its_quota_is_told(broker, wire, topic, set_quota):
    with WireClient(broker.bootstrap_servers) as consumer:
        consumer.ask(produce_request(topic, batch(bytes(15_000))), 9)
        set_quota("client-id", "wire", "consumer_byte_rate", 10_000.0)
        asked = FetchTopic(topic=topic, partitions=[FetchPartition(0, partition_max_bytes=100_000)])
        response = consumer.ask(FetchRequest(topics=[asked], max_wait_ms=100, min_bytes=1), 11)
        assert len(response.responses[0].partitions[0].records) > 15_000
        assert 400 <= response.throttle_time_ms <= 600


def test_who_makes_many_partitions_is_told(broker, wire, fresh_name, set_quota):
    set_quota("client-id", "wire", "controller_mutation_rate", 4.0)
    with WireClient(broker.bootstrap_servers) as client:
        response = client.ask(CreateTopicsRequest(topics=[CreatableTopic(fresh_name(), 6, 1)]), 5)
        assert response.topics[0].error_code == 0
        assert 300 <= response.throttle_time_ms <= 600


def test_who_has_no_mutations_left_is_refused(broker, wire, fresh_name, set_quota):
    set_quota("client-id", "wire", "controller_mutation_rate", 4.0)
    with WireClient(broker.bootstrap_servers) as client:
        client.ask(CreateTopicsRequest(topics=[CreatableTopic(fresh_name(), 40, 1)]), 6)  # ten seconds ahead
    with WireClient(broker.bootstrap_servers) as client:
        response = client.ask(CreateTopicsRequest(topics=[CreatableTopic(fresh_name(), 1, 1)]), 6)
        assert response.topics[0].error_code == 89
        assert response.throttle_time_ms > 0


def test_other_clients_are_not_held_up(broker, wire, topic, set_quota):
    set_quota("user", "somebody", "producer_byte_rate", 1.0)
    with WireClient(broker.bootstrap_servers) as producer:
        assert producer.ask(produce_request(topic, batch(bytes(15_000))), 9).throttle_time_ms == 0


def test_connections_beyond_the_rate_of_their_address_wait(broker, wire, set_quota):
    set_quota("ip", "127.0.0.1", "connection_creation_rate", 4.0)
    started = time.monotonic()
    for _ in range(6):
        with WireClient(broker.bootstrap_servers) as client:
            client.ask(MetadataRequest(topics=[]), 9)
    assert time.monotonic() - started >= 0.3


def test_connections_that_come_too_fast_are_answered_later():
    settings = {"quota.window.num": "2", "listener.name.plaintext.max.connection.creation.rate": "4"}
    with Broker(settings=settings) as slow:
        started = time.monotonic()
        for _ in range(6):
            with WireClient(slow.bootstrap_servers) as client:
                assert client.ask(MetadataRequest(topics=[]), 9).brokers
        assert time.monotonic() - started >= 0.3


def test_a_limit_of_connections_can_change_while_the_broker_runs(broker, wire):
    def limit(value: str | None) -> None:
        change = AlterableConfig("max.connections", 0 if value else 1, value)
        resource = AlterConfigsResource(4, "0", [change])
        assert wire.ask(IncrementalAlterConfigsRequest(resources=[resource]), 1).responses[0].error_code == 0

    limit("1")
    try:
        with WireClient(broker.bootstrap_servers) as refused:
            assert refused.is_closed_without_answer()
    finally:
        limit(None)
    with WireClient(broker.bootstrap_servers) as let_in:
        assert let_in.ask(MetadataRequest(topics=[]), 9).brokers


def test_a_client_that_takes_too_much_of_the_brokers_time_is_told(broker, wire, set_quota):
    set_quota("client-id", "wire", "request_percentage", 0.01)
    with WireClient(broker.bootstrap_servers) as busy:
        answers = (busy.ask(FindCoordinatorRequest(key="group"), 2) for _ in range(2000))
        throttled = next(answer.throttle_time_ms for answer in answers if answer.throttle_time_ms)
        assert 0 < throttled <= 1000
