"""A topic's first tab: how much, how fast, who reads it and how late they are."""

from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.snapshot import GroupLag
from app.cluster.topic_summaries import TopicSummary
from app.control_center import words
from app.control_center.chart_range import ChartRange, RangeLink
from app.control_center.charts import Chart, ChartPlan, Line
from app.control_center.overview import DASHES, Tile
from app.control_center.status_words import STATUS_TONES, groups_chip
from app.control_center.topic_head import TopicHead, build_head, find_topic
from app.control_center.visit import Asked, Visit
from app.kafka.ports import ConfigSource

router = APIRouter()

READERS_DRAWN = 3


@dataclass(frozen=True, slots=True)
class ReaderRow:
    name: str
    href: str
    state: str
    member_count: int
    lag: int | None
    time_lag: str
    status: str
    tone: str


@dataclass(frozen=True, slots=True)
class OwnConfig:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class TopicSchema:
    """The subject that serializers register this topic's keys or values under, if it is there."""

    words: str
    subject: str
    href: str
    note: str


@dataclass(frozen=True, slots=True)
class TopicPage:
    head: TopicHead
    tiles: tuple[Tile, ...]
    ranges: tuple[RangeLink, ...]
    chart: Chart
    readers: tuple[ReaderRow, ...]
    configs: tuple[OwnConfig, ...]
    schemas: tuple[TopicSchema, ...]
    topic_id: str


@router.get("/clusters/{cluster:name}/topics/{topic:name}")
@router.get("/clusters/{cluster:name}/topics/{topic:name}/overview")
async def show_topic(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    if visit.wanted_format == "json":
        return visit.json(_as_json(topic))
    chart_range = ChartRange.of(visit)
    plan = _rate_plan(chart_range, topic)
    if visit.wanted_format == "csv" and (exported := chart_range.csv(plan)):
        return exported
    view = TopicPage(
        head=build_head(visit, topic, ""),
        tiles=_tiles(visit, topic),
        ranges=chart_range.links(),
        chart=chart_range.chart(plan),
        readers=tuple(_reader(visit, topic, group) for group in topic.groups),
        configs=_own_configs(visit, topic.name),
        schemas=_schemas(visit, topic),
        topic_id=visit.snapshot.topics[topic.name].topic_id.hex(),
    )
    desk = visit.access.schemas
    version = f"{visit.snapshot.number}.{desk.position}" if desk else str(visit.snapshot.number)
    return visit.page(
        "topic/page.html", "topic/_live.html", title=topic.name, section="topics", view=view, version=version
    )


def _as_json(topic: TopicSummary) -> dict[str, object]:
    return {
        "name": topic.name,
        "partitions": topic.partition_count,
        "replicas": topic.replication_factor,
        "records": topic.record_count,
        "size": topic.size_bytes,
        "rate": topic.produce_rate,
        "short": topic.under_replicated_count,
        "offline": topic.offline_count,
        "groups": [
            {"group": group.group.group_id, "lag": lag_on(group, topic.name), "status": str(group.status)}
            for group in topic.groups
        ],
    }


def _tiles(visit: Visit, topic: TopicSummary) -> tuple[Tile, ...]:
    links, name = visit.links, topic.name
    late = topic.late_group_count
    trouble = topic.offline_count or topic.under_replicated_count
    copies = "one copy" if topic.replication_factor == 1 else "all copies in sync"
    if trouble:
        copies = f"{topic.offline_count} offline" if topic.offline_count else f"{trouble} under-replicated"
    is_bound = topic.cleanup_policy is not None and "compact" in topic.cleanup_policy
    groups = groups_chip(topic.groups)
    return (
        Tile(
            "Offsets held" if is_bound else "Records",
            words.short(topic.record_count),
            "at most, it is compacted" if is_bound else "from log start to end",
            links.topic(name, "messages"),
            "zero" if topic.record_count == 0 else "",
            title=words.count(topic.record_count),
        ),
        Tile(
            "Size",
            words.size(topic.size_bytes),
            "on the leaders",
            links.topic(name, "partitions"),
            "zero" if not topic.size_bytes else "",
            title="" if topic.size_bytes is None else words.plural(topic.size_bytes, "byte"),
        ),
        Tile(
            "Records a second",
            words.short(topic.produce_rate),
            "written now",
            links.topic(name, "messages"),
            "zero" if not topic.produce_rate else "",
        ),
        Tile(
            "Partitions",
            words.count(topic.partition_count),
            copies,
            links.topic(name, "partitions"),
            "alarm" if topic.offline_count else "caution" if trouble else "",
        ),
        Tile(
            "Groups late",
            words.count(late),
            f"of {len(topic.groups)}" if topic.groups else groups.words,
            f"{links.topic(name)}#readers",
            "caution" if late else "zero",
        ),
    )


def _rate_plan(chart_range: ChartRange, topic: TopicSummary) -> ChartPlan:
    """Records written, beside what each group reads (over all topics of that group)."""
    lines = [Line("written", chart_range.series(f"topic.rate:{topic.name}"), 1, is_filled=True)]
    readers = sorted(topic.groups, key=lambda group: -(group.consume_rate or 0))[:READERS_DRAWN]
    for at, group in enumerate(readers):
        series = chart_range.series(f"group.consume_rate:{group.group.group_id}")
        alone = "" if len(group.topics) == 1 else " (all its topics)"
        lines.append(Line(f"read by {group.group.group_id}{alone}", series, at + 2, dash=DASHES[at + 1]))
    return ChartPlan(
        id="rate",
        title="Records a second",
        lines=lines,
        from_ms=chart_range.from_ms,
        to_ms=chart_range.to_ms,
        say=words.short,
    )


def lag_on(group: GroupLag, topic: str) -> int | None:
    """The group's lag on one topic, or None when it never committed there."""
    known = [one.lag for one in group.partitions if one.topic == topic and one.lag is not None]
    return sum(known) if known else None


def _reader(visit: Visit, topic: TopicSummary, group: GroupLag) -> ReaderRow:
    delays = [one.time_lag_s for one in group.partitions if one.topic == topic.name and one.time_lag_s is not None]
    return ReaderRow(
        name=group.group.group_id,
        href=visit.links.group(group.group.group_id),
        state=str(group.group.state),
        member_count=len(group.group.members),
        lag=lag_on(group, topic.name),
        time_lag=words.span(max(delays) * 1000) if delays else words.UNKNOWN,
        status=words.capital(group.status_words),
        tone=STATUS_TONES[group.status],
    )


def _schemas(visit: Visit, topic: TopicSummary) -> tuple[TopicSchema, ...]:
    """TopicNameStrategy: what a subject that is not there would be called is offered for registration."""
    desk = visit.access.schemas
    if desk is None or not desk.is_ready or topic.is_internal:
        return ()
    found = []
    for part in ("value", "key"):
        subject = f"{topic.name}-{part}"
        latest = desk.view.latest(subject)
        if latest is None:
            found.append(TopicSchema(f"{part}s", subject, visit.links.new_subject(subject=subject), ""))
        else:
            note = f"version {latest.version}, {desk.level(subject).value}"
            found.append(TopicSchema(f"{part}s", subject, visit.links.subject(subject), note))
    return tuple(found)


def _own_configs(visit: Visit, topic: str) -> tuple[OwnConfig, ...]:
    """Only what was set on the topic itself."""
    entries = visit.snapshot.topic_configs.get(topic, ())
    own = [entry for entry in entries if entry.source is ConfigSource.DYNAMIC_TOPIC_CONFIG]
    return tuple(OwnConfig(entry.name, entry.value or "") for entry in own)
