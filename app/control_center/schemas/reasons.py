"""Why a schema is refused, reason by reason, at its place in the text that was typed or in the older version."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.control_center import words
from app.control_center.schemas.layout import lay_out
from app.control_center.schemas.places import Place, locate
from app.control_center.schemas.subject import CodeLine, code_lines
from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.verdict import Verdict

EXCERPT_LINES = 1  # before and after
EXCERPT_CHARS_MAX = 400
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
    shown = verdict.reasons[:SHOWN_MAX]
    paths = [one.path for one in shown]
    new, old = locate(schema_type, text, paths), locate(older_type, older_text, paths)
    new_lines, old_lines = text.split("\n"), older_text.split("\n")
    told = []
    for one in shown:
        is_old = _stands_in_the_old(one, new[one.path], old[one.path])
        line = (old if is_old else new)[one.path].line
        told.append(
            Reason(
                words=words.sentence(one.description),
                details=one.additional_info if one.additional_info not in one.description else "",
                error_type=one.error_type,
                path=one.path,
                place_words=_place_words(verdict.version, line, is_old=is_old),
                line=None if is_old else line,
                excerpt=_excerpt(older_type if is_old else schema_type, old_lines if is_old else new_lines, line),
            )
        )
    return Reasons(verdict.level, verdict.version, version_href, tuple(told), max(0, len(verdict.reasons) - SHOWN_MAX))


def _stands_in_the_old(one: Incompatibility, new: Place, old: Place) -> bool:
    """Avro's paths lead into the reader's schema; those of the others into either: the new one is looked at first."""
    if one.path.startswith("/"):
        return one.reader == "old"
    return old.is_exact and not new.is_exact


def _place_words(version: int, line: int | None, *, is_old: bool) -> str:
    if line is None:
        return f"Version {version}" if is_old else "The schema"
    return f"Version {version}, line {line}" if is_old else f"Line {line}"


def _excerpt(schema_type: str, lines: Sequence[str], line: int | None) -> tuple[CodeLine, ...]:
    if line is None:
        return ()
    first = max(1, line - EXCERPT_LINES)
    shown = "\n".join(one[:EXCERPT_CHARS_MAX] for one in lines[first - 1 : line + EXCERPT_LINES])
    return tuple(
        CodeLine(one.number + first - 1, one.tokens, one.number + first - 1 == line)
        for one in code_lines(schema_type, shown)
    )
