"""Laying schemas out, finding the line of a place, and setting two versions side by side."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control_center.schemas.diff import compare
from app.control_center.schemas.layout import coloured, lay_out
from app.control_center.schemas.places import line_of, locate

ORDER = json.dumps(
    {
        "type": "record",
        "name": "Order",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}, "doc": "d" * 40},
        ],
    }
)
PAYMENT = """syntax = "proto3";

message Payment {
  // 7 = not a field
  int64 id = 1;
  oneof how {
    string card = 3;
  }
  message Part {
    string sku = 7;
  }
}
"""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=30,
)


@given(json_values)
def test_a_laid_out_text_is_the_same_json(value):
    assert json.loads(lay_out("AVRO", json.dumps(value))) == value


def test_numbers_keep_every_digit():
    assert '"default": 1.0000000000000000000001e5' in lay_out("JSON", '{"default":1.0000000000000000000001e5}')


def test_a_field_stands_on_one_line_where_it_fits():
    assert '    { "name": "id", "type": "long" },' in lay_out("AVRO", ORDER).split("\n")


def test_properties_stand_one_to_a_line_however_deep():
    sku = {"type": "object", "properties": {"sku": {"type": "string", "maxLength": 12}}}
    schema = {"properties": {"items": {"type": "array", "items": {"type": "array", "items": sku}}}}
    laid = lay_out("JSON", json.dumps(schema))
    assert '            "sku": { "type": "string", "maxLength": 12 }' in laid.split("\n")


def test_what_is_no_json_comes_out_as_it_was():
    assert lay_out("AVRO", '{"type": ') == '{"type": '
    assert lay_out("AVRO", "[" * 20_000) == "[" * 20_000


def test_a_path_leads_to_its_line_or_the_nearest_around():
    text = lay_out("AVRO", ORDER)
    lines = text.split("\n")
    assert '"id"' in lines[line_of("AVRO", text, "/fields/0/type") - 1]
    assert '"symbols"' in lines[line_of("AVRO", text, "/fields/1/type/symbols") - 1]
    assert '"fields"' in lines[line_of("AVRO", text, "/fields/7/type") - 1]
    assert line_of("AVRO", text, "/nothing") is None


def test_places_are_found_in_text_as_it_was_typed():
    typed = '{"type": "object", "properties": {\n\n "a/b": {"type":\n"string"}}}'
    assert line_of("JSON", typed, "#/properties/a~1b/type") == 3


def test_protobuf_fields_are_found_by_message_and_number():
    lines = PAYMENT.split("\n")
    assert "id = 1" in lines[line_of("PROTOBUF", PAYMENT, "#/Payment/1") - 1]
    assert "card = 3" in lines[line_of("PROTOBUF", PAYMENT, "#/Payment/how/3") - 1]
    assert "sku = 7" in lines[line_of("PROTOBUF", PAYMENT, "#/Payment/Part/7") - 1]
    assert "message Payment" in lines[line_of("PROTOBUF", PAYMENT, "#/Payment/99") - 1]


@pytest.mark.parametrize(
    "text",
    [
        '"\\"' * 50_000,
        "[" * 100_000,
        "/*" * 100_000,
        '{"' + "k" * 50_000 + '":[' + "1," * 30_000,
        "message a {" * 30_000,
    ],
    ids=["quotes", "nesting", "comments", "a-long-key", "blocks"],
)
def test_hostile_texts_are_passed_over_once(text):
    for kind in ("JSON", "PROTOBUF"):
        found = locate(kind, text, ["#/a/3/b", "/k/7"])
        assert [place.is_exact for place in found.values()] == [False, False]


@given(st.text(alphabet='{}[]",:ab/*\n =;1message', max_size=80))
def test_half_written_texts_break_nothing(text):
    for kind in ("AVRO", "JSON", "PROTOBUF"):
        assert line_of(kind, text, "#/a/1") is None or line_of(kind, text, "#/a/1") <= text.count("\n") + 1
        assert "".join(token.text for token in coloured(kind, text.split("\n")[0])) == text.split("\n")[0]


lines = st.lists(st.sampled_from(["{", "}", "},", "a,", "a", "b", "c"]), min_size=1, max_size=14).map("\n".join)


@given(lines, lines, st.booleans())
def test_both_sides_of_a_diff_are_whole(old, new, is_whole):
    diff = compare(old, new, is_whole=True)
    left = ["".join(piece.text for piece in row.old) for row in diff.rows if row.old_number]
    right = ["".join(piece.text for piece in row.new) for row in diff.rows if row.new_number]
    assert left == old.split("\n")
    assert right == new.split("\n")
    assert [row.old_number for row in diff.rows if row.old_number] == list(range(1, len(left) + 1))
    assert [row.new_number for row in diff.rows if row.new_number] == list(range(1, len(right) + 1))


def test_the_comma_behind_a_last_field_is_no_change():
    diff = compare("[\n  a\n]", "[\n  a,\n  b\n]", is_whole=True)
    assert [row.kind for row in diff.rows] == ["same", "same", "added", "same"]


def test_a_block_that_was_put_in_begins_with_its_opening():
    diff = compare("[\n{\nx\n}\n]", "[\n{\nx\n},\n{\ny\n}\n]", is_whole=True)
    assert [row.new[0].text for row in diff.rows if row.kind == "added"] == ["{", "y", "}"]


def test_equal_lines_fold_and_changed_words_are_marked():
    old = "\n".join(f"line {number}" for number in range(40))
    diff = compare(old, old.replace("line 20", "line twenty"))
    assert [row.folded for row in diff.rows if row.kind == "fold"] == [17, 16]
    changed = next(row for row in diff.rows if row.kind == "changed")
    assert [piece.text for piece in changed.new if piece.is_changed] == ["twenty"]


def test_texts_without_a_line_in_common_are_not_compared_for_ever():
    old, new = ("\n".join(f"{side}{number}" for number in range(5_000)) for side in "ab")
    assert compare(old, new).is_too_large
