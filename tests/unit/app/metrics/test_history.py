from collections.abc import AsyncIterator, Sequence

import pytest

from app.metrics.history import LEVELS, History, StoredPoint

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000 - 1_700_000_000_000 % 600_000


class MemoryStore:
    def __init__(self) -> None:
        self.points: dict[tuple[str, int, int], StoredPoint] = {}
        self.is_away = False

    async def read(self, *, step_s: int, since_s: int, points_max: int) -> AsyncIterator[Sequence[StoredPoint]]:
        found = [one for one in self.points.values() if one.step_s == step_s and one.at_s >= since_s]
        yield sorted(found, key=lambda one: one.at_s)[-points_max:]

    async def write(self, points: Sequence[StoredPoint]) -> None:
        if self.is_away:
            raise OSError("away")
        self.points |= {(one.name, one.step_s, one.at_s): one for one in points}

    async def prune(self, *, step_s: int, before_s: int) -> None:
        self.points = {key: one for key, one in self.points.items() if one.step_s != step_s or one.at_s >= before_s}

    async def forget_unused(self) -> None: ...


class Time:
    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def history(time, store) -> History:
    return History(store, now_ms=time.now_ms)


def run(history: History, time: Time, *, seconds: int, value=lambda s: float(s), brief=None) -> None:
    """Record every five seconds."""
    for second in range(0, seconds, 5):
        history.record(time.ms, {"a": value(second)}, brief)
        time.ms += 5_000


def test_a_spike_survives_downsampling(history, time):
    run(history, time, seconds=3600, value=lambda s: 1000.0 if s == 1800 else 1.0)
    series = history.series("a", from_ms=START_MS, to_ms=time.ms, points_max=20)
    known = [point for point in series.points if point is not None]
    assert len(series.points) <= 20
    assert max(point.high for point in known) == 1000.0
    assert min(point.low for point in known) == 1.0


def test_a_pause_is_a_gap_not_a_value(history, time):
    run(history, time, seconds=600)
    time.ms += 600_000
    run(history, time, seconds=600)
    series = history.series("a", from_ms=START_MS, to_ms=time.ms)
    assert any(point is None for point in series.points[60:120])
    assert all(point is not None for point in series.points[:60])
    assert sum(point is None for point in series.points) == pytest.approx(60, abs=2)


def test_long_spans_come_from_the_coarser_levels(history, time):
    run(history, time, seconds=8 * 3600)
    series = history.series("a", from_ms=START_MS, to_ms=time.ms)
    assert series.step_ms == LEVELS[1].step_ms
    assert series.points[0] is not None
    assert series.points[0].low == 0.0


def test_a_series_that_ended_stops_in_the_chart(history, time):
    run(history, time, seconds=60)
    for _ in range(12):
        history.record(time.ms, {"b": 1.0})
        time.ms += 5_000
    points = history.series("a", from_ms=START_MS, to_ms=time.ms).points
    assert points[4] is not None
    assert points[-2] is None


async def test_charts_survive_a_restart(history, time, store):
    run(history, time, seconds=1200)
    await history.stop()
    stopped_ms = time.ms
    time.ms += 60_000
    later = History(store, now_ms=time.now_ms)
    run(later, time, seconds=120)
    await later.load()
    points = later.series("a", from_ms=START_MS, to_ms=time.ms).points
    assert points[60] is not None
    assert points[60].last == 605.0
    assert points[(stopped_ms - START_MS) // 10_000 + 2] is None
    assert points[-2] is not None


def test_lag_per_partition_is_kept_for_an_hour_in_memory_only(history, time, store):
    run(history, time, seconds=2 * 3600, brief={"p": 1.0})
    points = history.series("p", from_ms=START_MS, to_ms=time.ms).points
    assert points[-2] is not None
    assert not any(name == "p" for name, _, _ in store.points)


def test_series_that_ended_long_ago_leave_memory(history, time):
    run(history, time, seconds=60)
    for _ in range(2 * 360):
        history.record(time.ms, {"b": 1.0})
        time.ms += 5_000
    assert "a" in history.names()
    for _ in range(30):
        history.record(time.ms, {"b": 1.0})
        time.ms += 5_000
    assert history.names() == ("b",)


async def test_points_wait_while_the_db_is_away(history, time, store):
    store.is_away = True
    run(history, time, seconds=60)
    await history._write(store)
    store.is_away = False
    await history.stop()
    assert {one.at_s * 1000 for one in store.points.values() if one.name == "a"} >= {START_MS, START_MS + 10_000}


def test_a_sparkline_has_at_most_as_many_points_as_asked(history, time):
    run(history, time, seconds=2 * 3600)
    line = history.sparkline("a", now_ms=time.ms, points=40)
    assert len(line) <= 40
    assert line[-2] is not None
    assert line[-1] is None or line[-1] >= line[0]


def test_a_thousand_idle_topics_cost_little(history, time):
    values = {f"topic.rate:{number}": 0.0 for number in range(1_000)}
    for _ in range(100):
        history.record(time.ms, values)
        time.ms += 5_000
    assert len(history._pending) < 4_000


@pytest.mark.parametrize("name", ["unknown", "topic.rate:none"])
def test_an_unknown_series_is_empty(history, time, name):
    assert set(history.series(name, from_ms=START_MS, to_ms=START_MS + 60_000).points) == {None}
