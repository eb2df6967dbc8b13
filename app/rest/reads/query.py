"""The query of a read: where it begins, how much it may bring, how it looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.cluster.messages import FromOffset, FromTime, Newer, Newest, Start, parse_cursor
from app.http.errors import BadRequest

LIMIT: Final = 100
LIMIT_MAX: Final = 10_000
OFFSET_MAX: Final = (1 << 63) - 1
KNOWN: Final = frozenset({"partition", "offset", "timestamp", "newest", "cursor", "limit", "format", "isolation"})


@dataclass(frozen=True, slots=True)
class Query:
    """start None: nothing was said of where."""

    partitions: tuple[int, ...] | None
    start: Start | None
    limit: int
    formats: str
    read_committed: bool


def read_query(query: Mapping[str, str]) -> Query:
    """Raises BadRequest naming the parameter."""
    unknown = query.keys() - KNOWN
    if unknown:
        raise BadRequest(f"unknown parameter {min(unknown)}; there are {', '.join(sorted(KNOWN))}")
    starts = [name for name in ("offset", "timestamp", "newest", "cursor") if query.get(name)]
    if len(starts) > 1:
        raise BadRequest(f"{' and '.join(starts)} exclude each other")
    limit = _number(query, "limit", LIMIT, 1, LIMIT_MAX)
    start: Start | None = None
    if starts == ["offset"]:
        start = FromOffset(_number(query, "offset", 0, 0, OFFSET_MAX))
    elif starts == ["timestamp"]:
        start = FromTime(_time_ms(query["timestamp"]))
    elif starts == ["newest"]:
        start, limit = Newest(), _number(query, "newest", LIMIT, 1, LIMIT_MAX)
    elif starts == ["cursor"]:
        start = Newer(read_cursor("cursor", query["cursor"]))
    isolation = query.get("isolation", "read_committed")
    if isolation not in ("read_committed", "read_uncommitted"):
        raise BadRequest(f"isolation is {isolation!r}, not read_committed or read_uncommitted")
    return Query(
        partitions=_partitions(query.get("partition", "")),
        start=start,
        limit=limit,
        formats=query.get("format") or "binary",
        read_committed=isolation == "read_committed",
    )


def read_cursor(name: str, text: str) -> dict[int, int]:
    """`0:17,3:4`, partition and offset. Raises BadRequest."""
    try:
        cursor = parse_cursor(text)
    except ValueError:
        cursor = {}
    if not cursor or any(not 0 <= number <= OFFSET_MAX for pair in cursor.items() for number in pair):
        raise BadRequest(f"{name} is {text[:100]!r}, not partitions with offsets such as 0:17,3:4")
    return cursor


def _partitions(text: str) -> tuple[int, ...] | None:
    if not text:
        return None
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        raise BadRequest(f"partition is {text[:100]!r}, not numbers separated by commas")
    return tuple(sorted({int(part) for part in parts}))


def _number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise BadRequest(f"{name} is {text[:100]!r}, not a number from {least} to {most}")
    return int(text)


def _time_ms(text: str) -> int:
    """Milliseconds since 1970, or ISO 8601, in UTC unless it says otherwise."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        time = datetime.fromisoformat(text.replace(" ", "+"))  # a + in a query is a blank, unless it is encoded
    except ValueError:
        raise BadRequest(f"timestamp is {text[:100]!r}, neither milliseconds nor ISO 8601") from None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
