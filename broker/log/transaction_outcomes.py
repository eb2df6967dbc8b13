"""How the transactions in a log ended, read from their markers, and the entries of `.txnindex` files.

Compaction drops the records of aborted transactions and must not let them replace committed ones. The markers say it
without any index, and a transaction whose marker is not there yet is undecided.
"""

import os
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from broker.log.header_walk import walk_batches
from broker.protocol.record_batch import BatchHeader, iter_records

_ABORT_ENTRY: Final = struct.Struct(">hqqqq")  # version, producer id, first offset, last offset, last stable offset
_ABORT_KEY: Final = b"\0\0\0\0"  # version 0, type 0; a commit has type 1


class Outcome(Enum):
    """How a transaction ended."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    UNDECIDED = "undecided"


class LogFile(NamedTuple):
    """A `.log` file and how much of it counts."""

    name: str
    size: int


class TransactionOutcomes:
    """Asks the markers of these files, which are read at the first question."""

    def __init__(self, folder_fd: int, files: Sequence[LogFile]) -> None:
        self._folder_fd = folder_fd
        self._files = files
        self._markers: dict[int, tuple[list[int], list[bool]]] | None = None

    def of(self, header: BatchHeader) -> Outcome:
        """The outcome of the transaction that this batch of records belongs to."""
        if self._markers is None:
            self._markers = self._read_markers()
        offsets, aborts = self._markers.get(header.producer_id, ([], []))
        at = bisect_right(offsets, header.last_offset)
        if at == len(offsets):
            return Outcome.UNDECIDED
        return Outcome.ABORTED if aborts[at] else Outcome.COMMITTED

    def _read_markers(self) -> dict[int, tuple[list[int], list[bool]]]:
        markers: dict[int, tuple[list[int], list[bool]]] = {}
        for file in self._files:
            fd = os.open(file.name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder_fd)
            end = 0
            try:
                for position, header in walk_batches(fd, 0, file.size, offset_min=0, check_crc=False):
                    end = position + header.size_bytes
                    if not header.is_control:
                        continue
                    batch = os.pread(fd, header.size_bytes, position)
                    key = next((record.key for record in iter_records(batch)), None)
                    offsets, aborts = markers.setdefault(header.producer_id, ([], []))
                    offsets.append(header.base_offset)
                    aborts.append(key == _ABORT_KEY)
            finally:
                os.close(fd)
            if end < file.size:
                break  # damaged: what follows could be taken for the end of a transaction that it does not belong to
        return markers


class AbortedTransaction(NamedTuple):
    """An entry of a `.txnindex`."""

    producer_id: int
    last_offset: int
    """That of its marker."""
    entry: bytes


def read_aborted(content: bytes) -> Iterator[AbortedTransaction]:
    """The entries of a `.txnindex` file."""
    whole = len(content) - len(content) % _ABORT_ENTRY.size
    for at in range(0, whole, _ABORT_ENTRY.size):
        _, producer_id, _, last_offset, _ = _ABORT_ENTRY.unpack_from(content, at)
        yield AbortedTransaction(producer_id, last_offset, content[at : at + _ABORT_ENTRY.size])


def aborted_content(transactions: Iterable[AbortedTransaction]) -> bytes:
    """The content of a `.txnindex` file with these entries."""
    return b"".join(transaction.entry for transaction in transactions)
