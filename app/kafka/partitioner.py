"""Which partition a keyed record goes to, as Java's producer decides: murmur2 of the key."""

import struct
from functools import lru_cache

MURMUR2_SEED = 0x9747B28C  # org.apache.kafka.common.utils.Utils.murmur2
_MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF

KEYS_CACHED_MAX = 65_536
KEY_CACHED_MAX_BYTES = 64


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
