"""Record batches of any records: they come back, aiokafka agrees, damage is noticed."""

import random

from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.errors import CorruptMessage, KafkaError
from broker.protocol.compression import Codec
from broker.protocol.record_batch import (
    Record,
    build_batch,
    check_crc,
    check_produced,
    iter_batches,
    iter_records,
    read_header,
    recompress,
)

timestamps = st.integers(0, 2**62)
records = st.builds(
    Record,
    offset=st.just(-1),
    timestamp_ms=timestamps,
    key=st.none() | st.binary(max_size=200),
    value=st.none() | st.binary(max_size=200),
    headers=st.lists(st.tuples(st.text(max_size=10), st.none() | st.binary(max_size=10)), max_size=3).map(tuple),
)
batches_of_records = st.lists(records, min_size=1, max_size=8)
base_offsets = st.integers(0, 2**60)
codecs = st.sampled_from(Codec)
thorough = settings(max_examples=150, deadline=None, database=None)


def numbered(plain: list[Record], base_offset: int) -> list[Record]:
    return [record._replace(offset=base_offset + index) for index, record in enumerate(plain)]


@thorough
@given(plain=batches_of_records, base_offset=base_offsets, codec=codecs, other=codecs)
def test_records_come_back_in_any_codec(plain: list[Record], base_offset: int, codec: Codec, other: Codec) -> None:
    batch = build_batch(plain, base_offset=base_offset, codec=codec)
    header = read_header(batch)
    assert check_crc(batch, header)
    assert header.size_bytes == len(batch)
    assert header.max_timestamp == max(record.timestamp_ms for record in plain)
    assert list(iter_records(batch)) == numbered(plain, base_offset)
    assert list(iter_records(recompress(batch, other))) == numbered(plain, base_offset)


@thorough
@given(plain=batches_of_records, base_offset=base_offsets, codec=codecs)
def test_aiokafka_reads_the_same(plain: list[Record], base_offset: int, codec: Codec) -> None:
    theirs = DefaultRecordBatch(build_batch(plain, base_offset=base_offset, codec=codec))
    assert theirs.validate_crc()
    read = [
        Record(record.offset, record.timestamp, record.key, record.value, tuple(record.headers)) for record in theirs
    ]
    assert read == numbered(plain, base_offset)


@thorough
@given(plain=st.lists(batches_of_records, max_size=4), cut=st.integers(0, 60))
def test_fetched_bytes_are_cut_into_their_whole_batches(plain: list[list[Record]], cut: int) -> None:
    batches = [build_batch(content) for content in plain]
    data = b"".join(batches)
    whole = batches if cut == 0 else batches[:-1]
    assert [bytes(batch) for batch in iter_batches(data[: len(data) - cut])] == whole


@thorough
@given(plain=batches_of_records, codec=codecs, seed=st.integers(0, 2**32))
def test_damage_is_noticed_by_the_checksum_and_breaks_nothing_without(
    plain: list[Record], codec: Codec, seed: int
) -> None:
    dice = random.Random(seed)
    damaged = bytearray(build_batch(plain, codec=codec))
    damaged[dice.randrange(21, len(damaged))] ^= 1 << dice.randrange(8)
    try:
        check_produced(damaged)
        raise AssertionError("the damage went unnoticed")
    except KafkaError:
        pass
    try:
        for _ in zip(range(1000), iter_records(bytes(damaged)), strict=False):
            pass
    except CorruptMessage:
        pass


@thorough
@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused_as_a_kafka_error(data: bytes) -> None:
    for attempt in (check_produced, lambda data: list(iter_batches(data)), lambda data: list(iter_records(data))):
        try:
            attempt(data)
        except KafkaError:
            pass
