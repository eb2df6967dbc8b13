"""What there is to export: read from a stopped broker's data folder with the broker's own parts.

The folder is opened as a start would open it: locked, and after a crash recovered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.clock import Clock
from broker.config import broker_config
from broker.groups import OFFSETS_TOPIC, OffsetStore, PartitionOffsetsLog
from broker.log import LogDirectory, PartitionLog
from broker.log.checkpoint_files import read_properties
from broker.log.log_directory import META_FILE
from broker.metadata.dynamic_configs import DynamicConfigs
from broker.metadata.topics import Topic, TopicRegistry
from broker.protocol.primitives import DecodeError
from broker.security.acl import Acl
from broker.security.authorizer import Authorizer
from broker.security.client_quotas import ClientQuotas, Entity
from broker.security.scram_users import ScramUsers
from broker.share.state_log import SHARE_STATE_TOPIC, ShareStateLog
from broker.share.state_records import SavedShare, ShareKey, replay


class ExportError(Exception):
    """Why nothing was exported, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the broker is asked for; None: everything that is not internal."""

    topics: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    groups: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class GroupOffset:
    """How far a group has read a partition."""

    group_id: str
    topic: str
    partition: int
    offset: int
    metadata: str = ""
    """What the client noted beside it."""


@dataclass(frozen=True, slots=True, order=True)
class ShareStart:
    """Up to where a share group is done with a partition; beyond it, what was acknowledged is not kept."""

    group_id: str
    topic: str
    partition: int
    start_offset: int


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that had neither been committed nor aborted when the broker stopped."""

    topic: str
    partition: int
    first_offset: int


@dataclass(frozen=True, slots=True)
class Content:
    """All that is exported; the logs are open as long as the block of `opened` lasts."""

    topics: list[Topic]
    logs: list[PartitionLog]
    """Of these topics, in their order."""
    offsets: list[GroupOffset]
    share_starts: list[ShareStart]
    acls: list[Acl]
    quotas: list[tuple[Entity, Mapping[str, float]]]
    users: list[str]
    broker_configs: dict[str, str]
    """What was set while the broker ran, for it or for all brokers."""

    def open_transactions(self) -> list[OpenTransaction]:
        """What consumers of committed records would wait for forever, because nobody can end it."""
        return [
            OpenTransaction(log.topic, log.partition, producer.transaction_first_offset)
            for log in self.logs
            for producer in log.producer_state.producers().values()
            if producer.transaction_first_offset >= 0
        ]


@contextlib.contextmanager
def opened(data_dir: Path, wanted: Wanted) -> Iterator[Content]:
    """The broker's data, locked meanwhile. Raises ExportError, DataRootError, KafkaError, ValueError, OSError."""
    folder = broker_folder(data_dir)
    node_id = int((read_properties(folder / META_FILE) or {}).get("node.id", "1"))
    config = broker_config({"node.id": str(node_id)})
    logs = LogDirectory.open(folder, node_id=node_id, clock=Clock())
    try:
        configs = DynamicConfigs(folder, config)
        configs.open()
        registry = TopicRegistry(folder, logs, configs.log_config)
        registry.open()
        topics = _chosen(registry, wanted)
        partition_logs = [log for topic in topics for log in registry.partitions(topic.name)]
        _check_whole(partition_logs)
        authorizer, quotas, users = Authorizer(folder), ClientQuotas(folder, window_s=1), ScramUsers(folder)
        for state in (authorizer, quotas, users):
            state.open()
        committed, shares = _committed(registry), _shares(registry)
        _check_groups(wanted, {*committed.group_ids(), *(key.group_id for key in shares)})
        yield Content(
            topics,
            partition_logs,
            _offsets(committed, registry, topics, wanted),
            _share_starts(shares, topics, wanted),
            sorted(authorizer),
            list(quotas),
            sorted(users),
            {**configs.of_cluster(), **configs.of_broker()},
        )
    finally:
        logs.close()


