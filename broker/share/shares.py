"""All share partitions of all groups: found by key, kept in the log, with the locks of what is given out."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from broker.errors import (
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    KafkaError,
    NotCoordinator,
    UnknownTopicOrPartition,
)
from broker.groups.deadlines import Deadline, DeadlineQueue, Now
from broker.log.waiters import Waiters
from broker.protocol.primitives import DecodeError
from broker.share.group_configs import ShareConfigs
from broker.share.share_partition import (
    NOT_STARTED,
    Acknowledgement,
    Asked,
    FetchedBatch,
    OffsetRange,
    RecordState,
    SharePartition,
    without,
)
from broker.share.state_log import SHARE_STATE_TOPIC, ShareStateLog
from broker.share.state_records import SavedShare, ShareKey, replay, snapshot_record, tombstone, update_record

if TYPE_CHECKING:
    from broker.groups.records import OffsetsRecord
    from broker.log import PartitionLog
    from broker.share.state_log import WhenDurable

__all__ = ["Share", "ShareKey", "Shares"]

log = logging.getLogger("broker.share")

_RECORDS_PER_STEP: Final = 1_000
_UPDATES_PER_PRUNING: Final = 5_000
_REWRITTEN_AT_ONCE: Final = 500


class Share:
    """One share partition with what is kept about it; `at` is how far the group is."""

    __slots__ = ("at", "key", "lock", "saved", "waiters")

    def __init__(self, key: ShareKey, saved: SavedShare, lock: Deadline) -> None:
        self.key = key
        self.saved = saved
        self.at = SharePartition(saved.start_offset, saved.ranges)
        self.lock = lock
        self.waiters = Waiters()
        """Fetches that want to know when there may be more to acquire."""
        saved.ranges = []

    @property
    def is_started(self) -> bool:
        """Whether the group knows where it begins."""
        return self.at.start_offset != NOT_STARTED


class Shares:
    """All share partitions. Methods raise KafkaError to refuse; then nothing has changed."""

    def __init__(self, state_log: ShareStateLog, configs: ShareConfigs, *, updates_per_snapshot: int = 500) -> None:
        self._log = state_log
        self.configs = configs
        self._updates_per_snapshot = updates_per_snapshot
        self._groups: dict[str, dict[tuple[bytes, int], Share]] = {}
        self._deadlines = DeadlineQueue()
        self._updates_to_pruning = _UPDATES_PER_PRUNING
        self._refusal: type[KafkaError] | None = CoordinatorLoadInProgress

    def load_in_steps(self) -> Iterator[None]:
        """Replay the log; yields every few milliseconds so that other work can go on meanwhile."""
        saved: dict[ShareKey, SavedShare] = {}
        for read_count, (record, offset) in enumerate(self._log.read(), start=1):
            try:
                replay(saved, record, offset)
            except DecodeError as error:
                log.error("share state cannot be read offset=%d error=%s", offset, error)
            if read_count % _RECORDS_PER_STEP == 0:
                yield
        for key, each in saved.items():
            self._put(key, each)
        self._refusal = None
        log.info("share states loaded partitions=%d", len(saved))

    def topics_deleted(self, topics: Collection[str]) -> bool:
        """Whether the log's own topic is among them: then all that was in it is gone."""
        if SHARE_STATE_TOPIC not in topics:
            return False
        for share in self._all():
            self._drop(share)
        self._groups.clear()
        self._log.forget()
        return True

    def close(self) -> None:
        """Refuse everything from now on."""
        self._refusal = NotCoordinator
        for share in self._all():
            share.lock.cancel()

    # Which share partitions there are.

    def get(self, key: ShareKey) -> Share | None:
        """The share partition, if the group has begun to read the partition. Raises when not loaded yet."""
        self.check_served()
        return self._groups.get(key.group_id, {}).get((key.topic_id, key.partition))

    def of_group(self, group_id: str) -> Mapping[tuple[bytes, int], Share]:
        """All share partitions of a group by topic id and partition; a live view."""
        self.check_served()
        return self._groups.get(group_id, {})

    def partitions_of(self, group_id: str) -> Collection[tuple[bytes, int]]:
        """The share partitions of a group by topic id and partition."""
        return self._groups.get(group_id, {}).keys()

    def initialize(self, group_id: str, topic_id: bytes, partitions: Collection[int], now: Now) -> None:
        """Let the group begin with these partitions, as far as it has not."""
        self.check_served()
        for partition in partitions:
            key = ShareKey(group_id, topic_id, partition)
            if self.get(key) is None:
                self._set(key, SavedShare(state_epoch=1, created_ms=now.wall_ms), now)

    def set_start(self, group_id: str, topic_id: bytes, partition: int, start_offset: int, now: Now) -> None:
        """Let the group go on from this offset, whatever it has done so far (AlterShareGroupOffsets)."""
        key = ShareKey(group_id, topic_id, partition)
        known = self.get(key)
        if known is None:
            saved = SavedShare(state_epoch=1, start_offset=start_offset, created_ms=now.wall_ms)
        else:
            saved = SavedShare(
                state_epoch=known.saved.state_epoch + 1,
                snapshot_epoch=known.saved.snapshot_epoch + 1,
                start_offset=start_offset,
                created_ms=known.saved.created_ms,
            )
        self._set(key, saved, now)

    def delete(self, group_id: str, topic_ids: Collection[bytes] | None, now: Now) -> None:
        """Forget what the group did with these topics; with all if None."""
        for (topic_id, partition), share in list(self.of_group(group_id).items()):
            if topic_ids is None or topic_id in topic_ids:
                self._append(share.key, tombstone(share.key), now)
                self._drop(share)
                del self._groups[group_id][topic_id, partition]
        if not self._groups.get(group_id, True):
            del self._groups[group_id]

    # Delivery.

    def start(self, share: Share, partition: PartitionLog, now: Now) -> None:
        """Find out where the group begins if it does not know, and follow the log's start.

        Differs from Kafka: where it begins is written down at once, not with the first acknowledgement, because with
        `latest` a restart in between would pass over records.
        """
        if not share.is_started:
            start_offset = self._first_offset(share.key.group_id, partition, now)
            started = SharePartition(start_offset)
            self._snapshot(share, started, now)
            share.at = started
        elif share.at.follow_log_start(partition.log_start_offset):
            self._set_lock(share)

    def acquire(self, share: Share, fetched: Sequence[FetchedBatch], asked: Asked) -> list[OffsetRange]:
        """Give a member what is free of these batches."""
        acquired = share.at.acquire(fetched, asked, self.configs.share_limits(share.key.group_id))
        if acquired:
            self._set_lock(share)
        return acquired

    def archive(
        self, share: Share, acquired: Sequence[OffsetRange], aborted: Sequence[FetchedBatch], member_id: str
    ) -> list[OffsetRange]:
        """Archive what a member has just got of aborted transactions; return what is left for it."""
        left = list(acquired)
        for batch in aborted:
            share.at.archive_acquired(batch.base_offset, batch.last_offset, member_id)
            left = [part for each in left for part in without(each, batch.base_offset, batch.last_offset)]
        self._set_lock(share)
        return left

    def acknowledge(self, key: ShareKey, member_id: str, acknowledgements: Sequence[Acknowledgement], now: Now) -> None:
        """Take in what a member says of a partition; it is in the log when this returns.

        Raises UnknownTopicOrPartition, InvalidRequest, InvalidRecordState, or CoordinatorNotAvailable when the log did
        not take it.
        """
        share = self.get(key)
        if share is None or not share.is_started:
            raise UnknownTopicOrPartition("The group does not read this partition.")
        lock_until_ms = now.monotonic_ms + self.configs.share_record_lock_duration_ms(key.group_id)
        before = share.at.save()
        limits = self.configs.share_limits(key.group_id)
        changed = share.at.acknowledge(member_id, acknowledgements, limits, lock_until_ms)
        if changed or share.at.start_offset != before[0]:
            try:
                self._write(share, changed, now)
            except KafkaError:
                share.at.restore(before)
                raise
        self._set_lock(share)
        if share.at.start_offset != before[0] or any(each.state is RecordState.AVAILABLE for each in changed):
            share.waiters.wake()

    def release_all(self, group_id: str, member_id: str, partitions: Collection[tuple[bytes, int]], now: Now) -> None:
        """Take back all that a member holds of these partitions: its session has ended."""
        shares = self._groups.get(group_id, {})
        for each in partitions:
            share = shares.get(each)
            if share is not None:
                self._release(share, lambda held: held.member_id == member_id, now)

    @property
    def is_strict(self) -> bool:
        """Whether an acknowledgement counts only from the disk: answer it through `when_durable`."""
        return self._log.is_strict

    def when_durable(self, callback: WhenDurable) -> None:
        """Call back with None once all that was acknowledged is on disk, or with what prevents it."""
        self._log.when_durable(callback)

    # Time.

    def next_deadline_ms(self) -> int | None:
        """When `tick` is needed next (monotonic); None: not until something is acquired."""
        return self._deadlines.next_ms()

    def tick(self, now: Now) -> None:
        """Take back what was held for too long."""
        self._deadlines.run_due(now)

    def _expire(self, share: Share, now: Now) -> None:
        self._release(share, lambda held: held.lock_until_ms <= now.monotonic_ms, now)

    def _release(self, share: Share, is_lost: Callable[[OffsetRange], bool], now: Now) -> None:
        before = share.at.start_offset
        changed = share.at.release(is_lost, self.configs.share_limits(share.key.group_id))
        if changed or share.at.start_offset != before:
            try:
                self._write(share, changed, now)
            except KafkaError as error:
                # Only how often it was delivered is lost: what is acquired was never written.
                log.warning("release not written group=%s error=%s", share.key.group_id, error)
            share.waiters.wake()
        self._set_lock(share)

    def _set_lock(self, share: Share) -> None:
        at_ms = share.at.next_lock_ms
        if at_ms is None:
            share.lock.cancel()
        else:
            share.lock.set(at_ms)

    def _first_offset(self, group_id: str, partition: PartitionLog, now: Now) -> int:
        reset = self.configs.share_auto_offset_reset(group_id)
        if reset.strategy == "earliest":
            return partition.log_start_offset
        if reset.strategy == "by_duration":
            since_ms = now.wall_ms - int(reset.duration.total_seconds() * 1000)
            found = partition.offset_for_timestamp(since_ms)
            return partition.high_watermark if found is None else found.offset
        return partition.high_watermark

    # Keeping.

    def _put(self, key: ShareKey, saved: SavedShare) -> Share:
        share = Share(key, saved, self._deadlines.deadline(lambda now: self._expire(share, now)))
        self._groups.setdefault(key.group_id, {})[key.topic_id, key.partition] = share
        return share

    def _set(self, key: ShareKey, saved: SavedShare, now: Now) -> None:
        record = snapshot_record(key, saved, SharePartition(saved.start_offset), wall_ms=now.wall_ms)
        saved.snapshot_offset = self._append(key, record, now)
        known = self.get(key)
        self._put(key, saved)
        if known is not None:
            self._drop(known)

    def _drop(self, share: Share) -> None:
        share.lock.cancel()
        share.waiters.wake()

    def _write(self, share: Share, changed: Sequence[OffsetRange], now: Now) -> None:
        saved = share.saved
        if saved.update_count + 1 >= self._updates_per_snapshot:
            self._snapshot(share, share.at, now)
        else:
            self._append(share.key, update_record(share.key, saved, share.at, changed), now)
            saved.update_count += 1
        self._updates_to_pruning -= 1
        if self._updates_to_pruning <= 0:
            self._updates_to_pruning = _UPDATES_PER_PRUNING
            self._prune(now)

    def _snapshot(self, share: Share, at: SharePartition, now: Now) -> None:
        saved = share.saved
        saved.snapshot_epoch += 1
        saved.snapshot_offset = self._append(share.key, snapshot_record(share.key, saved, at, wall_ms=now.wall_ms), now)
        saved.update_count = 0

    def _append(self, key: ShareKey, record: OffsetsRecord, now: Now) -> int:
        try:
            return self._log.append(key, record, wall_ms=now.wall_ms)
        except KafkaError as error:
            raise CoordinatorNotAvailable(f"the share group's state cannot be written: {error}") from error

    def _prune(self, now: Now) -> None:
        """Write down anew what lies far back in the log, and delete what is before the oldest snapshot."""
        newest = max((share.saved.snapshot_offset for share in self._all()), default=0)
        for share in heapq.nsmallest(_REWRITTEN_AT_ONCE, self._all(), key=_snapshot_offset):
            if newest - share.saved.snapshot_offset > 2 * _UPDATES_PER_PRUNING:
                try:
                    self._snapshot(share, share.at, now)
                except KafkaError as error:
                    log.warning("share state not written anew group=%s error=%s", share.key.group_id, error)
        needed: dict[int, int] = {}
        for share in self._all():
            index = self._log.index_of(share.key)
            needed[index] = min(needed.get(index, share.saved.snapshot_offset), share.saved.snapshot_offset)
        self._log.prune(needed)

    def _all(self) -> Iterator[Share]:
        for shares in self._groups.values():
            yield from shares.values()

    def check_served(self) -> None:
        """Raise CoordinatorLoadInProgress before all is loaded, NotCoordinator once the broker stops."""
        if self._refusal is not None:
            raise self._refusal


def _snapshot_offset(share: Share) -> int:
    return share.saved.snapshot_offset
