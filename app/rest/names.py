"""Names in requests: those that Kafka could have, and v2's regular expressions over names of topics.

A client's expression is matched against every topic of the cluster, and `re` may take for ever over a bad one, holding
up everybody. So it is RE2's syntax, matched in linear time, and before it what people use lookahead for: `(?!_).*`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from app.rest.errors import BadRequest
from broker.errors import InvalidRegularExpression, InvalidTopicException
from broker.topic_pattern import TopicPattern

EXPRESSION_CHARS_MAX: Final = 10_000
GROUP_BYTES_MAX: Final = (1 << 15) - 1
"""A string of Kafka's protocol; Kafka has no rule of its own for group ids."""
NAMES_KNOWN_MAX: Final = 100_000
"""Names whose answer is remembered; they are few but for a cluster whose topics come and go."""

_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_FLAGS: Final = re.compile(r"\^?(\(\?[imsU]+\))?\^?")
_LOOKAHEADS: Final = ("(?=", "(?!")


def require_group(group: str) -> None:
    """Raises BadRequest for an id that has no room in Kafka's protocol."""
    if len(group.encode()) > GROUP_BYTES_MAX:
        raise BadRequest(f"A group id is at most {GROUP_BYTES_MAX} bytes long")


def require_topics(names: Iterable[str]) -> None:
    """Raises InvalidTopicException for one that no topic can have: Kafka would tell its consumer the same, later."""
    for name in names:
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise InvalidTopicException(f"Topic name is invalid: {name[:250]!r}")


class _Branch(NamedTuple):
    """One of several alternatives: an expression for the whole name, and others for how it must (not) begin."""

    whole: TopicPattern
    beginnings: tuple[tuple[TopicPattern, bool], ...]

    def matches(self, name: str) -> bool:
        return all(beginning.matches(name) is is_wanted for beginning, is_wanted in self.beginnings) and (
            self.whole.matches(name)
        )


class NamePattern:
    """A `topic_pattern`; a name matches as a whole. Raises ValueError for an expression that is none.

    Differs from Confluent: RE2's syntax, and lookahead where an alternative begins; theirs takes all of Java's, which
    can be made to take for ever.
    """

    def __init__(self, expression: str) -> None:
        if len(expression) > EXPRESSION_CHARS_MAX:
            raise ValueError(f"topic_pattern is longer than {EXPRESSION_CHARS_MAX} characters")
        try:
            self._branches = _branches(expression)
        except InvalidRegularExpression as error:
            why = error.message.rpartition("regular expression: ")[2].rstrip(".")
            raise ValueError(f"{expression[:200]!r} is not a regular expression in RE2's syntax: {why}") from error
        self._known: dict[str, bool] = {}

    def matches(self, name: str) -> bool:
        """Whether the whole name matches; one that was seen before costs nothing."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= NAMES_KNOWN_MAX:
                self._known.clear()
            known = self._known[name] = any(branch.matches(name) for branch in self._branches)
        return known

    def look_at(self, names: Sequence[str]) -> None:
        """Answer for all of them now, in a thread that can wait: some of the thousands of steps of a bad pattern."""
        for name in names:
            self.matches(name)


def _branches(expression: str) -> list[_Branch]:
    if not any(lookahead in expression for lookahead in _LOOKAHEADS):
        return [_Branch(TopicPattern(expression), ())]
    branches, flags = [], ""
    for text in _alternatives(expression):
        branch, flags = _branch(text, flags)
        branches.append(branch)
    return branches


def _alternatives(expression: str) -> list[str]:
    """The expression cut at those `|` that stand in no group and no class."""
    found, begin = [], 0
    depth = 0
    at = 0
    while at < len(expression):
        end = _end_of_piece(expression, at)
        piece = expression[at:end]
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth -= 1
        elif piece == "|" and depth == 0:
            found.append(expression[begin:at])
            begin = end
        at = end
    return [*found, expression[begin:]]


def _end_of_piece(expression: str, at: int) -> int:
    """Where an escape, a quotation, a class or a single character ends."""
    if expression.startswith("\\Q", at):
        end = expression.find("\\E", at)
        return len(expression) if end < 0 else end + 2
    if expression[at] == "\\":
        return min(at + 2, len(expression))
    if expression[at] != "[":
        return at + 1
    at += 2 if expression.startswith("[^", at) else 1
    is_first = True
    while at < len(expression) and (is_first or expression[at] != "]"):
        is_first = False
        if expression.startswith("[:", at) and ":]" in expression[at:]:
            at = expression.index(":]", at) + 2
        else:
            at += 2 if expression[at] == "\\" else 1
    return min(at + 1, len(expression))


def _branch(text: str, flags: str) -> tuple[_Branch, str]:
    """flags: those that an alternative before this one has set; with those of this one, the second of the answer."""
    start = _FLAGS.match(text)
    assert start is not None  # it matches the empty string, too
    flags += start[1] or ""
    at = start.end()
    beginnings = []
    while text.startswith(_LOOKAHEADS, at):
        end = _end_of_group(text, at)
        beginning = text[at + 3 : end]
        TopicPattern(beginning)  # whole by itself, so that nothing of it reaches into what is put around it
        beginnings.append((TopicPattern(f"{flags}(?:{beginning}).*"), text[at + 2] == "="))
        at = end + 1
    return _Branch(TopicPattern(flags + text[at:]), tuple(beginnings)), flags


def _end_of_group(text: str, at: int) -> int:
    """Where the group that begins here has its closing bracket. Raises InvalidRegularExpression for none."""
    depth = 0
    while at < len(text):
        end = _end_of_piece(text, at)
        depth += {"(": 1, ")": -1}.get(text[at:end], 0)
        if depth == 0:
            return at
        at = end
    raise InvalidRegularExpression("missing closing )")
