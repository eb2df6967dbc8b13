"""What `__consumer_offsets` holds: the records in which a broker remembers groups and their offsets.

Kept by hand from Kafka 4.3's record specifications, which kio does not carry. A record's key is an int16 record type
(`API_KEY` here), then the key's only version; its value is an int16 version, then the value in that version. A null
value deletes. Written this way, Kafka's own dump tool reads our log (`--offsets-decoder`).
"""

from typing import ClassVar

from broker.protocol.primitives import NULL_UUID, Fields, Message, Schema


class OffsetCommitKey(Message):
    """OffsetCommitKey, version 0, never flexible."""

    group: str = ""
    topic: str = ""
    partition: int = 0

    API_KEY: ClassVar[int] = 1
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group", "string", "0+"),
        ("topic", "string", "0+"),
        ("partition", "int32", "0+"),
    )


class OffsetCommitValue(Message):
    """OffsetCommitValue, versions 0-4, flexible from 4."""

    offset: int = 0
    leader_epoch: int = -1
    metadata: str = ""
    commit_timestamp: int = 0
    expire_timestamp: int = -1
    topic_id: bytes = NULL_UUID

    API_KEY: ClassVar[int] = 1
    VERSIONS: ClassVar[range] = range(5)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(4, 5)

    SCHEMA: ClassVar[Schema] = (
        ("offset", "int64", "0+"),
        ("leader_epoch", "int32", "3+"),
        ("metadata", "string", "0+"),
        ("commit_timestamp", "int64", "0+"),
        ("expire_timestamp", "int64", "1"),
        ("topic_id", "uuid", "4+", "", 0),
    )


class GroupMetadataKey(Message):
    """GroupMetadataKey, version 0, never flexible."""

    group: str = ""

    API_KEY: ClassVar[int] = 2
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (("group", "string", "0+"),)


class MemberMetadata(Fields):
    """`GroupMetadataValue.members`."""

    member_id: str = ""
    group_instance_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout: int = -1
    session_timeout: int = 0
    subscription: bytes = b""
    assignment: bytes = b""

    SCHEMA: ClassVar[Schema] = (
        ("member_id", "string", "0+"),
        ("group_instance_id", "string", "3+", "3+"),
        ("client_id", "string", "0+"),
        ("client_host", "string", "0+"),
        ("rebalance_timeout", "int32", "1+"),
        ("session_timeout", "int32", "0+"),
        ("subscription", "bytes", "0+"),
        ("assignment", "bytes", "0+"),
    )


class GroupMetadataValue(Message):
    """GroupMetadataValue, versions 0-4, flexible from 4."""

    protocol_type: str = ""
    generation: int = 0
    protocol: str | None = ""
    leader: str | None = ""
    current_state_timestamp: int = -1
    members: list[MemberMetadata] = []

    API_KEY: ClassVar[int] = 2
    VERSIONS: ClassVar[range] = range(5)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(4, 5)

    SCHEMA: ClassVar[Schema] = (
        ("protocol_type", "string", "0+"),
        ("generation", "int32", "0+"),
        ("protocol", "string", "0+", "0+"),
        ("leader", "string", "0+", "0+"),
        ("current_state_timestamp", "int64", "2+"),
        ("members", "[]MemberMetadata", "0+"),
    )


class ConsumerGroupMetadataKey(Message):
    """ConsumerGroupMetadataKey, version 0, never flexible."""

    group_id: str = ""

    API_KEY: ClassVar[int] = 3
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (("group_id", "string", "0+"),)


class ConsumerGroupMetadataValue(Message):
    """ConsumerGroupMetadataValue, version 0, flexible from 0."""

    epoch: int = 0
    metadata_hash: int = 0

    API_KEY: ClassVar[int] = 3
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("epoch", "int32", "0+"),
        ("metadata_hash", "int64", "0+", "", 0),
    )


class ConsumerGroupMemberMetadataKey(Message):
    """ConsumerGroupMemberMetadataKey, version 0, never flexible."""

    group_id: str = ""
    member_id: str = ""

    API_KEY: ClassVar[int] = 5
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("member_id", "string", "0+"),
    )


class ClassicProtocol(Fields):
    """`ClassicMemberMetadata.supported_protocols`."""

    name: str = ""
    metadata: bytes = b""

    SCHEMA: ClassVar[Schema] = (
        ("name", "string", "0+"),
        ("metadata", "bytes", "0+"),
    )


class ClassicMemberMetadata(Fields):
    """`ConsumerGroupMemberMetadataValue.classic_member_metadata`."""

    session_timeout_ms: int = 0
    supported_protocols: list[ClassicProtocol] = []

    SCHEMA: ClassVar[Schema] = (
        ("session_timeout_ms", "int32", "0+"),
        ("supported_protocols", "[]ClassicProtocol", "0+"),
    )


