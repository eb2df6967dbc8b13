"""Charts: a Plotly figure as a plain dict, a first drawing in SVG, its words, and its numbers as a table.

The browser draws the figure with plotly in the page's own colours (static/js/caudal.js); until then, and without
JavaScript, the SVG stands in its place. Colours are tones here ('series-1'), so that both themes work.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from app.cluster.snapshot import Series, SeriesPoint
from app.control_center import words
from app.control_center.tables import guarded
from app.control_center.words import Moment, Zone

RANGES_MS = {"1h": 3_600_000, "6h": 6 * 3_600_000, "24h": 24 * 3_600_000, "7d": 7 * 24 * 3_600_000}
RANGE_WORDS = {"1h": "1 h", "6h": "6 h", "24h": "24 h", "7d": "7 d"}
DEFAULT_RANGE = "1h"
BUCKETS_MAX = 360  # each gives up to two points: 720 a trace
DRAWN_BUCKETS = 120
TABLE_ROWS_MAX = 120
SVG_WIDTH, SVG_HEIGHT = 640, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 12, 28


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart. tone 1 to 4 picks the colour; dash tells lines apart without colour."""

    name: str
    series: Series
    tone: int
    is_filled: bool = False
    dash: str = "solid"
    is_on_right_axis: bool = False


@dataclass(frozen=True, slots=True)
class LegendEntry:
    words: str
    tone: int


