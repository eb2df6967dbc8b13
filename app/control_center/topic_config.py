"""Every config of a topic: its value, where it comes from, the default, what it means; edit and reset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.topic_summaries import TopicSummary
from app.control_center import words
from app.control_center.config_words import CONFIG_WORDS, documentation_words, friendly_value, source_words
from app.control_center.errors import explain
from app.control_center.tables import Column, Table
from app.control_center.topic_head import TopicHead, build_head, find_topic
from app.control_center.visit import Asked, Visit
from app.kafka.ports import (
    AlterOperation,
    ClusterUnreachable,
    ConfigChange,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)
from broker.errors import KafkaError

router = APIRouter()

TABLE: Table[ConfigEntry] = Table(
    columns=(
        Column("name", "Config", lambda entry: entry.name),
        Column("value", "Value", lambda entry: None if entry.is_sensitive else entry.value),
        Column("source", "Source", lambda entry: entry.source.name),
        Column("default", "Default", lambda entry: default_of(entry)),
        Column("read_only", "", lambda entry: entry.is_read_only),
        Column("sensitive", "", lambda entry: entry.is_sensitive),
    ),
    default_sort="name",
)


@dataclass(frozen=True, slots=True)
class ConfigRow:
    name: str
    value: str
    said: str
    source: str
    is_own: bool
    default: str
    documentation: str
    is_sensitive: bool
    is_editable: bool
    edit_href: str
    is_edited: bool


@dataclass(frozen=True, slots=True)
class EditView:
    """The config that is being edited: what was typed, what is wrong."""

    name: str
    value: str
    before: str
    hint: str
    error: str
    href: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class ConfigPage:
    head: TopicHead
    rows: tuple[ConfigRow, ...]
    own_count: int
    q: str
    only_own: bool
    edit: EditView | None
    base_href: str
    toggle_href: str
    csv_href: str


@router.get("/clusters/{cluster:name}/topics/{topic:name}/config")
async def show_config(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    entries = await _entries(visit, topic.name)
    if visit.wanted_format == "csv":
        return TABLE.csv(entries, f"{topic.name}-config.csv")
    if visit.wanted_format == "json":
        return visit.json(TABLE.objects(entries))
    editing = next((entry for entry in entries if entry.name == visit.argument("edit")), None)
    return _answer(visit, topic, entries, _edit_view(visit, topic.name, editing) if editing else None)


@router.post("/clusters/{cluster:name}/topics/{topic:name}/config")
async def change_config(visit: Asked) -> Response:
    """Set one config, or take it off the topic when the button 'reset' was pressed.

    The form carries the value it was read with; when another has changed it since, nothing is written.
    """
    topic = find_topic(visit, visit.request.path_params["topic"])
    form = visit.form()
    entries = await _entries(visit, topic.name)
    entry = next((one for one in entries if one.name == form.get("name", "")), None)
    if entry is None:
        return visit.done(visit.links.topic(topic.name, "config"), "There is no such config any more.")
    if form.get("before", "") != (entry.value or ""):
        error = f"It was changed meanwhile: it is {entry.value or 'empty'} now. Look again before you save."
        # htmx swaps no 409 in, so that it gets the form back as any other refused one.
        return _refuse(visit, topic, entries, entry, form, error, status_code=422 if visit.is_fragment else 409)
    is_reset = "reset" in form
    change = ConfigChange(entry.name, None if is_reset else form.get("value", "").strip(),
                          AlterOperation.DELETE if is_reset else AlterOperation.SET)  # fmt: skip
    try:
        await visit.access.admin.alter_configs({_resource(topic.name): [change]})
    except (KafkaError, ClusterUnreachable) as problem:
        return _refuse(visit, topic, entries, entry, form, explain(problem), status_code=422)
    await visit.settle()
    said = "is back at its default" if is_reset else f"is {change.value} now"
    return visit.done(visit.links.topic(topic.name, "config"), f"{entry.name} of {topic.name} {said}.")


def _resource(topic: str) -> ConfigResource:
    return ConfigResource(ResourceType.TOPIC, topic)


async def _entries(visit: Visit, topic: str) -> tuple[ConfigEntry, ...]:
    """With the broker's documentation when it answers; else what was last seen."""
    entries: Sequence[ConfigEntry] = visit.snapshot.topic_configs.get(topic, ())
    if visit.is_reachable:
        try:
            resource = _resource(topic)
            entries = (await visit.access.admin.describe_configs([resource], documentation=True))[resource]
        except (KafkaError, ClusterUnreachable):
            pass  # the notice above the page says so as soon as the sampler notices
    return tuple(sorted(entries, key=lambda entry: entry.name))


