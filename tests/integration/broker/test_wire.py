"""The wire as Apache Kafka 4.3.1 speaks it, byte for byte, against a real broker process.

The expected codes were measured on a real broker; cells where we differ on purpose say so.
"""

import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from crc32c import crc32c

from broker.protocol.messages.api_versions import ApiVersionsRequest
from broker.protocol.messages.describe_cluster import DescribeClusterRequest
from broker.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.init_producer_id import InitProducerIdRequest
from broker.protocol.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from broker.protocol.record_batch import iter_batches, read_header
from caudal.testing import Broker
from tests.integration.broker.wire_client import WireClient, batch, produce_request

NOW_MS = int(time.time() * 1000)
LONG_WAIT_MS = 60_000
"""Longer than the test's connections wait for an answer: who gets one was woken."""
HOUR_MS = 3_600_000


def patched(records: bytearray, at: int, layout: str, value: int, *, with_crc: bool = True) -> bytearray:
    """The batch with one header field changed, its checksum made right again unless told not to."""
    struct.pack_into(layout, records, at, value)
    if with_crc:
        struct.pack_into(">I", records, 17, crc32c(records[21:]))
    return records


def produced(wire: WireClient, topic: str, records: bytes | None, *, version: int = 9, **fields):
    answer = wire.ask(produce_request(topic, records, **fields), version)
    return answer.responses[0].partition_responses[0]


def fetch_request(topic: str, offset: int, *, partition: int = 0, bytes_max: int = 1 << 20, **fields) -> FetchRequest:
    asked = FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=bytes_max)
    settings = {"max_wait_ms": 0, "min_bytes": 1, "max_bytes": 50 << 20} | fields
    return FetchRequest(topics=[FetchTopic(topic=topic, partitions=[asked])], **settings)


def fetched(wire: WireClient, topic: str, offset: int, *, version: int = 12, **fields):
    return wire.ask(fetch_request(topic, offset, **fields), version).responses[0].partitions[0]


# -- frames


@pytest.mark.parametrize("size", [0, -5, 200 << 20, 0x47455420])
def test_a_size_that_cannot_be_closes_the_connection_silently(wire: WireClient, size: int):
    wire.socket.sendall(size.to_bytes(4, "big", signed=True) + b"x" * 20)
    assert wire.is_closed_without_answer()


@pytest.mark.parametrize(("key", "version"), [(999, 0), (0, 2), (0, 99), (4, 0), (71, 0), (3, 14)])
def test_what_is_not_served_closes_the_connection_silently(wire: WireClient, key: int, version: int):
    wire.send_body(key, version, bytes(20), is_flexible=False)
    assert wire.is_closed_without_answer()


def test_a_body_that_cannot_be_decoded_closes_the_connection_silently(wire: WireClient):
    wire.send_body(3, 12, b"\xff\xff\xff\xff\x0f" * 4)
    assert wire.is_closed_without_answer()


def test_api_versions_of_the_future_is_answered_in_version_0(wire: WireClient):
    wire.send_body(18, 5, b"\x02x\x021\0\0", is_flexible=True)
    assert wire.read_frame() == bytes.fromhex("00000007 0023 00000001 0012 0000 0004")


