import json

from hypothesis import given
from hypothesis.strategies import booleans, dictionaries, floats, integers, lists, none, recursive, text

from app.control_center.record_words import hex_dump, indented, lay_out

JSON = recursive(
    none() | booleans() | integers() | floats(allow_nan=False, allow_infinity=False) | text(),
    lambda inner: lists(inner, max_size=4) | dictionaries(text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_laying_out_json_changes_nothing_but_white_space(value):
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert json.loads(indented(compact)) == value
    assert indented(indented(compact)) == indented(compact)


def test_numbers_keep_every_digit_and_keys_their_order():
    assert (
        indented('{"b":9007199254740993,"a":1.10,"a":[]}') == '{\n  "b": 9007199254740993,\n  "a": 1.10,\n  "a": []\n}'
    )


def test_no_value_and_an_empty_value_are_not_the_same():
    assert lay_out(None).kind == "null"
    assert lay_out(b"").kind == "empty"


def test_bytes_that_are_no_text_are_shown_as_hex_with_what_they_may_be():
    number = lay_out((42).to_bytes(8, "big"))
    assert number.kind == "binary"
    assert "as an integer 42" in number.note
    assert "schema id 7" in lay_out(b"\0\0\0\0\x07\x80avro").note
    assert hex_dump(b"ab\x00") == "000000  61 62 00                                         ab."


def test_a_large_value_is_cut_and_says_so():
    shown = lay_out(b"x" * 200_000)
    assert len(shown.full) <= 64 * 1024
    assert len(shown.preview) == 240
    assert "first 64" in shown.note
