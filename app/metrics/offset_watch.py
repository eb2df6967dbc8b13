"""Offsets of all partitions over time: where the logs begin and end, how fast they grow."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import chain

from app.cluster.lag import EndOffsets
from app.cluster.snapshot import PartitionOffsets
from app.kafka.ports import FoundOffset, TopicInfo, TopicPartition

RATE_ROUNDS = 3


class OffsetWatch:
    """What ListOffsets told so far. Unchanged values keep their objects, so that an unchanged snapshot is cheap."""

    def __init__(self) -> None:
        self.partitions: tuple[TopicPartition, ...] = ()
        self.offsets: Mapping[TopicPartition, PartitionOffsets] = {}
        self.ends: dict[TopicPartition, EndOffsets] = {}
        self._log_starts: dict[TopicPartition, int] = {}
        self._rounds: deque[tuple[float, dict[TopicPartition, int]]] = deque(maxlen=RATE_ROUNDS)
        self._last_round_ms: int | None = None

    def expect(self, topics: Mapping[str, TopicInfo], changed: Iterable[str]) -> None:
        """Take over which partitions there are; everything known of the changed topics' gone logs is forgotten."""
        self.partitions = tuple(
            TopicPartition(topic.name, one.partition) for topic in topics.values() for one in topic.partitions
        )
        forgotten = set(changed)
        known = set(self.partitions)
        gone = [one for one in self.ends if one.topic in forgotten or one not in known]
        for one in gone:
            self.ends.pop(one, None)
            self._log_starts.pop(one, None)
        if gone:
            left = self.offsets.keys() - set(gone)
            self.offsets = {partition: self.offsets[partition] for partition in self.offsets if partition in left}

    def see_log_starts(self, found: Mapping[TopicPartition, FoundOffset]) -> None:
        self._log_starts.update((one, answer.offset) for one, answer in found.items() if answer.error_code == 0)

    def see_ends(self, found: Mapping[TopicPartition, FoundOffset], now_ms: int) -> None:
        """Partitions that did not answer keep what was last known of them."""
        offsets = dict(self.offsets)
        moved: dict[TopicPartition, int] = {}
        is_changed = False
        for partition, answer in found.items():
            if answer.error_code:
                continue
            ends = self.ends.get(partition)
            if ends is None:
                ends = self.ends[partition] = EndOffsets()
            grown = ends.see(answer.offset, now_ms)
            if grown:
                moved[partition] = grown
            before = offsets.get(partition)
            log_start = self._log_starts.get(partition, 0)
            if before is None or before.high_watermark != answer.offset or before.log_start_offset != log_start:
                offsets[partition] = PartitionOffsets(log_start, answer.offset, now_ms)
                is_changed = True
        if is_changed:
            self.offsets = offsets
        if self._last_round_ms is not None and now_ms > self._last_round_ms:
            self._rounds.append(((now_ms - self._last_round_ms) / 1000, moved))
        self._last_round_ms = now_ms

    def interrupt(self) -> None:
        """The cluster was away: the pause is not a round, so no rate is computed over it."""
        self._last_round_ms = None
        self._rounds.clear()

    def topic_rates(self, topics: Iterable[str]) -> dict[str, float]:
        """Records a second by topic over the last rounds; {} before there are two."""
        if not self._rounds:
            return {}
        rates = dict.fromkeys(topics, 0.0)
        seconds = sum(duration_s for duration_s, _ in self._rounds)
        for partition, grown in chain.from_iterable(moved.items() for _, moved in self._rounds):
            if partition.topic in rates:
                rates[partition.topic] += grown / seconds
        return rates

    def rate_of(self, partitions: Iterable[TopicPartition]) -> float | None:
        """Records a second written to some partitions together."""
        if not self._rounds:
            return None
        wanted = set(partitions)
        grown = sum(number for _, moved in self._rounds for one, number in moved.items() if one in wanted)
        return grown / sum(duration_s for duration_s, _ in self._rounds)
