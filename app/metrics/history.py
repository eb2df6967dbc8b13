"""History of lag and throughput: three resolutions per series, in memory for the pages and in the DB for restarts.

10 s points for 6 h, 1 min for 48 h, 10 min for 30 d, each with the lowest, highest and last value, so that a spike
survives every zoom. Series named in `brief` (lag per partition) are kept for 1 h and never written to the DB.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from app.cluster.snapshot import Series, SeriesPoint
from app.metrics.rings import GONE, Bucket, Level, Ring

log = logging.getLogger("caudal.metrics")

LEVELS = (
    Level(step_ms=10_000, kept_ms=6 * 3_600_000),
    Level(step_ms=60_000, kept_ms=48 * 3_600_000),
    Level(step_ms=600_000, kept_ms=30 * 86_400_000),
)
BRIEF_LEVEL = Level(step_ms=10_000, kept_ms=3_600_000)
SAMPLED = "sampler.rounds"
POINTS_IN_MEMORY = 900_000  # 32 bytes each, over all levels
POINTS_PER_SERIES_LEAST = 360
ENDED_KEPT_MS = 3_600_000
WRITE_EVERY_S = 10.0
PRUNE_EVERY_S = 600.0
FORGET_EVERY_PRUNES = 144
PENDING_POINTS_MAX = 200_000
NAME_CHARS_MAX = 1_000  # longer group ids are shown while they live, but not kept


class StoredPoint(NamedTuple):
    """A bucket as the DB keeps it."""

    name: str
    step_s: int
    at_s: int
    low: float
    high: float
    last: float


class HistoryStore(Protocol):
    """Where points survive a restart (app.metrics.store)."""

    def read(self, *, step_s: int, since_s: int, points_max: int) -> AsyncIterator[Sequence[StoredPoint]]:
        """The newest points of one resolution, in portions, oldest first."""

    async def write(self, points: Sequence[StoredPoint]) -> None:
        """All in one transaction. A point that is there already (a restart within its bucket) is joined with."""

    async def prune(self, *, step_s: int, before_s: int) -> None:
        """Delete the points of one resolution before a time."""

    async def forget_unused(self) -> None:
        """Delete the names of series that have no points any more."""


class History:
    """All series of one cluster."""

    def __init__(self, store: HistoryStore | None = None, *, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._rings: dict[str, tuple[Ring, ...]] = {}
        self._brief: dict[str, Ring] = {}
        self._ended: dict[str, int] = {}
        self._sampled = tuple(Ring(level.points_max, is_dense=True) for level in LEVELS)
        self._points_max = tuple(level.points_max for level in LEVELS)
        self._pending: list[StoredPoint] = []
        self._tasks: list[asyncio.Task[None]] = []

    # --- recording -------------------------------------------------------------------------------------------------

    def record(self, at_ms: int, values: Mapping[str, float], brief: Mapping[str, float] | None = None) -> None:
        """One round of the sampler. A series that is missing here, but was in an earlier round, has ended."""
        number = at_ms // LEVELS[0].step_ms
        for name, value in values.items():
            self._feed(name, self._rings_of(name), Bucket(number, value, value, value))
        self._end_missing(number, values)
        self._record_brief(number, brief or {})
        self._feed(SAMPLED, self._sampled, Bucket(number, 1.0, 1.0, 1.0))
        del self._pending[:-PENDING_POINTS_MAX]

    def _end_missing(self, number: int, values: Mapping[str, float]) -> None:
        """Series that are recorded no more have no value from now on; after a while they are left to the DB."""
        for name in [name for name in self._rings if name not in values]:
            if number - self._ended.setdefault(name, number) > ENDED_KEPT_MS // LEVELS[0].step_ms:
                del self._rings[name], self._ended[name]
            else:
                self._feed(name, self._rings[name], Bucket(number, GONE, GONE, GONE))
        for name in [name for name in self._ended if name in values]:
            del self._ended[name]

    def _record_brief(self, number: int, brief: Mapping[str, float]) -> None:
        for name, value in brief.items():
            ring = self._brief.get(name)
            if ring is None:
                ring = self._brief[name] = Ring(BRIEF_LEVEL.points_max)
            ring.record(Bucket(number, value, value, value))
        for name in [name for name in self._brief if name not in brief]:
            del self._brief[name]

    def _feed(self, name: str, rings: Sequence[Ring], bucket: Bucket) -> None:
        """Give a bucket to the finest level; what it closes goes on to the next."""
        for index, (level, ring) in enumerate(zip(LEVELS, rings, strict=True)):
            closed, is_kept = ring.record(bucket)
            if closed is None:
                return
            if is_kept:
                self._keep(name, level, closed)
            if index + 1 < len(LEVELS):
                ratio = LEVELS[index + 1].step_ms // level.step_ms
                bucket = closed._replace(number=closed.number // ratio)

    def _keep(self, name: str, level: Level, bucket: Bucket) -> None:
        if self._store is not None and len(name) <= NAME_CHARS_MAX:
            at_s = bucket.number * level.step_s
            self._pending.append(StoredPoint(name, level.step_s, at_s, bucket.low, bucket.high, bucket.last))

    def _rings_of(self, name: str) -> tuple[Ring, ...]:
        rings = self._rings.get(name)
        if rings is None:
            rings = self._rings[name] = tuple(Ring(points_max) for points_max in self._points_max)
            self._share_memory()
        return rings

    def _share_memory(self) -> None:
        """Many series get fewer points each, never fewer than POINTS_PER_SERIES_LEAST."""
        share = max(POINTS_PER_SERIES_LEAST, POINTS_IN_MEMORY // len(LEVELS) // max(1, len(self._rings)))
        wanted = tuple(min(level.points_max, share) for level in LEVELS)
        if all(now * 9 <= new * 10 <= now * 11 for now, new in zip(self._points_max, wanted, strict=True)):
            return
        self._points_max = wanted
        for rings in self._rings.values():
            for ring, points_max in zip(rings, wanted, strict=True):
                ring.resize(points_max)

    # --- reading ---------------------------------------------------------------------------------------------------

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._rings)) + tuple(sorted(self._brief))

    def series(self, name: str, *, from_ms: int, to_ms: int, points_max: int = 720) -> Series:
        """The series between two times at the finest resolution that reaches back that far.

        Neighbouring buckets are merged (lowest, highest, last) until there are at most points_max.
        """
        return self._read(
            name, self._level_reaching(name, from_ms), from_ms=from_ms, to_ms=to_ms, points_max=points_max
        )

    def _read(self, name: str, index: int, *, from_ms: int, to_ms: int, points_max: int) -> Series:
        level, ring = LEVELS[index], self._ring(name, index)
        first, end = from_ms // level.step_ms, to_ms // level.step_ms + 1
        merged = max(1, -(-(end - first) // max(1, points_max)))
        first -= first % merged
        step_ms = level.step_ms * merged
        count = -(-(end - first) // merged) * merged
        if ring is None:
            return Series(name, step_ms, (None,) * (count // merged), first * level.step_ms)
        buckets = ring.read(first, count, self._sampled[index].numbers())
        points = tuple(_merge(buckets[at : at + merged], first + at, level) for at in range(0, count, merged))
        return Series(name, step_ms, points, first * level.step_ms)

    def sparkline(
        self, name: str, *, now_ms: int, span_ms: int = 3_600_000, points: int = 40
    ) -> tuple[float | None, ...]:
        """The highest value of each of at most so many parts of the last span; None where nothing was sampled.

        Read from the coarsest resolution that is fine enough: tables ask for fifty of these at once.
        """
        part_ms = span_ms // max(1, points)
        fits = [at for at, level in enumerate(LEVELS) if level.step_ms <= part_ms] or [0]
        index = 0 if name in self._brief else fits[-1]
        series = self._read(name, index, from_ms=now_ms - span_ms, to_ms=now_ms, points_max=points)
        return tuple(None if point is None else point.high for point in series.points[-points:])

    def _level_reaching(self, name: str, from_ms: int) -> int:
        if name in self._brief:
            return 0
        age_ms = self._now_ms() - from_ms
        fits = [index for index, level in enumerate(LEVELS) if age_ms <= self._reach_ms(index, level)]
        return fits[0] if fits else len(LEVELS) - 1

    def _reach_ms(self, index: int, level: Level) -> int:
        return min(level.kept_ms, self._points_max[index] * level.step_ms) + level.step_ms

    def _ring(self, name: str, index: int) -> Ring | None:
        if name in self._brief:
            return self._brief[name]
        rings = self._rings.get(name)
        return rings[index] if rings is not None else None

    # --- the DB ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to write, and read what earlier runs left, in the background: pages do not wait for it."""
        if self._store is not None:
            self._tasks = [asyncio.create_task(self._keep_written(self._store), name="history")]

    async def stop(self) -> None:
        """Write what is there, the open buckets included."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._store is None:
            return
        for name, rings in (*self._rings.items(), (SAMPLED, self._sampled)):
            self._close(name, rings)
        await self._write(self._store)

    def _close(self, name: str, rings: Sequence[Ring]) -> None:
        """End the open buckets of a series, the finer ones going on into the coarser."""
        closed: Bucket | None = None
        for index, (level, ring) in enumerate(zip(LEVELS, rings, strict=True)):
            if closed is not None:
                ratio = level.step_ms // LEVELS[index - 1].step_ms
                before, is_kept = ring.record(closed._replace(number=closed.number // ratio))
                if before is not None and is_kept:
                    self._keep(name, level, before)
            closed = ring.close()
            if closed is not None:
                self._keep(name, level, closed)

    async def load(self) -> None:
        """Read the points of earlier runs and put them in front of what was recorded since."""
        if self._store is None:
            return
        now_s = self._now_ms() // 1000
        for index, level in enumerate(LEVELS):
            found: dict[str, list[Bucket]] = {}
            since_s = now_s - level.kept_ms // 1000
            points_max = POINTS_IN_MEMORY // len(LEVELS)
            async for portion in self._store.read(step_s=level.step_s, since_s=since_s, points_max=points_max):
                for point in portion:
                    bucket = Bucket(point.at_s // level.step_s, point.low, point.high, point.last)
                    found.setdefault(point.name, []).append(bucket)
                await asyncio.sleep(0)
            self._sampled[index].prepend(found.pop(SAMPLED, ()))
            for name, buckets in found.items():
                self._rings_of(name)[index].prepend(buckets)

    async def _keep_written(self, store: HistoryStore) -> None:
        try:
            await self.load()
        except Exception:
            log.exception("history not read")
        writes_per_prune = int(PRUNE_EVERY_S / WRITE_EVERY_S)
        for number in itertools.count(1):
            await asyncio.sleep(WRITE_EVERY_S)
            await self._write(store)
            if number % writes_per_prune == 1:
                await self._prune(store, is_forgetting=number % (writes_per_prune * FORGET_EVERY_PRUNES) == 1)

    async def _write(self, store: HistoryStore) -> None:
        points, self._pending = self._pending, []
        if not points:
            return
        try:
            await store.write(points)
        except Exception as error:  # the DB may be away for a while: keep the points, within limits, and try again
            log.warning("history not written points=%d error=%s", len(points), error)
            self._pending[:0] = points
            del self._pending[:-PENDING_POINTS_MAX]

    async def _prune(self, store: HistoryStore, *, is_forgetting: bool = False) -> None:
        now_s = self._now_ms() // 1000
        try:
            for level in LEVELS:
                await store.prune(step_s=level.step_s, before_s=now_s - level.kept_ms // 1000)
            if is_forgetting:
                await store.forget_unused()
        except Exception as error:
            log.warning("history not pruned error=%s", error)


def _merge(buckets: Iterable[Bucket | None], number: int, level: Level) -> SeriesPoint | None:
    known = [bucket for bucket in buckets if bucket is not None]
    if not known:
        return None
    return SeriesPoint(
        at_ms=number * level.step_ms,
        low=min(bucket.low for bucket in known),
        high=max(bucket.high for bucket in known),
        last=known[-1].last,
    )