@dataclass(frozen=True, slots=True)
class TableRow:
    at: Moment
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChartTable:
    names: tuple[str, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """What templates/_macros/ui.html draws."""

    id: str
    title: str
    words: str
    legend: tuple[LegendEntry, ...]
    figure: Markup
    drawing: Markup
    is_empty: bool
    empty_words: str
    other_href: str
    csv_href: str
    table: ChartTable | None = None


@dataclass(frozen=True, slots=True)
class ChartPlan:
    """Everything that makes a chart. say turns a value into words, axis_suffix stands behind the axis numbers."""

    id: str
    title: str
    lines: Sequence[Line]
    from_ms: int
    to_ms: int
    say: Callable[[float | None], str]
    axis_suffix: str = ""
    say_right: Callable[[float | None], str] | None = None
    empty_words: str = "Nothing was sampled in this time yet."
    extra_layout: dict[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any(point for line in self.lines for point in line.series.points)


def build_chart(plan: ChartPlan, *, zone: Zone, as_table: bool, other_href: str, csv_href: str) -> Chart:
    return Chart(
        id=plan.id,
        title=plan.title,
        words=describe(plan),
        legend=tuple(LegendEntry(_legend_words(plan, line), line.tone) for line in plan.lines),
        figure=_script(figure(plan, zone)) if not as_table else Markup(""),
        drawing=_drawing(plan, zone) if not as_table else Markup(""),
        is_empty=plan.is_empty,
        empty_words=plan.empty_words,
        other_href=other_href,
        csv_href=csv_href,
        table=_table(plan, zone) if as_table and not plan.is_empty else None,
    )


# --- the figure for plotly -----------------------------------------------------------------------------------------


def figure(plan: ChartPlan, zone: Zone) -> dict[str, Any]:
    """A Plotly figure. Times are the reader's wall clock, as text."""
    layout: dict[str, Any] = {
        "xaxis": {"type": "date", "range": [zone.wall_clock(plan.from_ms), zone.wall_clock(plan.to_ms)]},
        "yaxis": {"ticksuffix": plan.axis_suffix},
        **plan.extra_layout,
    }
    if any(line.is_on_right_axis for line in plan.lines):
        layout["yaxis2"] = {}
    return {"data": [_trace(line, zone) for line in plan.lines if line.series.points], "layout": layout}


def _trace(line: Line, zone: Zone) -> dict[str, Any]:
    values, step_ms = spread(line.series)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "name": line.name,
        "x0": zone.wall_clock(line.series.start_ms),
        "dx": step_ms,
        "y": [None if value is None else tidy(value) for value in values],
        "line": {"dash": line.dash},
        "meta": {"tone": f"series-{line.tone}"},
    }
    if line.is_filled:
        trace["fill"] = "tozeroy"
    if line.is_on_right_axis:
        trace["yaxis"] = "y2"
    return trace


def spread(series: Series) -> tuple[list[float | None], float]:
    """The values of a series and their distance in ms: the extremes of every bucket, so that a spike survives.

    Buckets that hold one value give one point; otherwise each gives its low and its high, the nearer one to the
    previous point first.
    """
    points = series.points
    if all(point is None or point.low == point.high for point in points):
        return [None if point is None else point.last for point in points], float(series.step_ms)
    values: list[float | None] = []
    previous: float | None = None
    for point in points:
        if point is None:
            values += [None, None]
            continue
        rising = previous is None or abs(previous - point.low) <= abs(previous - point.high)
        values += [point.low, point.high] if rising else [point.high, point.low]
        previous = values[-1]
    return values, series.step_ms / 2


def tidy(value: float) -> float | int:
    """Four significant digits are more than a pixel can show."""
    if value == 0 or not math.isfinite(value):
        return 0
    digits = 3 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded


def _script(content: dict[str, Any]) -> Markup:
    """JSON that may stand inside <script>: no character of it can end the element."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


# --- the first drawing ---------------------------------------------------------------------------------------------


def _drawing(plan: ChartPlan, zone: Zone) -> Markup:
    """The chart as SVG, from coarser buckets; geometry in attributes, colours by class."""
    lines = [line for line in plan.lines if not line.is_on_right_axis]
    top = nice_top(max((point.high for line in lines for point in line.series.points if point), default=0))
    parts = [_grid(top, plan.axis_suffix), _time_axis(plan, zone)]
    for line in lines:
        values = _coarse(line.series.points)
        if not values:
            continue
        shape = _shape(plan, line.series, values, top)
        if line.is_filled:
            parts.append(Markup('<path class="area s{}" d="{}"/>').format(line.tone, _closed(shape)))
        parts.append(Markup('<path class="line s{}" d="{}"/>').format(line.tone, "".join(shape)))
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" aria-hidden="true">')
    return head.format(SVG_WIDTH, SVG_HEIGHT) + Markup("").join(parts) + Markup("</svg>")


def _coarse(points: Sequence[SeriesPoint | None]) -> list[tuple[float, float | None]]:
    """(place 0 to 1, highest value) of at most DRAWN_BUCKETS buckets."""
    size = max(1, -(-len(points) // DRAWN_BUCKETS))
    coarse: list[tuple[float, float | None]] = []
    for at in range(0, len(points), size):
        known = [point.high for point in points[at : at + size] if point]
        coarse.append((at / max(1, len(points)), max(known) if known else None))
    return coarse


def _shape(plan: ChartPlan, series: Series, values: Sequence[tuple[float, float | None]], top: float) -> list[str]:
    span_ms = max(1, plan.to_ms - plan.from_ms)
    length_ms = series.step_ms * len(series.points)
    shape: list[str] = []
    pen_is_down = False
    for place, value in values:
        if value is None:
            pen_is_down = False
            continue
        share = (series.start_ms + place * length_ms - plan.from_ms) / span_ms
        x = LEFT + (SVG_WIDTH - LEFT - RIGHT) * min(max(share, 0.0), 1.0)
        y = _y(value, top)
        shape.append(f"{'L' if pen_is_down else 'M'}{x:.0f} {y:.0f}")
        pen_is_down = True
    return shape


def _closed(shape: Sequence[str]) -> str:
    """The line down to the axis at both ends of each unbroken piece."""
    pieces: list[list[str]] = []
    for step in shape:
        if step.startswith("M"):
            pieces.append([])
        pieces[-1].append(step)
    floor = SVG_HEIGHT - BOTTOM
    return "".join("".join(piece) + f"V{floor}H{piece[0][1:].split()[0]}Z" for piece in pieces)


def _grid(top: float, suffix: str) -> Markup:
    parts = []
    for step in range(5):
        value = top * step / 4
        y = round(_y(value, top))
        label = words.short(value) + suffix if value else "0"
        parts.append(
            Markup(
                '<line class="gl" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(LEFT, SVG_WIDTH - RIGHT, y, y, LEFT - 6, y + 4, label)
        )
    return Markup("").join(parts)


def _time_axis(plan: ChartPlan, zone: Zone) -> Markup:
    parts = []
    pattern = "%H:%M" if plan.to_ms - plan.from_ms <= RANGES_MS["24h"] else "%d %b"
    for step in range(5):
        at_ms = plan.from_ms + (plan.to_ms - plan.from_ms) * step // 4
        x = LEFT + (SVG_WIDTH - LEFT - RIGHT) * step // 4
        anchor = ("start", "middle", "middle", "middle", "end")[step]
        label = zone.at(at_ms).strftime(pattern)
        markup = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')
        parts.append(markup.format(x, SVG_HEIGHT - 8, anchor, label))
    return Markup("").join(parts)


def _y(value: float, top: float) -> float:
    return TOP + (SVG_HEIGHT - TOP - BOTTOM) * (1 - min(max(value / top, 0.0), 1.0))


def nice_top(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 times a power of ten: quarters of it are round numbers too."""
    if value <= 0:
        return 4
    power: float = 10 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 4, 6, 8, 10, 20) if factor * power >= value)


