"""Expressions in RE2's syntax; which ones are refused was measured on Apache Kafka 4.3.1."""

import pytest

from broker.errors import InvalidRegularExpression
from broker.topic_pattern import TopicPattern

REFUSED = (
    r"\1 (?P=x) a** a*+ [b-a] \Z (?#x) x{1001} (?>a) *a \8 \k a|* \C \u0041 \X a++ ) (a [a (?=a) (?<!a) "
    r"\p{Greek} a{2,1}"
)
TAKEN = r"[[:alpha:]]+ \pL (?i)T a(?i)b (?<n>a) (?P<n>a) \Qa\E \z a{,2} []a] \_ ] } a{ (?U)a \x41 [[.a.]] (?s)."


@pytest.mark.parametrize("expression", REFUSED.split())
def test_what_re2_refuses_is_refused(expression: str) -> None:
    with pytest.raises(InvalidRegularExpression):
        TopicPattern(expression)


@pytest.mark.parametrize("expression", TAKEN.split())
def test_what_re2_takes_is_taken(expression: str) -> None:
    TopicPattern(expression)


@pytest.mark.parametrize(
    ("expression", "matching", "other"),
    [
        ("t", "t", "tt"),
        ("t.*", "t-1", "at"),
        ("a|b", "b", "ab"),
        ("(?i)Orders", "oRDERS", "order"),
        ("a(?i:B)c", "abc", "ABC"),
        (r"\Qa.b\E+", "a.bb", "axb"),
        ("[^-]+-[0-9]{2,3}", "x-123", "x-1"),
        (r"[\w&&-]+", "a-b", "a.b"),
        (r"\bfoo\b.*", "foo-bar", "foobar"),
        ("^a$", "a", "b"),
        ("", "", "a"),
        ("x{0}y", "y", "xy"),
    ],
)
def test_a_whole_name_matches(expression: str, matching: str, other: str) -> None:
    pattern = TopicPattern(expression)
    assert pattern.matching([matching, other]) == {matching}


@pytest.mark.parametrize("expression", ["(a+)+$", "(a|aa)+", "(a*)*b", "((a{0,50}){0,20})c"])
def test_expressions_that_backtracking_drowns_in_take_no_time(expression: str) -> None:
    assert not TopicPattern(expression).matches("a" * 249 + "!")
