import json

import pytest

from app.cluster.snapshot import Series, SeriesPoint
from app.control_center import charts, sparklines
from app.control_center.charts import ChartPlan, Line
from app.control_center.words import Zone, short


def series(*values, step_ms=10_000, start_ms=1_700_000_000_000):
    """Values are numbers, (low, high, last) or None."""
    points = tuple(
        None
        if value is None
        else SeriesPoint(start_ms + at * step_ms, *(value if isinstance(value, tuple) else (value,) * 3))
        for at, value in enumerate(values)
    )
    return Series("x", step_ms, points, start_ms)


def plan(*lines, **fields):
    start = 1_700_000_000_000
    return ChartPlan("rate", "Records a second", lines, start, start + 3_600_000, say=short, **fields)


def build(plan, *, as_table=False):
    return charts.build_chart(plan, zone=Zone(0), as_table=as_table, other_href="", csv_href="")


def test_plotly_accepts_the_figure():
    go = pytest.importorskip("plotly.graph_objects")
    figure = charts.figure(
        plan(Line("in", series(1, 2, None, 3), 1, is_filled=True), Line("out", series(4, 5), 2, is_on_right_axis=True)),
        Zone(0),
    )
    drawn = go.Figure(figure)
    assert list(drawn.data[0].y) == [1, 2, None, 3]
    assert drawn.data[1].yaxis == "y2"


def test_a_gap_stays_a_gap_and_is_never_zero():
    values, step_ms = charts.spread(series(5, None, 7))
    assert values == [5, None, 7]
    assert step_ms == 10_000


def test_a_spike_survives_coarse_buckets():
    values, step_ms = charts.spread(series((1, 90, 2), (1, 3, 2), None))
    assert values == [1, 90, 3, 1, None, None]
    assert step_ms == 5_000


def test_times_are_the_readers_wall_clock():
    figure = charts.figure(plan(Line("in", series(1), 1)), Zone(60))
    assert figure["data"][0]["x0"] == "2023-11-14 23:13:20.000"


def test_the_figure_cannot_end_its_script():
    chart = build(plan(Line("</script><!--", series(1), 1)))
    assert "<" not in chart.figure
    assert json.loads(chart.figure)["data"][0]["name"] == "</script><!--"
    assert "</script>" not in chart.drawing


def test_the_words_say_now_least_and_most():
    chart = charts.build_chart(
        plan(Line("in", series(3, 9, 5), 1)), zone=Zone(0), as_table=False, other_href="", csv_href=""
    )
    assert chart.legend[0].words == "in 5"
    assert chart.words == "least 3, most 9"


def test_the_table_has_few_rows_with_the_highest_values():
    long = plan(Line("in", series(*range(360)), 1), Line("out", series(None, 1), 2))
    chart = build(long, as_table=True)
    assert 100 < len(chart.table.rows) <= charts.TABLE_ROWS_MAX + 1
    assert chart.table.rows[0].values == ("359", "–")
    assert charts.csv_text(long).splitlines()[0] == "time,in,out"


def test_an_empty_chart_says_so():
    chart = charts.build_chart(
        plan(Line("in", series(None, None), 1)), zone=Zone(0), as_table=False, other_href="", csv_href=""
    )
    assert chart.is_empty
    assert chart.empty_words


@pytest.mark.parametrize(("value", "top"), [(0, 4), (3, 4), (5, 6), (81, 100), (0.03, 0.04), (1000, 1000), (12, 20)])
def test_axes_end_at_round_numbers(value, top):
    assert charts.nice_top(value) == pytest.approx(top)


def test_numbers_keep_four_digits():
    assert charts.tidy(123456.7) == 123500
    assert charts.tidy(0.00012345) == pytest.approx(0.0001234, rel=1e-2)
    assert charts.tidy(float("inf")) == 0


def test_a_sparkline_is_small_and_starts_its_scale_at_zero():
    line = sparklines.draw([100.0 + n % 3 for n in range(25)], what="Rate")
    assert len(line.path) < 200
    assert min(int(step.split(" ")[1]) for step in line.path[1:].split("L")) <= 3
    assert line.words == "Rate: now 100, most 102"


def test_a_sparkline_leaves_gaps_and_shows_lone_points():
    assert sparklines.draw([1, None, 1], what="Rate").path == "M0 2h3M96 2h-3"
    assert sparklines.draw([0.0, 0.0], what="Rate").tone == "flat"
    assert sparklines.draw([None], what="Rate").path == ""
