"""Which topics exist: their ids, partition counts and config overrides, kept in one small file of the data folder.

The file `topics.json` (see state_file.py) is written before a change is answered, and rebuilt from the partition
directories when it is missing or beyond reading.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from broker.errors import (
    InvalidPartitions,
    InvalidTopicException,
    KafkaStorageError,
    TopicAlreadyExists,
    UnknownTopicId,
    UnknownTopicOrPartition,
)
from broker.metadata.state_file import read_state, write_state

if TYPE_CHECKING:
    from broker.log import LogConfig, LogDirectory, PartitionLog

log = logging.getLogger("broker.metadata")

TOPICS_FILE: Final = "topics.json"
TOPIC_NAME_CHARS_MAX: Final = 249
EAGER_PARTITIONS_MAX: Final = 8
"""So many folders of a new topic are made at once, so that a disk that refuses is noticed; the rest when needed."""

INTERNAL_TOPICS: Final = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})

_NAME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Topic(msgspec.Struct, frozen=True):
    """One topic as of now; a change makes a new one."""

    name: str
    topic_id: bytes
    """16 bytes, a random version 4 UUID given at creation and never changed."""
    partition_count: int
    configs: dict[str, str]
    """What was set on the topic itself; everything else is the broker's default."""
    is_internal: bool = False


class _TopicsFile(msgspec.Struct):
    topics: list[Topic]
    deleting: list[tuple[str, int]]
    """Topics whose partition directories may still be there: (name, partition count)."""


def check_topic_name(name: str) -> None:
    """Raise InvalidTopicException unless Kafka allows the name: 1 to 249 of ASCII letters, digits, '.', '_' and '-'."""
    if not name:
        raise InvalidTopicException("Topic name is invalid: the empty string is not allowed")
    if name in (".", ".."):
        raise InvalidTopicException(f"Topic name is invalid: '{name}' is not allowed")
    if len(name) > TOPIC_NAME_CHARS_MAX:
        raise InvalidTopicException(
            f"Topic name is invalid: the length of '{name}' is longer than the max allowed length "
            f"{TOPIC_NAME_CHARS_MAX}"
        )
    if not _NAME_CHARS.issuperset(name):
        raise InvalidTopicException(
            f"Topic name is invalid: '{name}' contains one or more characters other than "
            "ASCII alphanumerics, '.', '_' and '-'"
        )


