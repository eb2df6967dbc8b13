"""Open a partition's folder: segments, producer state and leader epochs as a clean stop or a crash left them."""

import logging
import os
import re
from collections.abc import Set
from pathlib import Path
from typing import Final, NamedTuple

from broker.errors import CorruptMessage
from broker.log.aborted_transactions import AbortedTransaction, AbortedTransactions
from broker.log.checkpoint_files import MalformedCheckpoint, read_leader_epochs
from broker.log.log_config import LogConfig
from broker.log.open_files import OpenFiles
from broker.log.partition_folders import LEADER_EPOCH_FILE
from broker.log.producer_state import ProducerState, load_latest_snapshot, snapshot_path
from broker.log.quarantine import Quarantine, read_quarantines, write_quarantines
from broker.log.recovery import count_batches, rescan
from broker.log.segment import DamageFound, Segment
from broker.log.segment_swap import SWAP_END_SUFFIX, SWAP_SUFFIX, recover_swaps
from broker.protocol.record_batch import CONTROL, NO_PRODUCER_ID, BatchHeader, read_marker

log = logging.getLogger(__name__)

_OFFSET_FILE: Final = re.compile(r"(\d{20})(\.log|\.index|\.timeindex|\.txnindex|\.snapshot)")
_LEFTOVER_SUFFIXES: Final = (".deleted", ".cleaned", ".tmp")


class LoadedLog(NamedTuple):
    """What a partition's folder holds."""

    segments: list[Segment]
    """Oldest first; the last one is active. At least one."""
    log_start_offset: int
    producer_state: ProducerState
    snapshot_offset: int
    """Offset of the newest producer snapshot; -1 without one."""
    leader_epochs: list[tuple[int, int]]
    torn_bytes: int
    """What a crash had half written, now cut off."""
    aborted_transactions: AbortedTransactions


def load_log(
    folder: str,
    files: OpenFiles,
    config: LogConfig,
    *,
    is_clean: bool,
    recovery_point: int,
    log_start_offset: int,
    now_ms: int,
) -> LoadedLog:
    """Read what is there; after an unclean stop check every batch from the recovery point on. Raises OSError.

    `recovery_point` and `log_start_offset` are what the checkpoints say. Checkpoints have no checksum: when they claim
    more than the log holds, they are not believed and the whole log is checked.
    """
    listing = _list(folder)
    if not is_clean and not config.is_compacting:
        _drop_empty_end(folder, listing, recovery_point)
    trusted_offset = None if is_clean else recovery_point
    segments, torn_bytes = _load_segments(folder, files, config, listing, trusted_offset, log_start_offset, now_ms)
    if segments[-1].next_offset < recovery_point:
        log.warning(
            "log ends before its recovery point, checking all of it folder=%s end_offset=%d recovery_point=%d",
            folder, segments[-1].next_offset, recovery_point,
        )  # fmt: skip
        segments, more = _load_segments(folder, files, config, _list(folder), 0, log_start_offset, now_ms)
        torn_bytes += more
    start_offset, end_offset = segments[0].base_offset, segments[-1].next_offset
    if log_start_offset > end_offset:
        log.error(
            "log start offset checkpoint ignored, it is beyond the log folder=%s start_offset=%d end_offset=%d",
            folder, log_start_offset, end_offset,
        )  # fmt: skip
    else:
        start_offset = max(start_offset, log_start_offset)
    snapshot_offset, producer_state, aborted = load_producer_state(
        folder, listing.snapshots, segments, config.index_interval_bytes
    )
    epochs = _load_leader_epochs(folder)
    return LoadedLog(segments, start_offset, producer_state, snapshot_offset, epochs, torn_bytes, aborted)


class _Listing(NamedTuple):
    sizes: dict[int, int]
    """Size of each `.log` file by base offset."""
    snapshots: list[int]


