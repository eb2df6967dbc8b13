"""Compaction in a process of its own: `python -m broker.log.compaction_worker`, started by `broker.cleaner`.

Reads one CompactionPlan a line, as JSON, and answers with lines too: `replaced` for each group of segments, and at the
end `compacted` or `failed`. It ends when its input does, even in the middle of a run, so that it never outlives the
broker. It is polite: a lower priority, so that it works mostly with what the broker and its clients leave.
"""

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from broker.errors import KafkaError
from broker.log.compaction import Compacted, CompactionPlan, DamagedSegment, ReplacedSegments, compact

NICENESS: Final = 5


class WorkerPlan(msgspec.Struct):
    """A plan, and how fast it may be carried out."""

    plan: CompactionPlan
    bytes_per_second_max: float


class Failed(msgspec.Struct, tag="failed"):
    """A run came to nothing from some group on; what was answered before stands."""

    reason: str
    damaged_segment: int | None = None
    """Base offset of the segment whose damage was the reason."""


Answer = ReplacedSegments | Compacted | Failed


class Pace:
    """Waits as long as it takes not to be faster than so many bytes a second."""

    def __init__(self, bytes_per_second_max: float) -> None:
        self._bytes_per_second_max = bytes_per_second_max
        self._began = time.monotonic()
        self._bytes = 0

    def __call__(self, byte_count: int) -> None:
        self._bytes += byte_count
        ahead = self._bytes / self._bytes_per_second_max - (time.monotonic() - self._began)
        if ahead > 0:
            time.sleep(ahead)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the broker, which then closes our input
    os.nice(NICENESS)
    plans: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_plans, args=(plans,), daemon=True).start()
    encoder = msgspec.json.Encoder()
    while True:
        for answer in _answers(msgspec.json.decode(plans.get(), type=WorkerPlan)):
            sys.stdout.buffer.write(encoder.encode(answer) + b"\n")
            sys.stdout.buffer.flush()


def _read_plans(plans: "queue.SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        plans.put(line)
    os._exit(0)


def _answers(work: WorkerPlan) -> Iterator[Answer]:
    try:
        yield from compact(work.plan, Pace(work.bytes_per_second_max))
    except DamagedSegment as damage:
        yield Failed(str(damage), damaged_segment=damage.base_offset)
    except (OSError, KafkaError) as error:
        yield Failed(str(error))


if __name__ == "__main__":
    main()
