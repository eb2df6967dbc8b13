"""Records that stay in their file until they are sent: an answer of 50 MB to a slow reader must not lie in memory."""

import os
from collections.abc import Callable
from typing import Final

from broker.log.read_check import BatchDamaged, StreamCheck

PIECE_BYTES: Final = 256 * 1024


class FileSpan:
    """A range of a segment's file, read piece by piece, once.

    Has a file descriptor to itself, so that the segment may be closed or deleted meanwhile; when the span is no longer
    needed it goes to `on_close`. `len` is what is left to read. With a `check` no batch is given away whose checksum is
    wrong: when one is found `on_damage` is called, and the answer can only be cut short.
    """

    __slots__ = ("_check", "_fd", "_left", "_on_close", "_position", "on_damage")

    def __init__(
        self,
        fd: int,
        position: int,
        size: int,
        *,
        on_close: Callable[[int], None] = os.close,
        check: StreamCheck | None = None,
    ) -> None:
        self._fd = fd
        self._position = position
        self._left = size
        self._on_close = on_close
        self._check = check
        self.on_damage: Callable[[BatchDamaged], None] | None = None

    def __len__(self) -> int:
        return self._left

    def read_piece(self) -> bytes:
        """The next bytes. Raises OSError, also when they are damaged or the file has become shorter than the range."""
        piece = os.pread(self._fd, min(PIECE_BYTES, self._left), self._position)
        if not piece:
            raise OSError("the file ends before the range that was to be sent")
        if self._check is not None:
            try:
                self._check.feed(piece)
            except BatchDamaged as damage:
                if self.on_damage is not None:
                    self.on_damage(damage)
                raise OSError(f"damage was met in what is sent: {damage}") from damage
        self._position += len(piece)
        self._left -= len(piece)
        return piece

    def __del__(self) -> None:
        self._on_close(self._fd)
