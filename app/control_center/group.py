"""One consumer group: why it is as it is, its lag over time, every partition in words, its members; deleting it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.groups import drain_time_s
from app.cluster.lag_status import severity_rank
from app.cluster.snapshot import GroupLag, PartitionLag
from app.cluster.topic_summaries import LATE_STATUSES
from app.control_center import words
from app.control_center.chart_range import ChartRange, RangeLink
from app.control_center.charts import Chart, ChartPlan, Line
from app.control_center.errors import PageNotFound, explain
from app.control_center.groups import has_commit, kind_words
from app.control_center.overview import Tile
from app.control_center.status_words import STATUS_TONES
from app.control_center.tables import Column, Header, Pages, Table, cut
from app.control_center.visit import Asked, Visit
from app.kafka.ports import ClusterUnreachable, GroupMember
from broker.errors import KafkaError

router = APIRouter()

ROWS_PER_PAGE = 100
ASSIGNED_SHOWN = 12
NO_NAME = "(no name)"

TABLE: Table[PartitionLag] = Table(
    columns=(
        Column("topic", "Topic", lambda one: one.topic),
        Column("partition", "Partition", lambda one: one.partition, True),
        Column(
            "status", "Status", lambda one: str(one.status), False, True, True, lambda one: -severity_rank(one.status)
        ),
        Column("status_words", "", lambda one: one.status_words, False, False),
        Column("committed", "Committed", lambda one: one.committed_offset, True, True, True),
        Column("start", "", lambda one: one.log_start_offset, True, True, True),
        Column("end", "End", lambda one: one.high_watermark, True, True, True),
        Column("lag", "Lag", lambda one: one.lag, True, True, True),
        Column("time_lag", "Time lag", lambda one: one.time_lag_s, True, True, True),
        Column("lost", "", lambda one: one.lost_count, True, True, True),
        Column("client", "Read by", lambda one: one.client_id),
        Column("host", "", lambda one: one.client_host),
        Column("member", "", lambda one: one.member_id),
        Column("instance", "", lambda one: one.instance_id),
    ),
    default_sort="status",
)


@dataclass(frozen=True, slots=True)
class PartitionRow:
    topic: str
    topic_href: str
    partition: int
    tone: str
    status: str
    committed: int | None
    end: int | None
    lag: int | None
    time_lag: str
    client: str
    host: str
    messages_href: str


@dataclass(frozen=True, slots=True)
class Assigned:
    topic: str
    partitions: str


@dataclass(frozen=True, slots=True)
class MemberView:
    client_id: str
    host: str
    member_id: str
    instance_id: str
    partition_count: int
    assigned: tuple[Assigned, ...]


@dataclass(frozen=True, slots=True)
class GroupPage:
    name: str
    shown_name: str
    tone: str
    status: str
    reason: str
    facts: str
    tiles: tuple[Tile, ...]
    ranges: tuple[RangeLink, ...]
    lag_chart: Chart
    time_lag_chart: Chart
    headers: tuple[Header, ...]
    partitions: tuple[PartitionRow, ...]
    pages: Pages
    members: tuple[MemberView, ...]
    csv_href: str
    delete_href: str
    cannot_delete: str
    error: str
    confirm_error: str


@router.get("/clusters/{cluster:name}/groups/{group:name}")
async def show_group(visit: Asked) -> Response:
    group = _find(visit)
    chart_range = ChartRange.of(visit)
    if visit.wanted_format == "csv" and (exported := chart_range.csv(*_plans(chart_range, group))):
        return exported
    rows = _ordered(visit, group)
    if visit.wanted_format == "csv":
        return TABLE.csv(rows, "group.csv")
    if visit.wanted_format == "json":
        return visit.json(_as_json(group, rows))
    return _answer(visit, group, {})


@router.post("/clusters/{cluster:name}/groups/{group:name}/delete")
@router.delete("/clusters/{cluster:name}/groups/{group:name}")
async def delete_group(visit: Asked) -> Response:
    group = _find(visit)
    group_id = group.group.group_id
    if visit.form().get("confirm") != (group_id or NO_NAME):
        return _answer(visit, group, {"confirm": "This is not the name of the group."}, status_code=422)
    try:
        await visit.access.admin.delete_group(group_id)
    except (KafkaError, ClusterUnreachable) as error:
        return _answer(visit, group, {"form": explain(error)}, status_code=422)
    await visit.settle(lambda snapshot: group_id not in snapshot.groups)
    return visit.done(visit.links.groups(), f"Group {group_id or NO_NAME} was deleted with its committed offsets.")


def _find(visit: Visit) -> GroupLag:
    name = visit.request.path_params["group"] or visit.argument("name")
    group = visit.snapshot.groups.get(name)
    if group is None:
        raise PageNotFound(f"There is no consumer group “{name}” on {visit.access.title}. It may have been deleted.")
    return group


def _as_json(group: GroupLag, rows: list[PartitionLag]) -> dict[str, object]:
    return {
        "group": group.group.group_id,
        "state": str(group.group.state),
        "type": str(group.group.group_type),
        "status": str(group.status),
        "status_words": group.status_words,
        "lag": group.total_lag,
        "partitions_without_commit": group.partitions_without_commit,
        "time_lag": group.time_lag_s,
        "members": [
            {
                "member": member.member_id,
                "instance": member.instance_id,
                "client": member.client_id,
                "host": member.client_host,
                "assignment": [{"topic": one.topic, "partition": one.partition} for one in member.assignment],
            }
            for member in group.group.members
        ],
        "partitions": TABLE.objects(rows),
    }


def _ordered(visit: Visit, group: GroupLag) -> list[PartitionLag]:
    column, descending = TABLE.order(visit.argument("sort"), visit.argument("dir"))
    by_lag = sorted(group.partitions, key=lambda one: (-(one.lag or 0), one.topic, one.partition))
    rows = by_lag if column.name == "status" else list(group.partitions)
    return TABLE.sorted(rows, column, descending=descending)


# --- the page ------------------------------------------------------------------------------------------------------


def _answer(visit: Visit, group: GroupLag, errors: Mapping[str, str], *, status_code: int = 200) -> Response:
    is_form = visit.request.method != "GET"
    fragment = "group/_delete.html" if is_form and visit.is_fragment else "group/_live.html"
    return visit.page(
        "group/page.html",
        fragment,
        title=group.group.group_id or NO_NAME,
        section="groups",
        view=_view(visit, group, errors),
        version=str(visit.snapshot.number),
        status_code=status_code,
    )


def _view(visit: Visit, group: GroupLag, errors: Mapping[str, str]) -> GroupPage:
    chart_range = ChartRange.of(visit)
    lag_plan, time_lag_plan = _plans(chart_range, group)
    column, descending = TABLE.order(visit.argument("sort"), visit.argument("dir"))
    rows = _ordered(visit, group)
    arguments = visit.arguments()
    page = visit.number_argument("page", 1, least=1)
    order = "worst first" if column.name == "status" else f"by {column.label.lower()}"
    shown, pages = cut(rows, page=page, per_page=ROWS_PER_PAGE, order_words=order, arguments=arguments)
    group_id = group.group.group_id
    members = len(group.group.members)
    return GroupPage(
        name=group_id,
        shown_name=group_id or NO_NAME,
        tone=STATUS_TONES[group.status],
        status=_status_headline(group),
        reason=words.sentence(group.status_words),
        facts=_facts(group),
        tiles=_tiles(visit, group),
        ranges=chart_range.links(),
        lag_chart=chart_range.chart(lag_plan),
        time_lag_chart=chart_range.chart(time_lag_plan),
        headers=TABLE.headers(column, descending=descending, arguments=arguments),
        partitions=tuple(_partition_row(visit, one) for one in shown),
        pages=pages,
        members=tuple(_member(member) for member in group.group.members),
        csv_href=visit.links.group(group_id, format="csv"),
        delete_href=visit.links.group(group_id, "delete"),
        cannot_delete=f"It has {words.plural(members, 'member')}: stop them first." if members else "",
        error=errors.get("form", ""),
        confirm_error=errors.get("confirm", ""),
    )


def _status_headline(group: GroupLag) -> str:
    if group.status in LATE_STATUSES:
        return " needs attention"
    return " is fine" if STATUS_TONES[group.status] == "good" else ", status not known yet"


def _facts(group: GroupLag) -> str:
    described = group.group
    parts = [kind_words(group), f"assignor {described.assignor}" if described.assignor else ""]
    if described.coordinator_id >= 0:
        parts.append(f"coordinated by broker {described.coordinator_id}")
    return ", ".join(part for part in parts if part)


def _tiles(visit: Visit, group: GroupLag) -> tuple[Tile, ...]:
    here = visit.links.group(group.group.group_id)
    drain_s = drain_time_s(group.total_lag, produce_rate=group.produce_rate, consume_rate=group.consume_rate)
    left = f"gone in about {words.span(drain_s * 1000)}" if drain_s is not None and group.total_lag else ""
    missing = group.partitions_without_commit
    without = f"{words.plural(missing, 'partition')} without a commit" if missing else ""
    worst = group.max_lag
    most = f"most in {worst.topic}-{worst.partition}" if worst and worst.lag and len(group.partitions) > 1 else ""
    late = "caution" if group.status in LATE_STATUSES else ""
    return (
        Tile("State", str(group.group.state), words.plural(len(group.group.members), "member"), f"{here}#members"),
        Tile(
            "Lag",
            words.short(group.total_lag) if has_commit(group) else words.UNKNOWN,
            left or without or most or "records not read yet",
            f"{here}#partitions",
            late if group.total_lag else "zero",
            title=words.plural(group.total_lag, "record"),
        ),
        Tile(
            "Time lag",
            words.span(None if group.time_lag_s is None else group.time_lag_s * 1000),
            "since its next record was written" if group.time_lag_s else "",
            f"{here}#partitions",
            late if group.time_lag_s else "zero",
        ),
        Tile("Written", words.short(group.produce_rate), "records a second in its topics", f"{here}#lag"),
        Tile("Read", words.short(group.consume_rate), "records a second committed", f"{here}#lag"),
    )


def _plans(chart_range: ChartRange, group: GroupLag) -> tuple[ChartPlan, ChartPlan]:
    return _lag_plan(chart_range, group), _time_lag_plan(chart_range, group)


def _lag_plan(chart_range: ChartRange, group: GroupLag) -> ChartPlan:
    """Growing or draining: the lag, with what is written and read on the right axis."""
    name = group.group.group_id
    return ChartPlan(
        id="lag",
        title="Lag in records",
        lines=[
            Line("lag", chart_range.series(f"group.lag:{name}"), 3, is_filled=True),
            Line("written/s", chart_range.series(f"group.produce_rate:{name}"), 1, dash="dash", is_on_right_axis=True),
            Line("read/s", chart_range.series(f"group.consume_rate:{name}"), 2, dash="dot", is_on_right_axis=True),
        ],
        from_ms=chart_range.from_ms,
        to_ms=chart_range.to_ms,
        say=words.short,
    )


def _time_lag_plan(chart_range: ChartRange, group: GroupLag) -> ChartPlan:
    return ChartPlan(
        id="time-lag",
        title="Time lag in seconds",
        lines=[Line("time lag", chart_range.series(f"group.time_lag:{group.group.group_id}"), 3, is_filled=True)],
        from_ms=chart_range.from_ms,
        to_ms=chart_range.to_ms,
        say=lambda seconds: words.span(None if seconds is None else seconds * 1000),
        axis_suffix=" s",
    )


def _partition_row(visit: Visit, one: PartitionLag) -> PartitionRow:
    is_known = one.topic in visit.snapshot.topics
    start = {} if one.committed_offset is None else {"from": "offset", "offset": one.committed_offset}
    return PartitionRow(
        topic=one.topic,
        topic_href=visit.links.topic(one.topic) if is_known else "",
        partition=one.partition,
        tone=STATUS_TONES[one.status],
        status=words.capital(one.status_words),
        committed=one.committed_offset,
        end=one.high_watermark,
        lag=one.lag,
        time_lag=words.span(None if one.time_lag_s is None else one.time_lag_s * 1000),
        client=one.client_id or "",
        host=(one.client_host or "").lstrip("/"),
        messages_href=visit.links.topic(one.topic, "messages", p=one.partition, **start) if is_known else "",
    )


def _member(member: GroupMember) -> MemberView:
    by_topic: dict[str, list[int]] = {}
    for one in sorted(member.assignment):
        by_topic.setdefault(one.topic, []).append(one.partition)
    return MemberView(
        client_id=member.client_id,
        host=member.client_host.lstrip("/"),
        member_id=member.member_id,
        instance_id=member.instance_id or "",
        partition_count=len(member.assignment),
        assigned=tuple(
            Assigned(topic, partition_ranges(partitions))
            for topic, partitions in list(by_topic.items())[:ASSIGNED_SHOWN]
        ),
    )


def partition_ranges(partitions: list[int]) -> str:
    """[0, 1, 2, 5] -> '0–2, 5'."""
    pieces: list[list[int]] = []
    for number in partitions:
        if pieces and number == pieces[-1][1] + 1:
            pieces[-1][1] = number
        else:
            pieces.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in pieces)
