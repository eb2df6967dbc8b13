"""Two laid-out schemas beside each other: equal lines fold away, and of changed lines the changed words are marked."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT_LINES = 3
COMPARED_LINES_MAX = 1_500  # of what is left of either side when equal beginnings and ends are taken off
MARKED_CHARS_MAX = 300  # of a line whose changed words are looked for
ALIKE_MIN = 0.5  # lines that share less than this are two lines, not one that changed
_WORDS = re.compile(r"\w+|\s+|.")


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class DiffRow:
    """kind: 'same', 'changed', 'added', 'removed', or 'fold' for `folded` equal lines; a number is None where a side
    has no line."""

    kind: str
    old_number: int | None = None
    new_number: int | None = None
    old: tuple[Piece, ...] = ()
    new: tuple[Piece, ...] = ()
    folded: int = 0


@dataclass(frozen=True, slots=True)
class Diff:
    rows: tuple[DiffRow, ...]
    added_count: int
    removed_count: int
    is_too_large: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.added_count and not self.removed_count


def compare(old: str, new: str, *, is_whole: bool = False) -> Diff:
    """is_whole: fold nothing."""
    before, after = old.split("\n"), new.split("\n")
    start = _equal_start(_keys(before), _keys(after))
    end = _equal_start(_keys(before[start:])[::-1], _keys(after[start:])[::-1])
    if max(len(before), len(after)) - start - end > COMPARED_LINES_MAX:
        return Diff((), len(after), len(before), is_too_large=True)
    rows = list(_rows(before, after, start, end))
    _slide(rows)
    return Diff(
        tuple(rows if is_whole else _folded(rows)),
        sum(row.kind in ("added", "changed") for row in rows),
        sum(row.kind in ("removed", "changed") for row in rows),
    )


def _keys(lines: Sequence[str]) -> list[str]:
    """What lines are compared by: the comma that a last member gets when another one follows is no change."""
    return [line.rstrip(",") for line in lines]


def _equal_start(before: Sequence[str], after: Sequence[str]) -> int:
    count = 0
    for ours, theirs in zip(before, after, strict=False):
        if ours != theirs:
            break
        count += 1
    return count


def _rows(before: Sequence[str], after: Sequence[str], start: int, end: int) -> Iterator[DiffRow]:
    for at in range(start):
        yield _same(before, after, at, at)
    olds_left, news_left = _keys(before[start : len(before) - end]), _keys(after[start : len(after) - end])
    middle = SequenceMatcher(None, olds_left, news_left)
    for kind, old_from, old_to, new_from, new_to in middle.get_opcodes():
        olds, news = range(start + old_from, start + old_to), range(start + new_from, start + new_to)
        if kind == "equal":
            for old_at, new_at in zip(olds, news, strict=True):
                yield _same(before, after, old_at, new_at)
            continue
        for at in range(max(len(olds), len(news))):
            old_index = olds[at] if at < len(olds) else None
            new_index = news[at] if at < len(news) else None
            yield _changed(before, after, old_index, new_index)
    for back in range(end, 0, -1):
        yield _same(before, after, len(before) - back, len(after) - back)


def _slide(rows: list[DiffRow]) -> None:
    """A block of new or gone lines that could stand some lines lower too stands where it begins with an opening.

    Else a field that was put in seems to begin with the end of the field before it.
    """
    at = 0
    while at < len(rows):
        kind, end = rows[at].kind, at
        while end < len(rows) and rows[end].kind == kind:
            end += 1
        if kind in ("added", "removed") and _text(rows[at], kind).lstrip().startswith(("}", "]")):
            end += _slide_block(rows, at, end, kind)
        at = end


def _slide_block(rows: list[DiffRow], start: int, end: int, kind: str) -> int:
    """How far the block rows[start:end] was moved down."""
    steps = 0
    while end + steps < len(rows) and rows[end + steps].kind == "same":
        first, after = rows[start + steps], rows[end + steps]
        if _keys([_text(first, kind)]) != _keys([_text(after, kind)]):
            return steps
        if kind == "added":
            rows[start + steps] = DiffRow("same", after.old_number, first.new_number, after.old, first.new)
            rows[end + steps] = DiffRow("added", None, after.new_number, (), after.new)
        else:
            rows[start + steps] = DiffRow("same", first.old_number, after.new_number, first.old, after.new)
            rows[end + steps] = DiffRow("removed", after.old_number, None, after.old, ())
        steps += 1
        if not _text(rows[start + steps], kind).lstrip().startswith(("}", "]")):
            return steps
    return steps


def _text(row: DiffRow, kind: str) -> str:
    return (row.old if kind == "removed" else row.new)[0].text


def _same(before: Sequence[str], after: Sequence[str], old_at: int, new_at: int) -> DiffRow:
    return DiffRow("same", old_at + 1, new_at + 1, (Piece(before[old_at]),), (Piece(after[new_at]),))


def _changed(before: Sequence[str], after: Sequence[str], old_at: int | None, new_at: int | None) -> DiffRow:
    if old_at is None:
        assert new_at is not None
        return DiffRow("added", None, new_at + 1, (), (Piece(after[new_at]),))
    if new_at is None:
        return DiffRow("removed", old_at + 1, None, (Piece(before[old_at]),), ())
    old, new = _marked(before[old_at], after[new_at])
    return DiffRow("changed", old_at + 1, new_at + 1, old, new)


def _marked(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    if max(len(old), len(new)) > MARKED_CHARS_MAX:
        return (Piece(old),), (Piece(new),)
    olds, news = _WORDS.findall(old), _WORDS.findall(new)
    matcher = SequenceMatcher(None, olds, news, autojunk=False)
    if matcher.ratio() < ALIKE_MIN:
        return (Piece(old),), (Piece(new),)
    ours: list[Piece] = []
    theirs: list[Piece] = []
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if old_to > old_from:
            ours.append(Piece("".join(olds[old_from:old_to]), kind != "equal"))
        if new_to > new_from:
            theirs.append(Piece("".join(news[new_from:new_to]), kind != "equal"))
    return tuple(ours), tuple(theirs)


def _folded(rows: Sequence[DiffRow]) -> Iterator[DiffRow]:
    near = [False] * len(rows)
    for at, row in enumerate(rows):
        if row.kind != "same":
            for close in range(max(0, at - CONTEXT_LINES), min(len(rows), at + CONTEXT_LINES + 1)):
                near[close] = True
    at = 0
    while at < len(rows):
        if near[at]:
            yield rows[at]
            at += 1
            continue
        end = at
        while end < len(rows) and not near[end]:
            end += 1
        if end - at == 1:
            yield rows[at]
        else:
            yield DiffRow("fold", folded=end - at)
        at = end
