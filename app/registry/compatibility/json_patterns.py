"""Does a `patternProperties` pattern cover a property's name? The one place where a schema's pattern is run."""

import re

NAME_CHARACTERS_MAX = 200
PATTERN_CHARACTERS_MAX = 500
REPEATS_MAX = 2  # of a length without bound: with n characters a match takes at most n to the power of these plus one

_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?.?)?|\)|[*+]|\{\d*,?\d*\}|.", re.DOTALL)


def covers(pattern: str, name: str) -> bool:
    """Whether the pattern is found in the name.

    A pattern that could run long (repeats of groups, more than REPEATS_MAX repeats, look-arounds, back-references) is
    not run and covers nothing: the property then counts as not covered, which refuses more than it must.
    """
    if len(name) > NAME_CHARACTERS_MAX or not _is_quick(pattern):
        return False
    try:
        return re.search(pattern, name) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _is_quick(pattern: str) -> bool:
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        return False
    repeats, before = 0, ""
    for token in _TOKEN.findall(pattern):
        if token.startswith("(?") and token != "(?:":
            return False
        if len(token) == 2 and token[0] == "\\" and token[1].isdigit():
            return False
        if token in ("*", "+") or (token[0] == "{" and len(token) > 1):
            repeats += 1
            if before == ")" or (token[0] == "{" and max(map(int, re.findall(r"\d+", token)), default=0) > 1_000):
                return False
        before = token
    return repeats <= REPEATS_MAX
