"""The history in real databases."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from app.db.engine import open_engine, sqlite_url
from app.db.migrate import downgrade, upgrade
from app.db.models import MetricPoint, MetricSeries
from app.db.session import Sessions, sessions_of
from app.metrics.history import LEVELS, History
from app.metrics.store import SqlHistoryStore
from tests.doubles import ManualClock

MIGRATIONS = Path(__file__).parents[3] / "alembic"
START_MS = 1_700_000_400_000


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL server of our own, or of the one that CAUDAL_TEST_POSTGRESQL_URL names."""
    given = os.environ.get("CAUDAL_TEST_POSTGRESQL_URL")
    if given:
        yield given
        return
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(binaries[-1]) if binaries else None)
    if initdb is None:
        pytest.skip("no PostgreSQL server here (Debian package postgresql)")
    folder, as_user = Path(tempfile.mkdtemp(prefix="caudal-postgresql-")), []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data, tools = folder / "data", Path(initdb).parent

    def run(program: str, *arguments: str) -> None:
        # Not captured: the server inherits its starter's pipes, and reading them to their end would wait for it.
        command = [*as_user, str(tools / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)

    run("initdb", "-U", "caudal", "-A", "trust")
    run("pg_ctl", "-o", f"-c listen_addresses='' -k {folder}", "-w", "start")
    yield f"postgresql+asyncpg://caudal@/postgres?host={folder}"
    run("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        url = sqlite_url(tmp_path / "caudal.db")
    else:
        url = str(request.getfixturevalue("postgresql"))
    upgrade(url, migrations=MIGRATIONS)
    yield url
    downgrade(url, migrations=MIGRATIONS)


@pytest.fixture
async def sessions(url: str) -> AsyncIterator[Sessions]:
    engine = open_engine(url)
    yield sessions_of(engine)
    await engine.dispose()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


def run(history: History, clock: ManualClock, *, rounds: int) -> None:
    for number in range(rounds):
        history.record(clock.now_ms(), {"topic.rate:ö/'%": float(number % 7), "idle": 0.0})
        clock.advance(5_000)


async def test_charts_survive_a_restart(sessions, clock):
    history = History(SqlHistoryStore(sessions), now_ms=clock.now_ms)
    run(history, clock, rounds=400)
    shown = history.series("topic.rate:ö/'%", from_ms=START_MS, to_ms=clock.now_ms() - 20_000)
    await history.stop()
    later = History(SqlHistoryStore(sessions), now_ms=clock.now_ms)
    await later.load()
    assert later.series("topic.rate:ö/'%", from_ms=START_MS, to_ms=clock.now_ms() - 20_000) == shown
    idle = later.series("idle", from_ms=START_MS, to_ms=clock.now_ms() - 20_000)
    assert {point.last for point in idle.points if point is not None} == {0.0}


async def test_what_never_changes_takes_few_rows(sessions, clock):
    history = History(SqlHistoryStore(sessions), now_ms=clock.now_ms)
    run(history, clock, rounds=720)
    await history.stop()
    async with sessions() as session:
        series_id = await session.scalar(select(MetricSeries.series_id).where(MetricSeries.name == "idle"))
        rows = await session.scalar(select(func.count()).where(MetricPoint.series_id == series_id))
    assert rows < 15


async def test_a_bucket_that_saw_restarts_joins_what_they_saw(sessions, clock):
    for value in (3.0, 1.0, 2.0):
        history = History(SqlHistoryStore(sessions), now_ms=clock.now_ms)
        history.record(clock.now_ms(), {"a": value})
        await history.stop()
    async with sessions() as session:
        points = (
            await session.execute(select(MetricPoint).join(MetricSeries).where(MetricSeries.name == "a"))
        ).scalars()
        assert [(one.low, one.high, one.last) for one in points] == [(1.0, 3.0, 2.0)] * len(LEVELS)


async def test_old_points_are_pruned(sessions, clock):
    store = SqlHistoryStore(sessions)
    history = History(store, now_ms=clock.now_ms)
    run(history, clock, rounds=100)
    await history.stop()
    clock.advance(LEVELS[0].kept_ms + 3_600_000)
    await history._prune(store)
    async with sessions() as session:
        steps = set(await session.scalars(select(MetricPoint.step_s).distinct()))
    assert steps == {60, 600}


async def test_names_without_points_are_forgotten(sessions, clock):
    store = SqlHistoryStore(sessions)
    history = History(store, now_ms=clock.now_ms)
    run(history, clock, rounds=10)
    await history.stop()
    clock.advance(60 * 86_400_000)
    await history._prune(store, is_forgetting=True)
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(MetricSeries)) == 0
    run(history, clock, rounds=10)
    await history.stop()


async def test_it_writes_in_the_background(sessions, clock, monkeypatch):
    import asyncio

    monkeypatch.setattr("app.metrics.history.WRITE_EVERY_S", 0.01)
    history = History(SqlHistoryStore(sessions), now_ms=clock.now_ms)
    await history.start()
    run(history, clock, rounds=10)
    for _ in range(200):
        await asyncio.sleep(0.02)
        async with sessions() as session:
            if await session.scalar(select(func.count()).select_from(MetricPoint)):
                break
    else:
        pytest.fail("nothing was written")
    await history.stop()


def test_sqlite_files_are_in_wal_mode(tmp_path):
    import sqlite3

    url = sqlite_url(tmp_path / "x.db")
    upgrade(url, migrations=MIGRATIONS)

    async def touch() -> None:
        engine = open_engine(url)
        async with engine.connect():
            pass
        await engine.dispose()

    import asyncio

    asyncio.run(touch())
    connection = sqlite3.connect(make_url(url).database or "")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
