"""Producer ids for idempotent producers: given out once, never again, not even after a crash.

Ids are reserved on disk in blocks before the first id of a block is given out, as Apache Kafka does.
"""

from pathlib import Path
from typing import Final

import msgspec

from broker.errors import KafkaStorageError
from broker.metadata.state_file import read_state, write_state

PRODUCER_IDS_FILE: Final = "producer-ids.json"
BLOCK_IDS: Final = 1_000


class _ProducerIdsFile(msgspec.Struct):
    next_block_start: int


class ProducerIds:
    """Hands out producer ids, rising from 0."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PRODUCER_IDS_FILE
        self._next_id = 0
        self._block_end = 0

    def open(self) -> None:
        """Continue behind every id that an earlier run may have given. Raises ValueError when the file is damaged."""
        state = read_state(self._path, _ProducerIdsFile)
        if state is not None:
            self._next_id = self._block_end = state.next_block_start

    def next(self) -> int:
        """An id that no producer has had. Raises KafkaStorageError when a new block cannot be written down."""
        if self._next_id == self._block_end:
            block_end = self._next_id + BLOCK_IDS
            try:
                write_state(self._path, _ProducerIdsFile(next_block_start=block_end))
            except OSError as error:
                raise KafkaStorageError(f"no producer id can be reserved: {error}") from error
            self._block_end = block_end
        producer_id = self._next_id
        self._next_id += 1
        return producer_id
