"""Registering a new subject or the next version of one: checked first, refused with reasons at their place."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fastapi import APIRouter, Response

from app.control_center.schemas import words as schema_words
from app.control_center.schemas.desk import SchemaDesk, desk_of
from app.control_center.schemas.diff import Diff, compare
from app.control_center.schemas.form import CheckedForm, ReferenceFields, SchemaForm, check
from app.control_center.schemas.head import Found, SubjectHead, build_head, find_subject
from app.control_center.schemas.layout import lay_out
from app.control_center.schemas.reasons import Reasons, tell
from app.control_center.visit import Asked, Visit
from app.registry.contexts import normalize
from app.registry.errors import SchemaError
from app.registry.populating import NewSchema
from app.registry.refusals import IncompatibleSchema, RegistryError
from app.registry.verdict import Verdict
from app.registry.view import Version

router = APIRouter()

EXAMPLES: Mapping[str, str] = {
    "AVRO": """{
  "type": "record",
  "name": "Order",
  "namespace": "com.example",
  "fields": [
    { "name": "id", "type": "long" },
    { "name": "note", "type": ["null", "string"], "default": null }
  ]
}""",
    "JSON": """{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "Order",
  "type": "object",
  "properties": {
    "id": { "type": "integer" },
    "note": { "type": "string" }
  },
  "required": ["id"],
  "additionalProperties": false
}""",
    "PROTOBUF": """syntax = "proto3";
package com.example;

message Order {
  int64 id = 1;
  string note = 2;
}""",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check or a refused registration has to say. tone: '' for nothing yet, 'good' or 'bad'."""

    tone: str = ""
    words: str = ""
    reasons: Reasons | None = None
    diff: Diff | None = None
    diff_words: str = ""


@dataclass(frozen=True, slots=True)
class RegistrationPage:
    head: SubjectHead | None
    form: SchemaForm
    errors: Mapping[str, str]
    marked: str
    types: tuple[tuple[str, str], ...]
    examples: tuple[tuple[str, str], ...]
    references: tuple[ReferenceFields, ...]
    has_references: bool
    action: str
    cancel_href: str
    why_closed: str
    settings_href: str
    level: str
    level_words: str
    allowed_words: str
    outcome: Outcome
    exists_href: str


@router.get("/clusters/{cluster:name}/schemas/new")
async def show_new(visit: Asked) -> Response:
    desk = desk_of(visit)
    await desk.ready()
    kind = visit.argument("example").upper()
    chosen = kind if kind in EXAMPLES else "AVRO"
    form = SchemaForm(visit.argument("subject")[:1000], chosen, EXAMPLES.get(kind, ""))
    return _answer(visit, desk, None, CheckedForm(form, NewSchema("")))


@router.post("/clusters/{cluster:name}/schemas/new")
async def register_new(visit: Asked) -> Response:
    desk = desk_of(visit)
    await desk.ready()
    form = SchemaForm.of(visit.form())
    return await _take(visit, desk, None, replace(form, subject=form.subject.strip()))


@router.get("/clusters/{cluster:name}/schemas/{subject:name}/evolve")
async def show_evolve(visit: Asked) -> Response:
    found = await find_subject(visit)
    start = found.version(visit.argument("version"), found.latest)
    content = start.content
    form = SchemaForm(
        found.name,
        content.schema_type,
        lay_out(content.schema_type, content.text),
        tuple(ReferenceFields(one.name, one.subject, str(one.version)) for one in content.references),
        _base(found),
    )
    return _answer(visit, found.desk, found, CheckedForm(form, NewSchema("")))


@router.post("/clusters/{cluster:name}/schemas/{subject:name}/evolve")
async def register_version(visit: Asked) -> Response:
    found = await find_subject(visit)
    form = SchemaForm.of(visit.form())
    return await _take(visit, found.desk, found, replace(form, subject=found.name))


