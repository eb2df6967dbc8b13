"""Variable-length integers and tag sections."""

import pytest

from broker.protocol.primitives import DecodeError, decode_uvarint, encode_uvarint, encode_varint, skip_tags

UVARINTS = {
    0: "00",
    1: "01",
    127: "7f",
    128: "8001",
    300: "ac02",
    16383: "ff7f",
    16384: "808001",
    2097151: "ffff7f",
    2097152: "80808001",
    2**32 - 1: "ffffffff0f",
}


@pytest.mark.parametrize(("value", "encoded"), UVARINTS.items())
def test_uvarint_both_ways(value: int, encoded: str) -> None:
    assert encode_uvarint(value).hex() == encoded
    assert decode_uvarint(bytes.fromhex("ff" + encoded + "ff"), 1) == (value, 1 + len(encoded) // 2)


@pytest.mark.parametrize("encoded", ["", "80", "ffffffff", "ffffffff10", "ffffffffff01"])
def test_uvarint_cut_short_or_above_32_bits_is_refused(encoded: str) -> None:
    with pytest.raises(DecodeError):
        decode_uvarint(bytes.fromhex(encoded), 0)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (-1, "01"), (1, "02"), (-64, "7f"), (64, "8001"), (2**63 - 1, "feffffffffffffffff01")],
)
def test_varint_is_zigzag(value: int, encoded: str) -> None:
    assert encode_varint(value).hex() == encoded


def test_skip_tags_ends_behind_the_last_one() -> None:
    section = bytes.fromhex("0200 03 aaaaaa8101 00") + b"rest"
    assert section[skip_tags(section, 1, section[0]) :] == b"rest"