def test_garbage_of_any_kind_leaves_the_broker_whole(broker: Broker):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    valid = [
        (0, 9, b"\0\xff\xff\0\0\x03\xe8\x02\x05abcd\x02\0\0\0\0\x02x\0\0\0"),
        (1, 12, bytes(40)),
        (3, 12, b"\x02" + bytes(16) + b"\x04abc\0\x01\0\0"),
        (11, 7, b"\x03gg" + bytes(30)),
    ]
    for _ in range(400):
        key, version, body = chance.choice(valid)
        body = bytearray(body)
        for _ in range(chance.randrange(4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        with WireClient(broker.bootstrap_servers, timeout=5) as client, contextlib.suppress(OSError, EOFError):
            client.send_body(key, version, bytes(body))
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(65536):
                pass
    with WireClient(broker.bootstrap_servers) as client:
        assert client.ask(ApiVersionsRequest(client_software_name="t", client_software_version="1"), 4).error_code == 0


def test_answers_leave_in_the_order_of_the_requests(wire: WireClient, topic: str):
    started = time.monotonic()
    first = wire.send(fetch_request(topic, 0, max_wait_ms=300), 12)
    second = wire.send(MetadataRequest(topics=[]), 12)
    assert wire.read_frame()[:4] == first.to_bytes(4, "big")
    assert time.monotonic() - started > 0.2
    assert wire.read_frame()[:4] == second.to_bytes(4, "big")


def test_acks_0_has_no_answer_and_an_error_closes(wire: WireClient, topic: str):
    wire.send(produce_request(topic, batch(b"x"), acks=0), 9)
    assert fetched(wire, topic, 0).high_watermark == 1
    wire.send(produce_request("unknown-topic", batch(b"x"), acks=0), 9)
    assert wire.is_closed_without_answer()


def test_loopback_is_answered_in_ipv6_too(broker: Broker):
    try:
        connection = WireClient(f"[::1]:{broker.port}")
    except OSError:
        pytest.skip("no IPv6 here")
    with connection as client:
        (node,) = client.ask(MetadataRequest(topics=[]), 12).brokers
        assert (node.host, node.port) == ("127.0.0.1", broker.port)


# -- ApiVersions


@pytest.mark.parametrize("version", range(5))
def test_api_versions(wire: WireClient, version: int):
    answer = wire.ask(ApiVersionsRequest(client_software_name="t", client_software_version="1"), version)
    served = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}
    assert answer.error_code == 0
    assert served[0] == (0, 13)
    assert served[1] == (4, 18)
    assert served[3] == (0, 13)
    assert served[18] == (0, 4)
    assert served[17] == (0, 1)
    assert served[36] == (0, 2)
    assert 71 not in served


def test_api_versions_refuses_odd_client_software(wire: WireClient):
    assert wire.ask(ApiVersionsRequest(client_software_name="-", client_software_version="1"), 3).error_code == 42


# -- Produce


def with_two_batches() -> bytes:
    return bytes(batch(b"a") + batch(b"b"))


PRODUCE_CASES = {
    "good": (0, lambda: batch(b"x")),
    "wrong crc": (2, lambda: patched(batch(b"x"), 17, ">I", 1, with_crc=False)),
    "magic 1": (87, lambda: patched(batch(b"x"), 16, ">b", 1)),
    "magic 3": (2, lambda: patched(batch(b"x"), 16, ">b", 3)),
    "base offset 5": (87, lambda: batch(b"x", base_offset=5)),
    "count disagrees": (87, lambda: patched(batch(b"x", b"y"), 57, ">i", 3)),
    "two batches": (87, with_two_batches),
    "empty": (87, lambda: b""),
    "truncated": (87, lambda: batch(b"x")[:-1]),
    "null": (87, lambda: None),  # Differs from Kafka, which does not answer.
    "control": (87, lambda: batch(b"x", control=True)),
    "transactional": (53, lambda: batch(b"x", transactional=True, producer_id=1, producer_epoch=0, base_sequence=0)),
    "timestamp 2 h ahead": (32, lambda: batch(b"x", timestamp_ms=NOW_MS + 2 * HOUR_MS)),
    "no timestamp": (0, lambda: batch(b"x", timestamp_ms=-1)),
    "too large": (10, lambda: batch(bytes(1_048_588))),
    "codec 5": (87, lambda: patched(batch(b"x"), 21, ">h", 5)),  # Differs from Kafka: -1.
    "producer id without sequence": (87, lambda: batch(b"x", producer_id=5, producer_epoch=0, base_sequence=-1)),
}


@pytest.mark.parametrize("case", PRODUCE_CASES)
def test_produce_validation(wire: WireClient, topic: str, case: str):
    code, make = PRODUCE_CASES[case]
    answer = produced(wire, topic, make())
    assert answer.error_code == code
    assert answer.base_offset == (0 if code == 0 else -1)
    assert answer.log_append_time_ms == -1
    assert fetched(wire, topic, 0).high_watermark == (1 if code == 0 else 0)


def test_a_refused_timestamp_names_the_record(wire: WireClient, topic: str):
    answer = produced(wire, topic, batch(b"x", timestamp_ms=NOW_MS + 2 * HOUR_MS))
    assert [error.batch_index for error in answer.record_errors] == [0]
    assert answer.error_message


def test_zstd_needs_version_7(wire: WireClient, topic: str):
    assert produced(wire, topic, batch(b"x", codec=4), version=6).error_code == 76
    assert produced(wire, topic, batch(b"x", codec=4), version=7).error_code == 0


def test_acks_other_than_0_1_and_all(wire: WireClient, topic: str):
    assert produced(wire, topic, batch(b"x"), acks=2).error_code == 21


@pytest.mark.parametrize(("name", "partition"), [("no-such-topic", 0), (None, 7), (None, -1)])
def test_unknown_topic_or_partition(wire: WireClient, topic: str, name: str | None, partition: int):
    assert produced(wire, name or topic, batch(b"x"), partition=partition).error_code == 3


def test_a_compacted_topic_wants_keys(broker: Broker, wire: WireClient, fresh_name: Callable[[str], str]):
    name = fresh_name("compacted")
    broker.create_topic(name, configs={"cleanup.policy": "compact"})
    refused = produced(wire, name, batch(b"x"))
    assert refused.error_code == 87
    assert [error.batch_index for error in refused.record_errors] == [0]
    assert produced(wire, name, batch(None, key=b"k")).error_code == 0


def test_log_append_time_is_told(broker: Broker, wire: WireClient, fresh_name: Callable[[str], str]):
    name = fresh_name("dated")
    broker.create_topic(name, configs={"message.timestamp.type": "LogAppendTime"})
    answer = produced(wire, name, batch(b"x"))
    assert abs(answer.log_append_time_ms - time.time() * 1000) < 60_000


def test_a_topic_that_demands_a_codec_gets_it(broker: Broker, wire: WireClient, fresh_name: Callable[[str], str]):
    name = fresh_name("packed")
    broker.create_topic(name, configs={"compression.type": "zstd"})
    assert produced(wire, name, batch(b"x" * 1000, b"y" * 1000)).error_code == 0
    (stored,) = iter_batches(fetched(wire, name, 0).records)
    assert read_header(stored).codec == 4


def test_no_more_replicas_are_waited_for_than_the_topic_has(
    broker: Broker, wire: WireClient, fresh_name: Callable[[str], str]
):
    name = fresh_name("isr")
    broker.create_topic(name, configs={"min.insync.replicas": "2"})
    assert produced(wire, name, batch(b"x"), acks=-1).error_code == 0
    assert produced(wire, name, batch(b"x"), acks=1).error_code == 0


def test_sequences_of_an_idempotent_producer(wire: WireClient, topic: str):
    def send(sequence: int, epoch: int = 0, count: int = 1):
        records = batch(*[b"x"] * count, producer_id=77, producer_epoch=epoch, base_sequence=sequence)
        answer = produced(wire, topic, records)
        return answer.error_code, answer.base_offset

    assert [send(0), send(1, count=2), send(3)] == [(0, 0), (0, 1), (0, 3)]
    assert send(1, count=2) == (0, 1)  # Sent again: the offset it had.
    assert send(9)[0] == 45
    assert send(5, epoch=1)[0] == 45
    assert send(0, epoch=1) == (0, 4)
    assert send(4, epoch=0)[0] == 47


def test_a_large_batch_comes_back_byte_for_byte(wire: WireClient, topic: str):
    records = batch(random.Random(1).randbytes(900_000))
    assert produced(wire, topic, records).error_code == 0
    (stored,) = iter_batches(fetched(wire, topic, 0, bytes_max=2 << 20).records)
    assert bytes(stored[16:]) == bytes(records[16:])


# -- Fetch


def test_an_answer_of_many_megabytes_arrives_whole(wire: WireClient, topic: str):
    for number in range(20):
        assert produced(wire, topic, batch(bytes([number]) * 900_000)).error_code == 0
    records = fetched(wire, topic, 0, bytes_max=50 << 20).records
    assert [read_header(stored).base_offset for stored in iter_batches(records)] == list(range(20))
    assert all(crc32c(stored[21:]) == read_header(stored).crc for stored in iter_batches(records))


@pytest.fixture
def ten(wire: WireClient, topic: str) -> str:
    """A topic with ten records, in batches of two, 77 bytes each or so."""
    for _ in range(5):
        assert produced(wire, topic, batch(b"1", b"2")).error_code == 0
    return topic


@pytest.mark.parametrize("version", [4, 5, 7, 9, 11, 12])
def test_fetch_by_name(wire: WireClient, ten: str, version: int):
    answer = fetched(wire, ten, 4, version=version)
    assert (answer.error_code, answer.high_watermark, answer.last_stable_offset) == (0, 10, 10)
    assert [read_header(stored).base_offset for stored in iter_batches(answer.records)] == [4, 6, 8]


@pytest.mark.parametrize("version", [13, 15, 17, 18])
def test_fetch_by_topic_id(wire: WireClient, ten: str, version: int):
    (topic,) = wire.ask(MetadataRequest(topics=[MetadataRequestTopic(name=ten)]), 12).topics
    request = fetch_request(ten, 8)
    request.topics[0].topic_id = topic.topic_id
    answer = wire.ask(request, version).responses[0]
    assert answer.topic_id == topic.topic_id
    assert len(list(iter_batches(answer.partitions[0].records))) == 1
    request.topics[0].topic_id = bytes(15) + b"\x07"
    assert wire.ask(request, version).responses[0].partitions[0].error_code == 100


def test_an_offset_inside_a_batch_returns_that_batch(wire: WireClient, ten: str):
    first = next(iter_batches(fetched(wire, ten, 5).records))
    assert read_header(first).base_offset == 4


def test_at_least_one_whole_batch_is_returned(wire: WireClient, ten: str):
    answer = fetched(wire, ten, 0, bytes_max=1, max_bytes=1)
    assert len(list(iter_batches(answer.records))) == 1
    assert len(answer.records) == read_header(answer.records).size_bytes


def test_max_bytes_is_for_the_whole_response(broker: Broker, wire: WireClient, fresh_name: Callable[[str], str]):
    name = fresh_name("wide")
    broker.create_topic(name, partitions=3)
    for partition in range(3):
        assert produced(wire, name, batch(bytes(1000)), partition=partition).error_code == 0
    asked = [FetchPartition(partition=n, fetch_offset=0, partition_max_bytes=5000) for n in range(3)]
    request = FetchRequest(max_bytes=1500, min_bytes=1, topics=[FetchTopic(topic=name, partitions=asked)])
    partitions = wire.ask(request, 12).responses[0].partitions
    assert len(list(iter_batches(partitions[0].records))) == 1
    assert sum(len(partition.records) for partition in partitions) <= 1500
    assert [partition.high_watermark for partition in partitions] == [1, 1, 1]


@pytest.mark.parametrize(("offset", "partition", "code"), [(11, 0, 1), (-1, 0, 1), (0, 5, 3), (10, 0, 0)], ids=str)
def test_fetch_errors(wire: WireClient, ten: str, offset: int, partition: int, code: int):
    answer = fetched(wire, ten, offset, partition=partition)
    assert answer.error_code == code
    assert not answer.records
    if code:
        assert (answer.high_watermark, answer.last_stable_offset, answer.log_start_offset) == (-1, -1, -1)


def test_a_leader_epoch_of_the_future(wire: WireClient, ten: str):
    request = fetch_request(ten, 0)
    request.topics[0].partitions[0].current_leader_epoch = 7
    assert wire.ask(request, 12).responses[0].partitions[0].error_code == 75


def test_an_error_or_no_partition_does_not_wait(wire: WireClient, ten: str):
    assert fetched(wire, ten, 99, max_wait_ms=LONG_WAIT_MS).error_code == 1
    assert wire.ask(FetchRequest(max_wait_ms=LONG_WAIT_MS, min_bytes=1), 12).responses == []


def test_a_waiting_fetch_is_woken_by_an_append(broker: Broker, wire: WireClient, topic: str):
    with WireClient(broker.bootstrap_servers) as waiting, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fetched, waiting, topic, 0, max_wait_ms=LONG_WAIT_MS)
        time.sleep(0.3)  # it waits by now, or else finds the record: either is right
        produced(wire, topic, batch(b"x"))
        assert answer.result().high_watermark == 1


