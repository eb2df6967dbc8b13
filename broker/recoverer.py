"""Recovers large partitions after a crash in processes of their own, and scans damaged segments in threads, while
everybody else is served.

Whoever asks for such a partition is told NOT_LEADER_OR_FOLLOWER until it is done: every client knows that answer from a
broker that is just taking over, refreshes its metadata and tries again.

Differs from Kafka: clients are served while logs are still being recovered, because only a few partitions take long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterable
from typing import Final

import msgspec

from broker.errors import KafkaError
from broker.log import LogDirectory
from broker.log.checkpoint_files import TopicPartition
from broker.log.log_directory import PartitionRecovering
from broker.log.recovery_plan import Answer, Failed, Recovered, RecoveryPlan
from broker.log.segment_scan import SegmentScan

log = logging.getLogger("broker")

PROCESSES_MAX: Final = 2
_LOOK_AGAIN_S: Final = 0.05


class Recoverer:
    """Carries out the recoveries that the logs ask for, until `stop`."""

    def __init__(self, logs: LogDirectory) -> None:
        self._logs = logs
        self._plans: list[RecoveryPlan] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._process_count = 0
        logs.on_recovery_wanted = self._want
        logs.on_scan_wanted = self._scan

    async def until_open(self, keys: Iterable[TopicPartition]) -> None:
        """Wait until all these partitions are recovered."""
        waiting = list(keys)
        while waiting:
            for key in list(waiting):
                try:
                    self._logs.get(*key)
                except PartitionRecovering:
                    continue
                except KafkaError:
                    pass  # whoever asks for it will meet the same
                waiting.remove(key)
            if waiting:
                await asyncio.sleep(_LOOK_AGAIN_S)

    def wait(self, keys: Iterable[TopicPartition], seconds_max: float) -> asyncio.Task[None]:
        """A task that ends when these partitions are recovered, or after that time."""

        async def wait() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.until_open(keys), seconds_max)

        task = asyncio.get_running_loop().create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """End the processes, even in the middle of their work: the next start begins anew."""
        self._plans.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _scan(self, scan: SegmentScan) -> None:
        """In a thread: it is one file, which a read has found damaged."""

        async def run() -> None:
            await asyncio.to_thread(scan.run)
            scan.finish()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _want(self, plan: RecoveryPlan) -> None:
        self._plans.append(plan)
        if self._process_count < PROCESSES_MAX:
            self._process_count += 1
            task = asyncio.get_running_loop().create_task(self._recover_all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _recover_all(self) -> None:
        """Let one process recover until nothing is left to do."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "broker.log.recovery_worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )  # fmt: skip
        except OSError as error:
            log.error("no process to recover in, so it is done here error=%s", error)
            self._process_count -= 1
            while self._plans:
                self._logs.note_recovered(self._plans.pop(), None)
            return
        try:
            while self._plans:
                plan = self._plans.pop(0)
                answer = await _ask(process, plan)
                if isinstance(answer, Failed):
                    log.error(
                        "not recovered in a process of its own topic=%s partition=%d error=%s",
                        plan.topic, plan.partition, answer.reason,
                    )  # fmt: skip
                self._logs.note_recovered(plan, answer if isinstance(answer, Recovered) else None)
        finally:
            self._process_count -= 1
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _ask(process: asyncio.subprocess.Process, plan: RecoveryPlan) -> Answer:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(plan) + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
    except OSError as error:
        return Failed(str(error))
    if not line:
        return Failed("the process that recovers has ended")
    answer: Answer = msgspec.json.decode(line, type=Answer)
    return answer