class ConsumerGroupMemberMetadataValue(Message):
    """ConsumerGroupMemberMetadataValue, version 0, flexible from 0."""

    instance_id: str | None = ""
    rack_id: str | None = ""
    client_id: str = ""
    client_host: str = ""
    subscribed_topic_names: list[str] = []
    subscribed_topic_regex: str | None = ""
    rebalance_timeout_ms: int = -1
    server_assignor: str | None = ""
    classic_member_metadata: ClassicMemberMetadata | None = None

    API_KEY: ClassVar[int] = 5
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("instance_id", "string", "0+", "0+"),
        ("rack_id", "string", "0+", "0+"),
        ("client_id", "string", "0+"),
        ("client_host", "string", "0+"),
        ("subscribed_topic_names", "[]string", "0+"),
        ("subscribed_topic_regex", "string", "0+", "0+"),
        ("rebalance_timeout_ms", "int32", "0+"),
        ("server_assignor", "string", "0+", "0+"),
        ("classic_member_metadata", "ClassicMemberMetadata", "0+", "0+", 0),
    )


class ConsumerGroupTargetAssignmentMetadataKey(Message):
    """ConsumerGroupTargetAssignmentMetadataKey, version 0, never flexible."""

    group_id: str = ""

    API_KEY: ClassVar[int] = 6
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (("group_id", "string", "0+"),)


class ConsumerGroupTargetAssignmentMetadataValue(Message):
    """ConsumerGroupTargetAssignmentMetadataValue, version 0, flexible from 0."""

    assignment_epoch: int = 0
    assignment_timestamp: int = 0

    API_KEY: ClassVar[int] = 6
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("assignment_epoch", "int32", "0+"),
        ("assignment_timestamp", "int64", "0+", "", 0),
    )


class ConsumerGroupTargetAssignmentMemberKey(Message):
    """ConsumerGroupTargetAssignmentMemberKey, version 0, never flexible."""

    group_id: str = ""
    member_id: str = ""

    API_KEY: ClassVar[int] = 7
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("member_id", "string", "0+"),
    )


class TopicPartition(Fields):
    """`ConsumerGroupTargetAssignmentMemberValue.topic_partitions`."""

    topic_id: bytes = NULL_UUID
    partitions: list[int] = []

    SCHEMA: ClassVar[Schema] = (
        ("topic_id", "uuid", "0+"),
        ("partitions", "[]int32", "0+"),
    )


class ConsumerGroupTargetAssignmentMemberValue(Message):
    """ConsumerGroupTargetAssignmentMemberValue, version 0, flexible from 0."""

    topic_partitions: list[TopicPartition] = []

    API_KEY: ClassVar[int] = 7
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (("topic_partitions", "[]TopicPartition", "0+"),)


class ConsumerGroupCurrentMemberAssignmentKey(Message):
    """ConsumerGroupCurrentMemberAssignmentKey, version 0, never flexible."""

    group_id: str = ""
    member_id: str = ""

    API_KEY: ClassVar[int] = 8
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("member_id", "string", "0+"),
    )


class TopicPartitions(Fields):
    """`ConsumerGroupCurrentMemberAssignmentValue.assigned_partitions`."""

    topic_id: bytes = NULL_UUID
    partitions: list[int] = []
    assignment_epochs: list[int] | None = None

    SCHEMA: ClassVar[Schema] = (
        ("topic_id", "uuid", "0+"),
        ("partitions", "[]int32", "0+"),
        ("assignment_epochs", "[]int32", "0+", "0+", 0),
    )


class ConsumerGroupCurrentMemberAssignmentValue(Message):
    """ConsumerGroupCurrentMemberAssignmentValue, version 0, flexible from 0."""

    member_epoch: int = 0
    previous_member_epoch: int = 0
    state: int = 0
    assigned_partitions: list[TopicPartitions] = []
    partitions_pending_revocation: list[TopicPartitions] = []

    API_KEY: ClassVar[int] = 8
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("member_epoch", "int32", "0+"),
        ("previous_member_epoch", "int32", "0+"),
        ("state", "int8", "0+"),
        ("assigned_partitions", "[]TopicPartitions", "0+"),
        ("partitions_pending_revocation", "[]TopicPartitions", "0+"),
    )


class ConsumerGroupRegularExpressionKey(Message):
    """ConsumerGroupRegularExpressionKey, version 0, never flexible."""

    group_id: str = ""
    regular_expression: str = ""

    API_KEY: ClassVar[int] = 16
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("regular_expression", "string", "0+"),
    )


class ConsumerGroupRegularExpressionValue(Message):
    """ConsumerGroupRegularExpressionValue, version 0, flexible from 0."""

    topics: list[str] = []
    version: int = 0
    timestamp: int = 0

    API_KEY: ClassVar[int] = 16
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("topics", "[]string", "0+"),
        ("version", "int64", "0+"),
        ("timestamp", "int64", "0+"),
    )
