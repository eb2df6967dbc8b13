"""How many partitions one request may add, and how many the broker may have: setting `caudal.partitions.max`."""

from typing import Final

from broker.config import BrokerConfig
from broker.errors import InvalidPartitions, PolicyViolation
from broker.metadata.topics import TopicRegistry

NEW_PARTITIONS_MAX: Final = 10_000
"""How many partitions one request may add, as in Kafka."""


def check_new_partitions(new_partitions: int) -> None:
    """Whether one request may add so many partitions. Raises PolicyViolation with Kafka's message."""
    if new_partitions > NEW_PARTITIONS_MAX:
        raise PolicyViolation("Excessively large number of partitions per request.")


def check_partition_limit(new_partitions: int, topics: TopicRegistry, config: BrokerConfig) -> None:
    """Whether so many partitions may be added. Raises InvalidPartitions.

    A client that makes up a topic name per message would else fill the disk with folders.
    """
    # Differs from Kafka: there is a limit of all partitions, because one node has one disk and one process for them.
    highest = config.caudal_partitions_max
    partition_count = sum(topic.partition_count for topic in topics) + new_partitions
    if partition_count > highest:
        raise InvalidPartitions(
            f"The broker would have {partition_count} partitions; caudal.partitions.max allows {highest}."
        )
