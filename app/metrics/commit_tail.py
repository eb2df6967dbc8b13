"""When groups commit: the tail of `__consumer_offsets`, read like any topic.

OffsetFetch tells what is committed but not when, and without the times nobody can say whether a group has stopped. The
records are Kafka's own (OffsetCommitKey, OffsetCommitValue), on every Kafka and on our broker alike.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping

from app.cluster.lag import EndOffsets
from app.cluster.lag_status import Commit, CommitWindow
from app.cluster.snapshot import PartitionOffsets
from app.kafka.ports import ClusterAdmin, TopicPartition
from broker.errors import KafkaError, OffsetOutOfRange
from broker.protocol.codec import decode
from broker.protocol.messages.consumer_offsets import OffsetCommitKey, OffsetCommitValue
from broker.protocol.primitives import DecodeError
from broker.protocol.record_batch import Record, iter_batches, iter_records, read_header

log = logging.getLogger("caudal.metrics")

OFFSETS_TOPIC = "__consumer_offsets"
FETCH_BYTES_MAX = 512 * 1024
ROUND_S_MAX = 1.0
FIRST_READ_OFFSETS = 5_000  # per partition, of which a cluster has fifty by default
REFUSED_WAIT_S = 60.0
OFFSET_COMMIT_KEY_VERSIONS = (0, 1)
OFFSET_COMMIT_VALUE_VERSION_MAX = 4


class CommitTail:
    """The last commits of every group on every partition, as far as the topic could be read.

    is_readable: False while the cluster refuses to let us read the topic; the status of groups is then not known.
    """

    def __init__(self, admin: ClusterAdmin) -> None:
        self.windows: dict[tuple[str, TopicPartition], CommitWindow] = {}
        self.is_readable = True
        self._admin = admin
        self._positions: dict[TopicPartition, int] = {}
        self._refused_until = 0.0

    async def follow(
        self, offsets: Mapping[TopicPartition, PartitionOffsets], ends: Mapping[TopicPartition, EndOffsets]
    ) -> None:
        """Read what was committed since the last call; offsets tells where something was. Stops after a second.

        What is left then is read by the next call. Raises ClusterUnreachable.
        """
        give_up_at = time.monotonic() + ROUND_S_MAX
        if give_up_at < self._refused_until:
            return
        for partition, known in offsets.items():
            if partition.topic != OFFSETS_TOPIC:
                continue
            position = self._positions.get(partition)
            if position is None or position > known.high_watermark:
                position = max(known.log_start_offset, known.high_watermark - FIRST_READ_OFFSETS)
            while position < known.high_watermark and time.monotonic() < give_up_at:
                position = await self._read(partition, max(position, known.log_start_offset), ends)
                if position < 0:
                    return
            self._positions[partition] = position

    def forget(self, group_ids: Iterable[str], partitions: Iterable[TopicPartition] = ()) -> None:
        """Drop the windows of groups, or of partitions, that are no more."""
        gone_groups, gone_partitions = set(group_ids), set(partitions)
        for key in [key for key in self.windows if key[0] in gone_groups or key[1] in gone_partitions]:
            del self.windows[key]

    async def _read(self, partition: TopicPartition, offset: int, ends: Mapping[TopicPartition, EndOffsets]) -> int:
        """Read one portion; returns the offset after it, or -1 when the topic may not be read."""
        try:
            fetched = await self._admin.fetch(partition, offset=offset, bytes_max=FETCH_BYTES_MAX)
        except OffsetOutOfRange:
            return offset + 1  # cut or compacted away meanwhile; the next round has the new log start
        except KafkaError as error:
            if not error.retriable:
                log.warning("group status unknown: %s not readable error=%s", OFFSETS_TOPIC, error.name)
                self.is_readable = False
            self._refused_until = time.monotonic() + REFUSED_WAIT_S
            return -1
        self.is_readable = True
        next_offset = max(offset + 1, fetched.high_watermark) if not fetched.data else offset
        for batch in iter_batches(fetched.data):
            header = read_header(batch)
            next_offset = max(next_offset, header.last_offset + 1)
            if not header.is_control:
                for record in iter_records(batch):
                    if record.offset >= offset:
                        self._take(record, ends)
            await asyncio.sleep(0)
        return next_offset

    def _take(self, record: Record, ends: Mapping[TopicPartition, EndOffsets]) -> None:
        key, value = record.key, record.value
        if key is None or len(key) < 2 or int.from_bytes(key[:2], "big") not in OFFSET_COMMIT_KEY_VERSIONS:
            return  # group metadata and what newer group types keep here
        try:
            about = decode(OffsetCommitKey, 0, key, 2)
            window_of = (about.group, TopicPartition(about.topic, about.partition))
            if value is None:
                self.windows.pop(window_of, None)
                return
            version = int.from_bytes(value[:2], "big")
            if version > OFFSET_COMMIT_VALUE_VERSION_MAX:
                return
            commit = decode(OffsetCommitValue, version, value, 2)
        except DecodeError:
            return
        known_ends = ends.get(window_of[1])
        end_offset = known_ends.end_near(commit.commit_timestamp) if known_ends is not None else None
        lag = None if end_offset is None else max(0, end_offset - commit.offset)
        window = self.windows.get(window_of)
        if window is None:
            window = self.windows[window_of] = CommitWindow()
        window.add(Commit(commit.offset, commit.commit_timestamp, lag))
