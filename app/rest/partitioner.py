"""Which partition records without key go to: each in its turn. (Keyed ones: app.kafka.partitioner.)"""

import random

STICKY_BATCH_BYTES = 16_384  # Java's default batch.size: how much goes to one partition before the next has its turn


class StickyPartitions:
    """One partition per topic for records without key, changed after STICKY_BATCH_BYTES (KIP-794 in short).

    Requests that arrive together so share a batch, and over time all partitions get the same.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._current: dict[str, tuple[int, int]] = {}  # topic -> partition, bytes it has had in this turn

    def next(self, topic: str, partition_count: int, size_bytes: int) -> int:
        """The partition for size_bytes of records that stay together."""
        if partition_count == 1:
            return 0
        partition, taken = self._current.get(topic) or (self._rng.randrange(partition_count), 0)
        if partition >= partition_count:
            partition = 0
        taken += size_bytes
        following = ((partition + 1) % partition_count, 0) if taken >= STICKY_BATCH_BYTES else (partition, taken)
        self._current[topic] = following
        return partition