async def _take(visit: Visit, desk: SchemaDesk, found: Found | None, form: SchemaForm) -> Response:
    """The button says what: 'check', 'lay-out', 'reference' (one row more), else register."""
    wanted = visit.form().get("do", "register")
    if wanted == "reference":
        return _answer(visit, desk, found, CheckedForm(form, NewSchema("")), more_references=True)
    checked = await check(desk, form, normalize(form.subject))
    if wanted == "lay-out":
        return await _laid_out(visit, desk, found, checked)
    if not checked.is_right:
        return _answer(visit, desk, found, checked, status_code=422)
    if found is None and wanted != "check" and desk.view.live(normalize(form.subject)):
        errors = {"subject": "This subject is there already. Register a new version of it instead."}
        return _answer(visit, desk, found, replace(checked, errors=errors), status_code=422)
    if wanted == "check":
        outcome = await _judged(visit, desk, checked)
        return _answer(visit, desk, found, checked, outcome, status_code=422 if outcome.reasons else 200)
    return await _register(visit, desk, found, checked)


async def _laid_out(visit: Visit, desk: SchemaDesk, found: Found | None, checked: CheckedForm) -> Response:
    """The text one field to a line; what is no schema stays as it is, with what is wrong."""
    form = checked.form
    if "schema" in checked.errors:
        errors = {"schema": checked.errors["schema"]}
        return _answer(visit, desk, found, replace(checked, errors=errors), status_code=422)
    text = form.schema
    if checked.is_right and form.type == "PROTOBUF":
        text = (await desk.registry.read(form.subject, checked.schema)).canonical
    laid = replace(form, schema=await desk.aside(lambda: lay_out(form.type, text), len(text)))
    return _answer(visit, desk, found, CheckedForm(laid, checked.schema))


async def _register(visit: Visit, desk: SchemaDesk, found: Found | None, checked: CheckedForm) -> Response:
    subject = normalize(checked.form.subject)
    known = await desk.registry.lookup(subject, checked.schema)
    if found is not None and known is None and checked.form.base != _base(found):
        form = replace(checked.form, base=_base(found))
        words = f"Version {found.latest.version} was registered since you opened this page. Register again to go on."
        outcome = await _compared(desk, checked, found.latest)
        checked = replace(checked, form=form, errors={"form": words})
        return _answer(visit, desk, found, checked, outcome, status_code=422)
    try:
        schema_id = await desk.changes.register(subject, checked.schema)
    except IncompatibleSchema as error:
        outcome = await _judged(visit, desk, checked)
        if outcome.reasons is None:  # another version came between
            outcome = Outcome("bad", schema_words.explain(error))
        return _answer(visit, desk, found, checked, outcome, status_code=422)
    except (RegistryError, SchemaError) as error:
        place = "schema" if isinstance(error, SchemaError) else "form"
        refused = replace(checked, errors={place: schema_words.explain(error)})
        return _answer(visit, desk, found, refused, status_code=422)
    if known is not None:
        words = f"This schema is version {known.version} of {subject} already, with id {known.id}. Nothing was added."
    else:
        number = max((one.version for one in desk.view.live(subject) if one.id == schema_id), default=0)
        words = f"Version {number} of {subject} was registered with id {schema_id}."
    return visit.done(visit.links.subject(subject), words)


# --- judging ----------------------------------------------------------------------------------------------------------


async def _judged(visit: Visit, desk: SchemaDesk, checked: CheckedForm) -> Outcome:
    """Would it be taken now? With the reasons why not, and what changes against the latest version."""
    subject = normalize(checked.form.subject)
    level, latest = desk.level(subject).value, desk.view.latest(subject)
    try:
        known = await desk.registry.lookup(subject, checked.schema)
        verdict = None if known is not None else await desk.registry.verdict(subject, checked.schema)
    except SchemaError as error:  # too much to compare
        return Outcome("bad", schema_words.explain(error))
    if known is not None:
        return Outcome("good", f"This is version {known.version} already, with id {known.id}: nothing would be added.")
    compared = await _compared(desk, checked, latest)
    if verdict is not None:
        words = f"Not {level} compatible with version {verdict.version}."
        if not verdict.version:
            words = "It does not keep the names that its metadata reserves."
        return replace(compared, tone="bad", words=words, reasons=await _reasons(visit, desk, checked, verdict))
    if latest is None:
        return replace(compared, tone="good", words="The schema is right. It would be version 1 of a new subject.")
    if level == "NONE":
        return replace(compared, tone="good", words="The schema is right. The level NONE compares it with nothing.")
    against = "every version" if level.endswith("_TRANSITIVE") else f"version {latest.version}"
    return replace(compared, tone="good", words=f"{level} compatible with {against}: it can be registered.")


