"""The four codecs, as Java's clients frame them."""

import os
import struct

import cramjam
import pytest

from broker.protocol.compression import SNAPPY_MAGIC, Codec, compress, decompress
from broker.protocol.primitives import DecodeError

SAMPLES = {
    "empty": b"",
    "short": b"a",
    "text": b"the same line again\n" * 20_000,
    "random": os.urandom(150_000),
}
REAL_CODECS = [codec for codec in Codec if codec is not Codec.NONE]


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
def test_both_ways(codec: Codec, data: bytes) -> None:
    assert decompress(codec, compress(codec, memoryview(data))) == data


@pytest.mark.parametrize("codec", REAL_CODECS)
def test_text_becomes_smaller(codec: Codec) -> None:
    assert len(compress(codec, SAMPLES["text"])) < len(SAMPLES["text"]) // 10


@pytest.mark.parametrize("codec", REAL_CODECS)
def test_output_above_the_limit_is_refused(codec: Codec) -> None:
    bomb = compress(codec, bytes(5_000_000))
    with pytest.raises(DecodeError):
        decompress(codec, bomb, 4_999_999)
    assert len(decompress(codec, bomb, 5_000_000)) == 5_000_000


@pytest.mark.parametrize("codec", REAL_CODECS)
@pytest.mark.parametrize("garbage", [b"", b"\0", b"this was never compressed", bytes(100)], ids=range(4))
def test_garbage_is_refused_or_empty(codec: Codec, garbage: bytes) -> None:
    try:
        assert decompress(codec, garbage) == b""
    except DecodeError:
        pass


@pytest.mark.parametrize("codec", REAL_CODECS)
def test_cut_data_is_refused(codec: Codec) -> None:
    whole = compress(codec, SAMPLES["random"])
    with pytest.raises(DecodeError):
        decompress(codec, whole[:-5])


def test_snappy_is_written_in_xerial_blocks_and_read_bare_too() -> None:
    data = SAMPLES["text"]
    assert compress(Codec.SNAPPY, data).startswith(SNAPPY_MAGIC + struct.pack(">ii", 1, 1))
    assert decompress(Codec.SNAPPY, bytes(cramjam.snappy.compress_raw(data))) == data


@pytest.mark.parametrize("size", [-1, 10_000_000])
def test_snappy_block_of_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(DecodeError):
        decompress(Codec.SNAPPY, SNAPPY_MAGIC + struct.pack(">iii", 1, 1, size) + b"data")


def test_snappy_block_that_claims_gigabytes_is_refused_without_allocating_them() -> None:
    with pytest.raises(DecodeError, match="claims 4294967295 bytes"):
        decompress(Codec.SNAPPY, b"\xff\xff\xff\xff\x0f")


def test_lz4_blocks_are_independent() -> None:
    # Java's reader refuses frames with linked blocks.
    flags = compress(Codec.LZ4, SAMPLES["text"])[4]
    assert flags & 0x20


def test_lz4_frames_with_linked_blocks_are_read() -> None:
    assert decompress(Codec.LZ4, bytes(cramjam.lz4.compress(SAMPLES["text"]))) == SAMPLES["text"]


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_unknown_codec_is_refused(codec: int) -> None:
    with pytest.raises(DecodeError, match=f"number {codec}"):
        decompress(codec, b"data")
    with pytest.raises(ValueError, match=f"number {codec}"):
        compress(codec, b"data")
