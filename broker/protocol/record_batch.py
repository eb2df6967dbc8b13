"""Record batches, magic 2: read and check the header, walk the records, build a batch.

A broker looks at the 61 header bytes and the checksum; what is inside is opened only where a topic needs it.
Source: Kafka's "Record Batch" format; KIP-98 for producer ids and control batches.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from crc32c import crc32c

from broker.errors import (
    CorruptMessage,
    InvalidRecord,
    InvalidTimestamp,
    KafkaError,
    MessageTooLarge,
    UnsupportedCompressionType,
)
from broker.protocol.compression import DECOMPRESSED_BYTES_MAX, Codec, compress, decompress
from broker.protocol.primitives import DecodeError, encode_varint

RECORD_BATCH_HEADER_BYTES: Final = 61  # magic 2
LOG_OVERHEAD_BYTES: Final = 12  # base offset and batch length, which the length does not count
RECORD_BYTES_MIN: Final = 7  # length, attributes, timestamp, offset, null key, null value, no headers
CRC_FROM: Final = 21  # the checksum covers attributes and all that follows
MAGIC: Final = 2
MESSAGE_BYTES_MAX: Final = 1048588  # Kafka's default of max.message.bytes

CODEC_MASK: Final = 0x07
ZSTD: Final = int(Codec.ZSTD)
LOG_APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20
DELETE_HORIZON: Final = 0x40

ABORT_MARKER: Final = 0
COMMIT_MARKER: Final = 1

NO_TIMESTAMP: Final = -1
NO_PRODUCER_ID: Final = -1
NO_SEQUENCE: Final = -1

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_AFTER_CRC: Final = struct.Struct(">hiqqqhii")
_BEFORE_CRC: Final = struct.Struct(">qiibI")
_new_tuple = tuple.__new__


class BatchHeader(NamedTuple):
    """The 61 bytes before the records, in their order."""

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size_bytes(self) -> int:
        """The whole batch, header included."""
        return LOG_OVERHEAD_BYTES + self.batch_length

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def codec(self) -> int:
        """Compression: see `compression.Codec`. May be a number that no codec has."""
        return self.attributes & CODEC_MASK

    @property
    def is_log_append_time(self) -> bool:
        """Whether all records have `max_timestamp` as theirs."""
        return bool(self.attributes & LOG_APPEND_TIME)

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """Whether the batch holds a transaction marker, which applications never see."""
        return bool(self.attributes & CONTROL)

    @property
    def has_delete_horizon(self) -> bool:
        """Whether `base_timestamp` is the time from which compaction may drop tombstones."""
        return bool(self.attributes & DELETE_HORIZON)

    @property
    def has_producer_id(self) -> bool:
        return self.producer_id > NO_PRODUCER_ID

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record; after 2^31-1 comes 0."""
        if self.base_sequence < 0:
            return NO_SEQUENCE
        return (self.base_sequence + self.last_offset_delta) & 0x7FFF_FFFF


