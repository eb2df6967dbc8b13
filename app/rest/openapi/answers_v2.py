"""What REST API v2 answers."""

import msgspec


class Brokers(msgspec.Struct):
    brokers: list[int]


class Replica(msgspec.Struct):
    broker: int
    leader: bool
    in_sync: bool


class Partition(msgspec.Struct):
    partition: int
    leader: int
    replicas: list[Replica]


class Topic(msgspec.Struct):
    name: str
    configs: dict[str, str]
    partitions: list[Partition]


class Offsets(msgspec.Struct):
    """The first offset that is there, and the one the next record gets."""

    beginning_offset: int
    end_offset: int


class ProducedRecord(msgspec.Struct):
    """Where a record is, or why it is nowhere."""

    partition: int | None
    offset: int | None
    error_code: int | None
    error: str | None


class Produced(msgspec.Struct):
    """One entry per record, in the order of the request."""

    offsets: list[ProducedRecord]
    key_schema_id: int | None
    value_schema_id: int | None


class Instance(msgspec.Struct):
    """base_uri is where the instance's own requests go."""

    instance_id: str
    base_uri: str


class Subscription(msgspec.Struct):
    topics: list[str]


class AssignedPartition(msgspec.Struct):
    topic: str
    partition: int


class Assignment(msgspec.Struct):
    partitions: list[AssignedPartition]


class CommittedOffset(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    metadata: str | None


class CommittedOffsets(msgspec.Struct):
    offsets: list[CommittedOffset]
