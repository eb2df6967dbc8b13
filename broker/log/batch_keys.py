"""What compaction needs of a batch's records, and a batch without some of them.

Only lengths, offsets and keys are read; values and headers are stepped over, and records that stay are copied as bytes.
Source: Kafka's record format (magic 2), KIP-534 for the delete horizon.
"""

from collections.abc import Sequence
from hashlib import blake2b
from operator import lt
from typing import Final, NamedTuple

from broker.protocol.compression import compress, decompress
from broker.protocol.primitives import DecodeError, encode_varint
from broker.protocol.record_batch import (
    DELETE_HORIZON,
    LOG_APPEND_TIME,
    NO_TIMESTAMP,
    RECORD_BATCH_HEADER_BYTES,
    BatchHeader,
    assemble,
)

KEY_DIGEST_BYTES: Final = 16
"""Keys of 64 bytes and more stand as their digest, so that a key's memory is bounded; Kafka takes MD5 of every key."""

_NULL: Final = 1  # the varint of -1


class RecordKeys(NamedTuple):
    """The records of one batch as compaction sees them, in parallel lists."""

    body: bytes
    """All records, decompressed."""
    starts: list[int]
    """Where each record begins in the body, and after them where the body ends."""
    deltas: list[int]
    """Each record's offset, relative to the batch's base offset; they rise."""
    keys: list[bytes | None]
    tombstones: list[int]
    """Places of the records without a value."""


def read_keys(batch: memoryview, header: BatchHeader) -> RecordKeys:
    """Look at the records of a whole batch. Raises DecodeError when they are not what the header says."""
    body = decompress(header.codec, batch[RECORD_BATCH_HEADER_BYTES : header.size_bytes])
    try:
        return _read_keys(body, header)
    except IndexError:
        raise DecodeError(f"the batch at offset {header.base_offset} ends inside a record") from None


def _read_keys(body: bytes, header: BatchHeader) -> RecordKeys:
    """Varints of one and two bytes are written out: hardly any is longer, and this is where the time goes."""
    starts: list[int] = []
    deltas: list[int] = []
    keys: list[bytes | None] = []
    tombstones: list[int] = []
    at, count = 0, header.record_count
    for place in range(count):
        starts.append(at)
        n = body[at]
        at += 1
        if n > 127:
            m = body[at]
            at += 1
            if m > 127:
                n, at = _long_varint(body, at - 2)
            else:
                n = (n & 127) | m << 7
        end = at + (n >> 1)
        at += 1  # attributes: none are defined
        while body[at] > 127:  # the timestamp
            at += 1
        at += 1
        n = body[at]
        at += 1
        if n > 127:
            m = body[at]
            at += 1
            if m > 127:
                n, at = _long_varint(body, at - 2)
            else:
                n = (n & 127) | m << 7
        deltas.append(n >> 1)
        n = body[at]
        at += 1
        if n == _NULL:
            keys.append(None)
        elif n < 128:
            n >>= 1
            keys.append(body[at : at + n])
            at += n
        else:
            n, at = _long_varint(body, at - 1)
            n >>= 1
            keys.append(blake2b(body[at : at + n], digest_size=KEY_DIGEST_BYTES).digest())
            at += n
        if body[at] == _NULL:
            tombstones.append(place)
        if at >= end:
            raise DecodeError(f"a record of the batch at offset {header.base_offset} is longer than it says")
        at = end
    starts.append(at)
    if at != len(body):
        raise DecodeError(f"the batch at offset {header.base_offset} does not hold {count} records")
    if deltas != list(range(count)) and not all(map(lt, deltas, deltas[1:])):
        raise DecodeError(f"the offsets in the batch at offset {header.base_offset} do not rise")
    if deltas and deltas[-1] > header.last_offset_delta:
        raise DecodeError(f"the batch at offset {header.base_offset} has a record beyond its last offset")
    return RecordKeys(body, starts, deltas, keys, tombstones)


def _long_varint(body: bytes, at: int) -> tuple[int, int]:
    """The varint at `at`, zigzag not undone, and where it ends."""
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise DecodeError("a varint is too long")


def without_others(
    header: BatchHeader, records: RecordKeys, kept: Sequence[int], *, delete_horizon_ms: int | None = None
) -> bytes:
    """The batch with only the records at these places, which keep their offsets, and its own codec.

    First and last offset stay, so that the last sequence number of its producer can still be told. A delete horizon is
    the time from which tombstones may go: it takes the place of the base timestamp.
    """
    body, starts = records.body, records.starts
    deltas = [_timestamp_delta(body, starts[place]) for place in kept]
    base_timestamp, max_timestamp = header.base_timestamp, header.max_timestamp
    if not header.attributes & LOG_APPEND_TIME:
        max_timestamp = base_timestamp + max(delta for delta, _, _ in deltas)
    pieces = [body[starts[place] : starts[place + 1]] for place in kept]
    if delete_horizon_ms is not None:
        shift = base_timestamp - delete_horizon_ms
        pieces = [
            _with_timestamp_delta(body, starts[place + 1], delta, shift)
            for place, delta in zip(kept, deltas, strict=True)
        ]
        header = header._replace(attributes=header.attributes | DELETE_HORIZON, base_timestamp=delete_horizon_ms)
    return assemble(
        header._replace(max_timestamp=max_timestamp, record_count=len(kept)), compress(header.codec, b"".join(pieces))
    )


def without_records(header: BatchHeader) -> bytes:
    """The header alone: what is left to tell the last sequence number of a producer."""
    return assemble(
        header._replace(
            attributes=header.attributes & ~0x07 & ~DELETE_HORIZON, base_timestamp=NO_TIMESTAMP, record_count=0
        ),
        b"",
    )


def _timestamp_delta(body: bytes, at: int) -> tuple[int, int, int]:
    """(timestamp relative to the base timestamp, where it begins, where it ends) of the record at `at`."""
    _, at = _long_varint(body, at)
    value, end = _long_varint(body, at + 1)
    return value >> 1 ^ -(value & 1), at + 1, end


def _with_timestamp_delta(body: bytes, record_end: int, delta: tuple[int, int, int], shift: int) -> bytes:
    value, at, end = delta
    content = body[at - 1 : at] + encode_varint(value + shift) + body[end:record_end]
    return encode_varint(len(content)) + content
