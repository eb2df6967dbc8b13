"""Names that requests bring: regular expressions over topics, and what no topic or group can be called."""

import re

import pytest

from app.rest.errors import BadRequest
from app.rest.names import NamePattern, require_group, require_topics
from broker.errors import InvalidTopicException

NAMES = ["orders", "orders-eu", "orders.eu", "_schemas", "__consumer_offsets", "a", "ab", "abc", "b", "ORDERS", "x|y"]


@pytest.mark.parametrize(
    "expression",
    [
        "orders",
        "orders.*",
        "orders|b",
        "orders[.-]eu",
        r"orders\.eu|_.*",
        "(?i)orders",
        ".*",
        "",
        "^orders$",
        "(?!_).*",
        "^(?!_|orders)[a-z]+$",
        "(?=a)(?!ab).*",
        "(?!orders$).*",
        "(?!_).*|_schemas",
        "[|x](?:[)|(])y|ab",
        r"(?!\Qx|\E)[^_].*",
        "(?:(?!a).*)?|(?!b).",
    ],
)
def test_a_pattern_matches_the_names_that_pythons_own_does(expression: str) -> None:
    if "(?:(?!" in expression:  # lookahead inside of a group
        with pytest.raises(ValueError, match="RE2"):
            NamePattern(expression)
        return
    pythons = re.compile(expression.replace(r"\Qx|\E", r"x\|"))
    pattern = NamePattern(expression)
    assert [name for name in NAMES if pattern.matches(name)] == [name for name in NAMES if pythons.fullmatch(name)]


@pytest.mark.parametrize(
    "expression", ["(", ")|(?:payroll", "(?!a))|(?:payroll", "(?!a", "(?!a)|(", "[", "*", "\\", r"(a)\1", "(?<=a)b"]
)
def test_what_is_no_pattern_says_so(expression: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression in RE2's syntax"):
        NamePattern(expression)


def test_a_pattern_is_at_most_ten_thousand_characters_long() -> None:
    assert NamePattern("a" * 249).matches("a" * 249)
    with pytest.raises(ValueError, match="longer than 10000 characters"):
        NamePattern("a" * 10_001)


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|a)*b", "(?!(a+)+b).", "(a?){250}a{250}b"])
def test_a_pattern_that_takes_pythons_own_for_ever_is_answered(expression: str) -> None:
    assert not NamePattern(expression).matches("a" * 249)


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "é", "\0", "a" * 250, "a\n"])
def test_what_no_topic_can_be_called(name: str) -> None:
    require_topics(["orders", "a" * 249, "..."])
    with pytest.raises(InvalidTopicException, match="Topic name is invalid"):
        require_topics(["orders", name])


def test_a_group_id_must_have_room_in_the_protocol() -> None:
    require_group("é" * 16_383)
    with pytest.raises(BadRequest, match="32767 bytes"):
        require_group("é" * 16_384)
