"""T12: ten thousand partitions do not make a start slow, neither after a clean stop nor after a kill -9."""

import time
from collections.abc import Callable

from broker.protocol.messages.metadata import MetadataRequest
from tests.faults.asking import LATEST, list_offsets, produce_everywhere
from tests.faults.broker_under_test import BrokerUnderTest
from tests.integration.broker.wire_client import WireClient

TOPICS = 10
PARTITIONS_PER_TOPIC = 1_000
PARTITIONS = TOPICS * PARTITIONS_PER_TOPIC
START_SECONDS_MAX = 3.0
RSS_MIB_MAX = 400


def touch(wire: WireClient, topics: int) -> float:
    """Produce to each partition of so many topics; how many seconds that took."""
    begun = time.monotonic()
    for topic in range(topics):
        assert produce_everywhere(wire, f"topic-{topic}", PARTITIONS_PER_TOPIC) == {0}
    return time.monotonic() - begun


def seconds_to_metadata(broker: BrokerUnderTest) -> float:
    """Start the broker; how long until it has told a client of all partitions."""
    begun = time.monotonic()
    broker.start()
    with WireClient(broker.bootstrap_servers, timeout=30) as wire:
        topics = wire.ask(MetadataRequest(topics=None), 9).topics
    assert sum(len(topic.partitions) for topic in topics) == PARTITIONS
    return time.monotonic() - begun


def test_a_start_does_not_take_longer_for_ten_thousand_partitions(
    new_broker: Callable[..., BrokerUnderTest],
    is_soak: bool,
    figures: Callable[..., None],
    within: Callable[..., None],
) -> None:
    touched = TOPICS if is_soak else 2
    broker = new_broker()
    begun = time.monotonic()
    for topic in range(TOPICS):
        broker.create_topic(f"topic-{topic}", PARTITIONS_PER_TOPIC)
    create_s = time.monotonic() - begun
    with WireClient(broker.bootstrap_servers, timeout=60) as wire:
        produce_s = touch(wire, TOPICS)

    begun = time.monotonic()
    broker.stop()
    stop_s = time.monotonic() - begun
    clean_s = seconds_to_metadata(broker)
    clean_rss = broker.rss_mib()
    with WireClient(broker.bootstrap_servers, timeout=60) as wire:
        touch_clean_s = touch(wire, touched)
        touch(wire, touched)

    broker.kill()
    killed_s = seconds_to_metadata(broker)
    with WireClient(broker.bootstrap_servers, timeout=60) as wire:
        begun = time.monotonic()
        for topic in range(touched):
            found = list_offsets(wire, f"topic-{topic}", LATEST, PARTITIONS_PER_TOPIC)
            assert found == [3] * PARTITIONS_PER_TOPIC
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
    within(start_clean_s=(clean_s, START_SECONDS_MAX), start_killed_s=(killed_s, START_SECONDS_MAX))
    assert broker.rss_mib() <= RSS_MIB_MAX
    assert broker.unforeseen_lines() == []