def test_a_waiting_fetch_waits_for_min_bytes(broker: Broker, wire: WireClient, topic: str):
    with WireClient(broker.bootstrap_servers) as waiting, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fetched, waiting, topic, 0, max_wait_ms=LONG_WAIT_MS, min_bytes=250)
        for _ in range(2):
            time.sleep(0.1)
            produced(wire, topic, batch(bytes(50)))
            assert not answer.done()
        produced(wire, topic, batch(bytes(50)))
        assert len(list(iter_batches(answer.result().records))) == 3


def test_a_waiting_fetch_gives_up_at_its_limit(wire: WireClient, topic: str):
    started = time.monotonic()
    assert fetched(wire, topic, 0, max_wait_ms=250).error_code == 0
    assert time.monotonic() - started > 0.2


def test_a_waiting_fetch_hears_that_its_topic_is_deleted(broker: Broker, wire: WireClient, topic: str):
    from broker.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState

    with WireClient(broker.bootstrap_servers) as waiting, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fetched, waiting, topic, 0, max_wait_ms=LONG_WAIT_MS)
        time.sleep(0.2)
        wire.ask(DeleteTopicsRequest(topics=[DeleteTopicState(name=topic)], timeout_ms=1000), 6)
        assert answer.result().error_code == 3


def test_an_incremental_session_lists_only_what_is_new(wire: WireClient, ten: str):
    full = wire.ask(fetch_request(ten, 10, session_epoch=0), 12)
    assert full.session_id > 0
    assert len(full.responses) == 1

    def go_on(epoch: int, **fields):
        return wire.ask(FetchRequest(session_id=full.session_id, session_epoch=epoch, max_bytes=9999, **fields), 12)

    assert go_on(1).responses == []
    produced(wire, ten, batch(b"x"))
    assert go_on(2).responses[0].partitions[0].high_watermark == 11
    assert go_on(9).error_code == 71
    assert go_on(-1).session_id == 0
    assert go_on(3).error_code == 70


