"""Comparisons that call themselves, without Python's stack: schemas nest and chain deeper than it goes."""

from collections.abc import Callable, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


def drive(step: Callable[..., Generator[Any, Result, Result]], *first: Any) -> Result:
    """Run step(*first) to its end. Where a step yields arguments, it is given the result of step with those."""
    stack = [step(*first)]
    answer: Result | None = None
    while True:
        try:
            asked = next(stack[-1]) if answer is None else stack[-1].send(answer)
        except StopIteration as done:
            stack.pop()
            if not stack:
                result: Result = done.value
                return result
            answer = done.value
        else:
            stack.append(step(*asked))
            answer = None
