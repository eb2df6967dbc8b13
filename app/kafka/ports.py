"""What the rest of the application may ask of a Kafka cluster.

Three Protocols: ClusterAdmin (questions and changes), Producer (records in), GroupConsumer (records out). The adapters
stand in admin.py, producer.py and group_consumer.py; every value that crosses the line is frozen, in the field's own
terms.

Errors: a broker's refusal is raised as its broker.errors.KafkaError class; a cluster that cannot be reached raises
ClusterUnreachable. Nothing else leaves an adapter.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

import msgspec

from app.kafka.acls import AclAdmin, AclOperation

EARLIEST = -2
LATEST = -1
MAX_TIMESTAMP = -3


class ClusterUnreachable(Exception):
    """No broker of the cluster answered in time; the message names the addresses that were tried."""


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class BrokerNode:
    broker_id: int
    host: str
    port: int
    rack: str | None = None


@dataclass(frozen=True, slots=True)
class PartitionInfo:
    """One partition as Metadata tells it. leader_id is -1 when there is no leader."""

    partition: int
    leader_id: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    offline_replicas: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicInfo:
    name: str
    topic_id: bytes
    is_internal: bool
    partitions: tuple[PartitionInfo, ...]

    @property
    def replication_factor(self) -> int:
        return len(self.partitions[0].replicas) if self.partitions else 0


@dataclass(frozen=True, slots=True)
class ClusterMetadata:
    """Metadata of all topics: who is there and who leads what. controller_id is what Metadata says (see QuorumInfo)."""

    cluster_id: str
    controller_id: int
    brokers: tuple[BrokerNode, ...]
    topics: Mapping[str, TopicInfo]


@dataclass(frozen=True, slots=True)
class QuorumReplica:
    node_id: int
    log_end_offset: int
    last_caught_up_ms: int


@dataclass(frozen=True, slots=True)
class QuorumInfo:
    """The KRaft quorum of `__cluster_metadata`: the only honest source of the active controller."""

    leader_id: int
    leader_epoch: int
    voters: tuple[QuorumReplica, ...]
    observers: tuple[QuorumReplica, ...]


class ConfigSource(IntEnum):
    """DescribeConfigs v1+ config_source."""

    UNKNOWN = 0
    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    DYNAMIC_BROKER_LOGGER_CONFIG = 6


class ResourceType(IntEnum):
    """DescribeConfigs resource types."""

    TOPIC = 2
    BROKER = 4


@dataclass(frozen=True, slots=True, order=True)
class ConfigResource:
    """name: the topic, a broker id in decimal, or '' for the cluster-wide broker default."""

    resource_type: ResourceType
    name: str


@dataclass(frozen=True, slots=True)
class ConfigSynonym:
    name: str
    value: str | None
    source: ConfigSource


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """One config with where its value comes from. value is None when it is sensitive or unset."""

    name: str
    value: str | None
    source: ConfigSource
    is_read_only: bool
    is_sensitive: bool
    config_type: int = 0
    documentation: str | None = None
    synonyms: tuple[ConfigSynonym, ...] = ()

    @property
    def is_default(self) -> bool:
        return self.source is ConfigSource.DEFAULT_CONFIG


class AlterOperation(IntEnum):
    """IncrementalAlterConfigs operations."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@dataclass(frozen=True, slots=True)
class ConfigChange:
    name: str
    value: str | None = None
    operation: AlterOperation = AlterOperation.SET


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to create. partition_count and replication_factor None mean the broker's defaults.

    replica_assignments (partition -> broker ids) wins over both counts.
    """

    name: str
    partition_count: int | None = None
    replication_factor: int | None = None
    configs: Mapping[str, str] = field(default_factory=dict)
    replica_assignments: Mapping[int, tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    """What the broker made of a NewTopic; counts are -1 where it did not say."""

    name: str
    topic_id: bytes
    partition_count: int
    replication_factor: int


@dataclass(frozen=True, slots=True)
class FoundOffset:
    """ListOffsets of one partition. offset -1: nothing matched. error_code 0 when answered."""

    offset: int
    timestamp_ms: int = -1
    error_code: int = 0


class GroupState(StrEnum):
    """Kafka's own spelling of consumer group states."""

    UNKNOWN = "Unknown"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"
    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"


class GroupType(StrEnum):
    UNKNOWN = "unknown"
    CLASSIC = "classic"
    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"


@dataclass(frozen=True, slots=True)
class GroupListing:
    group_id: str
    protocol_type: str
    state: GroupState
    group_type: GroupType


