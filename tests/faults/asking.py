"""The few questions that most fault tests ask a broker, over a raw connection."""

import time

from broker.protocol.messages.describe_producers import DescribeProducersRequest, TopicRequest
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from broker.protocol.messages.list_transactions import ListTransactionsRequest
from broker.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from broker.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestTopic
from broker.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
)
from broker.protocol.record_batch import iter_batches, iter_records, read_header
from tests.integration.broker.wire_client import WireClient, batch, produce_request

LATEST = -1
EARLIEST = -2
READ_BYTES = 8 << 20


def now_ms() -> int:
    """Wall-clock time, to date records with: older ones would be deleted by retention."""
    return int(time.time() * 1000)


def produce(wire: WireClient, topic: str, value: bytes = b"value", *, partition: int = 0) -> PartitionProduceResponse:
    """Produce one record of now."""
    request = produce_request(topic, batch(value, timestamp_ms=now_ms()), partition=partition)
    answer: PartitionProduceResponse = wire.ask(request, 9).responses[0].partition_responses[0]
    return answer


def produce_everywhere(wire: WireClient, topic: str, partition_count: int, value: bytes = b"value") -> set[int]:
    """Produce one record to each partition, in one request; the error codes that occur."""
    records = batch(value, timestamp_ms=now_ms())
    partitions = [PartitionProduceData(index=index, records=bytes(records)) for index in range(partition_count)]
    data = TopicProduceData(name=topic, partition_data=partitions)
    answer = wire.ask(ProduceRequest(acks=-1, timeout_ms=60_000, topic_data=[data]), 9)
    return {partition.error_code for partition in answer.responses[0].partition_responses}


def produce_for(wire: WireClient, topic: str, seconds: float) -> list[float]:
    """Produce record after record; how long each took, in seconds, sorted."""
    took = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        begun = time.monotonic()
        answer = produce(wire, topic)
        took.append(time.monotonic() - begun)
        assert answer.error_code == 0
    return sorted(took)


def fetch_request(topic: str, partition_count: int, *, partition_max_bytes: int, max_bytes: int) -> FetchRequest:
    """Read partitions from their start."""
    partitions = [
        FetchPartition(partition=index, fetch_offset=0, partition_max_bytes=partition_max_bytes)
        for index in range(partition_count)
    ]
    topics = [FetchTopic(topic=topic, partitions=partitions)]
    return FetchRequest(max_bytes=max_bytes, min_bytes=1, max_wait_ms=100, topics=topics)


def read_end(wire: WireClient, topic: str) -> int:
    """Read partition 0 to its end, as a consumer does; the offset after its last record."""
    offset = 0
    while True:
        partition = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=READ_BYTES)
        request = FetchRequest(
            max_bytes=READ_BYTES, max_wait_ms=0, topics=[FetchTopic(topic=topic, partitions=[partition])]
        )
        found = wire.ask(request, 11).responses[0].partitions[0]
        assert found.error_code == 0
        batches = [read_header(each) for each in iter_batches(found.records)]
        if not batches:
            assert found.high_watermark == offset
            return offset
        offset = batches[-1].last_offset + 1


def list_offsets(wire: WireClient, topic: str, timestamp_ms: int, partition_count: int = 1) -> list[int]:
    """The offsets for a time, or for LATEST or EARLIEST."""
    partitions = [
        ListOffsetsPartition(partition_index=index, timestamp=timestamp_ms) for index in range(partition_count)
    ]
    request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=partitions)])
    return [partition.offset for partition in wire.ask(request, 7).topics[0].partitions]


def commit(wire: WireClient, group: str, topic: str, offset: int, *, partition: int = 0) -> int:
    """Commit an offset from outside the group protocol; the error code."""
    asked = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset)
    topics = [OffsetCommitRequestTopic(name=topic, partitions=[asked])]
    answer = wire.ask(OffsetCommitRequest(group_id=group, topics=topics), 7)
    return int(answer.topics[0].partitions[0].error_code)


def committed(wire: WireClient, group: str, topic: str, *, partition: int = 0) -> int:
    """What a group has committed; -1 for nothing."""
    topics = [OffsetFetchRequestTopic(name=topic, partition_indexes=[partition])]
    answer = wire.ask(OffsetFetchRequest(group_id=group, topics=topics), 5)
    return int(answer.topics[0].partitions[0].committed_offset)


def last_stable_and_end_offsets(wire: WireClient, topic: str, partition_count: int) -> list[tuple[int, int]]:
    """(last stable offset, high watermark) of each partition."""
    read_committed = ListOffsetsTopic(
        name=topic, partitions=[ListOffsetsPartition(index, timestamp=LATEST) for index in range(partition_count)]
    )
    answer = wire.ask(ListOffsetsRequest(replica_id=-1, isolation_level=1, topics=[read_committed]), 7)
    stable = [partition.offset for partition in answer.topics[0].partitions]
    return list(zip(stable, list_offsets(wire, topic, LATEST, partition_count), strict=True))


def hanging_transactions(wire: WireClient, topic: str, partition_count: int) -> list[str]:
    """What `kafka-transactions find-hanging` looks for: open in a partition, and nothing that its coordinator knows."""
    partitions = list(range(partition_count))
    answer = wire.ask(DescribeProducersRequest(topics=[TopicRequest(topic, partitions)]), 0)
    listed = wire.ask(ListTransactionsRequest(duration_filter=-1), 1).transaction_states
    open_ids = {
        each.producer_id for each in listed if each.transaction_state in ("Ongoing", "PrepareCommit", "PrepareAbort")
    }
    return [
        f"{topic}-{partition.partition_index} from offset {producer.current_txn_start_offset}"
        for partition in answer.topics[0].partitions
        for producer in partition.active_producers
        if producer.current_txn_start_offset >= 0 and producer.producer_id not in open_ids
    ]


def read_values(wire: WireClient, topic: str, *, expected_error: int = 0) -> list[bytes]:
    """The values in partition 0, up to the high watermark or the expected error."""
    values: list[bytes] = []
    offset = 0
    while True:
        partition = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=READ_BYTES)
        request = FetchRequest(
            max_bytes=READ_BYTES, max_wait_ms=0, topics=[FetchTopic(topic=topic, partitions=[partition])]
        )
        found = wire.ask(request, 11).responses[0].partitions[0]
        assert found.error_code in (0, expected_error)
        batches = list(iter_batches(found.records or b""))
        if not batches:
            assert found.error_code == expected_error
            return values
        for each in batches:
            values += [bytes(record.value or b"") for record in iter_records(each)]
        offset = read_header(batches[-1]).last_offset + 1
