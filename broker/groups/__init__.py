"""Consumer groups: who is in them, who reads what, and how far they have read.

`GroupCoordinator` is the entrance; `PartitionOffsetsLog` keeps its records in the partitions of `__consumer_offsets`.
"""

from broker.groups.coordinator import GroupCoordinator
from broker.groups.deadlines import Now
from broker.groups.members import Client
from broker.groups.offsets import OFFSETS_TOPIC, OffsetStore, PartitionOffset
from broker.groups.offsets_topic import PartitionOffsetsLog, partition_of
from broker.groups.records import CommittedOffset

__all__ = [
    "OFFSETS_TOPIC",
    "Client",
    "CommittedOffset",
    "GroupCoordinator",
    "Now",
    "OffsetStore",
    "PartitionOffset",
    "PartitionOffsetsLog",
    "partition_of",
]