class Record(NamedTuple):
    """One record as an application sees it."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def read_header(data: bytes | bytearray | memoryview, at: int = 0) -> BatchHeader:
    """The header at `at`, unchecked. Raises CorruptMessage when fewer than 61 bytes are there."""
    try:
        return _new_tuple(BatchHeader, _HEADER.unpack_from(data, at))
    except struct.error:
        raise CorruptMessage(f"{len(data) - at} bytes are too few for a record batch") from None


def check_crc(data: bytes | bytearray | memoryview, header: BatchHeader, at: int = 0) -> bool:
    """Whether the CRC-32C of the batch at `at` is right. The whole batch must be there."""
    view = data if type(data) is memoryview else memoryview(data)
    return crc32c(view[at + CRC_FROM : at + LOG_OVERHEAD_BYTES + header.batch_length]) == header.crc


class NotOneBatch(InvalidRecord):
    """What came for a partition is not one whole record batch."""


def check_produced(
    records: bytes | bytearray | memoryview | None,
    *,
    max_message_bytes: int = MESSAGE_BYTES_MAX,
    timestamp_min_ms: int | None = None,
    timestamp_max_ms: int | None = None,
    zstd_allowed: bool = True,
) -> BatchHeader:
    """Check what a producer sent for one partition, by header and checksum, and return the header.

    Raises, as Apache Kafka 4.3 answers (order of checks included): InvalidRecord for no batch, more than one, a
    batch cut short, magic 0 or 1, a base offset other than 0, a control batch, counts that disagree, a producer id
    without sequence, an unknown codec; CorruptMessage for a higher magic, an impossible length or a wrong checksum;
    UnsupportedCompressionType for zstd where it is not allowed (Produce before v7); MessageTooLarge; InvalidTimestamp.
    Whether the batch may be transactional depends on the request and is its handler's affair.

    Differs from Kafka: the timestamps checked are the batch's first and largest, because records are not opened.
    Differs from Kafka: null records are refused as InvalidRecord, because Kafka leaves such a request unanswered.
    Differs from Kafka: an unknown codec is InvalidRecord, not an unknown server error, because the client is at fault.
    """
    size = 0 if records is None else len(records)
    if records is None or size < RECORD_BATCH_HEADER_BYTES:
        raise _not_one_batch(records, size)
    fields = _HEADER.unpack_from(records)
    # Every batch comes by here: variables cost a third of a named tuple's fields.
    base_offset, batch_length, _, magic, crc, attributes, last_offset_delta, _, _, producer_id, _, sequence, count = (
        fields
    )
    if magic != MAGIC or batch_length + LOG_OVERHEAD_BYTES != size:
        raise _not_one_batch(records, size)
    codec = attributes & CODEC_MASK
    if codec == ZSTD and not zstd_allowed:
        raise UnsupportedCompressionType("zstd needs Produce version 7 or later")
    if base_offset != 0:
        raise InvalidRecord(f"the base offset must be 0, not {base_offset}")
    if size > max_message_bytes:
        raise MessageTooLarge(f"a batch of {size} bytes is above the maximum of {max_message_bytes}")
    view = records if type(records) is memoryview else memoryview(records)
    if crc32c(view[CRC_FROM:]) != crc:
        raise CorruptMessage(f"the record batch has a wrong checksum: its header says {crc}")
    header: BatchHeader = _new_tuple(BatchHeader, fields)
    if (
        attributes & CONTROL
        or last_offset_delta < 0
        or count != last_offset_delta + 1
        or (not codec and count * RECORD_BYTES_MIN > size - RECORD_BATCH_HEADER_BYTES)
        or (producer_id > NO_PRODUCER_ID and sequence < 0)
        or codec > ZSTD
    ):
        raise _contradiction(header)
    if timestamp_min_ms is not None or timestamp_max_ms is not None:
        _check_timestamps(header, timestamp_min_ms, timestamp_max_ms)
    return header


def _not_one_batch(records: bytes | bytearray | memoryview | None, size: int) -> KafkaError:
    """Why the bytes are not one whole batch of magic 2."""
    if records is None or size < LOG_OVERHEAD_BYTES + 5:
        return NotOneBatch("a produce request needs one record batch for each partition")
    batch_length, magic = struct.unpack_from(">i4xb", records, 8)
    if batch_length < 14:  # the shortest of any magic
        return CorruptMessage(f"a record batch cannot have length {batch_length}")
    if size < LOG_OVERHEAD_BYTES + batch_length:
        return NotOneBatch(f"a record batch of {LOG_OVERHEAD_BYTES + batch_length} bytes came as {size}")
    if not 0 <= magic <= MAGIC:
        return CorruptMessage(f"magic {magic} is unknown")
    if magic < MAGIC:
        return NotOneBatch(f"magic {magic} is no longer supported: records must be in batches of magic {MAGIC}")
    if size > LOG_OVERHEAD_BYTES + batch_length:
        return NotOneBatch("a produce request may have only one record batch for each partition")
    return CorruptMessage(f"a record batch has at least {RECORD_BATCH_HEADER_BYTES} bytes, not {size}")


def _contradiction(header: BatchHeader) -> InvalidRecord:
    """Why a header is refused that contradicts itself, or that no client may send."""
    if header.attributes & CONTROL:
        return InvalidRecord("clients may not write control batches")
    if header.last_offset_delta < 0 or header.record_count != header.last_offset_delta + 1:
        return InvalidRecord(
            f"a batch of {header.record_count} records cannot have a last offset delta of {header.last_offset_delta}"
        )
    content_bytes = header.size_bytes - RECORD_BATCH_HEADER_BYTES
    if not header.codec and header.record_count * RECORD_BYTES_MIN > content_bytes:
        # Or else 70 bytes could use up half of the offsets that a segment can count.
        return InvalidRecord(f"a batch of {header.record_count} records cannot have {content_bytes} bytes of them")
    if header.producer_id > NO_PRODUCER_ID and header.base_sequence < 0:
        return InvalidRecord(f"producer id {header.producer_id} comes without a sequence number")
    return InvalidRecord(f"compression codec {header.codec} is unknown")


def _check_timestamps(header: BatchHeader, earliest: int | None, latest: int | None) -> None:
    for timestamp in (header.base_timestamp, header.max_timestamp):
        if timestamp == NO_TIMESTAMP:
            continue
        if (earliest is not None and timestamp < earliest) or (latest is not None and timestamp > latest):
            raise InvalidTimestamp(f"timestamp {timestamp} is outside the allowed range from {earliest} to {latest}")


def iter_batches(data: bytes | memoryview) -> Iterator[memoryview]:
    """The whole batches in the bytes of a fetch, one slice each; an incomplete one at the end is left out.

    Raises CorruptMessage for a length or magic that cannot be.
    """
    view = memoryview(data)
    at = 0
    while at + LOG_OVERHEAD_BYTES <= len(view):
        (batch_length,) = struct.unpack_from(">i", view, at + 8)
        end = at + LOG_OVERHEAD_BYTES + batch_length
        if batch_length < RECORD_BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES:
            raise CorruptMessage(f"a record batch cannot have length {batch_length}")
        if end > len(view):
            return
        if view[at + 16] != MAGIC:
            raise CorruptMessage(f"magic {view[at + 16]} is unknown")
        yield view[at:end]
        at = end


def iter_records(
    batch: bytes | memoryview, *, decompressed_bytes_max: int = DECOMPRESSED_BYTES_MAX
) -> Iterator[Record]:
    """The records of one whole batch, decompressed. The checksum is not looked at.

    Control batches have records too: a caller that reads for an application skips them by their header.
    Raises CorruptMessage when the content does not fit the header, cannot be decompressed, or is larger than
    `decompressed_bytes_max`.
    """
    header = read_header(batch)
    try:
        yield from _records(_content(batch, header, decompressed_bytes_max), header)
    except (DecodeError, IndexError, UnicodeDecodeError) as error:
        raise CorruptMessage(f"the batch at offset {header.base_offset} cannot be read: {error}") from error


def _content(batch: bytes | memoryview, header: BatchHeader, bytes_max: int) -> bytes:
    """What follows the header, decompressed."""
    return decompress(header.codec, memoryview(batch)[RECORD_BATCH_HEADER_BYTES : header.size_bytes], bytes_max)


def _records(body: bytes, header: BatchHeader) -> Iterator[Record]:
    """Each field is a zigzag varint, nearly always of one byte, so that case is written out."""
    base_offset, base_timestamp = header.base_offset, header.base_timestamp
    append_time = header.max_timestamp if header.attributes & LOG_APPEND_TIME else None
    at = 0
    for _ in range(header.record_count):
        n, at = _varint(body, at)
        end = at + n
        if n < 0 or end > len(body):
            raise DecodeError(f"a record of {n} bytes with {len(body) - at} left")
        at += 1  # attributes: none are defined
        n = body[at]
        if n < 0x80:
            timestamp = base_timestamp + (n >> 1 ^ -(n & 1))
            at += 1
        else:
            n, at = _varint(body, at)
            timestamp = base_timestamp + n
        n = body[at]
        if n < 0x80:
            offset = base_offset + (n >> 1 ^ -(n & 1))
            at += 1
        else:
            n, at = _varint(body, at)
            offset = base_offset + n
        n = body[at]
        if n < 0x80:
            n = n >> 1 ^ -(n & 1)
            at += 1
        else:
            n, at = _varint(body, at)
        key = None
        if n >= 0:
            key = body[at : at + n]
            at += n
        n, at = _varint(body, at)
        value = None
        if n >= 0:
            value = body[at : at + n]
            at += n
        n = body[at]
        at += 1
        headers: tuple[tuple[str, bytes | None], ...] = ()
        if n:
            headers, at = _headers(body, at - 1)
        if at != end:
            raise DecodeError(f"a record ends at byte {at}, its length says {end}")
        yield _new_tuple(Record, (offset, timestamp if append_time is None else append_time, key, value, headers))
    if at != len(body):
        raise DecodeError(f"{len(body) - at} bytes follow the last record")


def _headers(body: bytes, at: int) -> tuple[tuple[tuple[str, bytes | None], ...], int]:
    count, at = _varint(body, at)
    if not 0 <= count <= len(body) - at:
        raise DecodeError(f"a record claims {count} headers")
    headers = []
    for _ in range(count):
        n, at = _varint(body, at)
        if n < 0:
            raise DecodeError("a header has no key")
        name = str(body[at : at + n], "utf-8")
        n, at = _varint(body, at + n)
        value = None
        if n >= 0:
            value = body[at : at + n]
            at += n
        headers.append((name, value))
    return tuple(headers), at


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """The zigzag varint or varlong at `at`, and where it ends."""
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value >> 1 ^ -(value & 1), at
        shift += 7
        if shift > 63:
            raise DecodeError("a varint is too long")


def build_batch(
    records: Iterable[Record],
    *,
    base_offset: int = 0,
    keep_offsets: bool = False,
    last_offset: int | None = None,
    timestamp_ms: int = NO_TIMESTAMP,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = -1,
    base_sequence: int = NO_SEQUENCE,
    codec: int = Codec.NONE,
    compression_level: int | None = None,
    transactional: bool = False,
    control: bool = False,
    leader_epoch: int = 0,
) -> bytes:
    """One whole batch.

    Records are numbered from `base_offset`; with `keep_offsets` each keeps its own, as compaction needs, and the batch
    may reach up to a `last_offset` beyond its last record. `timestamp_ms` is for records whose own is -1.
    """
    body, count, last_delta = bytearray(), 0, -1
    first_timestamp = max_timestamp = timestamp_ms
    for record in records:
        timestamp = record.timestamp_ms if record.timestamp_ms != NO_TIMESTAMP else timestamp_ms
        if count == 0:
            first_timestamp = max_timestamp = timestamp
        elif timestamp > max_timestamp:
            max_timestamp = timestamp
        last_delta = record.offset - base_offset if keep_offsets else count
        body += _encode_record(record, timestamp - first_timestamp, last_delta)
        count += 1
    if last_offset is not None:
        last_delta = last_offset - base_offset
    return assemble(
        BatchHeader(
            base_offset=base_offset,
            batch_length=0,
            partition_leader_epoch=leader_epoch,
            magic=MAGIC,
            crc=0,
            attributes=codec | TRANSACTIONAL * transactional | CONTROL * control,
            last_offset_delta=last_delta,
            base_timestamp=first_timestamp,
            max_timestamp=max_timestamp,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            base_sequence=base_sequence,
            record_count=count,
        ),
        compress(codec, body, compression_level) if count else b"",
    )


def build_marker(
    *,
    commit: bool,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
    timestamp_ms: int,
    base_offset: int = 0,
    leader_epoch: int = 0,
) -> bytes:
    """The control batch, 78 bytes, that ends a transaction in one partition."""
    key = struct.pack(">hh", 0, commit)  # version, type: 0 abort, 1 commit
    value = struct.pack(">hi", 0, coordinator_epoch)
    return build_batch(
        [Record(base_offset, timestamp_ms, key, value)],
        base_offset=base_offset,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=True,
        control=True,
        leader_epoch=leader_epoch,
    )


class Marker(NamedTuple):
    """What a control batch says about a transaction."""

    commit: bool
    coordinator_epoch: int


def read_marker(batch: bytes | memoryview) -> Marker | None:
    """The marker of a control batch; None for control records of another kind. Raises CorruptMessage."""
    record = next(iter_records(batch), None)
    if record is None or record.key is None or record.value is None:
        return None
    try:
        _, kind = struct.unpack_from(">hh", record.key)
        _, coordinator_epoch = struct.unpack_from(">hi", record.value)
    except struct.error:
        raise CorruptMessage("a control batch without a marker") from None
    return Marker(kind == COMMIT_MARKER, coordinator_epoch) if kind in (ABORT_MARKER, COMMIT_MARKER) else None


def recompress(
    batch: bytes | memoryview,
    codec: int,
    *,
    compression_level: int | None = None,
    decompressed_bytes_max: int = DECOMPRESSED_BYTES_MAX,
) -> bytes:
    """The same records in another codec. Raises CorruptMessage when they cannot be decompressed."""
    header = read_header(batch)
    try:
        body = _content(batch, header, decompressed_bytes_max)
    except DecodeError as error:
        raise CorruptMessage(str(error)) from error
    attributes = header.attributes & ~CODEC_MASK | codec
    return assemble(header._replace(attributes=attributes), compress(codec, body, compression_level))


def stamp_log_append_time(batch: bytearray | memoryview, timestamp_ms: int) -> BatchHeader:
    """Mark a whole batch, in place, as appended at that time (message.timestamp.type=LogAppendTime)."""
    header = read_header(batch)
    header = header._replace(attributes=header.attributes | LOG_APPEND_TIME, max_timestamp=timestamp_ms)
    _AFTER_CRC.pack_into(batch, CRC_FROM, *header[5:])
    crc = crc32c(memoryview(batch)[CRC_FROM : header.size_bytes])
    struct.pack_into(">I", batch, CRC_FROM - 4, crc)
    return header._replace(crc=crc)


def assemble(header: BatchHeader, body: bytes) -> bytes:
    """Header and encoded records as one batch, with length and checksum put in."""
    checked = _AFTER_CRC.pack(*header[5:]) + body
    length = RECORD_BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES + len(body)
    return (
        _BEFORE_CRC.pack(header.base_offset, length, header.partition_leader_epoch, header.magic, crc32c(checked))
        + checked
    )


def _encode_record(record: Record, timestamp_delta: int, offset_delta: int) -> bytes:
    parts = [b"\0", encode_varint(timestamp_delta), encode_varint(offset_delta)]
    parts += _sized(record.key)
    parts += _sized(record.value)
    parts.append(encode_varint(len(record.headers)))
    for name, value in record.headers:
        parts += _sized(name.encode())
        parts += _sized(value)
    content = b"".join(parts)
    return encode_varint(len(content)) + content


def _sized(data: bytes | None) -> tuple[bytes, bytes]:
    return (encode_varint(-1), b"") if data is None else (encode_varint(len(data)), data)
