"""The records of `__share_group_state`, as Apache Kafka 4.3 writes them: snapshots, and updates to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from broker.groups.records import OffsetsRecord
from broker.groups.typed_records import TYPE_BYTES, record_of, type_of, value_of
from broker.protocol.codec import decode
from broker.protocol.messages.share_state_records import (
    ShareSnapshotKey,
    ShareSnapshotValue,
    ShareUpdateKey,
    ShareUpdateValue,
    StateBatch,
)
from broker.protocol.primitives import DecodeError
from broker.share.share_partition import NOT_STARTED, OffsetRange, RecordState, SharePartition, without

LEADER_EPOCH: Final = 0  # this broker leads every partition for good
_KEYS: Final[dict[int, type[ShareSnapshotKey | ShareUpdateKey]]] = {
    ShareSnapshotKey.API_KEY: ShareSnapshotKey,
    ShareUpdateKey.API_KEY: ShareUpdateKey,
}


class ShareKey(NamedTuple):
    """A partition of a share group."""

    group_id: str
    topic_id: bytes
    partition: int


@dataclass(slots=True)
class SavedShare:
    """What the log says of one share partition."""

    state_epoch: int = 0
    """Raised whenever the offsets are set from outside."""
    snapshot_epoch: int = 0
    start_offset: int = NOT_STARTED
    created_ms: int = 0
    update_count: int = 0
    """How many updates follow the snapshot."""
    snapshot_offset: int = 0
    """Where the snapshot is in the log."""
    ranges: list[OffsetRange] = field(default_factory=list)


def snapshot_record(key: ShareKey, saved: SavedShare, at: SharePartition, *, wall_ms: int) -> OffsetsRecord:
    """All that is known of a share partition; what is acquired counts as it was before."""
    value = ShareSnapshotValue(
        snapshot_epoch=saved.snapshot_epoch,
        state_epoch=saved.state_epoch,
        leader_epoch=LEADER_EPOCH,
        start_offset=at.start_offset,
        delivery_complete_count=at.done_count,
        create_timestamp=saved.created_ms,
        write_timestamp=wall_ms,
        state_batches=_batches(
            _before(each) if each.state is RecordState.ACQUIRED else each
            for each in at.ranges
            if each.state is not RecordState.ACQUIRED or each.delivery_count > 1
        ),
    )
    return record_of(ShareSnapshotKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition), value)


def update_record(
    key: ShareKey, saved: SavedShare, at: SharePartition, changed: Sequence[OffsetRange]
) -> OffsetsRecord:
    """What has changed of a share partition."""
    value = ShareUpdateValue(
        snapshot_epoch=saved.snapshot_epoch,
        leader_epoch=LEADER_EPOCH,
        start_offset=at.start_offset,
        delivery_complete_count=at.done_count,
        state_batches=_batches(changed),
    )
    return record_of(ShareUpdateKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition), value)


def tombstone(key: ShareKey) -> OffsetsRecord:
    """The share partition is gone."""
    return record_of(ShareSnapshotKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition), None)


def replay(shares: dict[ShareKey, SavedShare], record: OffsetsRecord, offset: int) -> None:
    """Take in the next record of the log. Raises DecodeError."""
    kind = _KEYS.get(type_of(record.key))
    if kind is None:
        return
    raw = decode(kind, 0, record.key, TYPE_BYTES)
    key = ShareKey(raw.group_id, bytes(raw.topic_id), raw.partition)
    if record.value is None:
        shares.pop(key, None)
    elif kind is ShareSnapshotKey:
        snapshot = value_of(ShareSnapshotValue, record.value)
        shares[key] = SavedShare(
            state_epoch=snapshot.state_epoch,
            snapshot_epoch=snapshot.snapshot_epoch,
            start_offset=snapshot.start_offset,
            created_ms=snapshot.create_timestamp,
            snapshot_offset=offset,
            ranges=[_range(batch) for batch in snapshot.state_batches],
        )
    elif key in shares:
        update = value_of(ShareUpdateValue, record.value)
        saved = shares[key]
        saved.update_count += 1
        if update.start_offset >= 0:
            saved.start_offset = update.start_offset
        saved.ranges = _overlaid(saved.ranges, [_range(batch) for batch in update.state_batches], saved.start_offset)


def _overlaid(below: list[OffsetRange], above: list[OffsetRange], start_offset: int) -> list[OffsetRange]:
    """Both, those above where they overlap, from the start offset on; in order."""
    kept = list(above)
    for each in below:
        pieces = [each]
        for over in above:
            pieces = [part for piece in pieces for part in without(piece, over.first_offset, over.last_offset)]
        kept += pieces
    return sorted({each for each in kept if each.last_offset >= start_offset})


def _before(held: OffsetRange) -> OffsetRange:
    return held._replace(state=RecordState.AVAILABLE, delivery_count=held.delivery_count - 1)


def _batches(ranges: Iterable[OffsetRange]) -> list[StateBatch]:
    return [
        StateBatch(
            first_offset=each.first_offset,
            last_offset=each.last_offset,
            delivery_state=each.state,
            delivery_count=each.delivery_count,
        )
        for each in ranges
    ]


def _range(batch: StateBatch) -> OffsetRange:
    try:
        state = RecordState(batch.delivery_state)
    except ValueError as error:
        raise DecodeError(str(error)) from error
    return OffsetRange(batch.first_offset, batch.last_offset, state, batch.delivery_count)
