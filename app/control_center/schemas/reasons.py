"""Why a schema is refused, reason by reason, at its place in the text that was typed or in the older version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.control_center.schemas.layout import holds, lay_out, line_among, places
from app.control_center.schemas.subject import CodeLine, code_lines
from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.verdict import Verdict

EXCERPT_LINES = 1  # before and after
SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class Reason:
    """line: of the text that was typed; None when the place is in the older version, or nowhere."""

    words: str
    details: str
    error_type: str
    path: str
    place_words: str
    line: int | None
    excerpt: tuple[CodeLine, ...]


@dataclass(frozen=True, slots=True)
class Reasons:
    level: str
    version: int
    version_href: str
    all: tuple[Reason, ...]
    left_out: int

    @property
    def lines(self) -> list[int]:
        return sorted({one.line for one in self.all if one.line is not None})


def tell(verdict: Verdict, schema_type: str, text: str, older_type: str, version_href: str) -> Reasons:
    """text: as typed. The older version is shown laid out."""
    older_text = lay_out(older_type, verdict.older_text)
    new_places, old_places = places(schema_type, text), places(older_type, older_text)
    new_lines, old_lines = text.split("\n"), older_text.split("\n")
    told = []
    for one in verdict.reasons[:SHOWN_MAX]:
        is_old = _stands_in_the_old(one, new_places, old_places)
        known, lines = (old_places, old_lines) if is_old else (new_places, new_lines)
        line = line_among(known, one.path)
        told.append(
            Reason(
                words=one.description[:1].upper() + one.description[1:].rstrip(".") + ".",
                details=one.additional_info if one.additional_info not in one.description else "",
                error_type=one.error_type,
                path=one.path,
                place_words=_place_words(verdict.version, line, is_old=is_old),
                line=None if is_old else line,
                excerpt=_excerpt(older_type if is_old else schema_type, lines, line),
            )
        )
    return Reasons(verdict.level, verdict.version, version_href, tuple(told), max(0, len(verdict.reasons) - SHOWN_MAX))


def _stands_in_the_old(one: Incompatibility, new: Mapping[str, int], old: Mapping[str, int]) -> bool:
    """Avro's paths lead into the reader's schema; those of the others into either: the new one is looked at first."""
    if one.path.startswith("/"):
        return one.reader == "old"
    return not holds(new, one.path) and holds(old, one.path)


def _place_words(version: int, line: int | None, *, is_old: bool) -> str:
    if line is None:
        return f"Version {version}" if is_old else "The schema"
    return f"Version {version}, line {line}" if is_old else f"Line {line}"


def _excerpt(schema_type: str, lines: Sequence[str], line: int | None) -> tuple[CodeLine, ...]:
    if line is None:
        return ()
    first = max(1, line - EXCERPT_LINES)
    shown = "\n".join(lines[first - 1 : line + EXCERPT_LINES])
    return tuple(
        CodeLine(one.number + first - 1, one.tokens, one.number + first - 1 == line)
        for one in code_lines(schema_type, shown)
    )