def test_sessions_of_names_and_ids_do_not_mix(wire: WireClient, ten: str):
    session_id = wire.ask(fetch_request(ten, 10, session_epoch=0), 12).session_id
    assert wire.ask(FetchRequest(session_id=session_id, session_epoch=1), 13).error_code == 106


# -- Metadata and its relatives


@pytest.mark.parametrize("version", range(14))
def test_metadata_of_one_topic(broker: Broker, wire: WireClient, topic: str, version: int):
    answer = wire.ask(MetadataRequest(topics=[MetadataRequestTopic(name=topic)]), version)
    assert [(node.node_id, node.host, node.port) for node in answer.brokers] == [(0, "127.0.0.1", broker.port)]
    (described,) = answer.topics
    assert (described.error_code, described.name) == (0, topic)
    assert [(p.partition_index, p.leader_id, p.isr_nodes) for p in described.partitions] == [(0, 0, [0])]
    if version >= 2:
        assert answer.cluster_id == broker.cluster_id
    if version >= 10:
        assert described.topic_id != bytes(16)


@pytest.mark.parametrize(("version", "topics", "is_all"), [(0, [], True), (1, None, True), (1, [], False)])
def test_metadata_of_all_or_none(wire: WireClient, topic: str, version: int, topics: list | None, is_all: bool):
    names = {described.name for described in wire.ask(MetadataRequest(topics=topics), version).topics}
    assert (topic in names) is is_all


