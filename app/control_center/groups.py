"""The list of consumer groups: worst first, with lag in records and in time, and why in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.lag_status import severity_rank
from app.cluster.snapshot import GroupLag
from app.cluster.topic_summaries import LATE_STATUSES
from app.control_center import sparklines, words
from app.control_center.links import query
from app.control_center.sparklines import Sparkline
from app.control_center.status_words import STATUS_TONES
from app.control_center.tables import ROWS_PER_PAGE, Column, Header, Pages, Table, cut, matching
from app.control_center.visit import Asked, Visit

router = APIRouter()

TABLE: Table[GroupLag] = Table(
    columns=(
        Column("group", "Group", lambda one: one.group.group_id),
        Column(
            "status", "Status", lambda one: str(one.status), False, True, True, lambda one: -severity_rank(one.status)
        ),
        Column("status_words", "", lambda one: one.status_words, False, False),
        Column("state", "State", lambda one: str(one.group.state)),
        Column("type", "", lambda one: str(one.group.group_type)),
        Column("members", "Members", lambda one: len(one.group.members), True, True, True),
        Column("topics", "Topics", lambda one: len(one.topics), True, True, True),
        Column("lag", "Lag", lambda one: one.total_lag if has_commit(one) else None, True, True, True),
        Column("time_lag", "Time lag", lambda one: one.time_lag_s, True, True, True),
    ),
    default_sort="status",
)
TREND = Header("Lag, last hour", False, "", "")
ORDER_WORDS = {
    "group": "by name",
    "status": "worst first",
    "state": "by state",
    "members": "by members",
    "topics": "by topics",
    "lag": "by lag",
    "time_lag": "by time lag",
}


def has_commit(group: GroupLag) -> bool:
    return group.partitions_without_commit < len(group.partitions)


@dataclass(frozen=True, slots=True)
class GroupRow:
    name: str
    href: str
    tone: str
    status: str
    state: str
    kind: str
    member_count: int
    topic_count: int
    topic_names: str
    lag: int | None
    lag_title: str
    time_lag: str
    spark: Sparkline


@dataclass(frozen=True, slots=True)
class GroupsPage:
    q: str
    sentence: str
    headers: tuple[Header, ...]
    rows: tuple[GroupRow, ...]
    pages: Pages
    total: int
    csv_href: str
    kept: tuple[tuple[str, str], ...]
    bootstrap: str


@router.get("/clusters/{cluster:name}/groups")
async def list_groups(visit: Asked) -> Response:
    column, descending = TABLE.order(visit.argument("sort"), visit.argument("dir"))
    everything = sorted(visit.snapshot.groups.values(), key=lambda one: (-one.total_lag, one.group.group_id))
    found = list(matching(everything, visit.argument("q"), lambda one: one.group.group_id))
    rows = TABLE.sorted(found, column, descending=descending)
    if visit.wanted_format == "csv":
        return TABLE.csv(rows, "groups.csv")
    if visit.wanted_format == "json":
        return visit.json(TABLE.objects(rows))
    view = _build(visit, rows, column, descending=descending)
    return visit.page(
        "groups/page.html",
        "groups/_live.html",
        title="Consumer groups",
        section="groups",
        view=view,
        version=str(visit.snapshot.number),
    )


def _build(visit: Visit, rows: list[GroupLag], column: Column[GroupLag], *, descending: bool) -> GroupsPage:
    arguments = visit.arguments()
    page = visit.number_argument("page", 1, least=1)
    order_words = ORDER_WORDS.get(column.name, f"by {column.name}")
    shown, pages = cut(rows, page=page, per_page=ROWS_PER_PAGE, order_words=order_words, arguments=arguments)
    headers = TABLE.headers(column, descending=descending, arguments=arguments)
    everything = tuple(visit.snapshot.groups.values())
    return GroupsPage(
        q=visit.argument("q"),
        sentence=_sentence(everything),
        headers=(*headers, TREND),
        rows=tuple(_row(visit, group) for group in shown),
        pages=pages,
        total=len(everything),
        csv_href=visit.path + query({**arguments, "format": "csv"}),
        kept=tuple((name, value) for name, value in visit.arguments("q", "page").items() if value),
        bootstrap=_bootstrap(visit),
    )


def _sentence(groups: Sequence[GroupLag]) -> str:
    late = sum(group.status in LATE_STATUSES for group in groups)
    idle = sum(not group.group.members for group in groups)
    parts = [words.plural(len(groups), "group")]
    if late:
        parts.append(f"{words.count(late)} late")
    if idle:
        parts.append(f"{words.count(idle)} without members")
    return ", ".join(parts) + "."


def _bootstrap(visit: Visit) -> str:
    """An address for the command of the empty state."""
    broker = next(iter(visit.snapshot.brokers), None)
    return f"{broker.host}:{broker.port}" if broker else "localhost:9092"


def _row(visit: Visit, group: GroupLag) -> GroupRow:
    group_id = group.group.group_id
    tone = STATUS_TONES[group.status]
    values = visit.access.sampler.history.sparkline(
        f"group.lag:{group_id}", now_ms=visit.now_ms, points=sparklines.POINTS
    )
    missing = group.partitions_without_commit
    return GroupRow(
        name=group_id,
        href=visit.links.group(group_id),
        tone=tone,
        status=words.capital(group.status_words),
        state=str(group.group.state),
        kind=kind_words(group),
        member_count=len(group.group.members),
        topic_count=len(group.topics),
        topic_names=words.listed(list(group.topics)),
        lag=group.total_lag if has_commit(group) else None,
        lag_title=f"{words.plural(missing, 'partition')} without a commit not counted" if missing else "",
        time_lag=words.span(None if group.time_lag_s is None else group.time_lag_s * 1000),
        spark=sparklines.draw(values, what="Lag in the last hour", tone=tone if tone in ("warn", "bad") else ""),
    )


def kind_words(group: GroupLag) -> str:
    """What sort of group this is, where that is not the usual classic consumer."""
    if group.group.is_simple and not group.group.members:
        return "only commits"
    return "" if str(group.group.group_type) == "classic" else f"{group.group.group_type} protocol"
