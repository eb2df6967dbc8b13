"""One partition's bytes on disk, in Apache Kafka's own layout, and the data root that holds all partitions."""

from broker.log.log_config import FlushMode, FlushPolicy, LogConfig
from broker.log.log_directory import DataRootError, LogDirectory
from broker.log.partition_log import Appended, PartitionLog, TimestampedOffset
from broker.log.record_deletion import MovedStart, RecordDeletion

__all__ = [
    "Appended",
    "DataRootError",
    "FlushMode",
    "FlushPolicy",
    "LogConfig",
    "LogDirectory",
    "MovedStart",
    "PartitionLog",
    "RecordDeletion",
    "TimestampedOffset",
]
