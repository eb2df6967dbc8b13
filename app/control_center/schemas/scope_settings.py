"""Compatibility level and mode of the whole registry, and of each context."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.control_center.errors import PageNotFound
from app.control_center.schemas.desk import SchemaDesk, desk_of
from app.control_center.schemas.scopes import ScopeForms, build_forms, set_level, set_mode
from app.control_center.visit import Asked, Visit
from app.registry.contexts import DEFAULT_CONTEXT, qualify

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ContextRow:
    name: str
    href: str
    subject_count: int
    subjects_href: str
    level: str
    mode: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class ScopeSettingsPage:
    context: str
    forms: ScopeForms
    contexts: tuple[ContextRow, ...]
    topic: str
    topic_href: str
    is_empty: bool
    skipped: tuple[tuple[int, str], ...]
    skipped_count: int


@router.get("/clusters/{cluster:name}/schemas/settings")
async def show_settings(visit: Asked) -> Response:
    desk, scope = await _scope(visit)
    if visit.wanted_format == "json":
        return visit.json({"compatibility": desk.level(scope).value, "mode": desk.mode(scope).value})
    return _answer(visit, desk, scope, {})


@router.post("/clusters/{cluster:name}/schemas/settings/level")
async def change_level(visit: Asked) -> Response:
    desk, scope = await _scope(visit)
    if error := await set_level(desk, scope, visit.form()):
        return _answer(visit, desk, scope, {"level": error}, status_code=422)
    words = f"Schemas of {_said(scope)} must be {desk.level(scope).value} from now on, unless a subject says otherwise."
    return visit.done(visit.links.schema_settings(context=visit.argument("context")), words)


@router.post("/clusters/{cluster:name}/schemas/settings/mode")
async def change_mode(visit: Asked) -> Response:
    desk, scope = await _scope(visit)
    if error := await set_mode(desk, scope, visit.form()):
        return _answer(visit, desk, scope, {"mode": error}, status_code=422)
    words = f"The mode of {_said(scope)} is {desk.mode(scope).value} now."
    return visit.done(visit.links.schema_settings(context=visit.argument("context")), words)


async def _scope(visit: Visit) -> tuple[SchemaDesk, str | None]:
    """The context of the query as a scope; None for the registry. Raises PageNotFound."""
    desk = desk_of(visit)
    await desk.ready()
    name = visit.argument("context")
    if not name or name == DEFAULT_CONTEXT:
        return desk, None
    if name not in desk.view.context_names():
        raise PageNotFound(f"There is no context “{name}” in the Schema Registry.")
    return desk, qualify(name, "")


def _said(scope: str | None) -> str:
    return "the registry" if scope is None else f"the context {scope.strip(':')}"


def _answer(
    visit: Visit, desk: SchemaDesk, scope: str | None, errors: Mapping[str, str], *, status_code: int = 200
) -> Response:
    store, context = desk.service.store, visit.argument("context")
    view = ScopeSettingsPage(
        context="" if scope is None else context,
        forms=build_forms(
            desk,
            scope,
            level_href=visit.links.subject("settings", "level", context=context),
            mode_href=visit.links.subject("settings", "mode", context=context),
            errors=errors,
        ),
        contexts=_contexts(visit, desk, scope),
        topic=store.topic,
        topic_href=visit.links.topic(store.topic) if store.topic in visit.snapshot.topics else "",
        is_empty=store.position <= 0,
        skipped=tuple((one.offset, one.reason) for one in store.skipped),
        skipped_count=store.skipped_count,
    )
    return visit.page(
        "schema_settings/page.html",
        "schema_settings/_forms.html",
        title="Registry settings",
        section="schemas",
        view=view,
        status_code=status_code,
    )


def _contexts(visit: Visit, desk: SchemaDesk, scope: str | None) -> tuple[ContextRow, ...]:
    names = sorted(desk.view.context_names())
    if len(names) < 2:
        return ()
    rows = []
    for name in names:
        of_it = None if name == DEFAULT_CONTEXT else qualify(name, "")
        rows.append(
            ContextRow(
                name="default" if name == DEFAULT_CONTEXT else name,
                href=visit.links.schema_settings(context="" if of_it is None else name),
                subject_count=len(desk.view.context(name).subjects),
                subjects_href=visit.links.subjects(context=name),
                level=desk.level(of_it).value,
                mode=desk.mode(of_it).value,
                is_shown=of_it == scope,
            )
        )
    return tuple(rows)
