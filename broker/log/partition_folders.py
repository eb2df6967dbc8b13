"""The folders of partitions that nobody has used yet: known from their creation on, made when there is time.

Making a folder takes four files, so a request for thousands of partitions only notes them. A folder is made when its
partition is first asked for, and the others little by little (`make_each`); a crash before that loses nothing, because
which partitions there are is kept with the topics (`broker.metadata.topics`), not told by their folders.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from broker.errors import KafkaStorageError
from broker.log.checkpoint_files import TopicPartition, leader_epochs_text, partition_metadata_text

PARTITION_METADATA_FILE: Final = "partition.metadata"
LEADER_EPOCH_FILE: Final = "leader-epoch-checkpoint"

_FIRST_EPOCH: Final = leader_epochs_text([(0, 0)]).encode()


class PartitionFolders:
    """Which partitions of a data root still have no folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._wanted: dict[TopicPartition, bytes] = {}
        """Topic ids of the partitions without a folder."""
        self._unsynced: set[TopicPartition] = set()
        """Partitions whose folder's name may not be on disk."""

    def path(self, topic: str, partition: int) -> str:
        """The partition's folder, made or not."""
        return f"{self._root}/{topic}-{partition}"

    def want(self, topic: str, partition: int, topic_id: bytes) -> None:
        """The partition is new: it needs a folder some time."""
        self._wanted[topic, partition] = topic_id

    def is_wanted(self, key: TopicPartition) -> bool:
        """Whether the partition has no folder yet, and so no records."""
        return key in self._wanted

    def forget(self, key: TopicPartition) -> bool:
        """The partition is deleted; True if it never had a folder."""
        self._unsynced.discard(key)
        return self._wanted.pop(key, None) is not None

    def make(self, key: TopicPartition) -> None:
        """Make the partition's folder unless it is there. Raises KafkaStorageError, and all is as before."""
        topic_id = self._wanted.get(key)
        if topic_id is None:
            return
        folder = self.path(*key)
        try:
            make_folder(folder, topic_id)
        except FileExistsError as error:
            raise KafkaStorageError(f"cannot create {folder}: there is one already") from error
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise KafkaStorageError(f"cannot create {folder}: {error.strerror or error}") from error
        del self._wanted[key]
        self._unsynced.add(key)

    def make_each(self) -> Iterator[TopicPartition]:
        """Make the folders that are missing, one a step, the oldest wish first. Raises KafkaStorageError."""
        while self._wanted:
            key = next(iter(self._wanted))
            self.make(key)
            yield key

    def take_unsynced(self, key: TopicPartition) -> bool:
        """Whether the first flush of the partition must also force the name of its folder to disk; asked once."""
        if key not in self._unsynced:
            return False
        self._unsynced.discard(key)
        return True


def make_folder(folder: str, topic_id: bytes) -> None:
    """The folder of a new, empty partition with the files that tell Kafka whose it is. Raises OSError."""
    os.mkdir(folder)
    _write(f"{folder}/{PARTITION_METADATA_FILE}", partition_metadata_text(topic_id).encode())
    _write(f"{folder}/{LEADER_EPOCH_FILE}", _FIRST_EPOCH)


def _write(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        written = os.write(fd, content)
    finally:
        os.close(fd)
    if written < len(content):
        raise OSError(f"{path} could not be written: the disk is full")
