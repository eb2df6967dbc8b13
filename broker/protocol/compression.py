"""Kafka's four compression codecs over cramjam, with the framing that Java's clients use and bounded output."""

import struct
from enum import IntEnum
from typing import Any, Final

import cramjam

from broker.protocol.primitives import DecodeError

DECOMPRESSED_BYTES_MAX: Final = 64 * 1024 * 1024


class Codec(IntEnum):
    """Bits 0-2 of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


SNAPPY_MAGIC: Final = b"\x82SNAPPY\0"
"""Java writes snappy in the framing of the xerial library: this, two int32 versions, then blocks with an int32 size."""
_SNAPPY_HEADER: Final = SNAPPY_MAGIC + struct.pack(">ii", 1, 1)
_SNAPPY_BLOCK_BYTES: Final = 32 * 1024

# LZ4 frame descriptor: version 1, independent blocks (Java refuses linked ones, which is what cramjam's own frames
# have), no checksums, blocks of at most 64 KiB; the last byte is the descriptor's xxHash.
_LZ4_HEADER: Final = bytes.fromhex("04224d18 604082")
_LZ4_BLOCK_BYTES: Final = 64 * 1024
_LZ4_STORED: Final = 1 << 31
_LZ4_END: Final = bytes(4)

_FIRST_GUESS_BYTES: Final = 64 * 1024
_OUTPUT_TOO_SMALL: Final = "failed to write whole buffer"  # the only sign by which cramjam tells it from bad input


def compress(codec: int, data: bytes | bytearray | memoryview, level: int | None = None) -> bytes:
    """The data as Kafka's codec of that number writes it. `level` is the codec's own; snappy and lz4 have none."""
    if codec == Codec.NONE:
        return bytes(data)
    if codec == Codec.GZIP:
        return bytes(cramjam.gzip.compress(data, level))
    if codec == Codec.SNAPPY:
        return _compress_snappy(memoryview(data))
    if codec == Codec.LZ4:
        return _compress_lz4(memoryview(data))
    if codec == Codec.ZSTD:
        return bytes(cramjam.zstd.compress(data, level))
    raise ValueError(f"no compression codec has the number {codec}")


def decompress(codec: int, data: bytes | memoryview, bytes_max: int = DECOMPRESSED_BYTES_MAX) -> bytes:
    """Undo `compress`. Raises DecodeError for broken input, an unknown codec or output beyond `bytes_max`."""
    try:
        if codec == Codec.NONE:
            return bytes(data)
        if codec == Codec.GZIP:
            return _decompress_within(cramjam.gzip, data, bytes_max)
        if codec == Codec.SNAPPY:
            return _decompress_snappy(memoryview(data), bytes_max)
        if codec == Codec.LZ4:
            return _decompress_within(cramjam.lz4, data, bytes_max)
        if codec == Codec.ZSTD:
            return _decompress_within(cramjam.zstd, data, bytes_max)
    except (cramjam.DecompressionError, struct.error) as error:
        raise DecodeError(f"codec {codec}: {error}") from error
    raise DecodeError(f"no compression codec has the number {codec}")


def _decompress_within(codec: Any, data: bytes | memoryview, bytes_max: int) -> bytes:
    """Decompress into a buffer that grows, up to the limit, until the output fits."""
    size = min(bytes_max, max(_FIRST_GUESS_BYTES, 8 * len(data)))
    while True:
        buffer = bytearray(size)
        try:
            return bytes(memoryview(buffer)[: codec.decompress_into(data, buffer)])
        except cramjam.DecompressionError as error:
            if _OUTPUT_TOO_SMALL not in str(error):
                raise
        if size == bytes_max:
            raise DecodeError(f"decompresses to more than {bytes_max} bytes")
        size = min(bytes_max, size * 8)
        del buffer  # before the next one takes its place


def _compress_snappy(data: memoryview) -> bytes:
    parts = [_SNAPPY_HEADER]
    for at in range(0, len(data), _SNAPPY_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(data[at : at + _SNAPPY_BLOCK_BYTES]))
        parts += (struct.pack(">i", len(block)), block)
    return b"".join(parts)


def _decompress_snappy(data: memoryview, bytes_max: int) -> bytes:
    if bytes(data[: len(SNAPPY_MAGIC)]) != SNAPPY_MAGIC:
        return _decompress_snappy_block(data, bytes_max)  # librdkafka and Go clients may send one bare block
    parts: list[bytes] = []
    at, left = len(_SNAPPY_HEADER), bytes_max
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if not 0 <= size <= len(data) - at:
            raise DecodeError(f"snappy block of {size} bytes with {len(data) - at} left")
        parts.append(_decompress_snappy_block(data[at : at + size], left))
        left -= len(parts[-1])
        at += size
    return b"".join(parts)


def _decompress_snappy_block(data: memoryview, bytes_max: int) -> bytes:
    size = cramjam.snappy.decompress_raw_len(data)
    # A snappy block cannot grow its input beyond about 21 times: three bytes copy at most 64.
    if size > min(bytes_max, 22 * len(data)):
        raise DecodeError(f"snappy block claims {size} bytes")
    buffer = bytearray(size)
    cramjam.snappy.decompress_raw_into(data, buffer)
    return bytes(buffer)


def _compress_lz4(data: memoryview) -> bytes:
    parts = [_LZ4_HEADER]
    for at in range(0, len(data), _LZ4_BLOCK_BYTES):
        plain = data[at : at + _LZ4_BLOCK_BYTES]
        block = bytes(cramjam.lz4.compress_block(plain, store_size=False))
        if len(block) < len(plain):
            parts += (struct.pack("<I", len(block)), block)
        else:
            parts += (struct.pack("<I", len(plain) | _LZ4_STORED), bytes(plain))
    parts.append(_LZ4_END)
    return b"".join(parts)
