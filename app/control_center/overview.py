"""The cluster's page: what is wrong first, then numbers, then charts, then what changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.broker_summaries import fullest_log_dir
from app.cluster.partitions import PartitionFacts
from app.cluster.snapshot import ClusterSnapshot, Finding, Severity
from app.cluster.topic_summaries import LATE_STATUSES, TopicSummary
from app.control_center import sparklines, words
from app.control_center.chart_range import ChartRange, RangeLink
from app.control_center.charts import Chart, ChartPlan, Line
from app.control_center.links import Links
from app.control_center.shell import cluster_tone
from app.control_center.sparklines import Sparkline
from app.control_center.status_words import Chip, groups_chip
from app.control_center.visit import Asked, Visit
from app.control_center.words import Moment, Zone

router = APIRouter()

BUSIEST_TOPICS = 6
EVENTS_SHOWN = 10
GROUPS_DRAWN = 3
DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True, slots=True)
class FindingView:
    tone: str
    headline: str
    detail: str
    remedy: str
    since: Moment
    href: str
    link_words: str


@dataclass(frozen=True, slots=True)
class Penalty:
    check: str
    points: int


@dataclass(frozen=True, slots=True)
class Tile:
    """One number. tone: '' plain, 'zero' grey, 'caution', 'alarm'."""

    label: str
    value: str
    words: str
    href: str
    tone: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class BusyTopic:
    name: str
    href: str
    words: str
    rate: float | None
    spark: Sparkline
    size_bytes: int | None
    groups: Chip


@dataclass(frozen=True, slots=True)
class EventView:
    at: Moment
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class OverviewPage:
    headline: str
    sentence: str
    findings: tuple[FindingView, ...]
    score: int
    penalties: tuple[Penalty, ...]
    is_seen: bool
    tiles: tuple[Tile, ...]
    ranges: tuple[RangeLink, ...]
    rate_chart: Chart
    lag_chart: Chart
    busiest: tuple[BusyTopic, ...]
    topic_count: int
    events: tuple[EventView, ...]


@router.get("/clusters/{cluster:name}")
async def show_overview(visit: Asked) -> Response:
    snapshot = visit.snapshot
    if visit.wanted_format == "json":
        return visit.json(_as_json(snapshot))
    chart_range = ChartRange.of(visit)
    plans = rate_plan(chart_range, snapshot), time_lag_plan(chart_range, snapshot)
    if visit.wanted_format == "csv" and (exported := chart_range.csv(*plans)):
        return exported
    view = _build(visit, chart_range, *plans)
    version = str(snapshot.number)
    return visit.page(
        "overview/page.html", "overview/_live.html", title="Overview", section="overview", view=view, version=version
    )


def _as_json(snapshot: ClusterSnapshot) -> dict[str, object]:
    return {
        "state": cluster_tone(snapshot)[1],
        "score": snapshot.score,
        "asOf": words.iso(snapshot.taken_at_ms),
        "clusterId": snapshot.cluster_id,
        "findings": [
            {
                "id": finding.check,
                "severity": str(finding.severity),
                "since": words.iso(finding.since_ms),
                "summary": finding.headline,
                "objects": [{"kind": one.kind, "name": one.name} for one in finding.objects],
                "fix": finding.remedy,
            }
            for finding in snapshot.findings
        ],
    }


def _build(visit: Visit, chart_range: ChartRange, rate: ChartPlan, time_lag: ChartPlan) -> OverviewPage:
    snapshot = visit.snapshot
    topics = [topic for topic in visit.topic_summaries() if not topic.is_internal]
    return OverviewPage(
        headline=headline_of(visit.access.title, snapshot),
        sentence=sentence_of(visit),
        findings=build_findings(visit),
        score=snapshot.score,
        penalties=tuple(Penalty(finding.headline, finding.penalty) for finding in snapshot.findings),
        is_seen=bool(snapshot.taken_at_ms),
        tiles=build_tiles(visit),
        ranges=chart_range.links(),
        rate_chart=chart_range.chart(rate),
        lag_chart=chart_range.chart(time_lag),
        busiest=_busiest(visit, topics),
        topic_count=len(topics),
        events=_events(visit),
    )


def headline_of(title: str, snapshot: ClusterSnapshot) -> str:
    if snapshot.unreachable_since_ms is not None:
        return f"{title} does not answer"
    if not snapshot.taken_at_ms:
        return f"Looking at {title}"
    return f"{title} needs attention" if snapshot.findings else f"{title} is healthy"


def sentence_of(visit: Visit) -> str:
    """What clients can still do, in one line."""
    snapshot = visit.snapshot
    offline = len(visit.partition_facts().offline)
    if not snapshot.taken_at_ms:
        return "The first answers of the cluster are on their way."
    if snapshot.unreachable_since_ms is not None:
        return "What stands here is what was last seen."
    if offline:
        return f"{words.plural(offline, 'partition')} can be neither written nor read."
    late = sum(group.status in LATE_STATUSES for group in snapshot.groups.values())
    topic_count = visit.access.facts.visible_topic_count(snapshot)
    counted = (
        f"{words.plural(len(snapshot.brokers), 'broker')}, {words.plural(topic_count, 'topic')}, "
        f"{words.plural(len(snapshot.groups), 'consumer group')}"
    )
    late_words = f"; {words.plural(late, 'group')} {words.is_are(late)} late" if late else ""
    damaged = len(snapshot.damaged)
    but = f", except for {words.plural(damaged, 'damaged range')}" if damaged else ""
    return f"{counted}. Clients can write and read everything{but}{late_words}."


def build_findings(visit: Visit) -> tuple[FindingView, ...]:
    return tuple(_finding(one, visit.links, visit.zone, visit.now_ms) for one in visit.snapshot.findings)


def _finding(finding: Finding, links: Links, zone: Zone, now_ms: int) -> FindingView:
    return FindingView(
        tone="bad" if finding.severity is Severity.CRITICAL else "warn",
        headline=words.stopped(finding.headline),
        detail=words.stopped(finding.detail),
        remedy=words.stopped(finding.remedy),
        since=zone.moment(finding.since_ms, now_ms),
        href=links.below(finding.link) if finding.link else "",
        link_words=words.capital(finding.link_words or "show"),
    )


# --- tiles ---------------------------------------------------------------------------------------------------------


def build_tiles(visit: Visit) -> tuple[Tile, ...]:
    snapshot, links, facts = visit.snapshot, visit.links, visit.partition_facts()
    return (
        _brokers_tile(snapshot, links),
        _offline_tile(facts, links),
        _under_replicated_tile(facts, links),
        _groups_tile(snapshot, links),
        _disk_tile(snapshot, links),
        _rate_tile(snapshot, links),
    )


def _brokers_tile(snapshot: ClusterSnapshot, links: Links) -> Tile:
    known, up = len(snapshot.known_brokers) or len(snapshot.brokers), len(snapshot.brokers)
    controller = snapshot.quorum.leader_id if snapshot.quorum else snapshot.controller_id
    leads = "controller not known" if controller is None or controller < 0 else f"controller: broker {controller}"
    value = words.count(up) if up == known else f"{up} of {known}"
    return Tile("Brokers", value, leads, links.brokers(), "alarm" if up < known else "")


def _offline_tile(facts: PartitionFacts, links: Links) -> Tile:
    offline = len(facts.offline)
    return Tile(
        "Offline partitions",
        words.count(offline),
        f"of {words.count(facts.partition_count)}",
        links.topics(only="offline", internal="1") if offline else links.topics(),
        "alarm" if offline else "zero",
    )


def _under_replicated_tile(facts: PartitionFacts, links: Links) -> Tile:
    short, at_minimum = len(facts.under_replicated), len(facts.at_min_isr)
    return Tile(
        "Under-replicated",
        words.count(short),
        f"{words.count(at_minimum)} at minimum" if at_minimum else f"of {words.count(facts.partition_count)}",
        links.topics(only="under-replicated", internal="1") if short else links.topics(),
        "caution" if short else "zero",
    )


def _groups_tile(snapshot: ClusterSnapshot, links: Links) -> Tile:
    late = [group for group in snapshot.groups.values() if group.status in LATE_STATUSES]
    worst = max((group.time_lag_s for group in late if group.time_lag_s is not None), default=None)
    of_all = f"of {words.count(len(snapshot.groups))}"
    said = f"{of_all}, worst {words.span(worst * 1000)}" if worst is not None else of_all
    return Tile("Groups late", words.count(len(late)), said, links.groups(), "caution" if late else "zero")


def _disk_tile(snapshot: ClusterSnapshot, links: Links) -> Tile:
    fullest = fullest_log_dir(snapshot)
    if fullest is None:
        stored = sum(snapshot.sizes.values())
        return Tile(
            "Stored", words.size(stored), "free space is not known", links.brokers(), title=words.plural(stored, "byte")
        )
    tone = "alarm" if fullest.used_share >= 0.9 else "caution" if fullest.used_share >= 0.8 else ""
    free = f"{words.size(fullest.usable_bytes)} free on broker {fullest.broker_id}"
    return Tile("Fullest disk", words.percent(fullest.used_share), free, links.broker(fullest.broker_id), tone)


def _rate_tile(snapshot: ClusterSnapshot, links: Links) -> Tile:
    produced = sum(snapshot.produce_rates.values())
    read = sum(group.consume_rate or 0 for group in snapshot.groups.values())
    link = links.topics(sort="rate", dir="desc")
    tone = "zero" if produced <= 0 else ""
    return Tile("Records a second", words.short(produced), f"{words.short(read)} read by groups", link, tone)


# --- charts --------------------------------------------------------------------------------------------------------


def rate_plan(chart_range: ChartRange, snapshot: ClusterSnapshot) -> ChartPlan:
    """Records produced, beside what the groups that read most take out."""
    readers = sorted(snapshot.groups.values(), key=lambda group: -(group.consume_rate or 0))[: GROUPS_DRAWN - 1]
    lines = [Line("produced", chart_range.series("cluster.rate"), 1, is_filled=True)]
    for at, group in enumerate(one for one in readers if one.consume_rate):
        series = chart_range.series(f"group.consume_rate:{group.group.group_id}")
        lines.append(Line(f"read by {group.group.group_id}", series, at + 2, dash=DASHES[at + 1]))
    return ChartPlan(
        id="rate",
        title="Records a second",
        lines=lines,
        from_ms=chart_range.from_ms,
        to_ms=chart_range.to_ms,
        say=words.short,
    )


def time_lag_plan(chart_range: ChartRange, snapshot: ClusterSnapshot) -> ChartPlan:
    """Seconds behind, of the groups that are latest now."""
    known = [group for group in snapshot.groups.values() if group.time_lag_s is not None]
    latest = sorted(known, key=lambda group: -(group.time_lag_s or 0))[:GROUPS_DRAWN]
    lines = [
        Line(
            group.group.group_id or "(no name)",
            chart_range.series(f"group.time_lag:{group.group.group_id}"),
            (3, 2, 4)[at],
            is_filled=at == 0,
            dash=DASHES[at],
        )
        for at, group in enumerate(latest)
    ]
    return ChartPlan(
        id="time-lag",
        title="Time lag of the latest groups",
        lines=lines,
        from_ms=chart_range.from_ms,
        to_ms=chart_range.to_ms,
        say=_say_seconds,
        axis_suffix=" s",
        empty_words="No consumer group has committed an offset in this time.",
    )


def _say_seconds(seconds: float | None) -> str:
    return words.span(None if seconds is None else seconds * 1000)


# --- lists ---------------------------------------------------------------------------------------------------------


def _busiest(visit: Visit, topics: Sequence[TopicSummary]) -> tuple[BusyTopic, ...]:
    busiest = sorted(topics, key=lambda topic: (-(topic.produce_rate or 0), -(topic.size_bytes or 0), topic.name))
    return tuple(_busy_topic(visit, topic) for topic in busiest[:BUSIEST_TOPICS])


def _busy_topic(visit: Visit, topic: TopicSummary) -> BusyTopic:
    values = visit.access.sampler.history.sparkline(
        f"topic.rate:{topic.name}", now_ms=visit.now_ms, points=sparklines.POINTS
    )
    return BusyTopic(
        name=topic.name,
        href=visit.links.topic(topic.name),
        words=f"{words.plural(topic.partition_count, 'partition')}, {topic_keeps(topic)}",
        rate=topic.produce_rate,
        spark=sparklines.draw(values, what="Records a second in the last hour"),
        size_bytes=topic.size_bytes,
        groups=groups_chip(topic.groups),
    )


def topic_keeps(topic: TopicSummary) -> str:
    """How long records stay: '7 days', 'compacted', 'kept for ever'."""
    if topic.cleanup_policy and "compact" in topic.cleanup_policy:
        return "compacted" if "delete" not in topic.cleanup_policy else "compacted and deleted when old"
    if topic.retention_ms is None:
        return "retention not known"
    return "kept for ever" if topic.retention_ms < 0 else words.exact_span(topic.retention_ms)


def _events(visit: Visit) -> tuple[EventView, ...]:
    newest = sorted(visit.snapshot.events, key=lambda event: -event.at_ms)[:EVENTS_SHOWN]
    return tuple(
        EventView(
            at=visit.zone.moment(event.at_ms, visit.now_ms),
            words=words.stopped(event.words),
            href=_event_href(visit, event.kind, event.name),
        )
        for event in newest
    )


def _event_href(visit: Visit, kind: str, name: str) -> str:
    if kind == "topic" and name in visit.snapshot.topics:
        return visit.links.topic(name)
    if kind == "group" and name in visit.snapshot.groups:
        return visit.links.group(name)
    return visit.links.broker(int(name)) if kind == "broker" and name.isdigit() else ""
