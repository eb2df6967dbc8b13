import pytest
from hypothesis import given
from hypothesis.strategies import integers

from app.control_center.forms import (
    Unreadable,
    parse_config_lines,
    parse_count,
    parse_size_bytes,
    parse_span_ms,
    say_size,
    say_span,
)

DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("7 days", 7 * DAY),
        ("1 day", DAY),
        ("12h", DAY // 2),
        ("1.5 hours", 5_400_000),
        ("90 min", 5_400_000),
        ("2 weeks", 14 * DAY),
        ("604800000", 7 * DAY),
        ("604 800 000 ms", 7 * DAY),
        ("Forever", -1),
        ("-1", -1),
    ],
)
def test_lengths_of_time_are_read_as_people_write_them(text, ms):
    assert parse_span_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1 GiB", 2**30),
        ("500MB", 500 * 2**20),
        ("10 k", 10_240),
        ("1048588", 1048588),
        ("unlimited", -1),
        ("1.5 GB", 3 * 2**29),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "soon", "7 fortnights", "-3 days", "1e9 days", "9" * 30, "٣ days"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(Unreadable):
        parse_span_ms(text)


@given(integers(min_value=-1, max_value=2**53))
def test_what_is_said_is_read_back_to_the_same(number):
    assert parse_span_ms(say_span(number)) == number
    assert parse_size_bytes(say_size(number)) == number


def test_counts_have_bounds():
    assert parse_count("1\u202f000", least=1, most=1000, what="partitions") == 1000
    for text in ("0", "1001", "x", "", "1.5", "²"):
        with pytest.raises(Unreadable):
            parse_count(text, least=1, most=1000, what="partitions")


def test_config_lines_skip_comments_and_keep_equals_signs():
    assert parse_config_lines("# why\n\na.b = c=d \n e=") == {"a.b": "c=d", "e": ""}
