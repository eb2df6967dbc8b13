"""Does a `patternProperties` pattern cover a property's name? The one place where a schema's pattern is run."""

import re

from app.registry.limits import Budget

NAME_CHARACTERS_MAX = 200
PATTERN_CHARACTERS_MAX = 500
STEPS_MAX = 2**20  # of a match, at the worst: some tens of milliseconds, in which nothing else runs
STEPS_PER_COMPARISON = 250  # a pair of types that is compared takes as long

_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?.?)?|\)|[*+?|]|\{\d*,?\d*\}|.", re.DOTALL)


def covers(pattern: str, name: str, budget: Budget) -> bool:
    """Whether the pattern is found in the name. Raises SchemaTooLarge by the budget.

    A pattern that could run long (repeats of groups, many choices, look-arounds, back-references) is not run and
    covers nothing: the property then counts as not covered, which refuses more than it must.
    """
    steps = _steps(pattern, len(name)) if len(name) <= NAME_CHARACTERS_MAX else None
    budget.spend(1 + (steps or 0) // STEPS_PER_COMPARISON)
    if steps is None:
        return False
    try:
        return re.search(pattern, name) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _steps(pattern: str, length: int) -> int | None:
    """What a match takes at the worst; None for more than STEPS_MAX. Backtracking tries each repeat with each length
    and each choice both ways, from each character on."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        return None
    steps, before = length + 1, ""
    for token in _TOKEN.findall(pattern):
        if token.startswith("(?") and token != "(?:":
            return None
        if len(token) == 2 and token[0] == "\\" and token[1].isdigit():
            return None
        if token in ("*", "+") or (token[0] == "{" and len(token) > 1):
            if before == ")" or (token[0] == "{" and max(map(int, re.findall(r"\d+", token)), default=0) > 1_000):
                return None
            steps *= length + 1
        elif token in ("?", "|"):
            steps *= 2
        if steps > STEPS_MAX:
            return None
        before = token
    return steps
