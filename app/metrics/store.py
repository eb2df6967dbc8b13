"""The history in the metadata DB."""

import math
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import case, delete, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import MetricPoint, MetricSeries
from app.db.session import Sessions
from app.metrics.history import StoredPoint

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

PORTION_POINTS = 2_000
GONE_STORED = -1.0e308  # SQLite stores NaN as NULL, and no series goes there


class SqlHistoryStore:
    """Points as rows, all of a write in one transaction."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._ids: dict[str, int] = {}

    async def read(self, *, step_s: int, since_s: int, points_max: int) -> AsyncIterator[Sequence[StoredPoint]]:
        async with self._sessions() as session:
            names = {series_id: name for name, series_id in (await self._known_ids(session)).items()}
            oldest = select(MetricPoint.at_s).where(MetricPoint.step_s == step_s, MetricPoint.at_s >= since_s)
            cut_s = await session.scalar(oldest.order_by(MetricPoint.at_s.desc()).offset(points_max).limit(1))
            at_s = since_s if cut_s is None else cut_s + 1
            rows = await session.stream(
                select(MetricPoint.series_id, MetricPoint.at_s, MetricPoint.low, MetricPoint.high, MetricPoint.last)
                .where(MetricPoint.step_s == step_s, MetricPoint.at_s >= at_s)
                .order_by(MetricPoint.at_s)
            )
            async for portion in rows.partitions(PORTION_POINTS):
                yield [
                    StoredPoint(names[series_id], step_s, at, *map(_from_stored, (low, high, last)))
                    for series_id, at, low, high, last in portion
                    if series_id in names
                ]

    async def write(self, points: Sequence[StoredPoint]) -> None:
        async with self._sessions.begin() as session:
            ids = await self._ids_of(session, {point.name for point in points})
            rows = {
                (point.step_s, point.at_s, ids[point.name]): {
                    "step_s": point.step_s,
                    "at_s": point.at_s,
                    "series_id": ids[point.name],
                    "low": _to_stored(point.low),
                    "high": _to_stored(point.high),
                    "last": _to_stored(point.last),
                }
                for point in points
            }
            await session.execute(_insert_or_join(session), list(rows.values()))
        self._ids = ids

    async def prune(self, *, step_s: int, before_s: int) -> None:
        async with self._sessions.begin() as session:
            await session.execute(delete(MetricPoint).where(MetricPoint.step_s == step_s, MetricPoint.at_s < before_s))

    async def forget_unused(self) -> None:
        used = select(MetricPoint.series_id).distinct()
        async with self._sessions.begin() as session:
            await session.execute(delete(MetricSeries).where(MetricSeries.series_id.not_in(used)))
        self._ids = {}

    async def _known_ids(self, session: AsyncSession) -> dict[str, int]:
        rows = await session.execute(select(MetricSeries.name, MetricSeries.series_id))
        return {row.name: row.series_id for row in rows}

    async def _ids_of(self, session: AsyncSession, names: set[str]) -> dict[str, int]:
        """Ids of all series, the named ones made where they are missing; remembered only once committed."""
        if names <= self._ids.keys():
            return self._ids
        ids = await self._known_ids(session)
        session.add_all(MetricSeries(name=name) for name in sorted(names - ids.keys()))
        await session.flush()
        return await self._known_ids(session)


def _insert_or_join(session: AsyncSession) -> "sqlite.Insert | postgresql.Insert":
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # a tenth of a second that SQLite need not pay

        insert: sqlite.Insert | postgresql.Insert = postgresql.insert(MetricPoint)
        lower = func.least(MetricPoint.low, insert.excluded.low)
        higher = func.greatest(MetricPoint.high, insert.excluded.high)
    else:
        insert = sqlite.insert(MetricPoint)
        lower = func.min(MetricPoint.low, insert.excluded.low)
        higher = func.max(MetricPoint.high, insert.excluded.high)
    fresh, is_gone = insert.excluded, MetricPoint.last == GONE_STORED
    return insert.on_conflict_do_update(
        index_elements=[MetricPoint.step_s, MetricPoint.at_s, MetricPoint.series_id],
        set_={
            "low": case((is_gone, fresh.low), else_=lower),
            "high": case((is_gone, fresh.high), else_=higher),
            "last": fresh.last,
        },
    )


def _to_stored(value: float) -> float:
    return GONE_STORED if math.isnan(value) else value


def _from_stored(value: float) -> float:
    return math.nan if value == GONE_STORED else value
