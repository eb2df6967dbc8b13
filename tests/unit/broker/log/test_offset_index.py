"""The sparse `.index` and its dense tail in memory."""

import struct

import pytest

from broker.log.offset_index import OffsetIndex


def entries(*pairs: tuple[int, int]) -> bytes:
    return b"".join(struct.pack(">ii", *pair) for pair in pairs)


def test_entries_are_written_as_kafka_writes_them() -> None:
    index = OffsetIndex(1000)
    index.note(1000, 0)
    index.add(1010, 1019, 4200)
    index.note(1020, 4300)
    index.add(1030, 1030, 8500)
    assert index.take_pending() == (0, entries((19, 4200), (30, 8500)))
    index.add(1040, 1049, 12_700)
    assert index.take_pending() == (16, entries((49, 12_700)))
    assert not index.is_dirty


def test_every_batch_since_the_last_entry_is_found_exactly() -> None:
    index = OffsetIndex(0)
    for number in range(10):
        index.note(2 * number, 100 * number)
    assert [index.find(offset) for offset in (0, 1, 7, 18, 19)] == [0, 0, 300, 900, 900]
    index.add(20, 21, 1000)
    assert [index.find(offset) for offset in (0, 7, 19, 20, 99)] == [0, 0, 0, 1000, 1000]


def test_loaded_entries_are_unchecked_until_their_base_offset_is_known() -> None:
    index = OffsetIndex(100)
    assert index.load(entries((9, 50), (19, 150)), log_bytes=200)
    assert (index.loaded_count, index.entry_count, index.entry(1)) == (2, 2, (119, 150))
    assert index.floor(115) == 0
    assert index.is_unchecked(1)
    index.set_checked(1, 110)
    assert index.floor(115) == 1
    assert not index.is_unchecked(1)
    assert not index.is_unchecked(2)


@pytest.mark.parametrize(
    "data",
    [
        entries((9, 50), (8, 150)),
        entries((9, 150), (19, 50)),
        entries((9, 50), (19, 200)),
        entries((-1, 50)),
        entries((9, 50))[:-1],
        entries((0, 0), (19, 150)),
    ],
    ids=["offsets go back", "positions go back", "beyond the log", "negative", "cut", "zeros first"],
)
def test_a_file_that_cannot_be_this_logs_index_is_refused(data: bytes) -> None:
    index = OffsetIndex(100)
    assert not index.load(data, log_bytes=200)
    assert index.entry_count == 0


def test_zeros_that_kafka_preallocated_end_the_entries() -> None:
    index = OffsetIndex(0)
    assert index.load(entries((9, 50)) + bytes(80), log_bytes=200)
    assert (index.entry_count, index.is_dirty) == (1, True)
    assert index.take_pending() == (8, b"")


@pytest.mark.parametrize("written", [True, False])
def test_truncated_entries_are_replaced_in_the_file(written: bool) -> None:
    index = OffsetIndex(0)
    for number in range(1, 5):
        index.add(10 * number, 10 * number, 100 * number)
    if written:
        index.take_pending()
    index.truncate(2)
    index.add(35, 36, 350)
    at, data = index.take_pending()
    whole = entries((10, 100), (20, 200), (30, 300), (40, 400))[:at] + data
    assert whole == entries((10, 100), (20, 200), (36, 350))
