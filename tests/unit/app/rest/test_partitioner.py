import random

import pytest
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis.strategies import binary

from app.rest.partitioner import STICKY_BATCH_BYTES, StickyPartitions, murmur2, partition_of_key


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_kafkas_java_client(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF


@given(binary(max_size=100))
def test_keys_of_any_length_hash_as_in_aiokafka(key: bytes) -> None:
    assert murmur2(key) == reference(key) & 0xFFFFFFFF
    assert partition_of_key(key, 7) == (reference(key) & 0x7FFFFFFF) % 7


def test_a_partition_keeps_its_turn_until_a_batch_is_full() -> None:
    sticky = StickyPartitions(random.Random(1))
    size_bytes = STICKY_BATCH_BYTES // 4
    chosen = [sticky.next("t", 3, size_bytes) for _ in range(12)]
    assert chosen == [chosen[0]] * 4 + [chosen[4]] * 4 + [chosen[8]] * 4
    assert set(chosen) == {0, 1, 2}


def test_topics_have_turns_of_their_own() -> None:
    sticky = StickyPartitions(random.Random(1))
    first = sticky.next("a", 8, 1)
    sticky.next("b", 8, STICKY_BATCH_BYTES)
    assert sticky.next("a", 8, 1) == first


def test_a_topic_that_shrank_is_no_trouble() -> None:
    sticky = StickyPartitions(random.Random(3))
    for _ in range(20):
        sticky.next("t", 9, STICKY_BATCH_BYTES)
    assert sticky.next("t", 2, 1) in (0, 1)