def _list(folder: str) -> _Listing:
    """What the folder holds; ends or removes what a crash left half done, and removes indexes without a log."""
    sizes: dict[int, int] = {}
    snapshots: list[int] = []
    indexes: list[tuple[int, str]] = []
    is_swap_left = False
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _OFFSET_FILE.fullmatch(entry.name)
            if match is None:
                if entry.name.endswith(_LEFTOVER_SUFFIXES):
                    os.unlink(entry.path)
                is_swap_left |= entry.name.endswith((SWAP_SUFFIX, SWAP_END_SUFFIX))
            elif match[2] == ".log":
                sizes[int(match[1])] = entry.stat().st_size
            elif match[2] == ".snapshot":
                snapshots.append(int(match[1]))
            else:
                indexes.append((int(match[1]), entry.path))
    if is_swap_left:
        recover_swaps(folder)
        return _list(folder)
    for base_offset, path in indexes:
        if base_offset not in sizes:
            os.unlink(path)
    return _Listing(dict(sorted(sizes.items())), snapshots)


def _drop_empty_end(folder: str, listing: _Listing, recovery_point: int) -> None:
    """Remove the segments behind the last one that holds anything, if they were made since the last flush.

    When power is lost their names may be on disk and their records not, nor those before them: without this the log
    would end behind offsets that are in no file.
    """
    sizes = listing.sizes
    while len(sizes) > 1:
        base_offset = next(reversed(sizes))
        if sizes[base_offset] or base_offset <= recovery_point:
            return
        for suffix in (".log", ".index", ".timeindex", ".txnindex"):
            Path(f"{folder}/{base_offset:020d}{suffix}").unlink(missing_ok=True)
        del sizes[base_offset]
        log.info("empty segment dropped folder=%s base_offset=%d", folder, base_offset)


def _load_segments(
    folder: str,
    files: OpenFiles,
    config: LogConfig,
    listing: _Listing,
    trusted_offset: int | None,
    log_start_offset: int,
    now_ms: int,
) -> tuple[list[Segment], int]:
    """The segments and how many torn bytes were cut off; `trusted_offset` None trusts all but the active one's tail."""
    base_offsets = list(listing.sizes)
    if not base_offsets:
        return [Segment.create(folder, log_start_offset, files, created_ms=now_ms)], 0
    known = read_quarantines(folder)
    found: list[Quarantine] = []
    segments: list[Segment] = []
    torn_bytes = 0
    for base_offset, end_offset in zip(base_offsets, [*base_offsets[1:], None], strict=True):
        size = listing.sizes[base_offset]
        here = [quarantine for quarantine in known if quarantine.segment_base_offset == base_offset]
        if end_offset is not None and (trusted_offset is None or end_offset <= trusted_offset):
            segment = Segment(folder, base_offset, files, created_ms=now_ms, size=size, next_offset=end_offset)
        else:
            segment = Segment(folder, base_offset, files, created_ms=now_ms)
            segment.resume(size, trusted_offset)
            here = [quarantine for quarantine in here if quarantine.end_position <= segment.size]
            recovered = count_batches(
                segment,
                file_bytes=size,
                end_offset=end_offset,
                index_interval_bytes=config.index_interval_bytes,
            )
            here += recovered.quarantines
            if recovered.torn_bytes:
                segment.truncate(segment.size)
                torn_bytes += recovered.torn_bytes
                log.warning("torn end cut off path=%s bytes=%d", segment.path, recovered.torn_bytes)
            if end_offset is not None:
                segment.seal()
        segment.quarantines = tuple(here)
        found += here
        segments.append(segment)
    if found != known:
        for quarantine in set(found).difference(known):
            report_quarantine(folder, quarantine)
        write_quarantines(folder, found)
    return segments, torn_bytes


def report_quarantine(folder: str, quarantine: Quarantine) -> None:
    """One line for the operator: which offsets can no longer be read."""
    log.error(
        "damaged range quarantined folder=%s segment=%d offsets=%d-%d bytes=%d-%d",
        folder, quarantine.segment_base_offset, quarantine.start_offset, quarantine.end_offset - 1,
        quarantine.start_position, quarantine.end_position - 1,
    )  # fmt: skip