def _refuse(
    visit: Visit,
    topic: TopicSummary,
    entries: Sequence[ConfigEntry],
    entry: ConfigEntry,
    form: Mapping[str, str],
    error: str,
    *,
    status_code: int,
) -> Response:
    edit = _edit_view(visit, topic.name, entry, value=form.get("value", ""), error=error)
    return _answer(visit, topic, entries, edit, status_code=status_code)


def _edit_view(visit: Visit, topic: str, entry: ConfigEntry, *, value: str | None = None, error: str = "") -> EditView:
    return EditView(
        name=entry.name,
        value=(entry.value or "") if value is None else value,
        before=entry.value or "",
        hint=documentation_of(entry),
        error=error,
        href=visit.links.topic(topic, "config"),
        is_own=entry.source is ConfigSource.DYNAMIC_TOPIC_CONFIG,
    )


def _answer(
    visit: Visit,
    topic: TopicSummary,
    entries: Sequence[ConfigEntry],
    edit: EditView | None,
    *,
    status_code: int = 200,
) -> Response:
    is_form = visit.request.method == "POST"
    fragment = "topic_config/_edit.html" if is_form and visit.is_fragment else "topic_config/_live.html"
    return visit.page(
        "topic_config/page.html",
        fragment,
        title=f"Config of {topic.name}",
        section="topics",
        view=_view(visit, topic, entries, edit),
        status_code=status_code,
    )


def _view(visit: Visit, topic: TopicSummary, entries: Sequence[ConfigEntry], edit: EditView | None) -> ConfigPage:
    q, only_own = visit.argument("q"), visit.argument("only") == "own"
    rows = [_row(visit, topic.name, entry, edit) for entry in entries]
    shown = [
        row
        for row in rows
        if (row.is_own or not only_own) and q.casefold() in f"{row.name} {row.documentation}".casefold()
    ]
    own_first = sorted(shown, key=lambda row: not row.is_own)
    arguments = visit.arguments("edit")
    turned = {**arguments, "only": "" if only_own else "own"}
    return ConfigPage(
        head=build_head(visit, topic, "config"),
        rows=tuple(own_first),
        own_count=sum(row.is_own for row in rows),
        q=q,
        only_own=only_own,
        edit=edit,
        base_href=visit.links.topic(topic.name, "config"),
        toggle_href=visit.links.topic(topic.name, "config", **turned),
        csv_href=visit.links.topic(topic.name, "config", format="csv"),
    )


def _row(visit: Visit, topic: str, entry: ConfigEntry, edit: EditView | None) -> ConfigRow:
    return ConfigRow(
        name=entry.name,
        value=words.UNKNOWN if entry.value is None else entry.value,
        said=friendly_value(entry.name, entry.value),
        source=source_words(entry.source),
        is_own=entry.source is ConfigSource.DYNAMIC_TOPIC_CONFIG,
        default=default_of(entry) or "",
        documentation=documentation_of(entry),
        is_sensitive=entry.is_sensitive,
        is_editable=not entry.is_read_only,
        edit_href=visit.links.topic(topic, "config", **{**visit.arguments(), "edit": entry.name}) + "#edit",
        is_edited=edit is not None and edit.name == entry.name,
    )


def default_of(entry: ConfigEntry) -> str | None:
    """What would hold without the topic's own value: the strongest synonym that is not the topic's."""
    others = [one for one in entry.synonyms if one.source is not ConfigSource.DYNAMIC_TOPIC_CONFIG]
    if others:
        return others[0].value
    return entry.value if entry.source is not ConfigSource.DYNAMIC_TOPIC_CONFIG else None


def documentation_of(entry: ConfigEntry) -> str:
    return CONFIG_WORDS.get(entry.name) or documentation_words(entry)
