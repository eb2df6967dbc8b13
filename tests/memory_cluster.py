"""A Kafka cluster in memory, for tests of everything that stands on the ports.

MemoryCluster implements ClusterAdmin and Producer and passes the same contract tests as the adapters on a real cluster
(tests/integration/app/test_admin.py). Tests seed it with plain calls, kill and start its brokers, and turn it `away`.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.kafka.acls import AclOperation
from app.kafka.ports import (
    EARLIEST,
    LATEST,
    MAX_TIMESTAMP,
    AlterOperation,
    BrokerNode,
    ClusterMetadata,
    ClusterUnreachable,
    CommittedOffset,
    ConfigChange,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    CreatedTopic,
    FetchedBatch,
    FoundOffset,
    GroupDescription,
    GroupListing,
    GroupMember,
    GroupState,
    GroupType,
    LogDirInfo,
    NewTopic,
    PartitionInfo,
    QuorumInfo,
    QuorumReplica,
    Reassignment,
    RecordToSend,
    ReplicaSize,
    ResourceType,
    TopicInfo,
    TopicPartition,
)
from broker.errors import (
    GroupIdNotFound,
    InvalidConfig,
    InvalidPartitions,
    InvalidReplicationFactor,
    InvalidTopicException,
    LeaderNotAvailable,
    MessageTooLarge,
    NonEmptyGroup,
    OffsetOutOfRange,
    TopicAlreadyExists,
    UnknownTopicOrPartition,
)
from tests.memory_acls import MemoryAcls

TOPIC_CONFIG_DEFAULTS = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "max.message.bytes": "1048588",
    "min.insync.replicas": "1",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
    "segment.bytes": "1073741824",
    "unclean.leader.election.enable": "false",
}
BROKER_CONFIG_DEFAULTS = {"log.retention.hours": "168", "num.network.threads": "3", "auto.create.topics.enable": "true"}
RECORD_OVERHEAD_BYTES = 70
OFFSETS_TOPIC = "__consumer_offsets"


@dataclass(slots=True)
class MemoryRecord:
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def size_bytes(self) -> int:
        return RECORD_OVERHEAD_BYTES + len(self.key or b"") + len(self.value or b"")


@dataclass(slots=True)
class MemoryPartition:
    replicas: tuple[int, ...]
    records: list[MemoryRecord] = field(default_factory=list)
    log_start_offset: int = 0
    high_watermark: int = 0
    leader_epoch: int = 0


@dataclass(slots=True)
class MemoryTopic:
    name: str
    topic_id: bytes
    partitions: list[MemoryPartition]
    configs: dict[str, str]


@dataclass(slots=True)
class MemoryGroup:
    group_id: str
    protocol_type: str = "consumer"
    assignor: str = "range"
    group_type: GroupType = GroupType.CLASSIC
    members: tuple[GroupMember, ...] = ()
    state: GroupState | None = None
    offsets: dict[TopicPartition, CommittedOffset] = field(default_factory=dict)

    @property
    def current_state(self) -> GroupState:
        return self.state or (GroupState.STABLE if self.members else GroupState.EMPTY)


class MemoryCluster:
    """A cluster of broker_count brokers (ids 1…n) that exists only in this process.

    now_ms: what dates records and commits; tests pass their own clock. Every call of the ports counts in `calls`, so
    that a test can assert how many requests a question took.
    """

    def __init__(self, *, broker_count: int = 1, now_ms: Callable[[], int] = lambda: 1_700_000_000_000) -> None:
        self.now_ms = now_ms
        self.away = False
        self.calls: list[str] = []
        self.cluster_id = "memory-cluster-0000000"
        self.nodes = {n: BrokerNode(broker_id=n, host=f"broker-{n}", port=9092) for n in range(1, broker_count + 1)}
        self.alive = set(self.nodes)
        self.topics: dict[str, MemoryTopic] = {}
        self.groups: dict[str, MemoryGroup] = {}
        self.broker_configs: dict[str, dict[str, str]] = {}
        self.acls = MemoryAcls()
        self.moving: list[Reassignment] = []
        self.total_bytes = 100 * 1024**3
        self.usable_bytes = 60 * 1024**3

    # --- seeding ---------------------------------------------------------------------------------------------------

    def add_topic(
        self, name: str, *, partitions: int = 1, replication_factor: int = 1, configs: Mapping[str, str] | None = None
    ) -> None:
        ids = sorted(self.nodes)
        self.topics[name] = MemoryTopic(
            name=name,
            topic_id=uuid.uuid4().bytes,
            partitions=[
                MemoryPartition(replicas=tuple(ids[(p + r) % len(ids)] for r in range(replication_factor)))
                for p in range(partitions)
            ],
            configs=dict(configs or {}),
        )

    def produce(self, topic: str, partition: int, *values: bytes | RecordToSend | None) -> int:
        """Append values (or whole records); returns the offset of the first."""
        log = self._partition(TopicPartition(topic, partition))
        base_offset = log.high_watermark
        for value in values:
            record = value if isinstance(value, RecordToSend) else RecordToSend(key=None, value=value)
            timestamp_ms = self.now_ms() if record.timestamp_ms is None else record.timestamp_ms
            log.records.append(
                MemoryRecord(log.high_watermark, timestamp_ms, record.key, record.value, tuple(record.headers))
            )
            log.high_watermark += 1
        return base_offset

    def add_group(self, group_id: str, *, members: Sequence[GroupMember] = (), **fields: object) -> MemoryGroup:
        group = MemoryGroup(group_id=group_id, members=tuple(members), **fields)  # type: ignore[arg-type]
        self.groups[group_id] = group
        return group

    def commit(self, group_id: str, topic: str, partition: int, offset: int) -> None:
        """What a member of the group does: remember the offset, with the record in `__consumer_offsets`."""
        group = self.groups.get(group_id) or self.add_group(group_id, protocol_type="")
        group.offsets[TopicPartition(topic, partition)] = CommittedOffset(offset)
        if OFFSETS_TOPIC not in self.topics:
            factor = min(3, len(self.nodes))
            self.add_topic(OFFSETS_TOPIC, replication_factor=factor, configs={"cleanup.policy": "compact"})
        record = RecordToSend(
            key=offset_commit_key(group_id, topic, partition),
            value=offset_commit_value(offset, commit_timestamp_ms=self.now_ms()),
        )
        self.produce(OFFSETS_TOPIC, 0, record)

    def kill_broker(self, broker_id: int) -> None:
        self.alive.discard(broker_id)

    def start_broker(self, broker_id: int) -> None:
        self.alive.add(broker_id)

    @classmethod
    def seeded(cls, *, broker_count: int = 1, now_ms: Callable[[], int] = lambda: 1_700_000_000_000) -> "MemoryCluster":
        """Three topics with records, a group that keeps up, one that is behind and one that only commits."""
        cluster = cls(broker_count=broker_count, now_ms=now_ms)
        factor = min(3, broker_count)
        cluster.add_topic("orders", partitions=3, replication_factor=factor, configs={"retention.ms": "86400000"})
        cluster.add_topic("pageviews", partitions=6, replication_factor=factor)
        cluster.add_topic("customers", replication_factor=factor, configs={"cleanup.policy": "compact"})
        for number in range(300):
            key = f"o-{number:05}".encode()
            value = b'{"order":%d,"amount":9007199254740993}' % number
            cluster.produce("orders", number % 3, RecordToSend(key=key, value=value, headers=(("source", b"shop"),)))
        for number in range(600):
            cluster.produce("pageviews", number % 6, b'{"page":"/item/%d"}' % number)
        cluster.produce("customers", 0, RecordToSend(key=b"c-1", value=b"Ada"), RecordToSend(key=b"c-1", value=None))
        cluster.produce("customers", 0, RecordToSend(key=b"c-2", value=b""))
        for group_id, topic, behind in (("billing", "orders", 0), ("analytics", "pageviews", 40)):
            count = len(cluster.topics[topic].partitions)
            assignment = tuple(TopicPartition(topic, partition) for partition in range(count))
            cluster.add_group(group_id, members=[GroupMember("m-1", None, f"{group_id}-app", "/10.0.0.7", assignment)])
            for one in assignment:
                cluster.commit(group_id, topic, one.partition, cluster._partition(one).high_watermark - behind)
        cluster.commit("backup-job", "orders", 0, 10)
        return cluster

    # --- ClusterAdmin ----------------------------------------------------------------------------------------------

    async def metadata(self) -> ClusterMetadata:
        self._answer("metadata")
        topics = {name: self._topic_info(topic) for name, topic in sorted(self.topics.items())}
        return ClusterMetadata(
            cluster_id=self.cluster_id,
            controller_id=min(self.alive),
            brokers=tuple(self.nodes[n] for n in sorted(self.alive)),
            topics=topics,
        )

    async def topic_operations(self, topics: Sequence[str] | None = None) -> dict[str, tuple[AclOperation, ...]]:
        self._answer("topic_operations")
        wanted = self.topics if topics is None else [name for name in topics if name in self.topics]
        return dict.fromkeys(wanted, (AclOperation.READ, AclOperation.DESCRIBE))

    async def reassignments(self) -> tuple[Reassignment, ...]:
        self._answer("reassignments")
        return tuple(sorted(self.moving, key=lambda one: one.partition))

    async def describe_share_groups(self, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
        self._answer("describe_share_groups")
        found = {group_id: self._describe_group(group_id) for group_id in group_ids}
        return {
            group_id: group if group.group_type is GroupType.SHARE else replace(group, state=GroupState.DEAD)
            for group_id, group in found.items()
        }

    async def quorum(self) -> QuorumInfo | None:
        self._answer("quorum")
        voters = tuple(
            QuorumReplica(node_id=n, log_end_offset=100, last_caught_up_ms=self.now_ms() if n in self.alive else 0)
            for n in sorted(self.nodes)
        )
        return QuorumInfo(leader_id=min(self.alive), leader_epoch=1, voters=voters, observers=())

    async def create_topic(self, topic: NewTopic, *, validate_only: bool = False) -> CreatedTopic:
        self._answer("create_topic")
        if topic.name in self.topics:
            raise TopicAlreadyExists(f"Topic '{topic.name}' already exists.")
        if not topic.name or len(topic.name) > 249 or set(topic.name) <= {"."}:
            raise InvalidTopicException(f"Topic name is invalid: '{topic.name}'")
        assignments = topic.replica_assignments
        partition_count = 1 if topic.partition_count is None else topic.partition_count
        factor = 1 if topic.replication_factor is None else topic.replication_factor
        if assignments:
            partition_count, factor = len(assignments), len(next(iter(assignments.values())))
        if partition_count < 1:
            raise InvalidPartitions("Number of partitions was set to an invalid non-positive value.")
        if not 0 < factor <= len(self.alive):
            raise InvalidReplicationFactor(f"Replication factor: {factor} larger than available brokers.")
        _check_topic_configs(topic.configs)
        if not validate_only:
            self.add_topic(
                topic.name, partitions=partition_count, replication_factor=factor, configs=dict(topic.configs)
            )
        topic_id = b"\0" * 16 if validate_only else self.topics[topic.name].topic_id
        return CreatedTopic(topic.name, topic_id, partition_count, factor)

    async def delete_topic(self, name: str) -> None:
        self._answer("delete_topic")
        self._topic(name)
        del self.topics[name]

    async def create_partitions(self, topic: str, *, total_count: int, validate_only: bool = False) -> None:
        self._answer("create_partitions")
        partitions = self._topic(topic).partitions
        if total_count <= len(partitions):
            raise InvalidPartitions(f"The topic {topic} currently has {len(partitions)} partition(s).")
        if not validate_only:
            partitions += [MemoryPartition(partitions[0].replicas) for _ in range(total_count - len(partitions))]

    async def delete_records(self, before_offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        self._answer("delete_records")
        moved = {}
        for partition, before_offset in before_offsets.items():
            log = self._partition(partition)
            target = log.high_watermark if before_offset == -1 else before_offset
            if not 0 <= target <= log.high_watermark:
                raise OffsetOutOfRange(f"{partition.topic}-{partition.partition} has no offset {target}")
            log.log_start_offset = max(log.log_start_offset, target)
            log.records = [record for record in log.records if record.offset >= log.log_start_offset]
            moved[partition] = log.log_start_offset
        return moved

    async def describe_configs(
        self, resources: Sequence[ConfigResource], *, documentation: bool = False
    ) -> dict[ConfigResource, tuple[ConfigEntry, ...]]:
        self._answer("describe_configs")
        return {resource: self._configs(resource, documentation) for resource in resources}

    async def alter_configs(
        self, changes: Mapping[ConfigResource, Sequence[ConfigChange]], *, validate_only: bool = False
    ) -> None:
        self._answer("alter_configs")
        for resource, wanted in changes.items():
            is_topic = resource.resource_type is ResourceType.TOPIC
            current = (
                self._topic(resource.name).configs if is_topic else self.broker_configs.setdefault(resource.name, {})
            )
            if is_topic:
                _check_topic_configs({change.name: change.value or "" for change in wanted})
            for change in () if validate_only else wanted:
                if change.operation is AlterOperation.DELETE:
                    current.pop(change.name, None)
                else:
                    current[change.name] = change.value or ""

    async def list_offsets(
        self, wanted: Mapping[TopicPartition, int], *, read_committed: bool = False
    ) -> dict[TopicPartition, FoundOffset]:
        self._answer("list_offsets")
        return {partition: self._find_offset(partition, timestamp) for partition, timestamp in wanted.items()}

    async def list_groups(self) -> tuple[GroupListing, ...]:
        self._answer("list_groups")
        return tuple(
            GroupListing(group.group_id, group.protocol_type, group.current_state, group.group_type)
            for group in self.groups.values()
        )

    async def describe_groups(self, group_ids: Sequence[str]) -> dict[str, GroupDescription]:
        self._answer("describe_groups")
        return {group_id: self._describe_group(group_id) for group_id in group_ids}

    async def group_offsets(self, group_ids: Sequence[str]) -> dict[str, dict[TopicPartition, CommittedOffset]]:
        self._answer("group_offsets")
        return {group_id: dict(self.groups[group_id].offsets) for group_id in group_ids if group_id in self.groups}

    async def commit_offsets(self, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        self._answer("commit_offsets")
        if group_id in self.groups and self.groups[group_id].members:
            raise NonEmptyGroup(f"The group {group_id} is not empty.")
        for partition, committed in offsets.items():
            self._partition(partition)
            self.commit(group_id, partition.topic, partition.partition, committed.offset)

    async def delete_group(self, group_id: str) -> None:
        self._answer("delete_group")
        if group_id not in self.groups:
            raise GroupIdNotFound(f"The group {group_id} does not exist.")
        if self.groups[group_id].members:
            raise NonEmptyGroup(f"The group {group_id} is not empty.")
        del self.groups[group_id]

    async def log_dirs(self) -> tuple[LogDirInfo, ...]:
        self._answer("log_dirs")
        return tuple(self._log_dir(broker_id) for broker_id in sorted(self.alive))

    async def fetch(
        self,
        partition: TopicPartition,
        *,
        offset: int,
        bytes_max: int,
        wait_ms: int = 0,
        read_committed: bool = False,
    ) -> FetchedBatch:
        self._answer("fetch")
        from broker.protocol.record_batch import Record, build_batch

        log = self._partition(partition)
        if not log.log_start_offset <= offset <= log.high_watermark:
            raise OffsetOutOfRange(f"{partition.topic}-{partition.partition} has no offset {offset}")
        taken: list[Record] = []
        size_bytes = 0
        for record in log.records[max(0, len(log.records) - (log.high_watermark - offset)) :]:
            if taken and size_bytes + record.size_bytes > bytes_max:
                break
            size_bytes += record.size_bytes
            taken.append(Record(record.offset, record.timestamp_ms, record.key, record.value, record.headers))
        data = build_batch(taken, base_offset=taken[0].offset) if taken else b""
        return FetchedBatch(data=data, high_watermark=log.high_watermark, log_start_offset=log.log_start_offset)

    async def follow(
        self, offsets: Mapping[TopicPartition, int], *, read_committed: bool = True
    ) -> AsyncGenerator[tuple[TopicPartition, FetchedBatch], None]:
        at = dict(offsets)
        while True:
            for partition, offset in at.items():
                fetched = await self.fetch(partition, offset=offset, bytes_max=1 << 20)
                if fetched.data:
                    at[partition] = fetched.high_watermark
                    yield partition, fetched
            await asyncio.sleep(0.001)

    async def topic_configs_of_all(self, topics: Sequence[str]) -> dict[str, tuple[ConfigEntry, ...]]:
        self._answer("topic_configs_of_all")
        return {
            name: self._configs(ConfigResource(ResourceType.TOPIC, name), False)
            for name in topics
            if name in self.topics
        }

    # --- Producer --------------------------------------------------------------------------------------------------

    async def partition_count(self, topic: str) -> int:
        self._answer("partition_count")
        return len(self._topic(topic).partitions)

    async def append(self, topic: str, partition: int, records: Sequence[RecordToSend]) -> Sequence[int]:
        self._answer("append")
        limit = int(self._topic(topic).configs.get("max.message.bytes", TOPIC_CONFIG_DEFAULTS["max.message.bytes"]))
        if any(len(record.value or b"") > limit for record in records):
            raise MessageTooLarge(f"a record of topic '{topic}' is larger than max.message.bytes = {limit}")
        base_offset = self.produce(topic, partition, *records)
        return range(base_offset, base_offset + len(records))

    # --- inner -----------------------------------------------------------------------------------------------------

    def _answer(self, call: str) -> None:
        self.calls.append(call)
        if self.away or not self.alive:
            addresses = ", ".join(f"{node.host}:{node.port}" for node in self.nodes.values())
            raise ClusterUnreachable(f"no broker answered at {addresses}")

    def _topic(self, name: str) -> MemoryTopic:
        if name not in self.topics:
            raise UnknownTopicOrPartition(f"topic '{name}' does not exist")
        return self.topics[name]

    def _partition(self, partition: TopicPartition) -> MemoryPartition:
        partitions = self._topic(partition.topic).partitions
        if not 0 <= partition.partition < len(partitions):
            raise UnknownTopicOrPartition(
                f"topic '{partition.topic}' has {len(partitions)} partitions, asked for {partition.partition}"
            )
        return partitions[partition.partition]

    def _leader(self, log: MemoryPartition) -> int:
        return next((replica for replica in log.replicas if replica in self.alive), -1)

    def _topic_info(self, topic: MemoryTopic) -> TopicInfo:
        return TopicInfo(
            name=topic.name,
            topic_id=topic.topic_id,
            is_internal=topic.name in (OFFSETS_TOPIC, "__transaction_state"),
            partitions=tuple(
                PartitionInfo(
                    partition=number,
                    leader_id=self._leader(log),
                    leader_epoch=log.leader_epoch,
                    replicas=log.replicas,
                    isr=tuple(replica for replica in log.replicas if replica in self.alive) or log.replicas[:1],
                    offline_replicas=tuple(replica for replica in log.replicas if replica not in self.alive),
                )
                for number, log in enumerate(topic.partitions)
            ),
        )

    def _find_offset(self, partition: TopicPartition, timestamp_ms: int) -> FoundOffset:
        try:
            log = self._partition(partition)
        except UnknownTopicOrPartition as error:
            return FoundOffset(offset=-1, error_code=error.code)
        if self._leader(log) < 0:
            return FoundOffset(offset=-1, error_code=LeaderNotAvailable.code)
        if timestamp_ms == EARLIEST:
            return FoundOffset(log.log_start_offset)
        if timestamp_ms == LATEST:
            return FoundOffset(log.high_watermark)
        if timestamp_ms == MAX_TIMESTAMP:
            found = max(log.records, key=lambda record: record.timestamp_ms, default=None)
        else:
            found = next((record for record in log.records if record.timestamp_ms >= timestamp_ms), None)
        return FoundOffset(found.offset, found.timestamp_ms) if found else FoundOffset(-1)

    def _describe_group(self, group_id: str) -> GroupDescription:
        group = self.groups.get(group_id)
        if group is None:
            return GroupDescription(group_id, GroupType.UNKNOWN, "", GroupState.DEAD, "", min(self.alive), ())
        return GroupDescription(
            group_id=group_id,
            group_type=group.group_type,
            protocol_type=group.protocol_type,
            state=group.current_state,
            assignor=group.assignor if group.members else "",
            coordinator_id=min(self.alive),
            members=group.members,
        )

    def _configs(self, resource: ConfigResource, documentation: bool) -> tuple[ConfigEntry, ...]:
        if resource.resource_type is ResourceType.TOPIC:
            defaults, own = TOPIC_CONFIG_DEFAULTS, self._topic(resource.name).configs
            source = ConfigSource.DYNAMIC_TOPIC_CONFIG
        else:
            defaults, own = BROKER_CONFIG_DEFAULTS, self.broker_configs.get(resource.name, {})
            source = ConfigSource.DYNAMIC_BROKER_CONFIG
        return tuple(
            ConfigEntry(
                name=name,
                value=own.get(name, default),
                source=source if name in own else ConfigSource.DEFAULT_CONFIG,
                is_read_only=name.startswith("num."),
                is_sensitive=False,
                documentation=f"What {name} does." if documentation else None,
            )
            for name, default in defaults.items()
        )

    def _log_dir(self, broker_id: int) -> LogDirInfo:
        replicas = tuple(
            ReplicaSize(topic.name, number, sum(record.size_bytes for record in log.records), 0, False)
            for topic in self.topics.values()
            for number, log in enumerate(topic.partitions)
            if broker_id in log.replicas
        )
        return LogDirInfo(broker_id, "/data/log", 0, self.total_bytes, self.usable_bytes, replicas)


def _check_topic_configs(configs: Mapping[str, str]) -> None:
    for name, value in configs.items():
        if name not in TOPIC_CONFIG_DEFAULTS:
            raise InvalidConfig(f"Unknown topic config name: {name}")
        if TOPIC_CONFIG_DEFAULTS[name].lstrip("-").isdigit() and value and not value.lstrip("-").isdigit():
            raise InvalidConfig(f"Invalid value {value} for configuration {name}: Not a number")


def offset_commit_key(group_id: str, topic: str, partition: int) -> bytes:
    """Key of a commit record in `__consumer_offsets`, version 1: group, topic, partition."""
    return b"".join((b"\x00\x01", _string(group_id), _string(topic), partition.to_bytes(4, "big")))


def offset_commit_value(offset: int, *, commit_timestamp_ms: int) -> bytes:
    """Value of a commit record, version 3: offset, leader epoch, metadata, commit timestamp."""
    return b"".join(
        (
            b"\x00\x03",
            offset.to_bytes(8, "big"),
            (-1).to_bytes(4, "big", signed=True),
            _string(""),
            commit_timestamp_ms.to_bytes(8, "big"),
        )
    )


def _string(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