class TopicRegistry:
    """All topics by name and by id, and the only way to make, change and delete one.

    `log_config` turns a topic's own configs into what its logs obey. `version` rises with every change; `derived` is
    for those who cache what they make of the topics, and is emptied with every change.
    """

    def __init__(self, folder: Path, logs: LogDirectory, log_config: Callable[[Mapping[str, str]], LogConfig]) -> None:
        self.version = 0
        self.derived: dict[Hashable, Any] = {}
        self._path = folder / TOPICS_FILE
        self._logs = logs
        self._log_config = log_config
        self._topics: dict[str, Topic] = {}
        self._by_id: dict[bytes, Topic] = {}
        self._collapsed: dict[str, str] = {}
        self._deleting: list[tuple[str, int]] = []
        self._unfinished: deque[tuple[str, int, int]] = deque()
        """Deleted topics whose logs are still there: (name, next partition to delete, partition count)."""
        self._saves_held = 0

    def open(self) -> None:
        """Read the file, finish what a crash interrupted, and tell every topic's logs their configs.

        A topic that only its directories know is taken up with default configs: a crash came between making them and
        writing the file, or the file was lost.
        """
        known = self._read() or _TopicsFile(topics=[], deleting=[])
        on_disk = set(self._logs.partitions())
        for topic in known.topics:
            self._put(topic)
        for name, partition_count in known.deleting:
            if name not in self._topics:
                self._delete_logs(name, range(partition_count))
                on_disk -= {(name, partition) for partition in range(partition_count)}
        adopted = self._topics_only_on_disk(on_disk)
        for topic in adopted:
            log.warning("topic taken up from its directories topic=%s partitions=%d", topic.name, topic.partition_count)
            self._put(topic)
        for topic in self:
            config = self._log_config(topic.configs)
            self._logs.configure(topic.name, config)
            for partition in range(topic.partition_count):
                if (topic.name, partition) not in on_disk:
                    self._logs.add(topic.name, partition, topic.topic_id, config)
        if adopted or known.deleting or not self._path.exists():
            self._save()

    def __iter__(self) -> Iterator[Topic]:
        return iter(self._topics.values())

    def __len__(self) -> int:
        return len(self._topics)

    def __contains__(self, name: object) -> bool:
        return name in self._topics

    def get(self, name: str) -> Topic | None:
        """The topic of that name."""
        return self._topics.get(name)

    def by_id(self, topic_id: bytes) -> Topic | None:
        """The topic with that id (16 bytes)."""
        return self._by_id.get(topic_id)

    def named(self, name: str) -> Topic:
        """The topic of that name; raises UnknownTopicOrPartition."""
        try:
            return self._topics[name]
        except KeyError:
            raise UnknownTopicOrPartition(f"topic '{name}' does not exist") from None

    def identified(self, topic_id: bytes) -> Topic:
        """The topic with that id (16 bytes); raises UnknownTopicId."""
        try:
            return self._by_id[topic_id]
        except KeyError:
            raise UnknownTopicId(f"no topic has the id {uuid.UUID(bytes=topic_id)}") from None

    def check_new(self, name: str, partition_count: int) -> None:
        """Whether such a topic could be created now.

        Raises InvalidTopicException (also when the name differs from another one only in '.' against '_', which metric
        names cannot tell apart), TopicAlreadyExists or InvalidPartitions.
        """
        check_topic_name(name)
        if name in self._topics:
            raise TopicAlreadyExists(f"Topic '{name}' already exists.")
        other = self._collapsed.get(_collapse(name))
        if other is not None:
            raise InvalidTopicException(f"Topic '{name}' collides with existing topic: {other}")
        if partition_count < 1:
            raise InvalidPartitions("Number of partitions must be larger than 0.")

    def create(
        self, name: str, *, partition_count: int, configs: Mapping[str, str] | None = None, is_internal: bool = False
    ) -> Topic:
        """Make a topic and its empty logs; on return it survives a crash.

        Raises what `check_new` raises, InvalidConfig from `log_config`, and KafkaStorageError when the disk refuses;
        then the topic does not exist.
        """
        self.check_new(name, partition_count)
        topic = Topic(
            name, uuid.uuid4().bytes, partition_count, dict(configs or {}), is_internal or name in INTERNAL_TOPICS
        )
        config = self._log_config(topic.configs)
        if any(deleted == name for deleted, _, _ in self._unfinished):
            for _ in self.finish_deletions():  # the folders have the same names
                pass
        self._change(topic)
        try:
            self._create_logs(topic, range(partition_count), config)
        except (OSError, KafkaStorageError) as error:
            self._remove(topic)
            self._save()
            raise KafkaStorageError(f"topic '{name}' could not be created: {error}") from error
        log.info("topic created topic=%s partitions=%d", name, partition_count)
        return topic

    def delete(self, name: str) -> Topic:
        """Remove a topic with its records; raises UnknownTopicOrPartition."""
        topic = self.begin_deletion(name)
        for _ in self.finish_deletions():
            pass
        return topic

    def begin_deletion(self, name: str) -> Topic:
        """From now on there is no such topic; its logs are still to be deleted. Raises UnknownTopicOrPartition."""
        topic = self.named(name)
        self._remove(topic)
        self._deleting.append((name, topic.partition_count))
        self._save()
        self._unfinished.append((name, 0, topic.partition_count))
        if self._logs.reserve.is_spent:  # on a full disk only this makes the room to write down what is left
            for _ in self.finish_deletions():
                pass
        return topic

    def finish_deletions(self) -> Iterator[None]:
        """Delete the logs of deleted topics, one a step; several may take turns at it.

        A folder that cannot be put aside is tried again at the next start.
        """
        while self._unfinished:
            name, partition, partition_count = self._unfinished[0]
            if partition < partition_count:
                self._unfinished[0] = name, partition + 1, partition_count
                try:
                    self._logs.delete(name, partition)
                except KafkaStorageError as error:
                    log.error("deleted partition stays until the next start: %s", error)
                yield
            else:
                self._unfinished.popleft()
                self._logs.make_room()
                self._deleting.remove((name, partition_count))
                log.info("topic deleted topic=%s partitions=%d", name, partition_count)

    def add_partitions(self, name: str, partition_count: int) -> Topic:
        """Raise a topic's partition count to that number; raises UnknownTopicOrPartition or InvalidPartitions."""
        topic = self.named(name)
        if partition_count <= topic.partition_count:
            raise InvalidPartitions(
                f"The topic {name} currently has {topic.partition_count} partition(s); {partition_count} would not be "
                "an increase."
            )
        grown = msgspec.structs.replace(topic, partition_count=partition_count)
        config = self._log_config(topic.configs)
        self._change(grown)
        try:
            self._create_logs(grown, range(topic.partition_count, partition_count), config)
        except (OSError, KafkaStorageError) as error:
            self._change(topic)
            raise KafkaStorageError(f"topic '{name}' could not grow: {error}") from error
        log.info("partitions added topic=%s partitions=%d", name, partition_count)
        return grown

    def set_configs(self, name: str, configs: Mapping[str, str]) -> Topic:
        """Replace a topic's own configs; its logs obey them at once. Raises UnknownTopicOrPartition, InvalidConfig."""
        topic = self.named(name)
        config = self._log_config(configs)
        changed = msgspec.structs.replace(topic, configs=dict(configs))
        self._change(changed)
        self._logs.configure(name, config)
        log.info("topic configs changed topic=%s configs=%s", name, ",".join(sorted(configs)))
        return changed

    def reconfigure_logs(self) -> None:
        """Have every log obey the broker's defaults anew, after they changed."""
        self._note_change()
        for topic in self:
            self._logs.configure(topic.name, self._log_config(topic.configs))

    def partition(self, name: str, partition: int) -> PartitionLog:
        """The log of one partition; raises UnknownTopicOrPartition."""
        partition_log = self._logs.get(name, partition) if name in self._topics else None
        if partition_log is None:
            raise UnknownTopicOrPartition(f"partition {partition} of topic '{name}' does not exist")
        return partition_log

    def partitions(self, name: str) -> list[PartitionLog]:
        """The logs of a topic's partitions, in order; raises UnknownTopicOrPartition."""
        return [self.partition(name, index) for index in range(self.named(name).partition_count)]

    @contextlib.contextmanager
    def one_save(self) -> Iterator[None]:
        """Write the file once for all changes inside the block: a request may create a thousand topics.

        Raises KafkaStorageError at its end when the file cannot be written.
        """
        self._saves_held += 1
        try:
            yield
        finally:
            self._saves_held -= 1
            try:
                self._save()
            except OSError as error:
                raise KafkaStorageError(f"topics could not be written: {error}") from error

    def _change(self, topic: Topic) -> None:
        """Put a new or changed topic on disk; raises KafkaStorageError, then all is as before."""
        before = self._topics.get(topic.name)
        self._put(topic)
        try:
            self._save()
        except KafkaStorageError:
            self._remove(topic)
            if before is not None:
                self._put(before)
            raise

    def _create_logs(self, topic: Topic, partitions: range, config: LogConfig) -> None:
        """Make the logs of these partitions, or none of them."""
        made: list[int] = []
        try:
            for partition in partitions[:EAGER_PARTITIONS_MAX]:
                self._logs.create(topic.name, partition, topic.topic_id, config)
                made.append(partition)
            for partition in partitions[EAGER_PARTITIONS_MAX:]:
                self._logs.add(topic.name, partition, topic.topic_id, config)
                made.append(partition)
        except BaseException:
            self._delete_logs(topic.name, made)
            raise

    def _put(self, topic: Topic) -> None:
        self._topics[topic.name] = topic
        self._by_id[topic.topic_id] = topic
        self._collapsed[_collapse(topic.name)] = topic.name
        self._note_change()

    def _remove(self, topic: Topic) -> None:
        del self._topics[topic.name]
        del self._by_id[topic.topic_id]
        del self._collapsed[_collapse(topic.name)]
        self._note_change()

    def _note_change(self) -> None:
        self.version += 1
        self.derived.clear()

    def _delete_logs(self, name: str, partitions: range | list[int]) -> None:
        for partition in partitions:
            self._logs.delete(name, partition)

    def _save(self) -> None:
        """Write the file, unless that is put off. Raises KafkaStorageError."""
        if self._saves_held:
            return
        state = _TopicsFile(topics=list(self._topics.values()), deleting=self._deleting)
        try:
            self._logs.reserve.with_room(lambda: write_state(self._path, state))
        except OSError as error:
            raise KafkaStorageError(f"{self._path} could not be written: {error.strerror or error}") from error

    def _read(self) -> _TopicsFile | None:
        try:
            return read_state(self._path, _TopicsFile)
        except ValueError as error:
            log.error("topic configs are lost: %s", error)
            return None

    def _topics_only_on_disk(self, on_disk: set[tuple[str, int]]) -> list[Topic]:
        counts: dict[str, int] = {}
        for name, partition in on_disk:
            if name not in self._topics:
                counts[name] = max(counts.get(name, 0), partition + 1)
        return [
            Topic(name, self._logs.topic_id(name) or uuid.uuid4().bytes, partition_count, {}, name in INTERNAL_TOPICS)
            for name, partition_count in sorted(counts.items())
        ]


def _collapse(name: str) -> str:
    return name.replace(".", "_")
