"""Record batches: what a producer may send, what comes out again."""

import struct
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from crc32c import crc32c

from broker.errors import (
    CorruptMessage,
    InvalidRecord,
    InvalidTimestamp,
    KafkaError,
    MessageTooLarge,
    UnsupportedCompressionType,
)
from broker.protocol.compression import Codec
from broker.protocol.record_batch import (
    CONTROL,
    RECORD_BATCH_HEADER_BYTES,
    TRANSACTIONAL,
    Record,
    build_batch,
    build_marker,
    check_crc,
    check_produced,
    iter_batches,
    iter_records,
    read_header,
    recompress,
    stamp_log_append_time,
)

NOW_MS = 1_700_000_000_000
RECORDS = [
    Record(0, NOW_MS, None, b"value without key"),
    Record(1, NOW_MS - 5, b"key", None),
    Record(2, NOW_MS + 70_000, b"", b"", (("trace", b"1"), ("empty", b""), ("null", None))),
    Record(3, NOW_MS, b"k" * 300, b"v" * 70_000),
]


def altered(batch: bytes, **fields: int) -> bytes:
    """The batch with other header fields and, unless one is given, the checksum that fits them."""
    header = read_header(batch)._replace(**fields)
    changed = struct.pack(">qiibIhiqqqhii", *header) + batch[RECORD_BATCH_HEADER_BYTES:]
    if "crc" in fields:
        return changed
    return changed[:17] + crc32c(changed[21:]).to_bytes(4, "big") + changed[21:]


BATCH = build_batch(RECORDS)


