"""The log cleaner: keeps compacted partitions compacted, the dirtiest first.

What takes time (reading, hashing, writing) is done by `broker.log.compaction_worker` in a process of its own, because
in a thread it would hold the interpreter for milliseconds again and again. Here it is decided what to compact, and the
finished segments are taken into use, a handful of renames each. Nothing runs while there is nothing to compact.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from broker.clock import Clock
from broker.errors import KafkaError
from broker.log import LogDirectory, PartitionLog
from broker.log.checkpoint_files import TopicPartition, sync_directory
from broker.log.compaction import Compacted, CompactionPlan, ReplacedSegments
from broker.log.compaction_plan import Dirtiness, dirtiness, is_due, plan_compaction
from broker.log.compaction_worker import Answer, Failed, WorkerPlan
from broker.log.log_directory import PartitionRecovering
from broker.log.segment import DamageFound
from broker.log.segment_swap import discard_swaps

log = logging.getLogger("broker")

_ANSWER_BYTES_MAX: Final = 64 << 20
_PARTITIONS_A_SLICE: Final = 50
_LOWEST_PRIORITY: Final = -1.0


class CleanerSettings(NamedTuple):
    """What the broker's `log.cleaner.*` configs say."""

    backoff_ms: int
    """How long to wait when there was nothing to compact."""
    key_map_bytes_max: int
    """Memory for keys in a run.

    Differs from Kafka: a key takes about 160 bytes of `log.cleaner.dedupe.buffer.size`, not 24, because the map is a
    dict; with more keys than that a log is compacted in several runs.
    """
    bytes_per_second_max: float


