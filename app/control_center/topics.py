"""The list of topics: search, sort and page over all of them; CSV and JSON from the same URL."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.topic_summaries import TopicSummary
from app.control_center import sparklines, words
from app.control_center.links import query
from app.control_center.overview import topic_keeps
from app.control_center.sparklines import Sparkline
from app.control_center.status_words import Chip, groups_chip, replicas_chip
from app.control_center.tables import ROWS_PER_PAGE, ROWS_PER_PAGE_MAX, Column, Header, Pages, Table, cut, matching
from app.control_center.visit import Asked, Visit

router = APIRouter()

TABLE: Table[TopicSummary] = Table(
    columns=(
        Column("name", "Topic", lambda topic: topic.name),
        Column("partitions", "Partitions", lambda topic: topic.partition_count, True, True, True),
        Column("replicas", "", lambda topic: topic.replication_factor, True, False),
        Column("records", "Records", lambda topic: topic.record_count, True, True, True),
        Column("size", "Size", lambda topic: topic.size_bytes, True, True, True),
        Column("rate", "Records/s", lambda topic: topic.produce_rate, True, True, True),
        Column("groups", "Groups", lambda topic: len(topic.groups), False, True, True),
        Column("late_groups", "", lambda topic: topic.late_group_count, True, True, True),
        Column("short", "Replicas", lambda topic: topic.under_replicated_count, False, True, True),
        Column("offline", "", lambda topic: topic.offline_count, True, True, True),
        Column("cleanup_policy", "", lambda topic: topic.cleanup_policy, False, True),
        Column("retention_ms", "", lambda topic: topic.retention_ms, True, True),
        Column("internal", "", lambda topic: topic.is_internal, False, False),
    ),
    default_sort="name",
)
LAST_HOUR = Header("Last hour", False, "", "")
ORDER_WORDS = {
    "name": "by name",
    "partitions": "by partitions",
    "records": "by records",
    "size": "by size",
    "rate": "by records a second",
    "groups": "by number of groups",
    "late_groups": "by late groups",
    "short": "by missing copies",
    "offline": "by offline partitions",
}
ONLY = {"under-replicated": "under-replicated", "offline": "offline"}


@dataclass(frozen=True, slots=True)
class TopicRow:
    name: str
    href: str
    words: str
    partition_count: int
    record_count: int | None
    size_bytes: int | None
    size_title: str
    rate: float | None
    spark: Sparkline
    groups: Chip
    replicas: Chip


@dataclass(frozen=True, slots=True)
class TopicsPage:
    q: str
    headers: tuple[Header, ...]
    rows: tuple[TopicRow, ...]
    pages: Pages
    total: int
    matching: int
    hidden_count: int
    only_words: str
    internal: bool
    toggle_href: str
    all_href: str
    csv_href: str
    json_href: str
    kept: tuple[tuple[str, str], ...]
    is_seen: bool


@router.get("/clusters/{cluster:name}/topics")
async def list_topics(visit: Asked) -> Response:
    column, descending = TABLE.order(visit.argument("sort"), visit.argument("dir"))
    found = _found(visit)
    rows = TABLE.sorted(found, column, descending=descending)
    if visit.wanted_format == "csv":
        return TABLE.csv(rows, "topics.csv")
    if visit.wanted_format == "json":
        return visit.json(TABLE.objects(rows))
    view = _build(visit, rows, column, descending=descending)
    return visit.page(
        "topics/page.html",
        "topics/_live.html",
        title="Topics",
        section="topics",
        view=view,
        version=str(visit.snapshot.number),
    )


def _found(visit: Visit) -> list[TopicSummary]:
    """What the query asks for: words of the name, internal topics or not, only those with a trouble."""
    only = visit.argument("only")
    topics: Sequence[TopicSummary] = visit.topic_summaries()
    if visit.argument("internal") != "1":
        topics = [topic for topic in topics if not topic.is_internal]
    if only == "under-replicated":
        topics = [topic for topic in topics if topic.under_replicated_count]
    elif only == "offline":
        topics = [topic for topic in topics if topic.offline_count]
    return list(matching(topics, visit.argument("q"), lambda topic: topic.name))


def _build(visit: Visit, rows: list[TopicSummary], column: Column[TopicSummary], *, descending: bool) -> TopicsPage:
    arguments = visit.arguments()
    per_page = visit.number_argument("per", ROWS_PER_PAGE, least=1, most=ROWS_PER_PAGE_MAX)
    page = visit.number_argument("page", 1, least=1)
    order_words = ORDER_WORDS.get(column.name, f"by {column.name}")
    shown, pages = cut(rows, page=page, per_page=per_page, order_words=order_words, arguments=arguments)
    everything = visit.topic_summaries()
    internal_count = sum(topic.is_internal for topic in everything)
    shows_internal = visit.argument("internal") == "1"
    headers = TABLE.headers(column, descending=descending, arguments=arguments)
    toggled = {**visit.arguments("page", "internal"), "internal": "" if shows_internal else "1"}
    return TopicsPage(
        q=visit.argument("q"),
        headers=(*headers[:5], LAST_HOUR, *headers[5:]),
        rows=tuple(_row(visit, topic) for topic in shown),
        pages=pages,
        total=len(everything) if shows_internal else len(everything) - internal_count,
        matching=len(rows),
        hidden_count=0 if shows_internal else internal_count,
        only_words=ONLY.get(visit.argument("only"), ""),
        internal=shows_internal,
        toggle_href=visit.path + query(toggled) if internal_count else "",
        all_href=visit.path + query(visit.arguments("only", "q", "page")),
        csv_href=visit.path + query({**arguments, "format": "csv"}),
        json_href=visit.path + query({**arguments, "format": "json"}),
        kept=tuple((name, value) for name, value in visit.arguments("q", "page").items() if value),
        is_seen=bool(visit.snapshot.taken_at_ms),
    )


def _row(visit: Visit, topic: TopicSummary) -> TopicRow:
    values = visit.access.sampler.history.sparkline(
        f"topic.rate:{topic.name}", now_ms=visit.now_ms, points=sparklines.POINTS
    )
    return TopicRow(
        name=topic.name,
        href=visit.links.topic(topic.name),
        words=topic_keeps(topic),
        partition_count=topic.partition_count,
        record_count=topic.record_count,
        size_bytes=topic.size_bytes,
        size_title="" if topic.size_bytes is None else f"{words.plural(topic.size_bytes, 'byte')} on the leaders",
        rate=topic.produce_rate,
        spark=sparklines.draw(values, what="Records a second in the last hour"),
        groups=groups_chip(topic.groups),
        replicas=replicas_chip(topic),
    )
