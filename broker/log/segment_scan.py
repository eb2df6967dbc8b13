"""The scan of a large closed segment that turned out damaged, in a thread, while everybody is served.

A closed file never changes, so it is counted as a segment of its own, with descriptors of its own; its log takes over
what was found when it is done, on the thread that appends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from broker.log.open_files import OpenFiles
from broker.log.recovery import count_batches
from broker.log.segment import Segment

SCANNED_AT_ONCE_BYTES: Final = 4 << 20
"""Up to this size a scan takes less time than to explain to a client why it has to wait: 10 ms and less."""


class SegmentScan:
    """One scan: `run` it in any thread, then `finish` it where the log is appended to."""

    def __init__(
        self,
        folder: str,
        segment: Segment,
        *,
        index_interval_bytes: int,
        when_finished: Callable[[SegmentScan], None],
    ) -> None:
        self.segment = segment
        self.counted = Segment(folder, segment.base_offset, OpenFiles(open_max=1), created_ms=segment.created_ms)
        """The same file, as `run` has counted it."""
        self.error: OSError | None = None
        self._file_bytes, self._end_offset = segment.size, segment.next_offset
        self._index_interval_bytes = index_interval_bytes
        self._when_finished = when_finished

    def run(self) -> None:
        """Walk the file from its start."""
        self.counted.start_over()
        try:
            found = count_batches(
                self.counted,
                file_bytes=self._file_bytes,
                end_offset=self._end_offset,
                index_interval_bytes=self._index_interval_bytes,
            )
            self.counted.quarantines = tuple(found.quarantines)
        except OSError as error:
            self.error = error
        finally:
            self.counted.let_go()

    def finish(self) -> None:
        """Let the log have what was found."""
        self._when_finished(self)