def broker_folder(data_dir: Path) -> Path:
    """The broker's folder in the data folder of `caudal start`, or that folder itself. Raises ExportError."""
    for folder in (data_dir / "kafka", data_dir):
        if (folder / META_FILE).exists():
            return folder
    raise ExportError(
        f"there are no topics in {data_dir}: name the folder that `caudal start` was given with --data-dir"
    )


def _chosen(registry: TopicRegistry, wanted: Wanted) -> list[Topic]:
    unknown = ((wanted.topics or frozenset()) | wanted.excluded) - {topic.name for topic in registry}
    if unknown:
        known = ", ".join(sorted(topic.name for topic in registry if not topic.is_internal)) or "none"
        raise ExportError(f"there is no topic {', '.join(sorted(unknown))}; there are: {known}")
    internal = sorted(topic.name for topic in registry if topic.is_internal and topic.name in (wanted.topics or ()))
    if internal:
        raise ExportError(
            f"{', '.join(internal)} cannot be exported: the other Kafka has its own. Offsets are exported by themselves"
        )
    chosen = [
        topic
        for topic in registry
        if not topic.is_internal
        and (wanted.topics is None or topic.name in wanted.topics)
        and topic.name not in wanted.excluded
    ]
    return sorted(chosen, key=lambda topic: topic.name)


def _check_whole(logs: list[PartitionLog]) -> None:
    """A Kafka that met a damaged range would cut the log there, and lose all that follows."""
    for log in logs:
        for damage in log.quarantines:
            raise ExportError(
                f"offsets {damage.start_offset} to {damage.end_offset - 1} of {log.topic}-{log.partition} are damaged, "
                f"and Kafka would drop all that follows them: leave the topic out with --exclude {log.topic}, and copy "
                "what can be read of it with a consumer"
            )


def _committed(registry: TopicRegistry) -> OffsetStore:
    def existing() -> list[PartitionLog]:
        return registry.partitions(OFFSETS_TOPIC) if OFFSETS_TOPIC in registry else []

    store = OffsetStore(PartitionOffsetsLog(existing=existing, ensure=existing))
    for _ in store.load(lambda _group_id, _value: None, lambda _key, _value: None):
        pass
    return store


def _shares(registry: TopicRegistry) -> dict[ShareKey, SavedShare]:
    def existing() -> list[PartitionLog]:
        return registry.partitions(SHARE_STATE_TOPIC) if SHARE_STATE_TOPIC in registry else []

    shares: dict[ShareKey, SavedShare] = {}
    for record, offset in ShareStateLog(existing=existing, ensure=existing).read():
        with contextlib.suppress(DecodeError):  # the broker passes over it too, with a line in its log
            replay(shares, record, offset)
    return shares


def _check_groups(wanted: Wanted, known: set[str]) -> None:
    unknown = (wanted.groups or frozenset()) - known
    if unknown:
        these = ", ".join(sorted(known)) or "none"
        raise ExportError(f"group {', '.join(sorted(unknown))} has no committed offsets; these have: {these}")


def _offsets(store: OffsetStore, registry: TopicRegistry, topics: list[Topic], wanted: Wanted) -> list[GroupOffset]:
    names = {topic.name for topic in topics}
    return [
        GroupOffset(group_id, topic, partition, committed.offset, committed.metadata)
        for group_id in sorted(store.group_ids())
        if wanted.groups is None or group_id in wanted.groups
        for topic, partitions in sorted(store.of_group(group_id).items())
        if topic in names
        for partition, committed in sorted(partitions.items())
        if partition < registry.named(topic).partition_count
    ]


def _share_starts(shares: Mapping[ShareKey, SavedShare], topics: list[Topic], wanted: Wanted) -> list[ShareStart]:
    by_id = {topic.topic_id: topic for topic in topics}
    return sorted(
        ShareStart(key.group_id, topic.name, key.partition, saved.start_offset)
        for key, saved in shares.items()
        if (wanted.groups is None or key.group_id in wanted.groups)
        and (topic := by_id.get(key.topic_id)) is not None
        and key.partition < topic.partition_count
        and saved.start_offset >= 0
    )
