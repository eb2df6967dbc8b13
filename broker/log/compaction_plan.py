"""Which part of a log may be compacted, and whether it is worth it now.

The log is, from its start: compacted already (before the first dirty offset, from the cleaner's checkpoint), dirty,
and not to be touched: younger than `min.compaction.lag.ms`, in a transaction that is open, or the active segment.
"""

import os
from typing import NamedTuple

from broker.log.compaction import (
    KEY_MAP_BYTES_MAX,
    ClosedSegment,
    CompactionPlan,
    LastOfProducer,
)
from broker.log.log_config import NEVER_MS
from broker.log.partition_log import PartitionLog
from broker.log.segment import DamageFound, Segment


class Dirtiness(NamedTuple):
    """How much a log wants to be compacted."""

    segment_count: int
    """How many of the oldest segments may be compacted."""
    first_dirty_offset: int
    ratio: float
    """Share of the dirty bytes in all that may be compacted."""
    is_overdue: bool
    """Whether a dirty record is older than `max.compaction.lag.ms`."""


def dirtiness(log: PartitionLog, checkpoint_offset: int, now_ms: int) -> Dirtiness | None:
    """None when there is nothing to do. `checkpoint_offset` is where the log was compacted up to. Raises OSError."""
    segments = log.segments
    first_dirty_offset = _first_dirty_offset(log, checkpoint_offset)
    count = clean_bytes = dirty_bytes = 0
    is_overdue = False
    for segment in segments[:-1]:
        is_dirty = segment.next_offset > first_dirty_offset
        if not _may_be_compacted(log, segment, now_ms if is_dirty else None):
            break
        count += 1
        if is_dirty:
            dirty_bytes += segment.size
            is_overdue = is_overdue or _is_overdue(log, segment, now_ms)
        else:
            clean_bytes += segment.size
    if not dirty_bytes:
        return None
    return Dirtiness(count, first_dirty_offset, dirty_bytes / (clean_bytes + dirty_bytes), is_overdue)


def is_due(log: PartitionLog, found: Dirtiness) -> bool:
    """Whether the log's own configs want it compacted now."""
    return found.is_overdue or found.ratio > log.config.min_cleanable_dirty_ratio


def plan_compaction(
    log: PartitionLog, found: Dirtiness, now_ms: int, *, key_map_bytes_max: int = KEY_MAP_BYTES_MAX
) -> CompactionPlan:
    """All that the run needs to know. Raises OSError."""
    config, segments = log.config, log.segments
    return CompactionPlan(
        folder=log.folder,
        folder_inode=os.stat(log.folder).st_ino,
        segments=[_closed(segment) for segment in segments[: found.segment_count]],
        first_dirty_offset=found.first_dirty_offset,
        later_segments=[_closed(segment) for segment in segments[found.segment_count :]],
        producers={
            producer_id: LastOfProducer(producer.batches[-1].last_offset if producer.batches else -1, producer.epoch)
            for producer_id, producer in log.producer_state.producers().items()
        },
        now_ms=now_ms,
        delete_retention_ms=config.delete_retention_ms,
        segment_bytes=config.segment_bytes,
        segment_index_bytes=config.segment_index_bytes,
        index_interval_bytes=config.index_interval_bytes,
        key_map_bytes_max=key_map_bytes_max,
    )


def _first_dirty_offset(log: PartitionLog, checkpoint_offset: int) -> int:
    """Where the dirty part begins; a checkpoint beyond the log's closed part is not believed, as in Kafka."""
    if checkpoint_offset > log.segments[-1].base_offset:
        checkpoint_offset = 0
    return max(checkpoint_offset, log.log_start_offset, log.first_segment_offset)


def _may_be_compacted(log: PartitionLog, segment: Segment, now_ms: int | None) -> bool:
    """Whether nobody may still need the segment as it is.

    Differs from Kafka: a segment with a damaged range ends what may be compacted, because nobody knows its keys.
    """
    if segment.next_offset > log.last_stable_offset or segment.quarantines:
        return False
    lag_ms = log.config.min_compaction_lag_ms
    if now_ms is None or lag_ms <= 0:
        return True
    try:
        return segment.largest().timestamp_ms <= now_ms - lag_ms
    except DamageFound:
        log.rescan(segment.base_offset)
        return not segment.quarantines and segment.largest().timestamp_ms <= now_ms - lag_ms


def _is_overdue(log: PartitionLog, segment: Segment, now_ms: int) -> bool:
    lag_ms = log.config.max_compaction_lag_ms
    return lag_ms < NEVER_MS and 0 < segment.first_timestamp_ms() < now_ms - lag_ms


def _closed(segment: Segment) -> ClosedSegment:
    return ClosedSegment(segment.base_offset, segment.next_offset, segment.visible_size)
