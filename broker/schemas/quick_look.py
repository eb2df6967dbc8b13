"""Whether all records of a batch plainly carry ids that are known to be good: a walk over lengths and prefixes.

Most batches pass here, at a third of what reading their records takes. A batch that does not is not refused by that:
it is looked at record by record.
"""

from collections.abc import Set
from typing import Final

from broker.protocol.compression import decompress
from broker.protocol.primitives import DecodeError
from broker.protocol.record_batch import RECORD_BATCH_HEADER_BYTES, read_header

PREFIX_BYTES: Final = 5

_NULL: Final = 1  # the varint of -1


def are_all_good(batch: memoryview, good_keys: Set[bytes] | None, good_values: Set[bytes] | None) -> bool:
    """True if every key and value is null or begins with one of these prefixes (None: may be anything).

    False also for batches with record headers and for those that cannot be read.
    """
    header = read_header(batch)
    try:
        body = decompress(header.codec, batch[RECORD_BATCH_HEADER_BYTES : header.size_bytes])
        return _are_all_good(body, header.record_count, good_keys, good_values)
    except (DecodeError, IndexError):
        return False


def _are_all_good(body: bytes, count: int, good_keys: Set[bytes] | None, good_values: Set[bytes] | None) -> bool:
    """Varints of one and two bytes are written out: hardly any is longer, and this is where the time goes."""
    at = 0
    for _ in range(count):
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
        while body[at] > 127:  # the offset
            at += 1
        at += 1
        n = body[at]
        at += 1
        if n != _NULL:
            if n > 127:
                n, at = _long_varint(body, at - 1)
            if n & 1 or (good_keys is not None and (n < 10 or body[at : at + PREFIX_BYTES] not in good_keys)):
                return False  # a length below -1 is none
            at += n >> 1
        n = body[at]
        at += 1
        if n != _NULL:
            if n > 127:
                m = body[at]
                at += 1
                if m > 127:
                    n, at = _long_varint(body, at - 2)
                else:
                    n = (n & 127) | m << 7
            if n & 1 or (good_values is not None and (n < 10 or body[at : at + PREFIX_BYTES] not in good_values)):
                return False
            at += n >> 1
        if body[at] or at + 1 != end:  # record headers, or a length that is wrong
            return False
        at = end
    return at == len(body)


def _long_varint(body: bytes, at: int) -> tuple[int, int]:
    """The varint at `at`, zigzag not undone, and where it ends. Raises DecodeError."""
    value = shift = 0
    while shift < 35:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise DecodeError("a length is too long")
