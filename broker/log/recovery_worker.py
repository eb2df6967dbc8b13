"""Recovery of large partitions in a process of its own: `python -m broker.log.recovery_worker`, see `broker.recoverer`.

Walking a gigabyte takes seconds, which the event loop does not have, and a thread would take turns with it. Reads one
RecoveryPlan a line, as JSON, does in the partition's folder what opening it after a crash does, leaves the folder as a
clean stop would, and answers with a line: `recovered` or `failed`. It ends when its input does.
"""

import logging
import os
import queue
import signal
import sys
import threading
import time
from typing import Final

import msgspec

from broker.errors import KafkaError
from broker.log.loading import load_log
from broker.log.open_files import OpenFiles
from broker.log.producer_state import snapshot_path
from broker.log.recovery_plan import Answer, Failed, Recovered, RecoveryPlan

_OPEN_FILES_MAX: Final = 64


def recover(plan: RecoveryPlan) -> Recovered:
    """Check the log and leave it as a clean stop would; changes the working folder. Raises OSError, KafkaError."""
    _name_in_log_lines(plan.folder)
    os.chdir(plan.folder)  # who deletes the partition meanwhile renames it, and may make another of its name
    if os.stat(".").st_ino != plan.folder_inode:
        raise FileNotFoundError(f"{plan.folder} is another folder now")
    loaded = load_log(
        ".",
        OpenFiles(_OPEN_FILES_MAX),
        plan.config,
        is_clean=False,
        recovery_point=plan.recovery_point,
        log_start_offset=plan.log_start_offset,
        now_ms=time.time_ns() // 1_000_000,
    )
    for segment in loaded.segments:
        if segment.next_offset > plan.recovery_point:
            os.fdatasync(segment.open())
        segment.close()
    end_offset = loaded.segments[-1].next_offset
    snapshot_path(".", end_offset).write_bytes(loaded.producer_state.to_snapshot())
    return Recovered(end_offset, loaded.torn_bytes)


def _name_in_log_lines(folder: str) -> None:
    """Paths in messages are relative to the folder: say which."""
    form = f"%(asctime)s %(levelname)s %(name)s in {folder.replace('%', '%%')}: %(message)s"
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=form, force=True)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the broker, which then closes our input
    plans: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_plans, args=(plans,), daemon=True).start()
    encoder = msgspec.json.Encoder()
    while True:
        answer: Answer
        try:
            answer = recover(msgspec.json.decode(plans.get(), type=RecoveryPlan))
        except (OSError, KafkaError) as error:
            answer = Failed(str(error))
        sys.stdout.buffer.write(encoder.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _read_plans(plans: "queue.SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        plans.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
