"""The time range of a page's charts, as the query says it: ?range=6h, and ?table=rate for a chart shown as table."""

from dataclasses import dataclass

from fastapi import Response

from app.cluster.snapshot import Series
from app.control_center import charts
from app.control_center.charts import Chart, ChartPlan
from app.control_center.links import query
from app.control_center.visit import Visit

SHORTEST_MS = 5 * 60_000


@dataclass(frozen=True, slots=True)
class RangeLink:
    words: str
    href: str  # '' for the current one


@dataclass(frozen=True, slots=True)
class ChartRange:
    """The span that all charts of a page show, ending now.

    It begins where the history does when that is shorter: the first minutes of a new installation fill the chart.
    """

    visit: Visit
    name: str
    from_ms: int
    to_ms: int

    @classmethod
    def of(cls, visit: Visit) -> "ChartRange":
        asked = visit.argument("range")
        name = asked if asked in charts.RANGES_MS else charts.DEFAULT_RANGE
        to_ms = visit.now_ms
        from_ms = to_ms - charts.RANGES_MS[name]
        sampled = visit.access.sampler.history.series("cluster.rate", from_ms=from_ms, to_ms=to_ms, points_max=60)
        first_ms = next((point.at_ms for point in sampled.points if point), to_ms)
        return cls(visit, name, max(from_ms, min(first_ms, to_ms - SHORTEST_MS)), to_ms)

    def links(self) -> tuple[RangeLink, ...]:
        arguments = self.visit.arguments("range")
        return tuple(
            RangeLink(words, "" if name == self.name else self.visit.path + query({**arguments, "range": name}))
            for name, words in charts.RANGE_WORDS.items()
        )

    def series(self, name: str) -> Series:
        history = self.visit.access.sampler.history
        return history.series(name, from_ms=self.from_ms, to_ms=self.to_ms, points_max=charts.BUCKETS_MAX)

    def chart(self, plan: ChartPlan) -> Chart:
        """The chart, or its table when the query asks for that."""
        as_table = self.visit.argument("table") == plan.id
        arguments = self.visit.arguments("table")
        shown = arguments if as_table else {**arguments, "table": plan.id}
        exported = {**arguments, "table": plan.id, "format": "csv"}
        return charts.build_chart(
            plan,
            zone=self.visit.zone,
            as_table=as_table,
            other_href=f"{self.visit.path}{query(shown)}#{plan.id}",
            csv_href=self.visit.path + query(exported),
        )

    def csv(self, *plans: ChartPlan) -> Response | None:
        """The chart that ?table= names as CSV, or None when it names none of these."""
        plan = next((one for one in plans if one.id == self.visit.argument("table")), None)
        if plan is None:
            return None
        headers = {"Content-Disposition": f'attachment; filename="{plan.id}.csv"', "Cache-Control": "no-store"}
        return Response(charts.csv_text(plan), headers=headers, media_type="text/csv; charset=utf-8")
