"""Which partition a record goes to: keyed ones as Java's producer does, the others by turns."""

import random
import struct
from functools import lru_cache

MURMUR2_SEED = 0x9747B28C  # org.apache.kafka.common.utils.Utils.murmur2
_MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF

KEYS_CACHED_MAX = 65_536
KEY_CACHED_MAX_BYTES = 64
STICKY_BATCH_BYTES = 16_384  # Java's default batch.size: how much goes to one partition before the next has its turn


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 of data, as an unsigned number."""
    length = len(data)
    h = MURMUR2_SEED ^ length
    whole = length & ~3
    for k in struct.unpack_from(f"<{whole >> 2}I", data):
        k = k * _MULTIPLIER & _MASK
        k = (k ^ k >> 24) * _MULTIPLIER & _MASK
        h = (h * _MULTIPLIER & _MASK) ^ k
    if whole != length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    h = (h ^ h >> 13) * _MULTIPLIER & _MASK
    return h ^ h >> 15


_murmur2_remembered = lru_cache(KEYS_CACHED_MAX)(murmur2)


def partition_of_key(key: bytes, partition_count: int) -> int:
    """The partition of a key, as Java's default partitioner chooses it."""
    hashed = _murmur2_remembered(key) if len(key) <= KEY_CACHED_MAX_BYTES else murmur2(key)
    return (hashed & 0x7FFFFFFF) % partition_count


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
