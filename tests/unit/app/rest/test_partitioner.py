import random

from app.rest.partitioner import STICKY_BATCH_BYTES, StickyPartitions


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
