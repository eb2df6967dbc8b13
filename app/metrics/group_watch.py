"""Consumer groups over time: their commits, how fast they read, and their lag measured again each round."""

from collections import deque
from collections.abc import Mapping, Sequence

from app.cluster.groups import GroupSights, measure_group
from app.cluster.snapshot import GroupLag, PartitionOffsets
from app.kafka.ports import (
    ClusterAdmin,
    CommittedOffset,
    GroupDescription,
    GroupListing,
    GroupState,
    GroupType,
    TopicPartition,
)
from app.metrics.commit_tail import CommitTail
from app.metrics.offset_watch import OffsetWatch
from broker.errors import KafkaError
from broker.protocol.record_batch import iter_batches, read_header

CONSUME_RATE_ROUNDS = 7  # half a minute: several commits of clients that commit every five seconds
RECORD_TIMES_PER_ROUND = 8
_OTHER_TYPES = (GroupType.SHARE, GroupType.STREAMS)

Committed = Mapping[TopicPartition, CommittedOffset]


class GroupWatch:
    """All groups of the cluster as of the last round."""

    def __init__(self, admin: ClusterAdmin, offsets: OffsetWatch, tail: CommitTail) -> None:
        self.groups: Mapping[str, GroupLag] = {}
        self.committed: Mapping[str, Committed] = {}
        self._admin = admin
        self._offsets = offsets
        self._tail = tail
        self._descriptions: Mapping[str, GroupDescription] = {}
        self._progress: dict[str, deque[tuple[int, int]]] = {}
        self._record_times_ms: dict[tuple[TopicPartition, int], int] = {}

    async def ask(self, now_ms: int) -> None:
        """Ask for all groups and their commits. Raises ClusterUnreachable, KafkaError."""
        listings = await self._admin.list_groups()
        with_offsets = [one.group_id for one in listings if one.group_type is not GroupType.SHARE]
        committed = await self._admin.group_offsets(with_offsets)
        self._descriptions = self._keep_equal(await self._describe(listings))
        self._note_progress(committed, now_ms)
        gone = self.committed.keys() - committed.keys()
        self.committed = committed
        self._tail.forget(gone)
        for group_id in gone:
            self._progress.pop(group_id, None)

    async def _describe(self, listings: Sequence[GroupListing]) -> dict[str, GroupDescription]:
        """Share and streams groups have describe APIs of their own; here their listing must do."""
        known = await self._admin.describe_groups(
            [one.group_id for one in listings if one.group_type not in _OTHER_TYPES]
        )
        others = {
            one.group_id: GroupDescription(one.group_id, one.group_type, one.protocol_type, one.state, "", -1, ())
            for one in listings
            if one.group_type in _OTHER_TYPES
        }
        return {
            one.group_id: description
            for one in listings
            if (description := known.get(one.group_id) or others.get(one.group_id)) is not None
            and description.state is not GroupState.DEAD
        }

    def _keep_equal(self, fresh: dict[str, GroupDescription]) -> dict[str, GroupDescription]:
        """Unchanged groups keep their object, so that what is measured of them can be kept too."""
        before = self._descriptions
        return {
            group_id: old if (old := before.get(group_id)) == description and old is not None else description
            for group_id, description in fresh.items()
        }

    def _note_progress(self, committed: Mapping[str, Committed], now_ms: int) -> None:
        """Add how far each group's commits moved; steps back are rewinds, not rates."""
        for group_id, offsets in committed.items():
            before = self.committed.get(group_id, {})
            moved = sum(
                max(0, offset.offset - before[partition].offset)
                for partition, offset in offsets.items()
                if partition in before
            )
            rounds = self._progress.get(group_id)
            if rounds is None:
                rounds = self._progress[group_id] = deque(maxlen=CONSUME_RATE_ROUNDS)
            rounds.append((now_ms, moved))

    def interrupt(self) -> None:
        """The cluster was away: no rate is computed over the pause."""
        self._progress.clear()

    def measure(self, now_ms: int) -> None:
        """Compute the lag of all groups from what is known now."""
        sights = GroupSights(
            offsets=self._offsets.offsets,
            ends=self._offsets.ends,
            windows=self._tail.windows,
            record_times_ms=self._record_times_ms,
            commits_are_seen=self._tail.is_readable,
        )
        groups = {}
        for group_id, description in self._descriptions.items():
            committed = self.committed.get(group_id, {})
            groups[group_id] = measure_group(
                description,
                committed,
                sights,
                now_ms=now_ms,
                produce_rate=self._offsets.rate_of(committed) if committed else None,
                consume_rate=self._consume_rate(group_id) if committed else None,
                before=self.groups.get(group_id),
            )
        is_same = groups.keys() == self.groups.keys() and all(groups[name] is self.groups[name] for name in groups)
        if not is_same:
            self.groups = groups

    def _consume_rate(self, group_id: str) -> float | None:
        rounds = self._progress.get(group_id)
        if rounds is None or len(rounds) < 2:
            return None
        seconds = (rounds[-1][0] - rounds[0][0]) / 1000
        return sum(moved for _, moved in list(rounds)[1:]) / seconds if seconds > 0 else None

    async def date_old_commits(self) -> bool:
        """Look up when the oldest unread records were written where that is older than the history of end offsets.

        At most RECORD_TIMES_PER_ROUND partitions, the largest lag first. True when something was learnt.
        """
        wanted = {
            (TopicPartition(one.topic, one.partition), one.committed_offset): one.lag or 0
            for group in self.groups.values()
            for one in group.partitions
            if one.lag and one.committed_offset is not None
        }
        self._record_times_ms = {key: at_ms for key, at_ms in self._record_times_ms.items() if key in wanted}
        unknown = [key for key in wanted if key not in self._record_times_ms and self._needs_record(key[0], key[1])]
        unknown.sort(key=lambda key: wanted[key], reverse=True)
        for partition, offset in unknown[:RECORD_TIMES_PER_ROUND]:
            at_ms = await self._record_time_ms(partition, offset)
            if at_ms is not None:
                self._record_times_ms[partition, offset] = at_ms
        return bool(unknown)

    def _needs_record(self, partition: TopicPartition, offset: int) -> bool:
        ends = self._offsets.ends.get(partition)
        return ends is None or ends.reached_ms(offset) is None

    async def _record_time_ms(self, partition: TopicPartition, offset: int) -> int | None:
        """Timestamp of the record at an offset, from its batch's header: evenly spread between first and last."""
        offsets: PartitionOffsets | None = self._offsets.offsets.get(partition)
        if offsets is None:
            return None
        try:
            fetched = await self._admin.fetch(partition, offset=max(offset, offsets.log_start_offset), bytes_max=1)
        except KafkaError:
            return None
        for batch in iter_batches(fetched.data):
            header = read_header(batch)
            if header.last_offset >= offset and header.max_timestamp >= 0:
                share = max(0, offset - header.base_offset) / max(1, header.last_offset_delta)
                return int(header.base_timestamp + share * (header.max_timestamp - header.base_timestamp))
        return None
