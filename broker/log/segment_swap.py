"""Put a rewritten segment in the place of old ones, so that a crash at any moment leaves the old or the new.

1. `<base>.log.cleaned`, `.index.cleaned`, `.timeindex.cleaned` (and `.txnindex.cleaned`) are written and forced to
   disk, and `<base>.swap-end`, which says where the offsets end that the new segment stands for.
2. They are renamed to `.swap`, the log last: from then on the new segment counts.
3. The old segments' files are renamed to `.deleted`.
4. The `.swap` files lose their suffix, the log last again.

A start that finds `<base>.log.swap` does what is left of 3 and 4; anything else that is unfinished it removes.
Suffixes and order are those of Kafka, whose own start would finish such a swap too.
"""

import logging
import os
import re
from collections.abc import Iterator
from typing import Final

from broker.log.checkpoint_files import sync_directory
from broker.log.header_walk import walk_batches
from broker.log.segment import INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX

log = logging.getLogger(__name__)

CLEANED_SUFFIX: Final = ".cleaned"
SWAP_SUFFIX: Final = ".swap"
# Differs from Kafka: a file of ours says where a swapped segment ends, because its last records may be gone and a start
# must not bring back an old segment that held only such records.
SWAP_END_SUFFIX: Final = ".swap-end"

INDEXES_THEN_LOG: Final = (INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, LOG_SUFFIX)

_NUMBERED: Final = re.compile(r"(\d{20})(\.log|\.index|\.timeindex|\.txnindex)(\.swap)?")


def stem(base_offset: int) -> str:
    """What the names of all files of the segment at this offset begin with."""
    return f"{base_offset:020d}"


def complete_swap(folder: str, base_offset: int) -> None:
    """Step 4: the `.swap` files become the segment. Raises OSError."""
    path = f"{folder}/{stem(base_offset)}"
    for suffix in INDEXES_THEN_LOG:
        try:
            os.rename(path + suffix + SWAP_SUFFIX, path + suffix)
        except FileNotFoundError:
            if suffix == LOG_SUFFIX:
                raise
    os.unlink(path + SWAP_END_SUFFIX)


def discard_swaps(folder: str) -> None:
    """Undo step 2 for all swaps in the folder: the old segments stay. Raises OSError."""
    names = [name for name in os.listdir(folder) if name.endswith((CLEANED_SUFFIX, SWAP_SUFFIX, SWAP_END_SUFFIX))]
    for name in sorted(names, key=lambda name: not name.endswith(LOG_SUFFIX + SWAP_SUFFIX)):
        _unlink(f"{folder}/{name}")


def recover_swaps(folder: str) -> None:
    """Finish or undo what a crash left of swaps; any number of times. Raises OSError."""
    names = set(os.listdir(folder))
    for name in sorted(names):
        if name.endswith(LOG_SUFFIX + SWAP_SUFFIX):
            _finish(folder, int(name[:20]))
    for name in names:
        if name.endswith((SWAP_SUFFIX, SWAP_END_SUFFIX)):
            _unlink(f"{folder}/{name}")
    sync_directory(folder)


def _finish(folder: str, base_offset: int) -> None:
    end_offset = _end_of(folder, base_offset)
    names = set(os.listdir(folder))
    for offset, name in _numbered(names):
        is_replaced = offset != base_offset or name + SWAP_SUFFIX in names  # else it was a .swap until just now
        if base_offset <= offset < end_offset and is_replaced:
            os.unlink(f"{folder}/{name}")
    sync_directory(folder)
    complete_swap(folder, base_offset)
    log.info("compaction finished after a crash folder=%s base_offset=%d", folder, base_offset)


def _numbered(names: set[str]) -> Iterator[tuple[int, str]]:
    """The files in use of all segments, the logs first: an index without a log is no harm."""
    for name in sorted(names, key=lambda name: not name.endswith(LOG_SUFFIX)):
        match = _NUMBERED.fullmatch(name)
        if match is not None and match[3] is None:
            yield int(match[1]), name


def _end_of(folder: str, base_offset: int) -> int:
    path = f"{folder}/{stem(base_offset)}"
    try:
        with open(path + SWAP_END_SUFFIX, encoding="ascii") as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):  # a swap that Kafka began: it ends with its last batch
        end_offset = base_offset + 1
        fd = os.open(path + LOG_SUFFIX + SWAP_SUFFIX, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for _, header in walk_batches(fd, 0, os.fstat(fd).st_size, offset_min=base_offset, check_crc=False):
                end_offset = header.last_offset + 1
        finally:
            os.close(fd)
        return end_offset


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
