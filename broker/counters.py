"""What is counted while requests are answered, for metrics to show: plain integers where they are at hand anyway.

Counting costs an addition per request, and two looks at the clock for every eighth; nothing is summed up before
somebody asks.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

TIME_BUCKETS: Final = 54
"""Bucket n has the requests that took less than 2^n times 1.024 µs; the last one could wait for centuries."""

BUCKET_SHIFT: Final = 10
SAMPLE_MASK: Final = 7
"""The 1st, 9th, 17th … request of an API and version is timed: a clock costs more than all other counting."""

ErrorCounter = Callable[[Any, dict[int, int]], None]


class RequestStats:
    """The requests of one API in one version."""

    __slots__ = ("api_name", "buckets", "count", "errors", "remote_ns", "total_ns", "version")

    def __init__(self, api_name: str, version: int) -> None:
        self.api_name, self.version = api_name, version
        self.count = 0
        """How many were begun."""
        self.buckets = [0] * TIME_BUCKETS
        """How many of those timed took how long, from the whole request to the answer handed over."""
        self.total_ns = 0
        self.remote_ns = 0
        """Of it the time that was spent waiting: for records, for other members, for the disk."""
        self.errors: dict[int, int] = {}
        """How often each error code was answered; one answer may have several."""

    def took(self, taken_ns: int) -> None:
        """A request that was timed took so long."""
        self.total_ns += taken_ns
        self.buckets[(taken_ns >> BUCKET_SHIFT).bit_length()] += 1


@dataclass(slots=True)
class ListenerStats:
    """What happened at one listener."""

    connections: int = 0
    created: int = 0
    refused: int = 0
    """Beyond a limit."""
    idle_closed: int = 0
    expired: int = 0
    """Closed because a session had ended and was not renewed (KIP-368)."""
    bad_requests: int = 0
    """Connections closed for what could not be answered."""
    handshakes_failed: int = 0
    """Of TLS."""
    logins: dict[tuple[str, str], int] = field(default_factory=dict)
    """By mechanism and outcome: success, failure, renewal."""

    def handshake_failed(self) -> None:
        """Count one TLS handshake that failed."""
        self.handshakes_failed += 1

    def count_login(self, mechanism: str, outcome: str) -> None:
        """Count one login."""
        key = mechanism, outcome
        self.logins[key] = self.logins.get(key, 0) + 1


@dataclass(slots=True)
class FlushStats:
    """How often, and for how long, files were forced to disk."""

    count: int = 0
    total_s: float = 0.0
    longest_s: float = 0.0

    def took(self, seconds: float) -> None:
        """Count one flush."""
        self.count += 1
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)


_error_counters: dict[type, ErrorCounter] = {}


def error_counter(response_type: type) -> ErrorCounter:
    """A function that counts the error codes of a response, wherever it has some.

    It is made from the response's shape, as the encoders are: for Heartbeat one comparison, for Produce a loop.
    """
    if response_type not in _error_counters:
        lines = list(_counting(response_type, "response", 1)) or ["    pass"]
        scope: dict[str, Any] = {}
        exec("def count(response, errors):\n" + "\n".join(lines), scope)
        _error_counters[response_type] = scope["count"]
    return _error_counters[response_type]


def _counting(struct: type, name: str, depth: int) -> Iterator[str]:
    indent = "    " * depth
    for each in msgspec.structs.fields(struct):
        if each.encode_name == "error_code":
            code = f"{name}.error_code"
            yield f"{indent}if {code}:"
            yield f"{indent}    errors[{code}] = errors.get({code}, 0) + 1"
        elif (inner := _item_type(each.type)) is not None:
            item = f"item{depth}"
            nested = list(_counting(inner, item, depth + 1))
            if nested:
                yield f"{indent}for {item} in {name}.{each.name} or ():"
                yield from nested


def _item_type(annotation: Any) -> type | None:
    """X of `list[X]` or `list[X] | None`, where X is a message."""
    for option in typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,):
        if typing.get_origin(option) is list:
            inner = typing.get_args(option)[0]
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                return inner
    return None


def summed_errors(stats: Mapping[int, RequestStats]) -> dict[tuple[str, int], int]:
    """How often each API answered each error code, over all versions."""
    totals: dict[tuple[str, int], int] = {}
    for each in stats.values():
        for code, count in each.errors.items():
            totals[each.api_name, code] = totals.get((each.api_name, code), 0) + count
    return totals
