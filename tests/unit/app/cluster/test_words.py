import pytest

from app.cluster import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (45, "45 s"), (240, "4 min"), (5_000, "83 min"), (111_600, "31 h"), (432_000, "5 d"), (-3, "0 s")],
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1 partition"), (0, "0 partitions"), (12_400, "12\u202f400 partitions")]
)
def test_plurals(number, text):
    assert words.plural(number, "partition") == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (5 * 1024**3, "5.0 GiB"), (200 * 1024, "200 KiB")],
)
def test_sizes(size, text):
    assert words.size(size) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), ([2], "2"), ([2, 3], "2 and 3"), ([1, 2, 3], "1, 2 and 3"), ([1, 2, 3, 4, 5], "1, 2, 3 and 2 more")],
)
def test_listings(names, text):
    assert words.listing(names) == text


def test_a_name_in_a_path_is_one_segment():
    assert words.in_path("a/b %") == "a%2Fb%20%25"
