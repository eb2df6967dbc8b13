"""Which of a log's oldest segments may go: below the log start offset, too old, or too much.

Each function counts from the oldest segment and stops at the first that must stay, as Kafka does. The active segment
may be among them, unless it is empty: whoever deletes it begins a new one first.
"""

from collections.abc import Callable, Sequence

from broker.log.log_config import LogConfig
from broker.log.segment import Segment


def count_deletable(
    segments: Sequence[Segment],
    config: LogConfig,
    *,
    log_start_offset: int,
    high_watermark: int,
    size_bytes: int,
    now_ms: int,
    timestamp_ms: Callable[[Segment], int],
) -> int:
    """How many of the oldest segments retention deletes now. `timestamp_ms` tells how young a segment's records are."""
    candidates = [segment for segment in segments if segment.size > 0 or segment is not segments[-1]]
    count = 0
    while count < len(candidates) and candidates[count].next_offset <= high_watermark:
        count += 1
    candidates = candidates[:count]
    below_start = _count_below_start(candidates, segments[-1], log_start_offset)
    if not config.is_deleting:
        return below_start
    return max(
        below_start,
        _count_over_size(candidates, config.retention_bytes, size_bytes),
        _count_expired(candidates[below_start:], config.retention_ms, now_ms, timestamp_ms) + below_start,
    )


def _count_below_start(candidates: Sequence[Segment], active: Segment, log_start_offset: int) -> int:
    count = 0
    for segment in candidates:
        if segment is active or segment.next_offset > log_start_offset:
            break
        count += 1
    return count


def _count_over_size(candidates: Sequence[Segment], retention_bytes: int, size_bytes: int) -> int:
    if retention_bytes < 0:
        return 0
    excess, count = size_bytes - retention_bytes, 0
    for segment in candidates:
        if excess < segment.size:
            break
        excess -= segment.size
        count += 1
    return count


def _count_expired(
    candidates: Sequence[Segment], retention_ms: int, now_ms: int, timestamp_ms: Callable[[Segment], int]
) -> int:
    if retention_ms < 0:
        return 0
    count = 0
    for segment in candidates:
        if now_ms - timestamp_ms(segment) <= retention_ms:
            break
        count += 1
    return count
