"""The partitions of `__share_group_state`: records of share partitions, appended one request at a time."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from broker.errors import KafkaError
from broker.groups.offsets_topic import partition_of, sound_batches
from broker.groups.records import OffsetsRecord
from broker.protocol.record_batch import Record, build_batch, iter_records, read_header

if TYPE_CHECKING:
    from broker.log import PartitionLog
    from broker.share.state_records import ShareKey

log = logging.getLogger("broker.share")

SHARE_STATE_TOPIC: Final = "__share_group_state"
_PRUNED_RECORDS_MIN: Final = 10_000

WhenDurable = Callable[[KafkaError | None], None]


class ShareStateLog:
    """Keeps each share partition in one partition of the topic, chosen as Kafka chooses it.

    `existing` gives the topic's partitions in order, none if it does not exist; `ensure` makes the topic first if need
    be. Nothing is created before the first share group comes.
    """

    def __init__(
        self, *, existing: Callable[[], Sequence[PartitionLog]], ensure: Callable[[], Sequence[PartitionLog]]
    ) -> None:
        self._existing = existing
        self._ensure = ensure
        self._partitions: Sequence[PartitionLog] = ()

    def append(self, key: ShareKey, record: OffsetsRecord, *, wall_ms: int) -> int:
        """Write a record; its offset. On return it survives a crash of this process. Raises KafkaError: it was not."""
        batch = bytearray(build_batch([Record(0, wall_ms, record.key, record.value, ())]))
        return self._partition_of(key).append(batch, read_header(batch), now_ms=wall_ms).base_offset

    @property
    def is_strict(self) -> bool:
        """Whether what was appended counts only from the disk: answer it through `when_durable`."""
        return bool(self._partitions) and self._partitions[0].is_strict

    def when_durable(self, callback: WhenDurable) -> None:
        """Call back with None once all that was appended is on disk, or with what prevents it."""
        waiting = len(self._partitions)
        failure: KafkaError | None = None

        def done(error: KafkaError | None) -> None:
            nonlocal waiting, failure
            waiting -= 1
            failure = failure or error
            if waiting == 0:
                callback(failure)

        if not waiting:
            callback(None)
        for partition in self._partitions:
            partition.when_durable(partition.log_end_offset, done)

    def read(self) -> Iterator[tuple[OffsetsRecord, int]]:
        """All records with their offsets, partition after partition."""
        self._partitions = self._existing()
        for partition in self._partitions:
            for batch in sound_batches(partition):
                for record in iter_records(batch):
                    if record.key is not None:
                        value = None if record.value is None else bytes(record.value)
                        yield OffsetsRecord(bytes(record.key), value), record.offset

    def index_of(self, key: ShareKey) -> int:
        """Which of the topic's partitions holds the share partition."""
        name = f"{key.group_id}:{base64.urlsafe_b64encode(key.topic_id).decode().rstrip('=')}:{key.partition}"
        return partition_of(name, len(self._partitions) or 1)

    def prune(self, needed_from: Mapping[int, int]) -> None:
        """Delete what is older than these offsets by partition, once that is a good deal."""
        for index, offset in needed_from.items():
            partition = self._partitions[index]
            if offset - partition.log_start_offset >= _PRUNED_RECORDS_MIN:
                try:
                    partition.delete_records(min(offset, partition.high_watermark))
                except KafkaError as error:
                    log.warning("old share states not deleted partition=%d error=%s", index, error)

    def forget(self) -> None:
        """The topic was deleted; the next record makes it anew."""
        self._partitions = ()

    def _partition_of(self, key: ShareKey) -> PartitionLog:
        if not self._partitions:
            self._partitions = self._ensure()
        return self._partitions[self.index_of(key)]