@pytest.mark.parametrize(("name", "code"), [("bad name", 17), ("a" * 250, 17), ("", 17), ("..", 17), ("not-there", 3)])
def test_metadata_errors(wire: WireClient, name: str, code: int):
    request = MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=False)
    (described,) = wire.ask(request, 12).topics
    assert (described.error_code, described.name, described.partitions) == (code, name, [])


def test_metadata_creates_a_topic_at_once(wire: WireClient, fresh_name: Callable[[str], str]):
    name = fresh_name("made")
    (described,) = wire.ask(MetadataRequest(topics=[MetadataRequestTopic(name=name)]), 12).topics
    assert (described.error_code, len(described.partitions)) == (0, 1)
    collision = MetadataRequest(topics=[MetadataRequestTopic(name=name.replace("-", ".") + "_x")])
    wire.ask(collision, 12)
    collision.topics[0].name = name.replace("-", ".") + ".x"
    assert wire.ask(collision, 12).topics[0].error_code == 17


def test_metadata_by_id(wire: WireClient, topic: str):
    (described,) = wire.ask(MetadataRequest(topics=[MetadataRequestTopic(name=topic)]), 12).topics
    by_id = MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=described.topic_id)])
    assert wire.ask(by_id, 12).topics[0].name == topic
    by_id.topics[0].topic_id = bytes(15) + b"\x09"
    (unknown,) = wire.ask(by_id, 12).topics
    assert (unknown.error_code, unknown.name) == (100, None)
    assert wire.ask(by_id, 10).topics[0].error_code == 42


