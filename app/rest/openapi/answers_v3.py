"""What REST API v3 answers: one struct per kind. A list of a kind is made by `list_of`."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType


class Related(msgspec.Struct):
    """A link to another resource."""

    related: str


class Metadata(msgspec.Struct):
    """The resource's own address, and its name as `crn://…`."""

    self: str
    resource_name: str


class AclMetadata(msgspec.Struct):
    """An ACL has no name of its own: its address is the query that finds it."""

    self: str


class _Resource(msgspec.Struct):
    metadata: Metadata


class _OfCluster(_Resource):
    cluster_id: str


class KafkaCluster(_OfCluster):
    kind: Literal["KafkaCluster"]
    controller: Related | None
    acls: Related
    brokers: Related
    broker_configs: Related
    consumer_groups: Related
    topics: Related
    partition_reassignments: Related


class KafkaBroker(_OfCluster):
    kind: Literal["KafkaBroker"]
    broker_id: int
    host: str
    port: int
    rack: str | None
    configs: Related
    partition_replicas: Related


class KafkaTopic(_OfCluster):
    kind: Literal["KafkaTopic"]
    topic_name: str
    is_internal: bool
    replication_factor: int
    partitions_count: int
    partitions: Related
    configs: Related
    partition_reassignments: Related
    authorized_operations: list[str]


class ConfigSynonym(msgspec.Struct):
    """A value that the config falls back to."""

    name: str
    value: str | None
    source: str


class _Config(_OfCluster):
    name: str
    value: str | None
    is_default: bool
    is_read_only: bool
    is_sensitive: bool
    source: str
    synonyms: list[ConfigSynonym]


class KafkaTopicConfig(_Config):
    kind: Literal["KafkaTopicConfig"]
    topic_name: str


class KafkaBrokerConfig(_Config):
    kind: Literal["KafkaBrokerConfig"]
    broker_id: int


class KafkaClusterConfig(_Config):
    kind: Literal["KafkaClusterConfig"]
    config_type: Literal["BROKER"]


class _OfPartition(_OfCluster):
    topic_name: str
    partition_id: int


class KafkaPartition(_OfPartition):
    kind: Literal["KafkaPartition"]
    leader: Related | None
    replicas: Related
    reassignment: Related


class KafkaPartitionWithOffsets(_OfPartition):
    kind: Literal["KafkaPartitionWithOffsets"]
    earliest_offset: int | UnsetType = UNSET
    latest_offset: int | UnsetType = UNSET


class KafkaReplica(_OfPartition):
    kind: Literal["KafkaReplica"]
    broker_id: int
    is_leader: bool
    is_in_sync: bool
    broker: Related


class KafkaReassignment(_OfPartition):
    kind: Literal["KafkaReassignment"]
    adding_replicas: list[int]
    removing_replicas: list[int]
    replicas: Related


class KafkaAcl(msgspec.Struct):
    kind: Literal["KafkaAcl"]
    metadata: AclMetadata
    cluster_id: str
    resource_type: str
    resource_name: str
    pattern_type: str
    principal: str
    host: str
    operation: str
    permission: str


class DeletedAcls(msgspec.Struct):
    data: list[KafkaAcl]


class KafkaConsumerGroup(_OfCluster):
    kind: Literal["KafkaConsumerGroup"]
    consumer_group_id: str
    is_simple: bool
    partition_assignor: str
    state: str
    type: str
    is_mixed_consumer_group: bool
    coordinator: Related
    consumers: Related
    lag_summary: Related


class _OfGroup(_OfCluster):
    consumer_group_id: str


class KafkaConsumer(_OfGroup):
    kind: Literal["KafkaConsumer"]
    consumer_id: str
    instance_id: str | None
    client_id: str
    assignments: Related


class KafkaConsumerAssignment(_OfGroup):
    kind: Literal["KafkaConsumerAssignment"]
    consumer_id: str
    topic_name: str
    partition_id: int
    partition: Related
    lag: Related


class KafkaConsumerLag(_OfGroup):
    """consumer_id and client_id are empty where nobody reads the partition now."""

    kind: Literal["KafkaConsumerLag"]
    topic_name: str
    partition_id: int
    current_offset: int
    log_end_offset: int
    lag: int
    consumer_id: str
    instance_id: str | None
    client_id: str


class KafkaConsumerGroupLagSummary(_OfGroup):
    kind: Literal["KafkaConsumerGroupLagSummary"]
    max_lag_consumer_id: str
    max_lag_instance_id: str | None
    max_lag_client_id: str
    max_lag_topic_name: str
    max_lag_partition_id: int
    max_lag: int
    total_lag: int
    max_lag_consumer: Related
    max_lag_partition: Related


class KafkaShareGroupTopicPartition(_Resource):
    kind: Literal["KafkaShareGroupTopicPartition"]
    topic_name: str
    partition_id: int
    partition: Related


class KafkaShareGroup(_OfCluster):
    kind: Literal["KafkaShareGroup"]
    share_group_id: str
    state: str
    coordinator: Related
    consumers: Related
    consumer_count: int
    partition_count: int
    assigned_topic_partitions: list[KafkaShareGroupTopicPartition]


class KafkaShareGroupConsumer(_OfCluster):
    kind: Literal["KafkaShareGroupConsumer"]
    group_id: str
    consumer_id: str
    client_id: str
    assignments: Related


class KafkaShareGroupConsumerAssignment(_OfCluster):
    kind: Literal["KafkaShareGroupConsumerAssignment"]
    group_id: str
    consumer_id: str
    topic_name: str
    partition_id: int
    partition: Related


class ListMetadata(msgspec.Struct):
    """next is always null: lists are complete."""

    self: str
    next: None


class DataReceipt(msgspec.Struct):
    """What became of a key or a value; size in bytes as stored."""

    type: str
    subject: str | UnsetType = UNSET
    schema_id: int | UnsetType = UNSET
    schema_version: int | UnsetType = UNSET
    size: int | UnsetType = UNSET


class Receipt(msgspec.Struct):
    """Where a record is. error_code is 200."""

    error_code: int
    cluster_id: str
    topic_name: str
    partition_id: int
    offset: int
    timestamp: str
    key: DataReceipt | UnsetType = UNSET
    value: DataReceipt | UnsetType = UNSET


class Failure(msgspec.Struct):
    """Why a record is nowhere."""

    error_code: int
    message: str


class BatchReceipt(Receipt, kw_only=True):
    """A receipt with the entry's own id."""

    id: str


class BatchFailure(Failure):
    """A failure with the entry's own id."""

    id: str


class BatchReceipts(msgspec.Struct):
    successes: list[BatchReceipt]
    failures: list[BatchFailure]


def list_of(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The complete list of resources of one kind."""
    name = f"{kind.__name__}List"
    literal: Any = Literal
    fields = [("kind", literal[name]), ("metadata", ListMetadata), ("data", list[kind])]  # type: ignore[valid-type]
    return msgspec.defstruct(name, fields, module=__name__)
