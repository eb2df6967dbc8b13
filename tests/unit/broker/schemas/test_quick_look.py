import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol.compression import Codec
from broker.protocol.record_batch import Record, assemble, build_batch, iter_records, read_header
from broker.schemas.quick_look import are_all_good

GOOD = {b"\0\0\0\0\1", b"\0\0\0\0\2"}

lengths = st.sampled_from([0, 1, 58, 59, 120, 8_186, 8_187])  # where varints grow
good_bytes = st.builds(lambda start, length: start + bytes(length), st.sampled_from(sorted(GOOD)), lengths)
any_bytes = st.none() | good_bytes | st.binary(max_size=7)
record = st.builds(
    Record,
    offset=st.just(0),
    timestamp_ms=st.sampled_from([0, 1, 5_000, 10**12]),
    key=any_bytes,
    value=any_bytes,
    headers=st.sampled_from([(), (), (), (("h", b"v"),)]),
)


def is_good(data):
    return data is None or data[:5] in GOOD


@pytest.mark.parametrize(("keys", "values"), [(GOOD, GOOD), (None, GOOD), (GOOD, None)])
@settings(deadline=None)
@given(records=st.lists(record, min_size=1, max_size=4), codec=st.sampled_from([Codec.NONE, Codec.ZSTD]))
def test_a_batch_passes_if_and_only_if_each_record_does(keys, values, records, codec):
    batch = memoryview(build_batch(records, codec=codec))
    wanted = all(
        not one.headers and (keys is None or is_good(one.key)) and (values is None or is_good(one.value))
        for one in records
    )
    assert are_all_good(batch, keys, values) is wanted


def test_a_length_below_minus_one_is_no_length():
    whole = build_batch([Record(0, 0, b"\0\0\0\0\1", b"\0\0\0\0\2")])
    header, body = read_header(whole), bytearray(whole[61:])
    assert are_all_good(memoryview(whole), GOOD, GOOD)
    for place in (4, 10):  # the lengths of key and value
        assert body[place] == 10
        changed = bytearray(body)
        changed[place] = 11
        assert not are_all_good(memoryview(assemble(header, bytes(changed))), None, None)


@settings(deadline=None)
@given(
    records=st.lists(st.builds(Record, st.just(0), st.just(0), good_bytes, good_bytes), min_size=1, max_size=3),
    at=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
)
def test_no_batch_passes_that_cannot_be_read_or_reads_otherwise(records, at, byte):
    whole = build_batch(records)
    header, body = read_header(whole), bytearray(whole[61:])
    body[int(at * len(body))] = byte
    batch = memoryview(assemble(header, bytes(body)))
    if are_all_good(batch, GOOD, GOOD):
        read = list(iter_records(batch))  # raises nothing
        assert all(is_good(one.key) and is_good(one.value) and not one.headers for one in read)
