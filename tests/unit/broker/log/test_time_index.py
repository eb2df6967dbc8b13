"""The `.timeindex`."""

import struct

import pytest

from broker.log.time_index import NO_TIMESTAMP, TimeIndex


def entries(*pairs: tuple[int, int]) -> bytes:
    return b"".join(struct.pack(">qi", *pair) for pair in pairs)


def test_only_growing_timestamps_get_an_entry() -> None:
    index = TimeIndex(100)
    assert index.last == NO_TIMESTAMP
    for timestamp_ms, offset in ((-1, 99), (50, 105), (50, 110), (40, 115), (60, 120)):
        index.maybe_add(timestamp_ms, offset)
    assert index.take_pending() == (0, entries((50, 5), (60, 20)))
    assert index.last == (60, 120)


def test_the_last_entry_not_after_a_timestamp_is_found() -> None:
    index = TimeIndex(0)
    for timestamp_ms, offset in ((50, 5), (60, 20)):
        index.maybe_add(timestamp_ms, offset)
    assert [index.floor(at_ms).last_offset for at_ms in (49, 50, 59, 60, 99)] == [-1, 5, 5, 20, 20]


@pytest.mark.parametrize(
    "data",
    [
        entries((50, 5), (50, 6)),
        entries((50, 5), (60, 4)),
        entries((50, 100)),
        entries((-5, 5)),
        entries((50, -5)),
        entries((50, 5))[:-1],
    ],
    ids=["same time", "offsets go back", "beyond the log", "negative time", "negative offset", "cut"],
)
def test_a_file_that_cannot_be_this_logs_index_is_refused(data: bytes) -> None:
    index = TimeIndex(0)
    assert not index.load(data, end_offset=100)
    assert len(index) == 0


def test_truncated_entries_are_replaced_in_the_file() -> None:
    index = TimeIndex(0)
    assert index.load(entries((50, 5), (60, 20)) + bytes(24), end_offset=100)
    index.truncate(20)
    index.maybe_add(55, 15)
    assert index.take_pending() == (12, entries((55, 15)))
