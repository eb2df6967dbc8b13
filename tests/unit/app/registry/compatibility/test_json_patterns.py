"""Patterns of property names: which are run, and that none runs long."""

import pytest

from app.registry.compatibility.json_patterns import STEPS_MAX, covers
from app.registry.errors import SchemaTooLarge
from app.registry.limits import Budget


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("^x-", "x-trace", True),
        ("^x-", "trace", False),
        ("^[a-z]+_[0-9]+$", "metric_12", True),
        ("^(foo|bar)_[a-z]{2,4}$", "bar_abc", True),
        ("^S_?[A-Z]*$", "SIZE", True),
        (r"^\p{L}", "x", False),
        ("(", "x", False),
        ("", "x", True),
    ],
)
def test_patterns_that_people_write_are_run(pattern, name, expected):
    assert covers(pattern, name, Budget()) is expected


CATASTROPHIC = {
    "repeated groups": "^(a+)+$",
    "repeated choices": "^(a|a)*$",
    "many optional ones": "a?" * 40 + "a" * 40,
    "many choices": "(?:a|ab)" * 40 + "$",
    "many repeats": "a*a*a*a*a*a*b",
    "counted groups": "(a{0,9}){9}",
    "back-references": r"^(a*)\1$",
    "look-arounds": "(?=a*)(?=a*)b",
    "a repeat without end": "a{0,99999}b",
    "a long pattern": "a" * 501,
}


@pytest.mark.parametrize("kind", CATASTROPHIC)
def test_patterns_that_could_run_long_cover_nothing(kind):
    assert covers(CATASTROPHIC[kind], "a" * 60, Budget()) is False


def test_a_long_name_is_covered_by_nothing():
    assert covers("a", "a" * 200, Budget()) is True
    assert covers("a", "a" * 201, Budget()) is False


def test_many_dear_matches_end_the_comparison():
    budget, name = Budget(), "a" * 100
    assert (len(name) + 1) ** 3 < STEPS_MAX < (len(name) + 1) ** 4
    with pytest.raises(SchemaTooLarge):
        any(covers("a*a*b", name, budget) for _ in range(100))
