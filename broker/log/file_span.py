"""Records that stay in their file until they are sent: an answer of 50 MB to a slow reader must not lie in memory."""

import os
from collections.abc import Callable
from typing import Final

PIECE_BYTES: Final = 256 * 1024


class FileSpan:
    """A range of a segment's file, read piece by piece, once.

    Has a file descriptor to itself, so that the segment may be closed or deleted meanwhile; when the span is no longer
    needed it goes to `on_close`. `len` is what is left to read.
    """

    __slots__ = ("_fd", "_left", "_on_close", "_position")

    def __init__(self, fd: int, position: int, size: int, *, on_close: Callable[[int], None] = os.close) -> None:
        self._fd = fd
        self._position = position
        self._left = size
        self._on_close = on_close

    def __len__(self) -> int:
        return self._left

    def read_piece(self) -> bytes:
        """The next bytes. Raises OSError, also when the file has become shorter than the range."""
        piece = os.pread(self._fd, min(PIECE_BYTES, self._left), self._position)
        if not piece:
            raise OSError("the file ends before the range that was to be sent")
        self._position += len(piece)
        self._left -= len(piece)
        return piece

    def __del__(self) -> None:
        self._on_close(self._fd)
