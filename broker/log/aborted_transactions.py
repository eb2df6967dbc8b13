"""Which transactions were aborted in a partition: what a read_committed consumer must pass over, and `.txnindex` files.

Kafka keeps one file beside each segment, with an entry for every abort marker in it. They are few, so all of them are
in memory; the files are for the next start, and for a real Kafka that opens the folder.
"""

import bisect
import logging
import os
import struct
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

log = logging.getLogger(__name__)

TXN_INDEX_SUFFIX: Final = ".txnindex"
_VERSION: Final = 0
_ENTRY: Final = struct.Struct(">hqqqq")  # version, then the fields of AbortedTransaction
_by_last_offset = attrgetter("last_offset")


class AbortedTransaction(NamedTuple):
    """One producer's aborted transaction in one partition."""

    producer_id: int
    first_offset: int
    last_offset: int
    """Of the abort marker."""
    last_stable_offset: int
    """Where the last stable offset was once it had ended."""


class AbortedTransactions:
    """All aborted transactions of one partition, in the order of their markers."""

    __slots__ = ("_folder", "_transactions", "_unsynced_path")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._transactions: list[AbortedTransaction] = []
        self._unsynced_path: str | None = None

    def __len__(self) -> int:
        return len(self._transactions)

    def load(
        self, ranges: Sequence[tuple[int, int]], *, replayed_from: int, replayed: Iterable[AbortedTransaction]
    ) -> None:
        """Take the entries before `replayed_from` out of the files and the rest from `replayed`; mend the files.

        `ranges` are the segments' (base offset, next offset). A file that cannot be read counts as empty.
        """
        replayed = sorted(replayed, key=_by_last_offset)
        self._transactions = []
        for base_offset, next_offset in ranges:
            path = self._path(base_offset)
            data = _read(path)
            entries = [
                entry
                for entry in _entries(data)
                if base_offset <= entry.last_offset < min(next_offset, replayed_from)
                and entry.first_offset <= entry.last_offset
            ]
            entries += [entry for entry in replayed if base_offset <= entry.last_offset < next_offset]
            wanted = b"".join(_ENTRY.pack(_VERSION, *entry) for entry in entries)
            if wanted != data:
                _write(path, wanted)
            self._transactions += entries

    def add(self, segment_base_offset: int, aborted: AbortedTransaction) -> None:
        """Remember one more; its marker is the last batch of that segment.

        A disk that refuses the entry costs nothing now: the next start finds the marker in the log.
        """
        self._transactions.append(aborted)
        path = self._path(segment_base_offset)
        self._unsynced_path = path
        try:
            with open(path, "ab") as file:
                file.write(_ENTRY.pack(_VERSION, *aborted))
        except OSError as error:
            log.warning("aborted transaction not written to its index path=%s error=%s", path, error)

    def sync(self) -> None:
        """Force the newest file to disk: a producer snapshot that is read instead of the log comes next.

        Raises OSError; then the snapshot must not be written.
        """
        if self._unsynced_path is None:
            return
        fd = os.open(self._unsynced_path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        self._unsynced_path = None

    def overlapping(self, start_offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Those with records in this range; the end is exclusive."""
        first = bisect.bisect_left(self._transactions, start_offset, key=_by_last_offset)
        found = []
        for at in range(first, len(self._transactions)):
            aborted = self._transactions[at]
            if aborted.first_offset < end_offset:
                found.append(aborted)
            if aborted.last_stable_offset >= end_offset:
                break  # whatever ended later had not begun before the range's end
        return found

    def forget_before(self, offset: int) -> None:
        """The log now begins at this offset; the files are gone with their segments."""
        del self._transactions[: bisect.bisect_left(self._transactions, offset, key=_by_last_offset)]

    def _path(self, segment_base_offset: int) -> str:
        return f"{self._folder}/{segment_base_offset:020d}{TXN_INDEX_SUFFIX}"


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        log.warning("index of aborted transactions not read path=%s error=%s", path, error)
        return b""


def _write(path: str, data: bytes) -> None:
    try:
        if not data:
            os.unlink(path)
            return
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        log.warning("index of aborted transactions not written path=%s error=%s", path, error)


def _entries(data: bytes) -> list[AbortedTransaction]:
    """As far as they are whole and of the version we know."""
    whole = len(data) - len(data) % _ENTRY.size
    return [AbortedTransaction(*fields) for version, *fields in _ENTRY.iter_unpack(data[:whole]) if version == _VERSION]