def test_authorized_operations_only_when_asked(wire: WireClient, topic: str):
    request = MetadataRequest(topics=[MetadataRequestTopic(name=topic)])
    answer = wire.ask(request, 9)
    assert (answer.cluster_authorized_operations, answer.topics[0].topic_authorized_operations) == (-(2**31),) * 2
    request.include_cluster_authorized_operations = request.include_topic_authorized_operations = True
    answer = wire.ask(request, 9)
    assert (answer.cluster_authorized_operations, answer.topics[0].topic_authorized_operations) == (8096, 3576)


@pytest.mark.parametrize("version", range(3))
def test_describe_cluster(broker: Broker, wire: WireClient, version: int):
    answer = wire.ask(DescribeClusterRequest(include_cluster_authorized_operations=True), version)
    assert (answer.error_code, answer.cluster_id, answer.controller_id) == (0, broker.cluster_id, 0)
    assert [(node.broker_id, node.port) for node in answer.brokers] == [(0, broker.port)]
    assert answer.cluster_authorized_operations == 8096


@pytest.mark.parametrize(("endpoint_type", "code"), [(2, 114), (3, 115)])
def test_describe_cluster_of_another_kind(wire: WireClient, endpoint_type: int, code: int):
    answer = wire.ask(DescribeClusterRequest(endpoint_type=endpoint_type), 1)
    assert (answer.error_code, answer.cluster_id, answer.controller_id, answer.brokers) == (code, "", -1, [])


def test_describe_topic_partitions_in_pages(broker: Broker, wire: WireClient):
    broker.create_topic("pages-a", partitions=3)
    broker.create_topic("pages-b", partitions=1)
    asked = [TopicRequest(name=name) for name in ("pages-b", "pages-a", "pages-z", "bad name")]
    seen, cursor = [], None
    while True:
        request = DescribeTopicPartitionsRequest(topics=asked, response_partition_limit=2, cursor=cursor)
        answer = wire.ask(request, 0)
        seen += [(t.name, t.error_code, [p.partition_index for p in t.partitions]) for t in answer.topics]
        cursor = answer.next_cursor
        if cursor is None:
            break
    assert seen == [
        ("bad name", 17, []),
        ("pages-a", 0, [0, 1]),
        ("pages-a", 0, [2]),
        ("pages-b", 0, [0]),
        ("pages-z", 3, []),
    ]
    beyond = DescribeTopicPartitionsRequest(topics=asked, cursor=Cursor(topic_name="zzz", partition_index=0))
    assert {topic.error_code for topic in wire.ask(beyond, 0).topics} == {42}


# -- ListOffsets, OffsetForLeaderEpoch, InitProducerId


def listed(wire: WireClient, topic: str, *timestamps: int, version: int = 11, partition: int = 0, epoch: int = -1):
    partitions = [
        ListOffsetsPartition(partition_index=partition, timestamp=timestamp, current_leader_epoch=epoch)
        for timestamp in timestamps
    ]
    request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=partitions)])
    (answer,) = wire.ask(request, version).topics[0].partitions
    return answer


