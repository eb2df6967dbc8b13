"""Two versions of a subject side by side."""

from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.control_center import words
from app.control_center.schemas.diff import Diff, compare
from app.control_center.schemas.head import Found, SubjectHead, build_head, find_subject
from app.control_center.schemas.layout import lay_out
from app.control_center.visit import Asked, Visit
from app.registry.view import Version

router = APIRouter()


@dataclass(frozen=True, slots=True)
class VersionChoice:
    value: str
    words: str


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    head: SubjectHead
    choices: tuple[VersionChoice, ...]
    older: int
    newer: int
    diff: Diff
    beside: str
    is_whole: bool
    whole_href: str
    action: str
    name_argument: str
    is_alone: bool


@router.get("/clusters/{cluster:name}/schemas/{subject:name}/diff")
async def show_diff(visit: Asked) -> Response:
    """a, b: numbers of versions; without them the latest and the one before."""
    found = await find_subject(visit)
    newer = found.version(visit.argument("b"), found.latest)
    before = [one for one in found.versions if one.version < newer.version]
    older = found.version(visit.argument("a"), before[-1] if before else newer)
    is_whole = visit.argument("all") == "1"
    chars = len(older.content.text) + len(newer.content.text)
    diff = await found.desk.aside(lambda: _compared(older, newer, is_whole), chars)
    if visit.wanted_format == "json":
        return visit.json(
            {
                "subject": found.name,
                "a": older.version,
                "b": newer.version,
                "added": diff.added_count,
                "removed": diff.removed_count,
                "rows": [
                    {
                        "kind": row.kind,
                        "a": row.old_number,
                        "b": row.new_number,
                        "old": "".join(piece.text for piece in row.old),
                        "new": "".join(piece.text for piece in row.new),
                    }
                    for row in diff.rows
                    if row.kind != "fold"
                ],
            }
        )
    return visit.page(
        "schema_diff/page.html",
        "schema_diff/_diff.html",
        title=f"Versions of {found.name}",
        section="schemas",
        view=_view(visit, found, older, newer, diff, is_whole=is_whole),
    )


def _compared(older: Version, newer: Version, is_whole: bool) -> Diff:
    return compare(
        lay_out(older.content.schema_type, older.content.text),
        lay_out(newer.content.schema_type, newer.content.text),
        is_whole=is_whole,
    )


def _view(visit: Visit, found: Found, older: Version, newer: Version, diff: Diff, *, is_whole: bool) -> ComparisonPage:
    return ComparisonPage(
        head=build_head(visit, found, "diff"),
        choices=tuple(
            VersionChoice(str(one.version), f"Version {one.version}{_note(found, one)}")
            for one in reversed(found.versions)
        ),
        older=older.version,
        newer=newer.version,
        diff=diff,
        beside=_beside_words(older, newer),
        is_whole=is_whole,
        whole_href=visit.links.subject(
            found.name, "diff", a=older.version, b=newer.version, all="" if is_whole else "1"
        ),
        action=visit.links.subject(found.name, "diff"),
        name_argument=visit.argument("name"),
        is_alone=len(found.versions) == 1,
    )


def _note(found: Found, one: Version) -> str:
    if one.is_deleted:
        return " (soft-deleted)"
    return " (latest)" if one is found.latest else ""


def _beside_words(older: Version, newer: Version) -> str:
    """What differs beside the text, as a sentence; '' for nothing."""
    said = []
    if older.content.schema_type != newer.content.schema_type:
        said.append("the type")
    if older.content.references != newer.content.references:
        said.append("the references")
    if older.content.metadata != newer.content.metadata:
        said.append("the metadata")
    if older.content.rule_set != newer.content.rule_set:
        said.append("the rules")
    return f"{words.capital(words.joined(said))} {'differs' if len(said) == 1 else 'differ'} too." if said else ""