async def _reasons(visit: Visit, desk: SchemaDesk, checked: CheckedForm, verdict: Verdict) -> Reasons:
    form = checked.form
    subject = normalize(form.subject)
    older = desk.view.versions(subject).get(verdict.version)
    older_type = older.content.schema_type if older is not None else form.type
    href = visit.links.subject(subject, f"v/{verdict.version}")
    return await desk.aside(
        lambda: tell(verdict, form.type, form.schema, older_type, href), len(form.schema) + len(verdict.older_text)
    )


async def _compared(desk: SchemaDesk, checked: CheckedForm, latest: Version | None) -> Outcome:
    if latest is None:
        return Outcome()
    parsed = await desk.registry.read(checked.form.subject, checked.schema)
    kind = latest.content.schema_type
    diff = await desk.aside(
        lambda: compare(lay_out(kind, latest.content.text), lay_out(parsed.schema_type, parsed.canonical)),
        len(latest.content.text) + len(parsed.canonical),
    )
    return Outcome(diff=diff, diff_words=f"Against version {latest.version}")


# --- the answer -------------------------------------------------------------------------------------------------------


def _base(found: Found) -> str:
    return str(found.latest.version if found.live else 0)


def _answer(
    visit: Visit,
    desk: SchemaDesk,
    found: Found | None,
    checked: CheckedForm,
    outcome: Outcome | None = None,
    *,
    more_references: bool = False,
    status_code: int = 200,
) -> Response:
    return visit.page(
        "schema_form/page.html" if found is None else "schema_form/evolve.html",
        "schema_form/_form.html",
        title="Register a schema" if found is None else f"New version of {found.name}",
        section="schemas",
        view=_view(visit, desk, found, checked, outcome or Outcome(), more_references=more_references),
        status_code=status_code,
        headers={"HX-Push-Url": "false"},
    )


def _view(
    visit: Visit,
    desk: SchemaDesk,
    found: Found | None,
    checked: CheckedForm,
    outcome: Outcome,
    *,
    more_references: bool,
) -> RegistrationPage:
    form, links = checked.form, visit.links
    scope = normalize(form.subject) or None
    level = desk.level(scope)
    lines = [*checked.lines, *(outcome.reasons.lines if outcome.reasons else ())]
    is_there = found is None and bool(scope) and bool(desk.view.live(scope or ""))
    return RegistrationPage(
        head=None if found is None else build_head(visit, found, "evolve"),
        form=form,
        errors=defaultdict(str, checked.errors),
        marked=",".join(map(str, lines)),
        types=tuple(schema_words.TYPES.items()),
        examples=tuple(
            (said, links.new_subject(example=name, subject=form.subject)) for name, said in schema_words.TYPES.items()
        ),
        references=(*form.references, *([ReferenceFields()] if more_references or not form.references else ())),
        has_references=bool(form.references) or more_references,
        action=links.new_subject() if found is None else links.subject(found.name, "evolve"),
        cancel_href=links.subjects() if found is None else links.subject(found.name),
        why_closed=desk.why_closed(scope),
        settings_href=links.schema_settings() if found is None else links.subject(found.name, "settings"),
        level=level.value,
        level_words=schema_words.LEVELS.get(level.value, ""),
        allowed_words=schema_words.ALLOWED.get(level.value, ""),
        outcome=outcome,
        exists_href=links.subject(scope or "", "evolve") if is_there else "",
    )
