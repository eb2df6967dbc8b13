"""Kafka's small text files: offset checkpoints, leader epochs, partition.metadata, meta.properties.

A checkpoint is the line `0` (its version), a line with the number of entries, then one entry a line. They are written
to a temporary file that is forced to disk and renamed over the old one, so that a crash leaves either the old or the
new file.
"""

import base64
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

CHECKPOINT_VERSION: Final = 0

TopicPartition = tuple[str, int]


class MalformedCheckpoint(ValueError):
    """A checkpoint's text is not one; the message names the file and the line."""


def write_atomically(path: Path, text: str, *, is_durable: bool = True) -> None:
    """Replace the file's content in one step; with `is_durable` it has also reached the disk on return."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        if is_durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)
    if is_durable:
        sync_directory(path.parent)


class CheckpointWriter:
    """Writes checkpoint files of one folder, on any thread: of two texts the one that was gathered later stays."""

    __slots__ = ("_folder", "_gathered", "_lock", "_written")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._gathered = 0
        self._written: dict[str, int] = {}

    def gather(self, texts: Mapping[str, str]) -> Callable[[], None]:
        """Take the texts, by file name, as of now; the returned function writes them. It raises OSError."""
        self._gathered += 1
        gathered = self._gathered

        def write() -> None:
            with self._lock:
                for name, text in texts.items():
                    if gathered > self._written.get(name, 0):
                        write_atomically(self._folder / name, text)
                        self._written[name] = gathered

        return write


def sync_directory(path: str | Path) -> None:
    """Force the directory's entries, such as a rename, to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_checkpoint_lines(path: Path) -> list[str]:
    """The entry lines of a checkpoint; none when the file is missing or, as Kafka leaves some, empty.

    Raises MalformedCheckpoint.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise MalformedCheckpoint(f"{path}: {error}") from error
    if not lines:
        return []
    if lines[0] != str(CHECKPOINT_VERSION):
        raise MalformedCheckpoint(f"{path}: version {lines[0]!r}, expected '{CHECKPOINT_VERSION}'")
    if len(lines) < 2 or lines[1] != str(len(lines) - 2):
        raise MalformedCheckpoint(f"{path}: the entry count does not match its {len(lines) - 2} entries")
    return lines[2:]


def checkpoint_text(lines: Iterable[str]) -> str:
    """The content of a checkpoint with these entries."""
    entries = list(lines)
    return "\n".join([str(CHECKPOINT_VERSION), str(len(entries)), *entries, ""])


def read_offsets(path: Path) -> dict[TopicPartition, int]:
    """An offset checkpoint of the data root: `topic partition offset` a line. Raises MalformedCheckpoint."""
    offsets: dict[TopicPartition, int] = {}
    for line in read_checkpoint_lines(path):
        try:
            topic, partition, offset = line.split(" ")
            offsets[topic, int(partition)] = int(offset)
        except ValueError:
            raise MalformedCheckpoint(f"{path}: {line!r} is not 'topic partition offset'") from None
    return offsets


def offsets_text(offsets: Mapping[TopicPartition, int]) -> str:
    """The content of an offset checkpoint."""
    return checkpoint_text(f"{topic} {partition} {offset}" for (topic, partition), offset in offsets.items())


def read_leader_epochs(path: Path) -> list[tuple[int, int]]:
    """`leader-epoch-checkpoint`: (epoch, start offset), oldest first. Raises MalformedCheckpoint."""
    epochs: list[tuple[int, int]] = []
    for line in read_checkpoint_lines(path):
        try:
            epoch, start_offset = line.split(" ")
            epochs.append((int(epoch), int(start_offset)))
        except ValueError:
            raise MalformedCheckpoint(f"{path}: {line!r} is not 'epoch start-offset'") from None
    return sorted(epochs)


def leader_epochs_text(epochs: Iterable[tuple[int, int]]) -> str:
    """The content of a `leader-epoch-checkpoint`."""
    return checkpoint_text(f"{epoch} {start_offset}" for epoch, start_offset in epochs)


def encode_uuid(uuid: bytes) -> str:
    """Kafka's text form of 16 bytes: URL-safe base64 without padding, 22 characters."""
    return base64.urlsafe_b64encode(uuid).rstrip(b"=").decode("ascii")


def decode_uuid(text: str) -> bytes:
    """The 16 bytes of Kafka's text form. Raises ValueError."""
    uuid = base64.urlsafe_b64decode(text + "==")
    if len(uuid) != 16:
        raise ValueError(f"{text!r} is not a Kafka uuid")
    return uuid


def read_properties(path: Path) -> dict[str, str] | None:
    """The `key=value` (or `key: value`) lines of a small properties file; None when it does not exist."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    properties: dict[str, str] = {}
    for line in lines:
        separator = min((at for at in (line.find("="), line.find(":")) if at >= 0), default=-1)
        if separator > 0 and not line.lstrip().startswith(("#", "!")):
            properties[line[:separator].strip()] = line[separator + 1 :].strip()
    return properties


def partition_metadata_text(topic_id: bytes) -> str:
    """The content of `partition.metadata`, which ties a folder to a topic's id."""
    return f"version: 0\ntopic_id: {encode_uuid(topic_id)}"