def load_producer_state(
    folder: str, snapshots: list[int], segments: list[Segment], index_interval_bytes: int
) -> tuple[int, ProducerState, AbortedTransactions]:
    """(offset of the snapshot it comes from or -1, what the producers had done when the log ended, what was aborted).

    Without a snapshot it is read out of all that the files hold, even before the log start offset.
    """
    loaded = load_latest_snapshot(folder, snapshots, end_offset=segments[-1].next_offset)
    snapshot_offset, state = loaded if loaded is not None else (-1, ProducerState())
    replayed_from = offset = max(snapshot_offset, segments[0].base_offset)
    aborted: list[AbortedTransaction] = []
    for segment in segments:
        if segment.next_offset <= offset:
            continue
        try:
            offset = _replay(segment, offset, state, aborted)
        except DamageFound as damage:
            log.error("segment is scanned: %s", damage)
            rescan_and_report(folder, segments, segment, index_interval_bytes=index_interval_bytes)
            # The snapshot's state was changed on the way, so all is read again.
            return load_producer_state(folder, snapshots, segments, index_interval_bytes)
    useful = {segment.base_offset for segment in segments} | {snapshot_offset}
    for stray_offset in set(snapshots) - useful:
        snapshot_path(folder, stray_offset).unlink(missing_ok=True)
    aborted_transactions = AbortedTransactions(folder)
    ranges = [(segment.base_offset, segment.next_offset) for segment in segments]
    aborted_transactions.load(ranges, replayed_from=replayed_from, replayed=aborted)
    return snapshot_offset, state, aborted_transactions


def _replay(segment: Segment, offset: int, state: ProducerState, aborted: list[AbortedTransaction]) -> int:
    for position, header in segment.batches_from(offset):
        if header.producer_id > NO_PRODUCER_ID:
            if header.attributes & CONTROL:
                _replay_marker(segment, position, header, state, aborted)
            else:
                state.record(header, header.base_offset, header.max_timestamp)
        offset = header.last_offset + 1
    return offset


def _replay_marker(
    segment: Segment, position: int, header: BatchHeader, state: ProducerState, aborted: list[AbortedTransaction]
) -> None:
    marker = None
    if header.record_count:  # compaction may have left an empty one
        try:
            marker = read_marker(segment.read_at(position, header.size_bytes))
        except CorruptMessage as error:
            log.error("transaction marker cannot be read path=%s position=%d error=%s", segment.path, position, error)
    ended = state.aborted_by(header.producer_id, header.base_offset)
    if marker is not None and not marker.commit and ended is not None:
        aborted.append(ended)
    state.record(header, header.base_offset, header.max_timestamp)
    if marker is not None:
        state.note_coordinator_epoch(header.producer_id, marker.coordinator_epoch)


def rescan_and_report(folder: str, segments: list[Segment], segment: Segment, *, index_interval_bytes: int) -> None:
    """Scan a segment that turned out damaged, and remember what is beyond reading. Raises OSError."""
    known = set(segment.quarantines)
    rescan(segment, index_interval_bytes=index_interval_bytes)
    report_new(folder, segments, segment, known)


def report_new(folder: str, segments: list[Segment], segment: Segment, known: Set[Quarantine]) -> None:
    """Report the ranges of a scanned segment that were not known, and remember all of the log. Raises OSError."""
    for quarantine in segment.quarantines:
        if quarantine not in known:
            report_quarantine(folder, quarantine)
    write_quarantines(folder, [quarantine for each in segments for quarantine in each.quarantines])


def _load_leader_epochs(folder: str) -> list[tuple[int, int]]:
    try:
        return read_leader_epochs(Path(folder, LEADER_EPOCH_FILE)) or [(0, 0)]
    except MalformedCheckpoint as error:
        log.error("leader epochs are taken as epoch 0: %s", error)
        return [(0, 0)]