@dataclass(frozen=True, slots=True)
class GroupMember:
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    assignment: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class GroupDescription:
    group_id: str
    group_type: GroupType
    protocol_type: str
    state: GroupState
    assignor: str
    coordinator_id: int
    members: tuple[GroupMember, ...]

    @property
    def is_simple(self) -> bool:
        """True for a group that only commits offsets and never joined (an empty protocol type)."""
        return self.protocol_type == ""


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    offset: int
    leader_epoch: int = -1
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class ReplicaSize:
    topic: str
    partition: int
    size_bytes: int
    offset_lag: int
    is_future: bool


@dataclass(frozen=True, slots=True)
class LogDirInfo:
    """One log directory of one broker; total and usable bytes are -1 where the broker is too old to tell (KIP-827)."""

    broker_id: int
    path: str
    error_code: int
    total_bytes: int
    usable_bytes: int
    replicas: tuple[ReplicaSize, ...]


@dataclass(frozen=True, slots=True)
class Reassignment:
    """A partition on its way to other brokers (KIP-455); ids of brokers."""

    partition: TopicPartition
    replicas: tuple[int, ...]
    adding_replicas: tuple[int, ...]
    removing_replicas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FetchedBatch:
    """Bytes of whole record batches of one partition, as the broker stores them (see broker.protocol.record_batch).

    aborted_transactions: (producer id, first offset) of the transactions in these bytes that a read_committed reader
    leaves out; empty when reading uncommitted.
    """

    data: bytes
    high_watermark: int
    log_start_offset: int
    aborted_transactions: tuple[tuple[int, int], ...] = ()


