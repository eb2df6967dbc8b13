"""T12: ten thousand partitions do not make a start slow, neither after a clean stop nor after a kill -9."""

import time
from collections.abc import Callable


from broker.protocol.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from broker.protocol.messages.metadata import MetadataRequest
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.faults.broker_under_test import BrokerUnderTest
from tests.integration.broker.wire_client import WireClient, batch

TOPICS = 10
PARTITIONS_PER_TOPIC = 1_000
PARTITIONS = TOPICS * PARTITIONS_PER_TOPIC
START_SECONDS_MAX = 3.0
RSS_MIB_MAX = 400
LATEST = -1


def produce_everywhere(wire: WireClient, topics: int = TOPICS) -> float:
    """One batch to each partition of so many topics; how many seconds that took."""
    begun = time.monotonic()
    for topic in range(topics):
        partitions = [
            PartitionProduceData(index=index, records=batch(b"value", timestamp_ms=int(time.time() * 1000)))
            for index in range(PARTITIONS_PER_TOPIC)
        ]
        data = TopicProduceData(name=f"topic-{topic}", partition_data=partitions)
        answer = wire.ask(ProduceRequest(acks=-1, timeout_ms=60_000, topic_data=[data]), 9)
        assert {partition.error_code for partition in answer.responses[0].partition_responses} == {0}
    return time.monotonic() - begun


def end_offsets(wire: WireClient, topics: int) -> set[int]:
    """The end offsets that occur in so many topics; every partition of them is opened for it."""
    found = set()
    for topic in range(topics):
        partitions = [ListOffsetsPartition(partition_index=index, timestamp=LATEST) for index in range(PARTITIONS_PER_TOPIC)]
        asked = ListOffsetsTopic(name=f"topic-{topic}", partitions=partitions)
        answer = wire.ask(ListOffsetsRequest(replica_id=-1, topics=[asked]), 7)
        found |= {partition.offset for partition in answer.topics[0].partitions}
    return found


def seconds_to_metadata(broker: BrokerUnderTest) -> float:
    """Start the broker; how long until it has told a client of all partitions."""
    begun = time.monotonic()
    broker.start()
    with WireClient(broker.bootstrap_servers, timeout=30) as wire:
        topics = wire.ask(MetadataRequest(topics=None), 9).topics
    assert sum(len(topic.partitions) for topic in topics) == PARTITIONS
    return time.monotonic() - begun


def test_a_start_does_not_take_longer_for_ten_thousand_partitions(
    new_broker: Callable[..., BrokerUnderTest], is_soak: bool, figures: Callable[..., None]
) -> None:
    touched = TOPICS if is_soak else 2
    broker = new_broker()
    begun = time.monotonic()
    for topic in range(TOPICS):
        broker.create_topic(f"topic-{topic}", PARTITIONS_PER_TOPIC)
    create_s = time.monotonic() - begun
    with WireClient(broker.bootstrap_servers, timeout=60) as wire:
        produce_s = produce_everywhere(wire)

    begun = time.monotonic()
    broker.stop()
    stop_s = time.monotonic() - begun
    clean_s = seconds_to_metadata(broker)
    clean_rss = broker.rss_mib()
    with WireClient(broker.bootstrap_servers, timeout=60) as wire:
        touch_clean_s = produce_everywhere(wire, touched)
        produce_everywhere(wire, touched)

    broker.kill()
    killed_s = seconds_to_metadata(broker)
    with WireClient(broker.bootstrap_servers, timeout=60) as wire:
        begun = time.monotonic()
        assert end_offsets(wire, touched) == {3}
        recover_s = time.monotonic() - begun
    figures(
        partitions=PARTITIONS,
        create_s=create_s,
        produce_s=produce_s,
        stop_s=stop_s,
        start_clean_s=clean_s,
        start_killed_s=killed_s,
        touched=touched * PARTITIONS_PER_TOPIC,
        first_touch_clean_s=touch_clean_s,
        first_touch_killed_s=recover_s,
        rss_started_mib=clean_rss,
        rss_touched_mib=broker.rss_mib(),
    )
    assert clean_s <= START_SECONDS_MAX
    assert killed_s <= START_SECONDS_MAX
    assert broker.rss_mib() <= RSS_MIB_MAX
    assert broker.unforeseen_lines() == []
