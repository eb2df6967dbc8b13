"""Tables: columns that sort, page, and come as CSV or JSON from the same URL."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Generic, TypeVar

from fastapi.responses import Response

from app.control_center import words
from app.control_center.links import query

Row = TypeVar("Row")
Cell = str | int | float | bool | None
ROWS_PER_PAGE = 50
ROWS_PER_PAGE_MAX = 200
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: name in URLs and exports, label on the page, value for sorting and exports.

    rank sorts in its place where the order is another one. None sorts last in both directions. A column without a
    label is only exported.
    """

    name: str
    label: str
    value: Callable[[Row], Cell]
    is_number: bool = False
    is_sortable: bool = True
    is_descending_first: bool = False
    rank: Callable[[Row], Cell] | None = None

    def sort_value(self, row: Row) -> Cell:
        return self.rank(row) if self.rank else self.value(row)


@dataclass(frozen=True, slots=True)
class Header:
    label: str
    is_number: bool
    href: str
    aria_sort: str


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in the list this page stands; the hrefs are '' at the ends."""

    words: str
    previous_href: str
    next_href: str


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    columns: Sequence[Column[Row]]
    default_sort: str

    def order(self, sort: str, direction: str) -> tuple[Column[Row], bool]:
        """The column and whether descending, from the query; unknown names fall back to the default."""
        known = {column.name: column for column in self.columns if column.is_sortable}
        column = known.get(sort) or known[self.default_sort]
        if direction in ("asc", "desc"):
            return column, direction == "desc"
        return column, column.is_descending_first

    def sorted(self, rows: Sequence[Row], column: Column[Row], *, descending: bool) -> list[Row]:
        """Over all rows; stable, so that the order the rows came in breaks ties; unknown values stand last."""
        keyed = [(column.sort_value(row), row) for row in rows]
        known = [(_sort_key(value), row) for value, row in keyed if value is not None]
        known.sort(key=itemgetter(0), reverse=descending)
        return [row for _, row in known] + [row for value, row in keyed if value is None]

    def headers(self, column: Column[Row], *, descending: bool, arguments: dict[str, str]) -> tuple[Header, ...]:
        return tuple(self._header(one, one is column, descending, arguments) for one in self.columns if one.label)

    def _header(self, column: Column[Row], is_current: bool, descending: bool, arguments: dict[str, str]) -> Header:
        turned = not descending if is_current else column.is_descending_first
        wanted = {**arguments, "sort": column.name, "dir": "desc" if turned else "asc"}
        wanted.pop("page", None)
        aria_sort = ("descending" if descending else "ascending") if is_current else ""
        return Header(column.label, column.is_number, query(wanted) if column.is_sortable else "", aria_sort)

    def csv(self, rows: Sequence[Row], file_name: str) -> Response:
        """All rows, not the page. RFC 4180, with the guard against cells that spreadsheets would run."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(column.name for column in self.columns)
        for row in rows:
            writer.writerow(guarded(column.value(row)) for column in self.columns)
        headers = {"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": "no-store"}
        return Response(text.getvalue(), headers=headers, media_type="text/csv; charset=utf-8")

    def objects(self, rows: Sequence[Row]) -> list[dict[str, Cell]]:
        """The rows as JSON has them."""
        return [{column.name: column.value(row) for column in self.columns} for row in rows]


def _sort_key(value: Cell) -> tuple[int, str | int | float]:
    return (1, value.casefold()) if isinstance(value, str) else (0, value or 0)


def guarded(value: Cell) -> Cell:
    """A text cell that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def cut(
    rows: Sequence[Row], *, page: int, per_page: int, order_words: str, arguments: dict[str, str]
) -> tuple[Sequence[Row], Pages]:
    """The rows of one page (counted from 1; beyond the end is the last one) and where it stands."""
    last_page = max(1, -(-len(rows) // per_page))
    page = min(max(page, 1), last_page)
    start = (page - 1) * per_page
    shown = rows[start : start + per_page]
    return shown, Pages(
        words=_range_words(start, len(shown), len(rows), order_words),
        previous_href=query({**arguments, "page": page - 1}) if page > 1 else "",
        next_href=query({**arguments, "page": page + 1}) if page < last_page else "",
    )


def _range_words(start: int, shown: int, total: int, order_words: str) -> str:
    if not total:
        return order_words
    return f"{order_words}, {words.count(start + 1)} to {words.count(start + shown)} of {words.count(total)}"


def matching(names: Sequence[Row], wanted: str, name_of: Callable[[Row], str]) -> Iterator[Row]:
    """Rows whose name holds every word of the search, in any order, without regard to case."""
    parts = wanted.casefold().split()
    return (row for row in names if all(part in name_of(row).casefold() for part in parts))
