"""DeleteRecords without a disk to wait for on the event loop: decided and accounted for there, written in a thread.

deletion = RecordDeletion(logs)
move = deletion.add(partition_log, before_offset)   # checked; changes nothing yet
job = deletion.start_flush()                        # if there is one: run it in a thread, finish it on the loop
write = deletion.move()                             # the logs begin there now
await asyncio.to_thread(write)                      # or, when that raises: deletion.take_back(error)

All partitions of a request share one flush and one write of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from broker.errors import KafkaError, KafkaStorageError
from broker.log.flush import FlushJob

if TYPE_CHECKING:
    from broker.log.log_directory import LogDirectory
    from broker.log.partition_log import PartitionLog


class MovedStart:
    """One log that is to begin later. `error` says why it does not."""

    __slots__ = ("before_offset", "earlier_offset", "error", "log")

    def __init__(self, log: PartitionLog, before_offset: int) -> None:
        self.log = log
        self.before_offset = before_offset
        self.earlier_offset: int | None = None
        """Where the log began before it was moved; None while it was not."""
        self.error: KafkaError | None = None


class RecordDeletion:
    """What one request deletes."""

    def __init__(self, logs: LogDirectory) -> None:
        self._logs = logs
        self._moves: list[MovedStart] = []

    def add(self, log: PartitionLog, before_offset: int) -> MovedStart:
        """Have a log begin at an offset (-1: its high watermark). Raises OffsetOutOfRange beyond that."""
        move = MovedStart(log, log.end_of_deletion(before_offset))
        if move.before_offset > log.log_start_offset:
            self._moves.append(move)
        return move

    @property
    def is_needed(self) -> bool:
        """Whether any log is to begin later than it does."""
        return bool(self._moves)

    def start_flush(self) -> FlushJob | None:
        """Forces the records to disk behind which the logs are to begin; None if they are there.

        After a loss of power a log start offset beyond the log end could not be told from a damaged checkpoint.
        """
        targets = [
            move.log.flush_target(whole=True) for move in self._moves if move.before_offset > move.log.recovery_point
        ]
        return FlushJob(targets) if targets else None

    def move(self) -> Callable[[], None]:
        """Let the logs begin there; the returned function writes it down and may run in any thread. Raises OSError."""
        for move in self._moves:
            log = move.log
            try:
                log.end_of_deletion(move.before_offset)  # it may have been truncated meanwhile
                if move.before_offset > log.recovery_point:
                    raise KafkaStorageError(f"cannot flush {log.folder}")
            except KafkaError as error:
                move.error = error
                continue
            if move.before_offset > log.log_start_offset:
                move.earlier_offset, log.log_start_offset = log.log_start_offset, move.before_offset
        return self._logs.start_log_starts()

    def take_back(self, refusal: OSError) -> None:
        """The disk did not take it: the logs begin where they did, and say so."""
        for move in reversed(self._moves):
            if move.earlier_offset is not None and move.log.log_start_offset == move.before_offset:
                move.log.log_start_offset = move.earlier_offset
            if move.error is None:
                reason = refusal.strerror or refusal
                move.error = KafkaStorageError(f"cannot write the log start offset: {reason}")
