"""Compaction as the cleaner does it, without a process of its own, and what a compacted log must hold."""

from collections.abc import Iterable

from broker.log import Appended, PartitionLog
from broker.log.compaction import Compacted, ReplacedSegments, compact
from broker.log.compaction_plan import dirtiness, plan_compaction
from broker.protocol.record_batch import (
    BatchHeader,
    Record,
    build_batch,
    build_marker,
    iter_batches,
    iter_records,
    read_header,
)
from tests.unit.broker.log.making import NOW_MS, DataRoot

Item = tuple[str | None, str | None]


def put(log: PartitionLog, *items: Item, now_ms: int = NOW_MS, timestamp_ms: int | None = None, **fields) -> Appended:
    """Append one batch of (key, value)."""
    records = [
        Record(0, now_ms if timestamp_ms is None else timestamp_ms, _bytes(key), _bytes(value)) for key, value in items
    ]
    batch = build_batch(records, **fields)
    return log.append(batch, read_header(batch), now_ms=now_ms)


def mark(log: PartitionLog, *, commit: bool, producer_id: int = 1, now_ms: int = NOW_MS) -> Appended:
    """Append the marker that ends a transaction."""
    batch = build_marker(
        commit=commit, producer_id=producer_id, producer_epoch=0, coordinator_epoch=0, timestamp_ms=now_ms
    )
    return log.append(batch, read_header(batch), now_ms=now_ms)


def roll(log: PartitionLog, now_ms: int = NOW_MS) -> None:
    """Close the active segment."""
    log._roll(now_ms)


def compact_now(root: DataRoot, log: PartitionLog, *, now_ms: int = NOW_MS, **options) -> Compacted | None:
    """One run, taken into use and noted; None if there was nothing to do."""
    found = dirtiness(log, root.logs.cleaned_offset(log.topic, log.partition), now_ms)
    if found is None:
        return None
    plan = plan_compaction(log, found, now_ms, **options)
    answer: ReplacedSegments | Compacted | None = None
    for answer in compact(plan):
        if isinstance(answer, ReplacedSegments):
            log.replace_segments(answer.base_offsets, answer.size, now_ms=now_ms)
    assert isinstance(answer, Compacted)
    root.logs.note_cleaned(log.topic, log.partition, answer.end_offset)()
    return answer


def batches_of(log: PartitionLog) -> Iterable[tuple[BatchHeader, list[Record]]]:
    """Every batch that a consumer reads from the start."""
    offset = log.log_start_offset
    while offset < log.high_watermark:
        data = log.read(offset=offset, bytes_max=1 << 20)
        if not data:
            return
        for batch in iter_batches(data):
            header = read_header(batch)
            yield header, list(iter_records(batch))
            offset = header.last_offset + 1


def items_in(log: PartitionLog) -> dict[int, Item]:
    """(key, value) by offset of all records, markers left out."""
    return {
        record.offset: (_text(record.key), _text(record.value))
        for header, records in batches_of(log)
        if not header.is_control
        for record in records
    }


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _text(data: bytes | None) -> str | None:
    return None if data is None else bytes(data).decode()
