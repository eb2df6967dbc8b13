"""The list of subjects: search, filter, sort and page over all of them; CSV and JSON from the same URL."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.control_center.links import query
from app.control_center.schemas import words as schema_words
from app.control_center.schemas.desk import SchemaDesk, Subject, SubjectIndex, desk_of
from app.control_center.tables import ROWS_PER_PAGE, ROWS_PER_PAGE_MAX, Column, Header, Pages, Table, cut, matching
from app.control_center.visit import Asked, Visit
from app.control_center.words import Moment
from app.registry.contexts import DEFAULT_CONTEXT

router = APIRouter()

ORDER_WORDS = {"type": "by type", "versions": "by number of versions", "id": "by id", "changed": "last changed first"}


@dataclass(frozen=True, slots=True)
class SubjectRow:
    name: str
    href: str
    context: str
    type_words: str
    latest: int
    latest_id: int
    version_count: int
    deleted_count: int
    is_deleted: bool
    level: str
    level_title: str
    mode: str
    changed: Moment | None


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    words: str


@dataclass(frozen=True, slots=True)
class SubjectsPage:
    q: str
    headers: tuple[Header, ...]
    rows: tuple[SubjectRow, ...]
    pages: Pages
    total: int
    matching: int
    deleted_count: int
    shows_deleted: bool
    has_filter: bool
    toggle_href: str
    csv_href: str
    contexts: tuple[Choice, ...]
    context: str
    types: tuple[Choice, ...]
    type: str
    kept: tuple[tuple[str, str], ...]
    why_closed: str
    level: str
    curl: str


@router.get("/clusters/{cluster:name}/schemas")
async def list_subjects(visit: Asked) -> Response:
    desk = desk_of(visit)
    await desk.ready()
    table = _table(desk)
    column, descending = table.order(visit.argument("sort"), visit.argument("dir"))
    version = f"{id(desk.view)}.{desk.position}"
    index = await desk.subjects()
    shown = index.all if visit.argument("deleted") == "1" else index.live
    found = await desk.off_loop(lambda: _filtered(visit, shown), len(shown)) if _has_filter(visit) else shown
    rows = found
    if column.name != "name" or descending:
        rows = await desk.off_loop(lambda: table.sorted(found, column, descending=descending), len(found))
    if visit.wanted_format == "csv":
        return await desk.off_loop(lambda: table.csv(rows, "subjects.csv"), len(rows))
    if visit.wanted_format == "json":
        return await desk.off_loop(lambda: visit.json(table.objects(rows)), len(rows))
    headers = table.headers(column, descending=descending, arguments=visit.arguments())
    view = _build(visit, desk, index, rows, headers, ORDER_WORDS.get(column.name, "by name"))
    return visit.page(
        "schemas/page.html", "schemas/_live.html", title="Schemas", section="schemas", view=view, version=version
    )


def _table(desk: SchemaDesk) -> Table[Subject]:
    return Table(
        columns=(
            Column("name", "Subject", lambda one: one.name),
            Column("context", "", lambda one: one.context),
            Column("type", "Type", lambda one: one.latest.content.schema_type),
            Column("latest", "Latest", lambda one: one.latest.version, True, True, True),
            Column("versions", "Versions", lambda one: one.version_count, True, True, True),
            Column("deleted_versions", "", lambda one: one.deleted_count, True, True, True),
            Column("id", "Id", lambda one: one.latest.id, True, True, True),
            Column("level", "Compatibility", lambda one: desk.level(one.name).value, False, False),
            Column("mode", "Mode", lambda one: desk.mode(one.name).value, False, False),
            Column("changed", "Registered", lambda one: one.latest.timestamp_ms, True, True, True),
            Column("deleted", "", lambda one: one.is_deleted, False, False),
        ),
        default_sort="name",
    )


def _has_filter(visit: Visit) -> bool:
    return bool(visit.argument("q") or visit.argument("context") or visit.argument("type"))


def _filtered(visit: Visit, subjects: Sequence[Subject]) -> Sequence[Subject]:
    context, kind = visit.argument("context"), visit.argument("type")
    return [
        one
        for one in matching(subjects, visit.argument("q"), lambda one: one.name)
        if (not context or one.context == context) and (not kind or one.latest.content.schema_type == kind)
    ]


def _build(
    visit: Visit,
    desk: SchemaDesk,
    index: SubjectIndex,
    rows: Sequence[Subject],
    headers: tuple[Header, ...],
    order_words: str,
) -> SubjectsPage:
    arguments = visit.arguments()
    per_page = visit.number_argument("per", ROWS_PER_PAGE, least=1, most=ROWS_PER_PAGE_MAX)
    page = visit.number_argument("page", 1, least=1)
    shown, pages = cut(rows, page=page, per_page=per_page, order_words=order_words, arguments=arguments)
    shows_deleted = visit.argument("deleted") == "1"
    toggled = {**visit.arguments("page", "deleted"), "deleted": "" if shows_deleted else "1"}
    names = sorted(desk.view.context_names())
    return SubjectsPage(
        q=visit.argument("q"),
        headers=headers,
        rows=tuple(_row(visit, desk, one) for one in shown),
        pages=pages,
        total=len(index.all if shows_deleted else index.live),
        matching=len(rows),
        deleted_count=index.deleted_count,
        shows_deleted=shows_deleted,
        has_filter=_has_filter(visit),
        toggle_href=visit.path + query(toggled),
        csv_href=visit.path + query({**arguments, "format": "csv"}),
        contexts=tuple(Choice(one, "default" if one == DEFAULT_CONTEXT else one) for one in names if len(names) > 1),
        context=visit.argument("context"),
        types=tuple(Choice(name, said) for name, said in schema_words.TYPES.items()),
        type=visit.argument("type"),
        kept=tuple((name, value) for name, value in visit.arguments("q", "page", "context", "type").items() if value),
        why_closed=desk.why_closed(None),
        level=desk.level(None).value,
        curl=_curl(visit),
    )


def _row(visit: Visit, desk: SchemaDesk, one: Subject) -> SubjectRow:
    level, mode = desk.level(one.name), desk.mode(one.name)
    latest = one.latest
    return SubjectRow(
        name=one.name,
        href=visit.links.subject(one.name),
        context="" if one.context == DEFAULT_CONTEXT else one.context,
        type_words=schema_words.type_words(latest.content.schema_type),
        latest=latest.version,
        latest_id=latest.id,
        version_count=one.version_count,
        deleted_count=one.deleted_count,
        is_deleted=one.is_deleted,
        level=level.value,
        level_title=f"set on {level.scope_words}" if level.scope_words else "the default",
        mode="" if mode.value == "READWRITE" else mode.value,
        changed=visit.zone.moment(latest.timestamp_ms, visit.now_ms) if latest.timestamp_ms > 0 else None,
    )


def _curl(visit: Visit) -> str:
    schema = json.dumps({"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]})
    return (
        f"curl -X POST {shlex.quote(f'{visit.rest_url}/subjects/orders-value/versions')} \\\n"
        f"  -H 'Content-Type: application/vnd.schemaregistry.v1+json' \\\n"
        f"  -d {shlex.quote(json.dumps({'schema': schema}))}"
    )
