"""Batches of a fetch, read a slice at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.partition_fetch import UnreadRecords
from broker.errors import CorruptMessage
from broker.protocol.compression import Codec
from broker.protocol.record_batch import Record, build_batch, build_marker


def batch(first: int, count: int, **options) -> bytes:
    records = [Record(offset, 1000 + offset, None, b"%d" % offset) for offset in range(first, first + count)]
    return build_batch(records, base_offset=first, **options)


def read_all(unread: UnreadRecords, count: int) -> list[int]:
    offsets = []
    while not unread.is_empty:
        taken = unread.take(count)
        assert len(taken) <= count
        offsets += [record.offset for record in taken]
    return offsets


@given(
    sizes=st.lists(st.integers(min_value=1, max_value=12), min_size=1, max_size=5),
    count=st.integers(min_value=1, max_value=30),
    data=st.data(),
)
def test_any_slicing_gives_every_record_from_the_offset_on_once(sizes, count, data):
    first = data.draw(st.integers(min_value=0, max_value=sizes[0] - 1))
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    batches = b"".join(batch(end - size, size) for end, size in zip(ends, sizes, strict=True))
    unread = UnreadRecords(batches, first)
    assert read_all(unread, count) == list(range(first, ends[-1]))
    assert unread.next_offset == ends[-1]


@pytest.mark.parametrize("codec", list(Codec))
def test_a_record_is_told_whole(codec):
    record = Record(7, 1234, b"key", b"value", (("h", b"1"), ("none", None)))
    unread = UnreadRecords(build_batch([record], base_offset=7, codec=codec), 7)
    (taken,) = unread.take(10)
    assert (taken.offset, taken.timestamp, taken.key, taken.value, taken.headers) == tuple(record)
    assert unread.is_empty


def test_a_position_is_never_behind_what_can_be_read():
    marker = build_marker(
        commit=True, producer_id=1, producer_epoch=0, coordinator_epoch=0, timestamp_ms=1, base_offset=3
    )
    compacted = build_batch([Record(4, 1, None, b"4")], base_offset=4, keep_offsets=True, last_offset=9)
    unread = UnreadRecords(batch(0, 3) + marker + compacted, 0)
    assert [record.offset for record in unread.take(3)] == [0, 1, 2]
    assert unread.next_offset == 4
    assert [record.offset for record in unread.take(3)] == [4]
    assert (unread.next_offset, unread.is_empty) == (10, True)


def test_a_fetch_of_nothing_but_markers_moves_the_position():
    marker = build_marker(
        commit=False, producer_id=1, producer_epoch=0, coordinator_epoch=0, timestamp_ms=1, base_offset=5
    )
    unread = UnreadRecords(marker, 5)
    assert (unread.take(10), unread.next_offset, unread.is_empty) == ([], 6, True)


def test_a_batch_cut_short_at_the_end_is_left_for_the_next_fetch():
    unread = UnreadRecords(batch(0, 2) + batch(2, 2)[:-1], 0)
    assert read_all(unread, 10) == [0, 1]
    assert unread.next_offset == 2


def test_what_holds_no_whole_batch_is_an_error():
    with pytest.raises(CorruptMessage):
        UnreadRecords(batch(0, 2)[:-1], 0)


def test_a_broken_batch_is_told_behind_what_comes_before_it():
    broken = bytearray(batch(2, 2))
    broken[-2] ^= 1
    unread = UnreadRecords(batch(0, 2) + bytes(broken), 0)
    assert [record.offset for record in unread.take(10)] == [0, 1]
    assert unread.next_offset == 2
    for _ in range(2):
        with pytest.raises(CorruptMessage):
            unread.take(10)
