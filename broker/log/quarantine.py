"""Damaged ranges in the middle of a log: kept, reported, never served.

Apache Kafka cuts a log at the first damaged byte and silently loses all that follows. We leave the bytes where they are
and remember the range: a read of these offsets fails with CORRUPT_MESSAGE, everything before and behind stays readable.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from broker.log.checkpoint_files import (
    MalformedCheckpoint,
    checkpoint_text,
    read_checkpoint_lines,
    write_atomically,
)

log = logging.getLogger(__name__)

# Differs from Kafka: a file of ours in the partition's folder, because Kafka has no notion of a range that it must
# skip. Kafka ignores files that it does not know.
QUARANTINE_FILE: Final = "quarantine-checkpoint"


class Quarantine(NamedTuple):
    """A range of a segment that holds no readable batch; both ends are exclusive."""

    segment_base_offset: int
    start_offset: int
    end_offset: int
    start_position: int
    end_position: int


def read_quarantines(folder: str) -> list[Quarantine]:
    """The damaged ranges that were found in this partition so far."""
    path = Path(folder, QUARANTINE_FILE)
    try:
        return [Quarantine(*map(int, line.split(" "))) for line in read_checkpoint_lines(path)]
    except (MalformedCheckpoint, ValueError, TypeError) as error:
        # The ranges are found again when a read meets them.
        log.error("quarantine file unreadable path=%s error=%s", path, error)
        return []


def write_quarantines(folder: str, quarantines: Iterable[Quarantine]) -> None:
    """Remember the damaged ranges; the file goes when there are none."""
    path = Path(folder, QUARANTINE_FILE)
    lines = [" ".join(map(str, quarantine)) for quarantine in quarantines]
    if lines:
        write_atomically(path, checkpoint_text(lines))
    else:
        path.unlink(missing_ok=True)