class Cleaner:
    """Compacts the partitions of a data folder for as long as `run` does, one after another."""

    def __init__(self, logs: LogDirectory, clock: Clock, settings: Callable[[], CleanerSettings]) -> None:
        self._logs = logs
        self._clock = clock
        self._settings = settings
        self._worker = _Worker()
        self._given_up: dict[TopicPartition, tuple[PartitionLog, int]] = {}
        """Partitions that could not be compacted, and their active segment then: a new one is worth another try."""

    async def run(self) -> None:
        """Compact what is dirty, wait, and so on until cancelled."""
        try:
            while True:
                await asyncio.sleep(max(self._settings().backoff_ms, 1) / 1000)
                try:
                    await self.clean_all()
                except Exception:
                    log.exception("compaction failed and will be tried again")
                await self._worker.stop()
        finally:
            await self._worker.stop()

    async def clean_all(self) -> int:
        """Compact until no partition is dirty enough; return how many runs that took."""
        count = 0
        while True:
            dirtiest = await self._dirtiest()
            if dirtiest is None:
                return count
            await self._clean(*dirtiest)
            count += 1

    async def stop(self) -> None:
        """End the process that compacts, if there is one."""
        await self._worker.stop()

    async def _dirtiest(self) -> tuple[PartitionLog, Dirtiness] | None:
        """The partition that wants it most: those past their `max.compaction.lag.ms`, then by share of dirty bytes."""
        best: tuple[PartitionLog, Dirtiness] | None = None
        best_priority = _LOWEST_PRIORITY
        for number, key in enumerate(self._logs.compacted_partitions()):
            if number % _PARTITIONS_A_SLICE == 0 or not self._logs.is_open(*key):
                await asyncio.sleep(0)
            if self._logs.reserve.is_spent:  # the disk is full
                return None
            try:
                found = self._look_at(key)
            except PartitionRecovering:
                continue
            except (OSError, DamageFound, KafkaError) as error:
                log.error("not compacted topic=%s partition=%d error=%s", *key, error)
                continue
            if found is not None:
                priority = found[1].ratio + found[1].is_overdue
                if priority > best_priority:
                    best, best_priority = found, priority
        return best

    def _look_at(self, key: TopicPartition) -> tuple[PartitionLog, Dirtiness] | None:
        partition_log = self._logs.get(*key)
        if partition_log is None or partition_log.is_closed or partition_log.segment_count < 2:
            return None
        if self._given_up.get(key) == (partition_log, partition_log.segments[-1].base_offset):
            return None
        found = dirtiness(partition_log, self._logs.cleaned_offset(*key), self._clock.now_ms())
        return (partition_log, found) if found is not None and is_due(partition_log, found) else None

    async def _clean(self, partition_log: PartitionLog, found: Dirtiness) -> None:
        key = partition_log.topic, partition_log.partition
        settings, now_ms = self._settings(), self._clock.now_ms()
        began_ms, generation = self._clock.monotonic_ms(), partition_log.generation
        partition_log.is_being_compacted = True
        try:
            discard_swaps(partition_log.folder)
            plan = plan_compaction(partition_log, found, now_ms, key_map_bytes_max=settings.key_map_bytes_max)
            await self._worker.send(WorkerPlan(plan, settings.bytes_per_second_max))
            answer: Answer = await self._worker.answer()
            while isinstance(answer, ReplacedSegments):
                if partition_log.is_closed or partition_log.generation != generation:
                    answer = Failed("the log was closed or cut meanwhile")
                    break
                partition_log.replace_segments(answer.base_offsets, answer.size, now_ms=self._clock.now_ms())
                answer = await self._worker.answer()
            if isinstance(answer, Failed):
                await self._give_up(partition_log, answer)
                return
            await self._finish(partition_log, plan, answer, self._clock.monotonic_ms() - began_ms)
            self._given_up.pop(key, None)
            if answer.end_offset <= found.first_dirty_offset:
                self._given_up[key] = partition_log, partition_log.segments[-1].base_offset
        except (OSError, KafkaError) as error:
            await self._give_up(partition_log, Failed(str(error)))
        finally:
            partition_log.is_being_compacted = False

    async def _finish(
        self, partition_log: PartitionLog, plan: CompactionPlan, done: Compacted, duration_ms: int
    ) -> None:
        with contextlib.suppress(FileNotFoundError):  # the topic was deleted
            await asyncio.to_thread(sync_directory, partition_log.folder)
        key = partition_log.topic, partition_log.partition
        if partition_log.is_closed:
            return
        await asyncio.to_thread(self._logs.note_cleaned(*key, done.end_offset))
        log.info(
            "log compacted topic=%s partition=%d offsets=%d-%d keys=%d bytes_before=%d bytes_after=%d ms=%d",
            *key, plan.first_dirty_offset, done.end_offset - 1, done.key_count, done.bytes_before, done.bytes_after,
            duration_ms,
        )  # fmt: skip

    async def _give_up(self, partition_log: PartitionLog, failed: Failed) -> None:
        """The old segments stay, and the partition waits until it has a new one."""
        await self._worker.stop()
        key = partition_log.topic, partition_log.partition
        if partition_log.is_closed:
            return
        log.error("not compacted topic=%s partition=%d error=%s", *key, failed.reason)
        self._given_up[key] = partition_log, partition_log.segments[-1].base_offset
        try:
            discard_swaps(partition_log.folder)
            if failed.damaged_segment is not None:
                partition_log.rescan(failed.damaged_segment)
                if partition_log.quarantines:  # what lies before the damage can be compacted
                    del self._given_up[key]
        except (OSError, KafkaError) as error:
            log.error("not compacted topic=%s partition=%d error=%s", *key, error)


class _Worker:
    """The process that compacts, started when there is work."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def send(self, work: WorkerPlan) -> None:
        """Give it a plan. Raises OSError."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "broker.log.compaction_worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_ANSWER_BYTES_MAX,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(work) + b"\n")
        await self._process.stdin.drain()

    async def answer(self) -> Answer:
        """What it says next; that it has died, if it has."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            return Failed("the process that compacts has ended")
        answer: Answer = msgspec.json.decode(line, type=Answer)
        return answer

    async def stop(self) -> None:
        """End it, even in the middle of a run."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
