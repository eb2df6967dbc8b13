import pytest

from app.control_center import words
from app.control_center.words import Zone

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KiB"),
        (1536, "1.5 KiB"),
        (10_000, "9.8 KiB"),
        (12 * 1024**2, "12 MiB"),
        (412 * 1024**3, "412 GiB"),
        (2**63, "8 EiB"),
    ],
)
def test_sizes(bytes_, said):
    assert words.size(bytes_) == said


@pytest.mark.parametrize(
    ("per_second", "said"),
    [(None, "–"), (0, "0"), (0.02, "< 0.1"), (0.5, "0.5"), (3, "3"), (31_204.4, "31\u202f204")],
)
def test_rates(per_second, said):
    assert words.rate(per_second) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(None, "–"), (7, "7"), (999, "999"), (1000, "1k"), (58_312, "58.3k"), (999_999, "1M"), (2e9, "2G")],
)
def test_short_numbers(number, said):
    assert words.short(number) == said


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, "–"),
        (0, "0 s"),
        (300, "under 1 s"),
        (2_600, "2.6 s"),
        (59_400, "59 s"),
        (160_000, "2 min 40 s"),
        (15 * 60_000, "15 min"),
        (3 * HOUR, "3 h"),
        (3 * HOUR + 300_000, "3 h 5 min"),
        (31 * HOUR, "31 h"),
        (49 * HOUR, "2 d 1 h"),
        (30 * 24 * HOUR, "30 d"),
    ],
)
def test_spans(ms, said):
    assert words.span(ms) == said


@pytest.mark.parametrize(
    ("ms", "said"),
    [(604_800_000, "7 days"), (HOUR, "1 hour"), (5_400_000, "90 minutes"), (90_061, "90\u202f061 ms"), (1, "1 ms")],
)
def test_configured_spans_are_exact(ms, said):
    assert words.exact_span(ms) == said


def test_a_share_is_never_rounded_up_to_all():
    assert words.percent(0.9999) == "99 %"
    assert words.percent(1.0) == "100 %"
    assert words.percent(0.613) == "61 %"
    assert words.percent(None) == "–"


def test_lists_of_names():
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b"]) == "a and b"
    assert words.listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_a_sentence_ends_once_and_a_name_keeps_its_case():
    assert words.sentence("keeping up") == "Keeping up."
    assert words.stopped("orders is late.") == "orders is late."
    assert words.stopped("orders is late") == "orders is late."


def test_a_zone_that_makes_no_sense_is_that_of_this_machine():
    assert Zone.parse("-300").offset_minutes == -300
    for text in (None, "", "x", "99999"):
        assert Zone.parse(text) == Zone.of_this_machine()


def test_moments_are_short_today_and_dated_before():
    zone, now = Zone(60), 1_700_000_000_000
    assert zone.moment(now, now).text == "23:13"
    assert zone.moment(now - 24 * HOUR, now).text == "13 Nov 23:13"
    assert zone.moment(now - 400 * 24 * HOUR, now).text == "10 Oct 2022"
    assert zone.full(now + 7).text == "23:13:20.007"
    assert zone.clock(now).iso == "2023-11-14T22:13:20.000Z"


def test_a_time_outside_the_calendar_is_its_number():
    assert Zone(0).full(2**62).text == str(2**62)
