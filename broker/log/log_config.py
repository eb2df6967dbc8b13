"""What a log is told: the topic configs that matter to bytes on disk, and when appended bytes are forced to disk."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NEVER_MS: Final = 2**63 - 1
"""Kafka's way to say that a time or a count has no limit."""


class FlushMode(StrEnum):
    """`caudal.flush.mode`: what an acknowledged batch has survived."""

    INTERVAL = "interval"
    """Answers do not wait; dirty logs are forced to disk every `interval_ms`. Power loss costs at most that much."""
    NEVER = "never"
    """As Apache Kafka by default: the kernel writes when it likes; only closed segments are forced."""
    ALWAYS = "always"
    """The high watermark, and so the answer, waits for the disk. Batches that wait together share one fdatasync."""


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """The broker's flush mode and, for `interval`, its period."""

    mode: FlushMode = FlushMode.INTERVAL
    interval_ms: int = 50


@dataclass(frozen=True, slots=True)
class LogConfig:
    """A topic's configs as its logs need them; names and defaults are Apache Kafka's."""

    segment_bytes: int = 1_073_741_824
    segment_ms: int = 604_800_000
    segment_jitter_ms: int = 0
    segment_index_bytes: int = 10_485_760
    index_interval_bytes: int = 4_096
    retention_ms: int = 604_800_000
    """-1: for ever."""
    retention_bytes: int = -1
    """-1: without limit."""
    max_message_bytes: int = 1_048_588
    message_timestamp_type: str = "CreateTime"
    message_timestamp_after_max_ms: int = 3_600_000
    message_timestamp_before_max_ms: int = NEVER_MS
    cleanup_policy: str = "delete"
    """`delete`, `compact`, both separated by a comma, or empty."""
    file_delete_delay_ms: int = 60_000
    flush_messages: int = NEVER_MS
    """1 makes this topic wait for the disk whatever the broker's flush mode is."""
    flush_ms: int = NEVER_MS
    delete_retention_ms: int = 86_400_000
    min_compaction_lag_ms: int = 0
    max_compaction_lag_ms: int = NEVER_MS
    min_cleanable_dirty_ratio: float = 0.5
    compression_type: str = "producer"
    preallocate: bool = False

    @property
    def is_deleting(self) -> bool:
        """Whether old segments go by age and size."""
        return "delete" in self.cleanup_policy.split(",")

    @property
    def is_compacting(self) -> bool:
        """Whether only the last record of each key has to stay."""
        return "compact" in self.cleanup_policy.split(",")

    @property
    def roll_ms(self) -> int:
        """The age at which a segment is closed: a record that must be compacted soon may not stay in the active one."""
        return min(self.segment_ms, self.max_compaction_lag_ms) if self.is_compacting else self.segment_ms

    @property
    def is_log_append_time(self) -> bool:
        """Whether the broker dates the batches instead of the producer."""
        return self.message_timestamp_type == "LogAppendTime"
