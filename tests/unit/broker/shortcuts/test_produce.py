"""The shortcut of Produce: the same answers and the same records as by the handler, whatever comes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.config import broker_config
from broker.dispatch import served_apis
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.record_batch import Record, build_batch
from broker.security.acl import Acl, Operation, ResourceType
from broker.security.client_quotas import PRODUCER_BYTE_RATE
from broker.security.security import Security

VERSIONS = served_apis[ApiKey.PRODUCE].versions
START_BYTES = 10 + len("tester")  # of a request, before its body
ALICE_WRITES = Acl(ResourceType.TOPIC, "t", 3, "User:alice", "*", Operation.WRITE, 3)


def batch(value=b"x", *, size=1, **fields):
    records = [Record(index, 1_700_000_000_000, b"k", value) for index in range(size)]
    return memoryview(bytearray(build_batch(records, **fields)))


def request(client, records=None, *, partitions=(0,), acks=-1, topic="t"):
    data = [PartitionProduceData(index=each, records=batch() if records is None else records) for each in partitions]
    known = client.topics.get(topic)
    topic_id = known.topic_id if known is not None else bytes(15) + b"x"
    return ProduceRequest(acks=acks, topic_data=[TopicProduceData(topic, topic_id, data)])


def partition_of(response):
    return response.responses[0].partition_responses[0]


def produced(client, version, times=3, **asked):
    return [client.ask(request(client, **asked), version) for _ in range(times)]


@pytest.mark.parametrize("acks", [-1, 1])
@pytest.mark.parametrize("size", [1, 2_000])
def test_the_answers_are_those_of_the_handler(clients, acks, size):
    for version in VERSIONS:
        answers, logs = [], []
        for client in clients:
            topic = f"t{version}"
            client.create(topic, partition_count=2)
            asked = request(client, batch(size=size), partitions=[1], acks=acks, topic=topic)
            answers.append([client.ask_bytes(client.frame(asked, version)) for _ in range(4)])
            logs.append(bytes(client.topics.partition(topic, 1).read(offset=0, bytes_max=1 << 20)))
        assert answers[0] == answers[1]
        assert logs[0] == logs[1]
    short, long = clients
    assert (short.handled, long.handled) == (len(VERSIONS), 4 * len(VERSIONS))


def test_a_log_that_dates_its_batches_says_when(client):
    client.create("t", partition_count=1, configs={"message.timestamp.type": "LogAppendTime"})
    times = [partition_of(each).log_append_time_ms for each in produced(client, 9)]
    assert client.handled == 1
    assert all(time_ms > 1_700_000_000_000 for time_ms in times)


def test_where_the_log_starts_is_told_as_it_is_now(client):
    client.create("t", partition_count=1)
    produced(client, 9)
    client.topics.partition("t", 0).delete_records(2)
    assert partition_of(*produced(client, 9, times=1)).log_start_offset == 2


@pytest.mark.parametrize(
    "asked",
    [
        {"partitions": (0, 1)},
        {"acks": 2},
        {"topic": "nowhere"},
        {"partitions": (7,)},
        {"records": batch(producer_id=5, producer_epoch=0, base_sequence=0, transactional=True)},
        {"records": batch(control=True)},
        {"records": memoryview(bytearray(b"no batch" * 20))},
        {"records": memoryview(b"")},
    ],
    ids=["two partitions", "acks 2", "no topic", "no partition", "transactional", "control", "no batch", "nothing"],
)
def test_anything_else_is_the_handlers(clients, asked):
    outcomes = []
    for client in clients:
        client.create("t", partition_count=2)
        outcomes.append([])
        for version in (3, 9, 13):
            produced(client, version)
            before = client.handled
            outcomes[-1] += produced(client, version, **asked)
            assert client.handled - before == 3
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "configs", [{"cleanup.policy": "compact"}, {"compression.type": "gzip"}, {"flush.messages": "1"}]
)
def test_topics_that_demand_more_than_a_look_go_by_the_handler(client, configs):
    client.create("t", partition_count=1, configs=configs)
    assert [partition_of(each).base_offset for each in produced(client, 9)] == [0, 1, 2]
    assert client.handled == 3


def test_a_config_that_changes_counts_for_the_next_batch(client):
    client.create("t", partition_count=1)
    produced(client, 9)
    client.topics.set_configs("t", {"max.message.bytes": "10"})
    assert partition_of(*produced(client, 9, times=1)).error_code == 10


def test_a_topic_made_anew_is_not_mistaken_for_the_old_one(client):
    for _ in range(2):
        client.create("t", partition_count=1)
        assert [partition_of(each).base_offset for each in produced(client, 9)] == [0, 1, 2]
        client.topics.delete("t")
    assert partition_of(*produced(client, 9, times=1)).error_code == 3


def test_a_batch_that_the_log_refuses_is_counted_and_answered(client):
    client.create("t", partition_count=1)
    produced(client, 9)
    late = batch(producer_id=5, producer_epoch=0, base_sequence=3)
    first = batch(producer_id=5, producer_epoch=0, base_sequence=0)
    produced(client, 9, times=1, records=first)
    refused = partition_of(*produced(client, 9, times=1, records=late))
    assert client.handled == 1
    assert (refused.error_code, refused.base_offset, refused.log_start_offset) == (45, -1, 0)
    assert client.broker.logs.failed_appends["t"] == 1
    assert client.routes.stats[9].errors == {45: 1}


def test_a_batch_that_is_sent_twice_is_written_once(client):
    client.create("t", partition_count=1)
    produced(client, 9)
    offsets = [
        partition_of(*produced(client, 9, times=1, records=batch(producer_id=5, producer_epoch=0, base_sequence=0)))
        for _ in range(2)
    ]
    assert [each.base_offset for each in offsets] == [3, 3]
    assert client.topics.partition("t", 0).log_end_offset == 4


def test_what_an_acl_forbids_is_forbidden_at_once(client, tmp_path):
    security = Security(
        tmp_path, broker_config({"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer"})
    )
    security.authorizer.change(add=[ALICE_WRITES])
    client.context.security, client.context.principal = security, "User:alice"
    client.create("t", partition_count=1)
    assert [partition_of(each).error_code for each in produced(client, 9)] == [0, 0, 0]
    assert client.handled == 1
    client.context.principal = "User:bob"
    api = served_apis[ApiKey.PRODUCE]
    client.routes[9] = client.routes[9]._replace(handler=security.handler(api))
    assert partition_of(*produced(client, 9, times=1)).error_code == 29
    client.context.principal = "User:alice"
    security.authorizer.change(remove=[ALICE_WRITES])
    assert partition_of(*produced(client, 9, times=1)).error_code == 29
    assert client.topics.partition("t", 0).log_end_offset == 3


def test_with_quotas_there_is_no_shortcut(tmp_path):
    security = Security(tmp_path, broker_config({}))
    api = served_apis[ApiKey.PRODUCE]
    assert security.allows_shortcut(api)
    security.change_quotas({(("user", "alice"),): {PRODUCER_BYTE_RATE: 1000.0}})
    assert not security.allows_shortcut(api)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    version=st.sampled_from(VERSIONS),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3),
    cut=st.integers(-3, 3),
)
def test_any_bytes_end_as_they_would_by_the_handler(clients, version, changes, cut):
    outcomes = []
    for client in clients:
        if "t" not in client.topics:
            client.create("t", partition_count=2)
        produced(client, version, times=2)
        frame = bytearray(client.frame(request(client), version))
        for at, value in changes:
            frame[START_BYTES + at % (len(frame) - START_BYTES)] = value
        frame = frame[:cut] if cut < 0 else frame + bytes(cut)
        outcomes.append(client.ask_bytes(frame))
    assert outcomes[0] == outcomes[1]
