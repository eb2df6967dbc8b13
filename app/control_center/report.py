"""The health report: one HTML file that stands alone, with findings and charts, to be mailed or kept.

Everything is inside it, plotly included, so it opens on a machine without network. It is no page of the Control
Center: it carries its own style and script, and is sent as a download.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response
from markupsafe import Markup

from app.cluster.snapshot import ClusterSnapshot, GroupLag
from app.cluster.topic_summaries import LATE_STATUSES, TopicSummary
from app.control_center import charts, words
from app.control_center.chart_range import ChartRange
from app.control_center.charts import ChartPlan
from app.control_center.overview import (
    FindingView,
    Tile,
    build_findings,
    build_tiles,
    headline_of,
    rate_plan,
    sentence_of,
    time_lag_plan,
)
from app.control_center.visit import Asked, Visit

router = APIRouter()

TOPICS_LISTED = 20
GROUPS_LISTED = 50
COLOURS = {"series-1": "#0b7285", "series-2": "#7048e8", "series-3": "#b8651b", "series-4": "#5c6f7b"}
INK, INK_3, LINE = "#12212b", "#5d717e", "#dfe6ea"


@dataclass(frozen=True, slots=True)
class ReportGroup:
    name: str
    status: str
    is_late: bool
    lag: int
    time_lag: str


@dataclass(frozen=True, slots=True)
class ReportTopic:
    name: str
    partitions: int
    rate: float | None
    size_bytes: int | None
    troubles: str


@dataclass(frozen=True, slots=True)
class ReportChart:
    title: str
    words: str
    html: Markup


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    sentence: str
    made_at: str
    as_of: str
    version: str
    cluster_id: str
    range_words: str
    score: int
    findings: tuple[FindingView, ...]
    tiles: tuple[Tile, ...]
    charts: tuple[ReportChart, ...]
    groups: tuple[ReportGroup, ...]
    topics: tuple[ReportTopic, ...]
    topic_count: int
    events: tuple[tuple[str, str], ...]
    plotly: Markup


@router.get("/clusters/{cluster:name}/report")
async def download_report(visit: Asked) -> Response:
    """Built in a thread: importing plotly's Python library alone takes longer than a page may."""
    chart_range = ChartRange.of(visit)
    plans = rate_plan(chart_range, visit.snapshot), time_lag_plan(chart_range, visit.snapshot)
    template = visit.request.app.state.templates.get_template("report/report.html")
    plotly = visit.request.app.state.static_files.path("vendor/plotly/plotly-basic.min.js")
    figures = [charts.figure(plan, visit.zone) for plan in plans]

    def build() -> str:
        drawn = tuple(_chart(plan, figure) for plan, figure in zip(plans, figures, strict=True) if not plan.is_empty)
        script = plotly.read_text("utf-8").replace("</script", "<\\/script")
        return str(template.render(report=_report(visit, chart_range, drawn, Markup(script))))

    html = await asyncio.to_thread(build)
    day = f"{visit.zone.at(visit.now_ms):%Y-%m-%d-%H%M}"
    name = "".join(char if char.isascii() and char.isalnum() else "-" for char in visit.access.title)
    headers = {"Content-Disposition": f'attachment; filename="{name}-{day}.html"', "Cache-Control": "no-store"}
    return Response(html, headers=headers, media_type="text/html; charset=utf-8")


def _report(visit: Visit, chart_range: ChartRange, drawn: tuple[ReportChart, ...], plotly: Markup) -> Report:
    snapshot = visit.snapshot
    topics = [topic for topic in visit.topic_summaries() if not topic.is_internal]
    busiest = sorted(topics, key=lambda one: (-(one.produce_rate or 0), -(one.size_bytes or 0), one.name))
    events = sorted(snapshot.events, key=lambda event: -event.at_ms)
    return Report(
        title=headline_of(visit.access.title, snapshot),
        sentence=sentence_of(visit),
        made_at=_dated(visit, visit.now_ms),
        as_of=_dated(visit, snapshot.taken_at_ms),
        version=visit.center.settings.version,
        cluster_id=snapshot.cluster_id,
        range_words=charts.RANGE_WORDS[chart_range.name],
        score=snapshot.score,
        findings=build_findings(visit),
        tiles=build_tiles(visit),
        charts=drawn,
        groups=_groups(snapshot),
        topics=tuple(_topic(one) for one in busiest[:TOPICS_LISTED]),
        topic_count=len(topics),
        events=tuple((_dated(visit, one.at_ms), words.stopped(one.words)) for one in events),
        plotly=plotly,
    )


def _dated(visit: Visit, ms: int) -> str:
    moment = visit.zone.full(ms)
    return f"{moment.day} {moment.text}"


def _groups(snapshot: ClusterSnapshot) -> tuple[ReportGroup, ...]:
    def order(group: GroupLag) -> tuple[bool, float, int]:
        return group.status not in LATE_STATUSES, -(group.time_lag_s or 0), -group.total_lag

    worst: Sequence[GroupLag] = sorted(snapshot.groups.values(), key=order)[:GROUPS_LISTED]
    return tuple(
        ReportGroup(
            name=one.group.group_id or "(no name)",
            status=words.sentence(one.status_words),
            is_late=one.status in LATE_STATUSES,
            lag=one.total_lag,
            time_lag=words.span(None if one.time_lag_s is None else one.time_lag_s * 1000),
        )
        for one in worst
    )


def _topic(topic: TopicSummary) -> ReportTopic:
    troubles = []
    if topic.offline_count:
        troubles.append(f"{topic.offline_count} offline")
    if topic.under_replicated_count:
        troubles.append(f"{topic.under_replicated_count} under-replicated")
    if topic.late_group_count:
        troubles.append(words.plural(topic.late_group_count, "late group"))
    return ReportTopic(topic.name, topic.partition_count, topic.produce_rate, topic.size_bytes, ", ".join(troubles))


def _chart(plan: ChartPlan, figure: dict[str, Any]) -> ReportChart:
    """Through plotly's own library, which checks the figure and writes the element with its call."""
    import plotly.graph_objects as go  # 0.5 s and 60 MB: only for those who ask for a report
    import plotly.io

    for trace in figure["data"]:
        colour = COLOURS[trace["meta"]["tone"]]
        trace["line"] = {**trace["line"], "color": colour, "width": 2}
        trace["fillcolor"] = colour + "17"
    drawn = go.Figure(figure)
    axis = {"gridcolor": LINE, "linecolor": LINE, "zeroline": False}
    drawn.update_layout(
        template="none",
        height=300,
        margin={"l": 56, "r": 24, "t": 16, "b": 40},
        font={"family": "Inter, system-ui, sans-serif", "size": 12, "color": INK_3},
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.2},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    drawn.update_xaxes(**axis, showgrid=False)
    drawn.update_yaxes(**axis, rangemode="tozero")
    html = plotly.io.to_html(
        drawn,
        include_plotlyjs=False,
        full_html=False,
        div_id=f"chart-{plan.id}",
        config={"displaylogo": False, "responsive": True},
    )
    return ReportChart(plan.title, charts.describe(plan), Markup(html))
