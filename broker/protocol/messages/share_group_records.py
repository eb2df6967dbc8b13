"""What `__consumer_offsets` holds of share groups (KIP-932): record types 10 to 15.

Kept by hand from Kafka 4.3's record specifications, which kio does not carry. A record's key is an int16 record type
(`API_KEY` here), then the key's only version; its value is an int16 version, then the value in that version. A null
value deletes.
"""

from typing import ClassVar

from broker.protocol.primitives import NULL_UUID, Fields, Message, Schema


class ShareGroupMemberMetadataKey(Message):
    """ShareGroupMemberMetadataKey, version 0, never flexible."""

    group_id: str = ""
    member_id: str = ""

    API_KEY: ClassVar[int] = 10
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("member_id", "string", "0+"),
    )


class ShareGroupMemberMetadataValue(Message):
    """ShareGroupMemberMetadataValue, version 0, flexible from 0."""

    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    subscribed_topic_names: list[str] = []

    API_KEY: ClassVar[int] = 10
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("rack_id", "string", "0+", "0+"),
        ("client_id", "string", "0+"),
        ("client_host", "string", "0+"),
        ("subscribed_topic_names", "[]string", "0+"),
    )


class ShareGroupMetadataKey(Message):
    """ShareGroupMetadataKey, version 0, never flexible."""

    group_id: str = ""

    API_KEY: ClassVar[int] = 11
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (("group_id", "string", "0+"),)


class ShareGroupMetadataValue(Message):
    """ShareGroupMetadataValue, version 0, flexible from 0."""

    epoch: int = 0
    metadata_hash: int = 0

    API_KEY: ClassVar[int] = 11
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("epoch", "int32", "0+"),
        ("metadata_hash", "int64", "0+"),
    )


class ShareGroupTargetAssignmentMetadataKey(Message):
    """ShareGroupTargetAssignmentMetadataKey, version 0, never flexible."""

    group_id: str = ""

    API_KEY: ClassVar[int] = 12
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (("group_id", "string", "0+"),)


class ShareGroupTargetAssignmentMetadataValue(Message):
    """ShareGroupTargetAssignmentMetadataValue, version 0, flexible from 0."""

    assignment_epoch: int = 0
    assignment_timestamp: int = 0

    API_KEY: ClassVar[int] = 12
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("assignment_epoch", "int32", "0+"),
        ("assignment_timestamp", "int64", "0+", "", 0),
    )


class ShareGroupTargetAssignmentMemberKey(Message):
    """ShareGroupTargetAssignmentMemberKey, version 0, never flexible."""

    group_id: str = ""
    member_id: str = ""

    API_KEY: ClassVar[int] = 13
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("member_id", "string", "0+"),
    )


class TopicPartitions(Fields):
    """A topic's partitions in a share group's assignments."""

    topic_id: bytes = NULL_UUID
    partitions: list[int] = []

    SCHEMA: ClassVar[Schema] = (
        ("topic_id", "uuid", "0+"),
        ("partitions", "[]int32", "0+"),
    )


class ShareGroupTargetAssignmentMemberValue(Message):
    """ShareGroupTargetAssignmentMemberValue, version 0, flexible from 0."""

    topic_partitions: list[TopicPartitions] = []

    API_KEY: ClassVar[int] = 13
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (("topic_partitions", "[]TopicPartitions", "0+"),)


class ShareGroupCurrentMemberAssignmentKey(Message):
    """ShareGroupCurrentMemberAssignmentKey, version 0, never flexible."""

    group_id: str = ""
    member_id: str = ""

    API_KEY: ClassVar[int] = 14
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("member_id", "string", "0+"),
    )


class ShareGroupCurrentMemberAssignmentValue(Message):
    """ShareGroupCurrentMemberAssignmentValue, version 0, flexible from 0."""

    member_epoch: int = 0
    previous_member_epoch: int = 0
    state: int = 0
    assigned_partitions: list[TopicPartitions] = []

    API_KEY: ClassVar[int] = 14
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("member_epoch", "int32", "0+"),
        ("previous_member_epoch", "int32", "0+"),
        ("state", "int8", "0+"),
        ("assigned_partitions", "[]TopicPartitions", "0+"),
    )


class ShareGroupStatePartitionMetadataKey(Message):
    """ShareGroupStatePartitionMetadataKey, version 0, never flexible."""

    group_id: str = ""

    API_KEY: ClassVar[int] = 15
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (("group_id", "string", "0+"),)


class TopicPartitionsInfo(Fields):
    """`ShareGroupStatePartitionMetadataValue.initialized_topics`."""

    topic_id: bytes = NULL_UUID
    topic_name: str = ""
    partitions: list[int] = []

    SCHEMA: ClassVar[Schema] = (
        ("topic_id", "uuid", "0+"),
        ("topic_name", "string", "0+"),
        ("partitions", "[]int32", "0+"),
    )


class TopicInfo(Fields):
    """`ShareGroupStatePartitionMetadataValue.deleting_topics`."""

    topic_id: bytes = NULL_UUID
    topic_name: str = ""

    SCHEMA: ClassVar[Schema] = (
        ("topic_id", "uuid", "0+"),
        ("topic_name", "string", "0+"),
    )


class ShareGroupStatePartitionMetadataValue(Message):
    """ShareGroupStatePartitionMetadataValue, version 0, flexible from 0."""

    initializing_topics: list[TopicPartitionsInfo] = []
    initialized_topics: list[TopicPartitionsInfo] = []
    deleting_topics: list[TopicInfo] = []

    API_KEY: ClassVar[int] = 15
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("initializing_topics", "[]TopicPartitionsInfo", "0+"),
        ("initialized_topics", "[]TopicPartitionsInfo", "0+"),
        ("deleting_topics", "[]TopicInfo", "0+"),
    )