class ClusterAdmin(Protocol):
    """Questions to and changes of one cluster. Any call may raise ClusterUnreachable or a broker.errors.KafkaError."""

    @property
    def acls(self) -> AclAdmin: ...
    async def topic_operations(self, topics: Sequence[str] | None = None) -> Mapping[str, tuple[AclOperation, ...]]:
        """What we may do with these topics, or with all; topics that are not there are left out (KIP-430)."""

    async def reassignments(self) -> tuple[Reassignment, ...]:
        """All that go on, by topic and partition."""

    async def describe_share_groups(self, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
        """Groups that are no share groups come back with state DEAD (KIP-932)."""

    async def metadata(self) -> ClusterMetadata: ...
    async def quorum(self) -> QuorumInfo | None:
        """None when the cluster does not answer DescribeQuorum (older or not permitted)."""

    async def create_topic(self, topic: NewTopic, *, validate_only: bool = False) -> CreatedTopic: ...
    async def delete_topic(self, name: str) -> None: ...
    async def create_partitions(self, topic: str, *, total_count: int, validate_only: bool = False) -> None: ...
    async def delete_records(self, before_offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Move log starts (offset -1: to the high watermark); returns the new log start offsets."""

    async def describe_configs(
        self, resources: Sequence[ConfigResource], *, documentation: bool = False
    ) -> dict[ConfigResource, tuple[ConfigEntry, ...]]: ...
    async def alter_configs(
        self, changes: Mapping[ConfigResource, Sequence[ConfigChange]], *, validate_only: bool = False
    ) -> None:
        """IncrementalAlterConfigs; raises the first refusal, after which other resources may have been changed."""

    async def list_offsets(
        self, wanted: Mapping[TopicPartition, int], *, read_committed: bool = False
    ) -> dict[TopicPartition, FoundOffset]:
        """wanted: partition -> timestamp in ms, or EARLIEST, LATEST, MAX_TIMESTAMP. One request per leader.

        Committed reading ends at the last stable offset, other reading at the high watermark.
        """

    async def list_groups(self) -> tuple[GroupListing, ...]: ...
    async def describe_groups(self, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
        """Unknown groups come back with state DEAD."""

    async def group_offsets(self, group_ids: Sequence[str]) -> dict[str, dict[TopicPartition, CommittedOffset]]:
        """All committed offsets of many groups; one request per coordinator (KIP-709)."""

    async def commit_offsets(self, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit for a group without members."""

    async def delete_group(self, group_id: str) -> None: ...
    async def log_dirs(self) -> tuple[LogDirInfo, ...]:
        """Asked of every broker that is up; brokers that do not answer are left out."""

    async def fetch(
        self,
        partition: TopicPartition,
        *,
        offset: int,
        bytes_max: int,
        wait_ms: int = 0,
        read_committed: bool = False,
    ) -> FetchedBatch:
        """One Fetch of one partition from its leader. Raises OffsetOutOfRange outside the log."""

    def follow(
        self, offsets: Mapping[TopicPartition, int], *, read_committed: bool = True
    ) -> AsyncGenerator[tuple[TopicPartition, FetchedBatch], None]:
        """What is appended from these offsets on, for as long as the caller listens; close it to stop.

        A cluster that is away is waited for. Raises the KafkaError that no waiting mends.
        """

    async def topic_configs_of_all(self, topics: Sequence[str]) -> dict[str, tuple[ConfigEntry, ...]]:
        """Configs of many topics in few requests (chunks of at most 500 topics)."""


class RecordToSend(msgspec.Struct, frozen=True, gc=False):
    """A record whose partition is already decided.

    A Struct, not a dataclass: produce paths build one per record, and this costs a tenth.
    """

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None


class Producer(Protocol):
    """Appends records with acks=all; concurrent callers share batches (one accumulator per partition)."""

    async def partition_count(self, topic: str) -> int:
        """Raises UnknownTopicOrPartition; may auto-create where the cluster does."""

    def append(self, topic: str, partition: int, records: Sequence[RecordToSend]) -> Awaitable[Sequence[int]]:
        """Offset of each record: nearly always a range; not when more than fits into one batch met other producers.

        Raises a KafkaError (MessageTooLarge, InvalidRecord, …) or ClusterUnreachable when awaited.

        Records join their partition's batch in the order of the calls; awaiting only waits for the answer. So a caller
        may append to many partitions first and then await each, without a task.
        """


class OffsetReset(StrEnum):
    """Where a consumer starts on a partition without a committed offset (`auto.offset.reset`)."""

    EARLIEST = "earliest"
    LATEST = "latest"
    NONE = "none"


class ConsumedRecord(Protocol):
    """A record as it was read; timestamp in ms. Read-only."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(frozen=True, slots=True)
class ConsumedRecords:
    """Some records of one partition in order of their offsets, at least one."""

    topic: str
    partition: int
    records: Sequence[ConsumedRecord]


class GroupConsumer(Protocol):
    """One member of a consumer group. It commits only when told to, and fetches only while it is polled.

    subscribe and assign exclude each other until unsubscribe. Nothing here waits for the cluster longer than it says.
    """

    async def start(self) -> None:
        """First contact with the cluster. After ClusterUnreachable it may be called again."""

    async def stop(self) -> None:
        """Leave the group and close; never raises, takes a few seconds at most."""

    def subscribe(self, topics: Sequence[str]) -> None: ...
    def subscribe_matching(self, is_wanted: Callable[[str], bool]) -> None:
        """Follow every topic whose name is wanted, those that come later too; asked for each topic, again and again."""

    def unsubscribe(self) -> None: ...
    def assign(self, partitions: Sequence[TopicPartition]) -> None: ...
    def subscription(self) -> tuple[str, ...]: ...
    def assignment(self) -> frozenset[TopicPartition]: ...
    def seek(self, partition: TopicPartition, offset: int) -> None:
        """The partition must be assigned."""

    async def poll(self, *, wait_s: float, records_max: int) -> list[ConsumedRecords]:
        """At most records_max records; [] after wait_s without any, the wait for an assignment included."""

    def release(self) -> None:
        """Give up what was fetched and not taken by a poll, which may be megabytes: the next poll fetches it again."""

    async def has_read_to(self, end_offsets: Mapping[TopicPartition, int]) -> bool:
        """True when the next offset of each of these partitions that is still assigned is its end offset or later."""

    async def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit as a member; every partition must be assigned."""


class ConsumerFactory(Protocol):
    """Makes members of groups, not started yet.

    on_revoked is awaited before the group takes the member's partitions away, while it may still commit for them.
    """

    def __call__(
        self,
        group_id: str,
        *,
        offset_reset: OffsetReset,
        on_revoked: Callable[[Collection[TopicPartition]], Awaitable[None]],
    ) -> GroupConsumer: ...


@dataclass(frozen=True, slots=True)
class JoinedGroup:
    """A generation of a group. members: every member's metadata, for its leader alone; else empty."""

    member_id: str
    generation_id: int
    leader_id: str
    members: Mapping[str, bytes]


class GroupMembership(Protocol):
    """One member of a classic group with a protocol of its own. Raises KafkaError and ClusterUnreachable."""

    @property
    def session_timeout_s(self) -> float: ...
    async def join(self, metadata: bytes) -> JoinedGroup:
        """Wait until every member has joined; MemberIdRequired is answered by itself."""

    async def sync(self, assignments: Mapping[str, bytes]) -> bytes:
        """This member's part. assignments: for every member, given by the leader; else empty."""

    async def heartbeat(self) -> None:
        """Raises RebalanceInProgress: join again."""

    def forget(self) -> None:
        """Be a new member from the next join on."""

    async def close(self) -> None:
        """Leave; never raises."""
