"""What a recovery in another process is told and answers, and which partitions are worth one: see `recovery_worker`."""

import os
from typing import Final

import msgspec

from broker.log.log_config import LogConfig
from broker.log.segment import LOG_SUFFIX

WORTH_A_PROCESS_BYTES: Final = 4 << 20
"""A partition with less to read is recovered where it is asked for."""


class RecoveryPlan(msgspec.Struct, frozen=True):
    """A partition that a crash left unchecked."""

    topic: str
    partition: int
    folder: str
    folder_inode: int
    config: LogConfig
    recovery_point: int
    log_start_offset: int


class Recovered(msgspec.Struct, frozen=True, tag="recovered"):
    """All is checked and on disk; indexes and the producers' state are written."""

    end_offset: int
    torn_bytes: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The folder is as it was, or a little further."""

    reason: str


Answer = Recovered | Failed


def unchecked_bytes(folder: str, recovery_point: int) -> int:
    """About how much of the folder's log has to be read after a crash. Raises OSError."""
    sizes: dict[int, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(LOG_SUFFIX) and entry.name[:20].isdigit():
                sizes[int(entry.name[:20])] = entry.stat().st_size
    first = max((offset for offset in sizes if offset <= recovery_point), default=0)
    return sum(size for offset, size in sizes.items() if offset >= first)
