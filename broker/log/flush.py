"""Forcing appended bytes to disk: decided on the event loop, done in a thread, accounted for on the loop again.

job = logs.start_flush(now_ms)         # on the loop
if job is not None:
    await asyncio.to_thread(job.run)   # only system calls on files that it opens itself
    job.finish()                       # on the loop: high watermarks move, waiting producers are answered
"""

import errno
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

TARGETS_PER_THREAD: Final = 32
THREADS_MAX: Final = 16
"""A journaling file system writes down at once what many threads ask for: 10,000 files take 1 s instead of 10."""


class Flushable(Protocol):
    """What can be told how a flush ended: a PartitionLog."""

    def flushed(self, target: "FlushTarget") -> None:
        """The target's files are on disk, or its `error` says why not."""


class FlushTarget:
    """The files of one log that must reach the disk so that everything before `end_offset` is safe."""

    __slots__ = ("end_offset", "error", "generation", "log", "paths", "visible_size")

    def __init__(
        self, log: Flushable, paths: Sequence[str], *, end_offset: int, visible_size: int, generation: int
    ) -> None:
        self.log = log
        self.paths = paths
        self.end_offset = end_offset
        self.visible_size = visible_size
        """Size of the active segment up to `end_offset`."""
        self.generation = generation
        """How often the log had been truncated: offsets mean something else after that."""
        self.error: OSError | None = None

    @property
    def is_to_be_tried_again(self) -> bool:
        """Whether only a file descriptor was missing, which says nothing about the disk."""
        return self.error is not None and self.error.errno in (errno.EMFILE, errno.ENFILE)

    def run(self, done: set[str] | None = None) -> None:
        """fdatasync every file and folder that is not `done`; may run in any thread. What is gone needs no disk."""
        done = set() if done is None else done
        try:
            for path in self.paths:
                if path in done:
                    continue
                done.add(path)
                try:
                    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue
                try:
                    os.fdatasync(fd)
                finally:
                    os.close(fd)
        except OSError as error:
            self.error = error


class FlushJob:
    """One flush of all logs that are due, so that producers that wait together share it (group commit)."""

    __slots__ = ("seconds", "targets")

    def __init__(self, targets: Sequence[FlushTarget]) -> None:
        self.targets = targets
        self.seconds = 0.0
        """How long it took."""

    def run(self) -> None:
        """Force the files to disk; may run in any thread."""
        started_s = time.perf_counter()
        done: set[str] = set()  # new logs share the data root, whose entries are forced to disk once
        self._run(done)
        self.seconds = time.perf_counter() - started_s

    def _run(self, done: set[str]) -> None:
        thread_count = min(THREADS_MAX, len(self.targets) // TARGETS_PER_THREAD)
        if thread_count < 2:
            for target in self.targets:
                target.run(done)
            return
        with ThreadPoolExecutor(thread_count, thread_name_prefix="flush") as threads:
            for _ in threads.map(lambda target: target.run(done), self.targets):
                pass

    def finish(self) -> None:
        """Tell the logs; on the thread that appends."""
        for target in self.targets:
            target.log.flushed(target)
