"""What the demo's streams add up to over hours."""

import itertools
from collections import Counter

from aiokafka.partitioner import DefaultPartitioner

from app.demo.shop import Shop
from app.demo.streams import READERS, TOPICS

HOUR_S = 3600


def test_the_late_group_catches_up_on_the_busiest_partition() -> None:
    (late,) = (reader for reader in READERS if reader.pace)
    assert late.pace is not None
    topic = next(topic for topic in TOPICS if topic.name == late.topic)
    partitions, partition_of = list(range(topic.partition_count)), DefaultPartitioner()
    count = 20_000
    events = itertools.islice(topic.events(Shop()), count)
    written = Counter(partition_of(event.key, partitions, partitions) for event in events)

    busiest_rate = topic.rate * max(written.values()) / count
    read_rate = sum(late.pace(float(second)) for second in range(HOUR_S)) / HOUR_S / topic.partition_count
    assert read_rate > 1.2 * busiest_rate
    assert late.pace(0) < topic.rate / 2  # so that a lag is soon seen