# --- words and table -----------------------------------------------------------------------------------------------


def _legend_words(plan: ChartPlan, line: Line) -> str:
    say = plan.say_right if line.is_on_right_axis and plan.say_right else plan.say
    newest = next((point for point in reversed(line.series.points) if point), None)
    return f"{line.name} {say(newest.last if newest else None)}"


def describe(plan: ChartPlan) -> str:
    """Least and most of the first line, which is the one the chart is about."""
    known = [point for line in plan.lines[:1] for point in line.series.points if point]
    if not known:
        return ""
    least, most = min(point.low for point in known), max(point.high for point in known)
    return f"least {plan.say(least)}, most {plan.say(most)}"


def _table(plan: ChartPlan, zone: Zone) -> ChartTable:
    """Newest first; buckets joined until they fit TABLE_ROWS_MAX, each with its highest value."""
    names = tuple(line.name for line in plan.lines)
    rows = joined_rows(plan, TABLE_ROWS_MAX)
    said = (TableRow(zone.full(at_ms), tuple(plan.say(value) for value in values)) for at_ms, values in reversed(rows))
    return ChartTable(names, tuple(said))


def joined_rows(plan: ChartPlan, rows_max: int) -> list[tuple[int, tuple[float | None, ...]]]:
    """(start of the bucket, highest value of each line) over the whole time, about rows_max of them."""
    step_ms = max((line.series.step_ms for line in plan.lines if line.series.points), default=1) or 1
    span_ms = max(1, plan.to_ms - plan.from_ms)
    step_ms *= max(1, -(-span_ms // (step_ms * rows_max)))
    buckets: dict[int, list[float | None]] = {}
    for at_line, line in enumerate(plan.lines):
        for point in line.series.points:
            if point is None:
                continue
            row = buckets.setdefault(point.at_ms // step_ms * step_ms, [None] * len(plan.lines))
            known = row[at_line]
            row[at_line] = point.high if known is None else max(known, point.high)
    return [(at_ms, tuple(buckets[at_ms])) for at_ms in sorted(buckets)]


def csv_text(plan: ChartPlan) -> str:
    """Every bucket, ISO times in UTC."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", *(guarded(line.name) for line in plan.lines)])
    for at_ms, values in joined_rows(plan, BUCKETS_MAX * 2):
        writer.writerow([words.iso(at_ms), *("" if value is None else tidy(value) for value in values)])
    return text.getvalue()
