"""Where batches lie in one segment: Kafka's sparse `.index`, and in memory a little more.

The file has 8 bytes per entry: int32 offset of the batch's last record, relative to the segment's base offset, and
int32 position of the batch in the `.log` file; one entry about every `index.interval.bytes`. In memory we search by a
batch's *base* offset, so that a read that starts at a batch finds exactly it, and keep every batch since the last entry
(the dense tail), so that a consumer at the end of the log never walks. Entries that came from a file know only the last
offset; `Segment` checks each against the batch before it is first used, and so learns the base offset.
"""

import struct
import sys
from array import array
from bisect import bisect_right
from typing import Final

ENTRY_BYTES: Final = 8
_ENTRY: Final = struct.Struct(">ii")


class OffsetIndex:
    """Sparse entries, then the dense tail, in two parallel arrays sorted by offset."""

    __slots__ = (
        "_base_offset",
        "_is_unchecked",
        "_offsets",
        "_pending",
        "_persisted_count",
        "_positions",
        "entry_count",
        "is_dirty",
    )

    def __init__(self, base_offset: int) -> None:
        self._base_offset = base_offset
        self._offsets = array("i")  # relative to the base offset
        self._positions = array("I")
        self._is_unchecked = bytearray()  # one per entry that came from the file
        self._pending = bytearray()
        self.entry_count = 0
        """Sparse entries: what the file has or will have."""
        self.is_dirty = False
        """Whether the file has other entries than these."""
        self._persisted_count = 0

    @property
    def loaded_count(self) -> int:
        """How many of the entries came from the file, so that they may have to be checked before use."""
        return len(self._is_unchecked)

    @property
    def memory_bytes(self) -> int:
        """About what the entries take in memory."""
        return 9 * len(self._offsets)

    def note(self, base_offset: int, position: int) -> None:
        """Remember a batch that gets no entry, until the next entry makes it dispensable."""
        self._offsets.append(base_offset - self._base_offset)
        self._positions.append(position)

    def add(self, base_offset: int, last_offset: int, position: int) -> None:
        """Add the entry of a batch and drop the dense tail before it."""
        count = self.entry_count
        del self._offsets[count:], self._positions[count:]
        self._offsets.append(base_offset - self._base_offset)
        self._positions.append(position)
        self._pending += _ENTRY.pack(last_offset - self._base_offset, position)
        self.entry_count = count + 1
        self.is_dirty = True

    def find(self, offset: int) -> int:
        """Position of a batch at or before the one that holds `offset`; only exact if nothing is unchecked."""
        at = bisect_right(self._offsets, offset - self._base_offset) - 1
        return self._positions[at] if at >= 0 else 0

    def floor(self, offset: int) -> int:
        """Place of the last entry at or before `offset`; -1 if there is none."""
        return bisect_right(self._offsets, offset - self._base_offset) - 1

    def entry(self, at: int) -> tuple[int, int]:
        """(offset, position) at this place; the offset is the batch's last one while the entry is unchecked."""
        return self._base_offset + self._offsets[at], self._positions[at]

    def is_unchecked(self, at: int) -> bool:
        """Whether the entry came from the file and its batch has not been looked at yet."""
        return at < len(self._is_unchecked) and bool(self._is_unchecked[at])

    def set_checked(self, at: int, base_offset: int) -> None:
        """The entry's batch is where it should be, and this is its base offset."""
        self._is_unchecked[at] = 0
        self._offsets[at] = base_offset - self._base_offset

    def truncate(self, entry_count: int) -> None:
        """Keep the first entries; the file follows with the next `take_pending`."""
        self.is_dirty |= entry_count < self.entry_count
        del self._offsets[entry_count:], self._positions[entry_count:], self._is_unchecked[entry_count:]
        if entry_count < self._persisted_count:
            self._pending.clear()
            self._persisted_count = entry_count
        else:
            del self._pending[(entry_count - self._persisted_count) * ENTRY_BYTES :]
        self.entry_count = entry_count

    def take_pending(self) -> tuple[int, bytes]:
        """(position in the file, bytes to write there); the file ends after them."""
        at = self._persisted_count * ENTRY_BYTES
        pending = bytes(self._pending)
        self._pending.clear()
        self._persisted_count = self.entry_count
        self.is_dirty = False
        return at, pending

    def load(self, data: bytes, log_bytes: int) -> bool:
        """Take the content of the file; False, and nothing taken, if it cannot be the index of such a log.

        Only the ends are looked at: every entry is checked before it is used, and whatever a search in entries out of
        order finds is at or before what it looked for. Kafka preallocates the file of an active segment and leaves
        zeros behind when it crashes: they end the entries.
        """
        if len(data) % ENTRY_BYTES:
            return False
        values = array("i")
        values.frombytes(data)
        if sys.byteorder == "little":
            values.byteswap()
        relative_offsets, positions = values[0::2], values[1::2]
        while positions and positions[-1] == 0:
            positions.pop()
            relative_offsets.pop()
        if positions and not (
            0 <= relative_offsets[0] <= relative_offsets[-1] and 0 < positions[0] <= positions[-1] < log_bytes
        ):
            return False
        self._offsets = relative_offsets
        self._positions = array("I", positions.tobytes())
        self._is_unchecked = bytearray(b"\x01") * len(positions)
        self._pending.clear()
        self.entry_count = self._persisted_count = len(positions)
        self.is_dirty = len(data) != len(positions) * ENTRY_BYTES
        return True