@pytest.mark.parametrize(
    ("timestamp", "code", "offset"),
    [(-1, 0, 10), (-2, 0, 0), (-4, 0, 0), (-5, 0, -1), (-6, 0, -1), (-7, 35, -1), (0, 0, 0), (10**15, 0, -1)],
)
def test_list_offsets(wire: WireClient, ten: str, timestamp: int, code: int, offset: int):
    answer = listed(wire, ten, timestamp)
    assert (answer.error_code, answer.offset) == (code, offset)


def test_list_offsets_of_the_largest_timestamp(wire: WireClient, topic: str):
    for timestamp in (1000, 3000, 2000):
        produced(wire, topic, batch(b"x", timestamp_ms=timestamp))
    answer = listed(wire, topic, -3)
    assert (answer.offset, answer.timestamp) == (1, 3000)
    assert listed(wire, topic, -3, version=6).error_code == 35
    assert listed(wire, topic, 1500).offset == 1


def test_list_offsets_errors(wire: WireClient, ten: str):
    assert listed(wire, ten, -1, partition=9).error_code == 3
    assert listed(wire, ten, -1, epoch=5).error_code == 75
    assert listed(wire, ten, -1, -2).error_code == 42


@pytest.mark.parametrize(
    ("epoch", "current", "answer"),
    [(0, -1, (0, 0, 10)), (0, 0, (0, 0, 10)), (1, -1, (0, -1, -1)), (0, 5, (75, -1, -1)), (-1, -1, (0, -1, -1))],
)
def test_offset_for_leader_epoch(wire: WireClient, ten: str, epoch: int, current: int, answer: tuple):
    asked = OffsetForLeaderPartition(partition=0, leader_epoch=epoch, current_leader_epoch=current)
    request = OffsetForLeaderEpochRequest(topics=[OffsetForLeaderTopic(topic=ten, partitions=[asked])])
    (got,) = wire.ask(request, 4).topics[0].partitions
    assert (got.error_code, got.leader_epoch, got.end_offset) == answer


@pytest.mark.parametrize("version", range(6))
def test_producer_ids_rise(wire: WireClient, version: int):
    request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    first, second = wire.ask(request, version), wire.ask(request, version)
    assert (first.error_code, first.producer_epoch) == (0, 0)
    assert second.producer_id == first.producer_id + 1


def test_an_empty_transactional_id(wire: WireClient):
    assert wire.ask(InitProducerIdRequest(transactional_id="", transaction_timeout_ms=60_000), 4).error_code == 42


# -- many, slow and stuck clients


def rss_bytes(broker: Broker) -> int:
    return psutil.Process(broker.pid).memory_info().rss


def test_idle_connections_are_cheap(broker: Broker):
    with contextlib.ExitStack() as stack:
        before = rss_bytes(broker)
        for _ in range(500):
            client = stack.enter_context(WireClient(broker.bootstrap_servers))
            client.ask(MetadataRequest(topics=[]), 12)
        assert (rss_bytes(broker) - before) / 500 < 20_000


def test_a_stuck_producer_costs_only_what_it_sent(broker: Broker):
    with contextlib.ExitStack() as stack:
        before = rss_bytes(broker)
        for _ in range(50):
            client = stack.enter_context(WireClient(broker.bootstrap_servers))
            client.socket.sendall((100_000_000).to_bytes(4, "big") + bytes(100_000))
        time.sleep(0.5)
        assert rss_bytes(broker) - before < 50 * 400_000


def test_a_slow_reader_does_not_hold_more_than_its_buffer(broker: Broker, wire: WireClient, topic: str):
    for _ in range(40):
        assert produced(wire, topic, batch(bytes(1_000_000))).error_code == 0
    before = rss_bytes(broker)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(WireClient(broker.bootstrap_servers))
            client.send(fetch_request(topic, 0, bytes_max=50 << 20), 12)
            client.send(fetch_request(topic, 0, bytes_max=50 << 20), 12)
        time.sleep(1.0)
        assert produced(wire, topic, batch(b"x")).error_code == 0
        assert rss_bytes(broker) - before < 20 * 5_000_000
