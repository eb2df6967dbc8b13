"""Subscriptions by regular expression (KIP-848): RE2's syntax over topic names, matched in linear time.

A client's expression is matched against every topic, and Python's `re` may take for ever over a bad one; so this is an
automaton of its own, as RE2 is one. What RE2 refuses (backreferences, lookaround, possessive quantifiers) is refused.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Final, NamedTuple

from broker.errors import InvalidRegularExpression

REPEAT_MAX: Final = 1_000
"""The highest count in `x{n,m}`, as in RE2."""
PROGRAM_STEPS_MAX: Final = 5_000
DEPTH_MAX: Final = 100
_DFA_ENTRIES_MAX: Final = 10_000

_WORD: Final = frozenset(string.ascii_letters + string.digits + "_")
_ALL: Final = frozenset(map(chr, range(128)))
_PERL: Final = {"d": frozenset(string.digits), "w": _WORD, "s": frozenset("\t\n\f\r ")}
_ESCAPES: Final = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_POSIX: Final = {
    "alnum": frozenset(string.ascii_letters + string.digits),
    "alpha": frozenset(string.ascii_letters),
    "ascii": _ALL,
    "blank": frozenset("\t "),
    "cntrl": frozenset(map(chr, (*range(32), 127))),
    "digit": frozenset(string.digits),
    "graph": frozenset(map(chr, range(33, 127))),
    "lower": frozenset(string.ascii_lowercase),
    "print": frozenset(map(chr, range(32, 127))),
    "punct": frozenset(string.punctuation),
    "space": frozenset(string.whitespace),
    "upper": frozenset(string.ascii_uppercase),
    "word": _WORD,
    "xdigit": frozenset(string.hexdigits),
}
_UNICODE: Final = {
    "L": _POSIX["alpha"],
    "Lu": _POSIX["upper"],
    "Ll": _POSIX["lower"],
    "N": _POSIX["digit"],
    "Nd": _POSIX["digit"],
    "P": frozenset("!\"#%&'()*,-./:;?@[\\]_{}"),
    "Pd": frozenset("-"),
    "Pc": frozenset("_"),
    "Latin": _POSIX["alpha"],
}


class _Step(NamedTuple):
    """One instruction: eat a character of `chars`, or hold an assertion, or neither; then go on at any of `then`."""

    then: tuple[int, ...]
    chars: frozenset[str] | None = None
    assertion: str = ""


class TopicPattern:
    """A compiled expression; raises InvalidRegularExpression when it is none."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._steps: list[_Step] = []
        self._start = _Parser(expression, self._steps).program()
        self._next: dict[tuple[frozenset[int], str, str], frozenset[int]] = {}
        self._known: dict[str, bool] = {}

    def matching(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the names that match as a whole; names seen before cost nothing."""
        known, self._known = self._known, {}
        for name in names:
            seen = known.get(name)
            self._known[name] = self.matches(name) if seen is None else seen
        return frozenset(name for name, does in self._known.items() if does)

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        before, at = "", frozenset((self._start,))
        for char in name:
            at = self._after(at, before, char)
            if not at:
                return False
            before = char
        return _MATCH in self._closure(at, before, "")

    def _after(self, at: frozenset[int], before: str, char: str) -> frozenset[int]:
        key = (at, before, char)
        found = self._next.get(key)
        if found is None:
            if len(self._next) >= _DFA_ENTRIES_MAX:
                self._next.clear()
            found = self._next[key] = frozenset(
                target
                for step in self._closure(at, before, char)
                if step != _MATCH and char in (self._steps[step].chars or ())
                for target in self._steps[step].then
            )
        return found

    def _closure(self, at: Iterable[int], before: str, after: str) -> set[int]:
        """All steps that can be reached without eating a character, here between these two characters."""
        reached: set[int] = set()
        waiting = list(at)
        while waiting:
            step = waiting.pop()
            if step in reached:
                continue
            reached.add(step)
            if (
                step != _MATCH
                and self._steps[step].chars is None
                and _holds(self._steps[step].assertion, before, after)
            ):
                waiting.extend(self._steps[step].then)
        return reached


_MATCH: Final = -1


def _holds(assertion: str, before: str, after: str) -> bool:
    match assertion:
        case "^":
            return not before
        case "$":
            return not after
        case "m^":
            return before in ("", "\n")
        case "m$":
            return after in ("", "\n")
        case "b" | "B":
            return ((before in _WORD) != (after in _WORD)) == (assertion == "b")
        case _:
            return True


class _Node(NamedTuple):
    """A parsed piece: characters, an assertion, a sequence, alternatives, or a repetition of its only part."""

    kind: str
    parts: tuple[_Node, ...] = ()
    chars: frozenset[str] = frozenset()
    assertion: str = ""
    least: int = 0
    most: int | None = None


class _Parser:
    """Reads RE2's syntax and writes the program from its end backwards."""

    def __init__(self, expression: str, steps: list[_Step]) -> None:
        self._text = expression
        self._at = 0
        self._flags = ""
        self._steps = steps
        self._depth = 0

    def program(self) -> int:
        """Fill the list of steps; returns where to begin."""
        node = self._alternatives()
        if self._at < len(self._text):
            raise self._wrong("unexpected )")
        return self._write(node, _MATCH)

    # Reading.

    def _alternatives(self) -> _Node:
        flags = self._flags
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._wrong("expression nests too deeply")
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        self._depth -= 1
        self._flags = flags
        return branches[0] if len(branches) == 1 else _Node("any", tuple(branches))

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            if self._take("\\Q"):
                end = self._text.find("\\E", self._at)
                quoted = self._text[self._at : end if end >= 0 else None]
                self._at = len(self._text) if end < 0 else end + 2
                parts += [self._literal(char) for char in quoted[:-1]]
                part = self._repeated(self._literal(quoted[-1])) if quoted else None
            else:
                part = self._repeated(self._one())
            if part is not None:
                parts.append(part)
        return parts[0] if len(parts) == 1 else _Node("all", tuple(parts))

    def _repeated(self, node: _Node | None) -> _Node | None:
        count = self._quantifier()
        if count is None:
            return node
        if node is None:
            raise self._wrong("missing argument to repetition operator")
        self._take("?")  # lazy or not makes no difference to whether a whole name matches
        if self._quantifier() is not None:
            raise self._wrong("invalid nested repetition operator")
        return _Node("repeat", (node,), least=count[0], most=count[1])

    def _quantifier(self) -> tuple[int, int | None] | None:
        if self._take("*"):
            return 0, None
        if self._take("+"):
            return 1, None
        if self._take("?"):
            return 0, 1
        end = self._text.find("}", self._at)
        if end < 0 or not self._text.startswith("{", self._at):
            return None
        least, comma, most = self._text[self._at + 1 : end].partition(",")
        if not least.isdecimal() or not least.isascii() or (most and not (most.isdecimal() and most.isascii())):
            return None  # as RE2: braces that hold no counts stand for themselves
        if len(least) > 4 or len(most) > 4:
            raise self._wrong("invalid repeat count")
        counts = int(least), int(most) if most else None if comma else int(least)
        if counts[0] > REPEAT_MAX or (counts[1] is not None and not counts[0] <= counts[1] <= REPEAT_MAX):
            raise self._wrong("invalid repeat count")
        self._at = end + 1
        return counts

    def _one(self) -> _Node | None:
        """One character, class, assertion or group; None for a piece that only sets flags."""
        if self._text.startswith(("*", "+", "?"), self._at):
            raise self._wrong("missing argument to repetition operator")
        char = self._text[self._at]
        self._at += 1
        match char:
            case "(":
                return self._group()
            case "[":
                return _Node("char", chars=self._class())
            case "\\":
                return self._escape()
            case ".":
                return _Node("char", chars=_ALL if "s" in self._flags else _ALL - {"\n"})
            case "^" | "$":
                return _Node("assert", assertion=f"m{char}" if "m" in self._flags else char)
            case _:
                return self._literal(char)

    def _group(self) -> _Node | None:
        before = self._flags
        if self._take("?") and not self._take(":"):
            named = self._take("P<") or self._take("<")
            if named:
                name, closed, _ = self._text[self._at :].partition(">")
                if not closed or not name or not _WORD.issuperset(name):
                    raise self._wrong("invalid or unsupported Perl syntax")
                self._at += len(name) + 1
            elif self._set_flags():
                return None
        node = self._alternatives()
        self._flags = before
        if not self._take(")"):
            raise self._wrong("missing closing )")
        return node

    def _set_flags(self) -> bool:
        """Read `(?flags)`, which holds until the group around it ends, or `(?flags:`; True for the former."""
        flags, is_off = set(self._flags), False
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if char in "imsU":
                (flags.discard if is_off else flags.add)(char)
            elif char == "-" and not is_off:
                is_off = True
            elif char in ":)":
                self._flags = "".join(flags)
                return char == ")"
            else:
                break
        raise self._wrong("invalid or unsupported Perl syntax")

    def _escape(self) -> _Node:
        for letter, assertion in (("A", "^"), ("z", "$"), ("b", "b"), ("B", "B")):
            if self._take(letter):
                return _Node("assert", assertion=assertion)
        return _Node("char", chars=self._folded(self._escaped()))

    def _escaped(self) -> frozenset[str]:
        """The characters that the escape after a backslash stands for."""
        char = self._text[self._at : self._at + 1]
        self._at += 1
        if char.lower() in _PERL and char:
            return _PERL[char] if char in _PERL else _ALL - _PERL[char.lower()]
        if char in ("p", "P"):
            return self._unicode(is_negated=char == "P")
        if char == "x":
            return frozenset(self._hexadecimal())
        if char == "0":
            digits = self._text[self._at : self._at + 2]
            octal = "".join(digit for digit in digits if digit in "01234567")
            self._at += len(octal)
            return frozenset(chr(int(octal or "0", 8)))
        if char in _ESCAPES:
            return frozenset(_ESCAPES[char])
        if not char or char.isalnum() or not char.isascii():
            raise self._wrong("invalid escape sequence" if char else "trailing backslash at end of expression")
        return frozenset(char)

    def _unicode(self, *, is_negated: bool) -> frozenset[str]:
        if self._take("{"):
            name, closed, _ = self._text[self._at :].partition("}")
            self._at += len(name) + 1
        else:
            name, closed = self._text[self._at : self._at + 1], "}"
            self._at += 1
        if name.startswith("^"):
            name, is_negated = name[1:], not is_negated
        # Differs from Kafka: of Unicode's classes only those with ASCII characters, because topic names are ASCII.
        if not closed or name not in _UNICODE:
            raise self._wrong("invalid character class range")
        return _ALL - _UNICODE[name] if is_negated else _UNICODE[name]

    def _hexadecimal(self) -> str:
        if self._take("{"):
            digits, closed, _ = self._text[self._at :].partition("}")
            self._at += len(digits) + 1
        else:
            digits, closed = self._text[self._at : self._at + 2], "}"
            self._at += 2
            if len(digits) != 2:
                closed = ""
        if not closed or not digits or not set(digits) <= set(string.hexdigits) or int(digits, 16) > 0x10FFFF:
            raise self._wrong("invalid escape sequence")
        return chr(int(digits, 16))

    def _class(self) -> frozenset[str]:
        is_negated = self._take("^")
        chars: set[str] = set()
        is_first = True
        while is_first or not self._take("]"):
            is_first = False
            if self._at >= len(self._text):
                raise self._wrong("missing closing ]")
            posix = self._posix()
            if posix is not None:
                chars |= posix
                continue
            low = self._class_chars()
            is_range = self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at)
            if not is_range or self._at + 1 >= len(self._text):
                chars |= low
                continue
            self._at += 1
            high = self._class_chars()
            if len(low) != 1 or len(high) != 1 or min(high) < min(low):
                raise self._wrong("invalid character class range")
            chars.update(chr(code) for code in range(ord(min(low)), min(ord(min(high)), 127) + 1))
        folded = self._folded(frozenset(chars))
        return _ALL - folded if is_negated else folded

    def _posix(self) -> frozenset[str] | None:
        end = self._text.find(":]", self._at)
        if not self._text.startswith("[:", self._at) or end < 0:
            return None
        name = self._text[self._at + 2 : end]
        is_negated = name.startswith("^")
        chars = _POSIX.get(name.removeprefix("^"))
        if chars is None:
            raise self._wrong("invalid character class range")
        self._at = end + 2
        return _ALL - chars if is_negated else chars

    def _class_chars(self) -> frozenset[str]:
        if self._take("\\"):
            return self._escaped()
        char = self._text[self._at : self._at + 1]
        if not char:
            raise self._wrong("missing closing ]")
        self._at += 1
        return frozenset(char)

    def _literal(self, char: str) -> _Node:
        return _Node("char", chars=self._folded(frozenset(char)))

    def _folded(self, chars: frozenset[str]) -> frozenset[str]:
        if "i" not in self._flags:
            return chars
        return frozenset(form for char in chars for form in (char, char.lower(), char.upper()))

    def _take(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _wrong(self, why: str) -> InvalidRegularExpression:
        return InvalidRegularExpression(
            f"SubscribedTopicRegex `{self._text}` is not a valid regular expression: {why}."
        )

    # Writing.

    def _write(self, node: _Node, then: int) -> int:
        """Write the node so that it goes on at `then`; returns its first step."""
        match node.kind:
            case "char":
                return self._add(_Step((then,), chars=node.chars))
            case "assert":
                return self._add(_Step((then,), assertion=node.assertion))
            case "all":
                for part in reversed(node.parts):
                    then = self._write(part, then)
                return then
            case "any":
                return self._add(_Step(tuple(self._write(part, then) for part in node.parts)))
            case _:
                return self._write_repeat(node, then)

    def _write_repeat(self, node: _Node, then: int) -> int:
        part = node.parts[0]
        if node.most is None:
            loop = self._add(_Step((then,)))
            self._steps[loop] = _Step((self._write(part, loop), then))
            then = loop
        else:
            end = then
            for _ in range(node.most - node.least):
                then = self._add(_Step((self._write(part, then), end)))
        for _ in range(node.least):
            then = self._write(part, then)
        return then

    def _add(self, step: _Step) -> int:
        if len(self._steps) >= PROGRAM_STEPS_MAX:
            raise self._wrong("expression is too large")
        self._steps.append(step)
        return len(self._steps) - 1