class TestReadAndBuild:
    @pytest.mark.parametrize("codec", Codec)
    def test_records_come_back(self, codec: Codec) -> None:
        batch = build_batch(RECORDS, codec=codec)
        assert list(iter_records(batch)) == RECORDS
        assert read_header(batch).codec == codec
        assert check_crc(batch, read_header(batch))

    @pytest.mark.parametrize("codec", Codec)
    def test_aiokafka_reads_what_we_write(self, codec: Codec) -> None:
        theirs = DefaultRecordBatch(build_batch(RECORDS, codec=codec))
        assert theirs.validate_crc()
        read = [
            Record(record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
            for record in theirs
        ]
        assert read == RECORDS

    @pytest.mark.parametrize("codec", Codec)
    def test_we_read_what_aiokafka_writes(self, codec: Codec) -> None:
        builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
        for record in RECORDS:
            builder.append(record.offset, record.timestamp_ms, record.key, record.value, list(record.headers))
        batch = bytes(builder.build())
        assert check_produced(batch).record_count == len(RECORDS)
        assert list(iter_records(batch)) == RECORDS

    def test_header_of_a_built_batch(self) -> None:
        header = read_header(
            build_batch(
                RECORDS, base_offset=100, producer_id=7, producer_epoch=2, base_sequence=2**31 - 2, transactional=True,
                leader_epoch=4,
            )
        )  # fmt: skip
        assert (header.base_offset, header.last_offset, header.record_count) == (100, 103, 4)
        assert (header.base_timestamp, header.max_timestamp) == (NOW_MS, NOW_MS + 70_000)
        assert (header.producer_id, header.producer_epoch, header.has_producer_id) == (7, 2, True)
        assert header.last_sequence == 1  # after 2^31-1 comes 0
        assert (header.is_transactional, header.is_control, header.partition_leader_epoch) == (True, False, 4)
        assert header.size_bytes == len(build_batch(RECORDS))

    def test_offsets_are_kept_for_compaction(self) -> None:
        kept = [Record(105, NOW_MS, b"a", b"1"), Record(108, NOW_MS, b"b", b"2")]
        batch = build_batch(kept, base_offset=100, keep_offsets=True, last_offset=109)
        assert list(iter_records(batch)) == kept
        assert read_header(batch).last_offset == 109

    def test_compaction_may_leave_an_empty_batch(self) -> None:
        batch = build_batch([], base_offset=100, last_offset=109, producer_id=7, producer_epoch=0, base_sequence=3)
        assert len(batch) == RECORD_BATCH_HEADER_BYTES
        assert read_header(batch).last_sequence == 12
        assert list(iter_records(batch)) == []

    def test_records_without_timestamp_get_the_batch_s(self) -> None:
        batch = build_batch([Record(0, -1, None, b"a")], timestamp_ms=NOW_MS)
        assert next(iter_records(batch)).timestamp_ms == NOW_MS

    def test_recompress_keeps_the_records(self) -> None:
        batch = recompress(build_batch(RECORDS, codec=Codec.GZIP, base_offset=5), Codec.ZSTD)
        assert read_header(batch).codec == Codec.ZSTD
        assert [record._replace(offset=record.offset - 5) for record in iter_records(batch)] == RECORDS
        assert check_crc(batch, read_header(batch))

    def test_log_append_time_is_the_time_of_every_record(self) -> None:
        batch = bytearray(BATCH)
        header = stamp_log_append_time(memoryview(batch), NOW_MS + 1)
        assert header == read_header(batch)
        assert check_crc(batch, header)
        assert header.is_log_append_time
        assert {record.timestamp_ms for record in iter_records(bytes(batch))} == {NOW_MS + 1}

    def test_marker_is_a_control_batch_of_78_bytes(self) -> None:
        marker = build_marker(
            commit=True, producer_id=7, producer_epoch=1, coordinator_epoch=3, timestamp_ms=NOW_MS, base_offset=9
        )
        header = read_header(marker)
        assert len(marker) == 78
        assert (header.is_control, header.is_transactional, header.base_sequence) == (True, True, -1)
        assert list(iter_records(marker)) == [Record(9, NOW_MS, b"\0\0\0\1", b"\0\0\0\0\0\3")]


class TestCheckProduced:
    """The answers that Apache Kafka 4.3.1 gave to the same input, except where the function says otherwise."""

    @pytest.mark.parametrize("codec", Codec)
    def test_good_batch_is_accepted(self, codec: Codec) -> None:
        batch = build_batch(RECORDS, codec=codec)
        assert check_produced(memoryview(bytearray(batch))) == read_header(batch)

    @pytest.mark.parametrize(
        ("records", "expected"),
        [
            pytest.param(None, InvalidRecord, id="null"),
            pytest.param(b"", InvalidRecord, id="empty"),
            pytest.param(BATCH[:16], InvalidRecord, id="no room for the magic"),
            pytest.param(BATCH[:60], InvalidRecord, id="header cut short"),
            pytest.param(BATCH[:-1], InvalidRecord, id="batch cut short"),
            pytest.param(BATCH + BATCH, InvalidRecord, id="two batches"),
            pytest.param(BATCH + b"\0", InvalidRecord, id="more than a batch"),
            pytest.param(altered(BATCH, batch_length=13), CorruptMessage, id="length below any magic's"),
            pytest.param(altered(BATCH, batch_length=-1), CorruptMessage, id="negative length"),
            pytest.param(altered(BATCH, batch_length=40)[:52], CorruptMessage, id="length below magic 2's"),
            pytest.param(altered(BATCH, crc=1), CorruptMessage, id="wrong checksum"),
            pytest.param(altered(BATCH, magic=0), InvalidRecord, id="magic 0"),
            pytest.param(altered(BATCH, magic=1), InvalidRecord, id="magic 1"),
            pytest.param(altered(BATCH, magic=3), CorruptMessage, id="magic 3"),
            pytest.param(altered(BATCH, magic=-1), CorruptMessage, id="magic -1"),
            pytest.param(altered(BATCH, base_offset=5), InvalidRecord, id="base offset 5"),
            pytest.param(altered(BATCH, record_count=5), InvalidRecord, id="count above offsets"),
            pytest.param(altered(BATCH, record_count=0, last_offset_delta=-1), InvalidRecord, id="no record"),
            pytest.param(altered(BATCH, attributes=CONTROL), InvalidRecord, id="control batch"),
            pytest.param(altered(BATCH, attributes=5), InvalidRecord, id="codec 5"),
            pytest.param(altered(BATCH, producer_id=7, producer_epoch=0), InvalidRecord, id="no sequence"),
        ],
    )
    def test_bad_batch_is_refused(self, records: bytes | None, expected: type[KafkaError]) -> None:
        with pytest.raises(expected):
            check_produced(records)

    def test_too_large_a_batch_is_refused_even_with_a_wrong_checksum(self) -> None:
        assert check_produced(BATCH, max_message_bytes=len(BATCH))
        with pytest.raises(MessageTooLarge, match=str(len(BATCH))):
            check_produced(altered(BATCH, crc=1), max_message_bytes=len(BATCH) - 1)

    def test_zstd_only_where_allowed(self) -> None:
        batch = build_batch(RECORDS, codec=Codec.ZSTD)
        assert check_produced(batch).codec == Codec.ZSTD
        with pytest.raises(UnsupportedCompressionType):
            check_produced(batch, zstd_allowed=False)

    def test_wrong_offset_deltas_inside_are_accepted(self) -> None:
        swapped = [Record(1, NOW_MS, None, b"a"), Record(0, NOW_MS, None, b"b")]
        assert check_produced(build_batch(swapped, keep_offsets=True, last_offset=1)).record_count == 2

    def test_transactional_batch_is_left_to_the_handler(self) -> None:
        batch = altered(BATCH, attributes=TRANSACTIONAL, producer_id=7, producer_epoch=0, base_sequence=0)
        assert check_produced(batch).is_transactional

    @pytest.mark.parametrize(
        ("limits", "accepted"),
        [
            ({"timestamp_max_ms": NOW_MS + 70_000}, True),
            ({"timestamp_max_ms": NOW_MS + 69_999}, False),
            ({"timestamp_min_ms": NOW_MS}, True),
            ({"timestamp_min_ms": NOW_MS + 1}, False),
        ],
    )
    def test_timestamps_within_limits(self, limits: dict[str, Any], accepted: bool) -> None:
        if accepted:
            check_produced(BATCH, **limits)
            return
        with pytest.raises(InvalidTimestamp):
            check_produced(BATCH, **limits)

    def test_missing_timestamps_are_always_within_limits(self) -> None:
        check_produced(build_batch([Record(0, -1, None, b"a")]), timestamp_min_ms=NOW_MS, timestamp_max_ms=NOW_MS)


class TestIterBatches:
    def test_incomplete_batch_at_the_end_is_left_out(self) -> None:
        assert [bytes(batch) for batch in iter_batches(BATCH + BATCH + BATCH[:-1])] == [BATCH, BATCH]
        assert list(iter_batches(BATCH[:11])) == []
        assert list(iter_batches(b"")) == []

    @pytest.mark.parametrize("damaged", [altered(BATCH, batch_length=48), altered(BATCH, magic=1)])
    def test_impossible_batch_is_refused(self, damaged: bytes) -> None:
        with pytest.raises(CorruptMessage):
            list(iter_batches(BATCH + damaged))


class TestIterRecords:
    @pytest.mark.parametrize(
        "damaged",
        [
            altered(BATCH, record_count=5),
            altered(BATCH, record_count=3),
            altered(BATCH, attributes=Codec.GZIP),
            altered(BATCH, attributes=6),
            altered(build_batch(RECORDS, codec=Codec.LZ4)[:-9], attributes=Codec.LZ4),
            BATCH[:-3],
            BATCH[:61] + b"\xff" * (len(BATCH) - 61),
            BATCH[:61] + b"\1" + BATCH[62:],
        ],
        ids=["too few", "too many", "not gzip", "codec 6", "lz4 cut", "cut", "endless varint", "negative length"],
    )
    def test_content_that_does_not_fit_is_refused(self, damaged: bytes) -> None:
        with pytest.raises(CorruptMessage):
            list(iter_records(damaged))

    def test_decompressed_size_is_bounded(self) -> None:
        bomb = build_batch([Record(0, NOW_MS, None, bytes(3_000_000))], codec=Codec.ZSTD)
        with pytest.raises(CorruptMessage, match="more than 1000000 bytes"):
            list(iter_records(bomb, decompressed_bytes_max=1_000_000))

    def test_fewer_bytes_than_a_header_are_refused(self) -> None:
        with pytest.raises(CorruptMessage):
            read_header(BATCH[:60])
