"""One version of a subject: the schema laid out, what it refers to and who to it, who uses it, its contract."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Response

from app.control_center.schemas.head import Found, SubjectHead, build_head, find_subject
from app.control_center.schemas.layout import Token, coloured, lay_out
from app.control_center.schemas.words import type_words
from app.control_center.tables import Pages, cut
from app.control_center.visit import Asked, Visit
from app.control_center.words import Moment
from app.registry.contexts import split
from app.registry.contracts import Rule, RuleSet
from app.registry.errors import InvalidSchema
from app.registry.references import find_referenced
from app.registry.view import Version

router = APIRouter()

LINES_MAX = 3_000
VERSIONS_PER_PAGE = 20
REFERRERS_MAX = 200


@dataclass(frozen=True, slots=True)
class CodeLine:
    number: int
    tokens: tuple[Token, ...]
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    words: str
    href: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class VersionRow:
    version: int
    href: str
    id: int
    registered: Moment | None
    is_deleted: bool
    is_shown: bool
    is_latest: bool
    compare_href: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    name: str
    kind: str
    mode: str
    type: str
    expr: str
    doc: str
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class SchemaPage:
    head: SubjectHead
    version: int
    is_latest: bool
    is_deleted: bool
    id: int
    guid: str
    type_words: str
    registered: Moment | None
    lines: tuple[CodeLine, ...]
    left_out: int
    text: str
    raw_href: str
    references: tuple[Link, ...]
    referrers: tuple[Link, ...]
    referrers_left: int
    topics: tuple[Link, ...]
    elsewhere: tuple[Link, ...]
    tags: tuple[tuple[str, str], ...]
    properties: tuple[tuple[str, str], ...]
    rules: tuple[RuleRow, ...]
    versions: tuple[VersionRow, ...]
    pages: Pages


@router.get("/clusters/{cluster:name}/schemas/{subject:name}")
@router.get("/clusters/{cluster:name}/schemas/{subject:name}/schema")
@router.get("/clusters/{cluster:name}/schemas/{subject:name}/v/{version:name}")
async def show_schema(visit: Asked) -> Response:
    found = await find_subject(visit)
    wanted = visit.request.path_params.get("version", visit.argument("version"))
    shown = found.version(wanted, found.latest)
    if visit.wanted_format == "json":
        return visit.json(_as_json(found, shown))
    text = await found.desk.aside(
        lambda: lay_out(shown.content.schema_type, shown.content.text), len(shown.content.text)
    )
    return visit.page(
        "schema/page.html",
        "schema/_schema.html",
        title=found.name,
        section="schemas",
        view=_view(visit, found, shown, text),
    )


def _view(visit: Visit, found: Found, shown: Version, text: str) -> SchemaPage:
    content = shown.content
    referrers = sorted(
        found.desk.view.referrers(shown.subject, shown.version), key=lambda one: (one.subject, one.version)
    )
    rows, pages = cut(
        list(reversed(found.versions)),
        page=visit.number_argument("page", 1, least=1),
        per_page=VERSIONS_PER_PAGE,
        order_words="newest first",
        arguments=visit.arguments(),
    )
    metadata = content.metadata
    secret = set(metadata.sensitive) if metadata else set()
    return SchemaPage(
        head=build_head(visit, found, ""),
        version=shown.version,
        is_latest=shown is found.latest,
        is_deleted=shown.is_deleted,
        id=shown.id,
        guid=str(UUID(bytes=content.guid)),
        type_words=type_words(content.schema_type),
        registered=_moment(visit, shown),
        lines=code_lines(content.schema_type, text),
        left_out=max(0, text.count("\n") + 1 - LINES_MAX),
        text=text,
        raw_href=visit.links.subject(found.name, f"v/{shown.version}", format="json"),
        references=tuple(_references(visit, found, shown)),
        referrers=tuple(_version_link(visit, one) for one in referrers[:REFERRERS_MAX]),
        referrers_left=max(0, len(referrers) - REFERRERS_MAX),
        topics=tuple(using_topics(visit, found.name)),
        elsewhere=tuple(_elsewhere(visit, shown)),
        tags=tuple((path, ", ".join(tags)) for path, tags in (metadata.tags if metadata else {}).items()),
        properties=tuple(
            (name, "hidden: it is sensitive" if name in secret else value)
            for name, value in (metadata.properties if metadata else {}).items()
        ),
        rules=tuple(_rules(content.rule_set)),
        versions=tuple(_version_row(visit, found, one, shown) for one in rows),
        pages=pages,
    )


def code_lines(schema_type: str, text: str, marked: Sequence[int] = ()) -> tuple[CodeLine, ...]:
    """The first LINES_MAX lines with numbers and colours."""
    return tuple(
        CodeLine(number, coloured(schema_type, line), number in marked)
        for number, line in enumerate(text.split("\n")[:LINES_MAX], start=1)
    )


def _moment(visit: Visit, one: Version) -> Moment | None:
    return visit.zone.moment(one.timestamp_ms, visit.now_ms) if one.timestamp_ms > 0 else None


def _version_link(visit: Visit, one: Version) -> Link:
    return Link(one.subject, visit.links.subject(one.subject, f"v/{one.version}"), f"version {one.version}")


def _references(visit: Visit, found: Found, shown: Version) -> Iterator[Link]:
    for reference in shown.content.references:
        try:
            one = find_referenced(found.desk.view, shown.subject, reference)
        except InvalidSchema:
            yield Link(reference.name, "", f"{reference.subject}, version {reference.version}: not there any more")
            continue
        href = visit.links.subject(one.subject, f"v/{one.version}")
        yield Link(reference.name, href, f"{one.subject}, version {one.version}")


def using_topics(visit: Visit, subject: str) -> Iterator[Link]:
    """The topics whose keys or values serializers register under this name (TopicNameStrategy)."""
    name = split(subject).subject
    for suffix, said in (("-value", "values"), ("-key", "keys")):
        topic = name.removesuffix(suffix)
        if topic != name and topic in visit.snapshot.topics:
            yield Link(topic, visit.links.topic(topic), said)


def _elsewhere(visit: Visit, shown: Version) -> Iterator[Link]:
    """The same content under other subjects."""
    others = [one for one in shown.content.uses.values() if one.subject != shown.subject and not one.is_deleted]
    for one in sorted(others, key=lambda one: (one.subject, one.version))[:VERSIONS_PER_PAGE]:
        yield _version_link(visit, one)


def _rules(rule_set: RuleSet | None) -> Iterator[RuleRow]:
    if rule_set is None:
        return
    families = (
        ("migration", rule_set.migration_rules),
        ("domain", rule_set.domain_rules),
        ("encoding", rule_set.encoding_rules),
    )
    for family, rules in families:
        for rule in rules:
            yield _rule(family, rule)


def _rule(family: str, rule: Rule) -> RuleRow:
    kind = f"{family}, {rule.kind.lower()}" if rule.kind else family
    return RuleRow(
        rule.name, kind, (rule.mode or "").lower(), rule.type or "", rule.expr or "", rule.doc or "", rule.disabled
    )


def _version_row(visit: Visit, found: Found, one: Version, shown: Version) -> VersionRow:
    earlier = [other.version for other in found.versions if other.version < one.version]
    compare = visit.links.subject(found.name, "diff", a=earlier[-1], b=one.version) if earlier else ""
    return VersionRow(
        version=one.version,
        href=visit.links.subject(found.name, f"v/{one.version}"),
        id=one.id,
        registered=_moment(visit, one),
        is_deleted=one.is_deleted,
        is_shown=one is shown,
        is_latest=one is found.latest and not one.is_deleted,
        compare_href=compare,
    )


def _as_json(found: Found, shown: Version) -> dict[str, object]:
    content = shown.content
    return {
        "subject": found.name,
        "version": shown.version,
        "id": shown.id,
        "guid": str(UUID(bytes=content.guid)),
        "schemaType": content.schema_type,
        "deleted": shown.is_deleted,
        "compatibility": found.desk.level(found.name).value,
        "mode": found.desk.mode(found.name).value,
        "references": [
            {"name": one.name, "subject": one.subject, "version": one.version} for one in content.references
        ],
        "referencedBy": [
            {"subject": one.subject, "version": one.version}
            for one in found.desk.view.referrers(shown.subject, shown.version)
        ],
        "versions": [{"version": one.version, "id": one.id, "deleted": one.is_deleted} for one in found.versions],
        "schema": content.text,
    }
