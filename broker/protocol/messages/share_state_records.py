"""What `__share_group_state` holds: how far each share group is with each partition (KIP-932).

Kept by hand from Kafka 4.3's record specifications, which kio does not carry. A record's key is an int16 record type
(`API_KEY` here), then the key's only version; its value is an int16 version, then the value in that version. A null
value deletes.
An update says only what has changed since the snapshot of the same epoch, or since earlier updates.
"""

from typing import ClassVar

from broker.protocol.primitives import NULL_UUID, Fields, Message, Schema


class ShareSnapshotKey(Message):
    """ShareSnapshotKey, version 0, never flexible."""

    group_id: str = ""
    topic_id: bytes = NULL_UUID
    partition: int = 0

    API_KEY: ClassVar[int] = 0
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("topic_id", "uuid", "0+"),
        ("partition", "int32", "0+"),
    )


class StateBatch(Fields):
    """Offsets that are in the same state."""

    first_offset: int = 0
    last_offset: int = 0
    delivery_state: int = 0
    delivery_count: int = 0

    SCHEMA: ClassVar[Schema] = (
        ("first_offset", "int64", "0+"),
        ("last_offset", "int64", "0+"),
        ("delivery_state", "int8", "0+"),
        ("delivery_count", "int16", "0+"),
    )


class ShareSnapshotValue(Message):
    """ShareSnapshotValue, version 0, flexible from 0."""

    snapshot_epoch: int = 0
    state_epoch: int = 0
    leader_epoch: int = 0
    start_offset: int = 0
    delivery_complete_count: int = -1
    create_timestamp: int = 0
    write_timestamp: int = 0
    state_batches: list[StateBatch] = []

    API_KEY: ClassVar[int] = 0
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("snapshot_epoch", "int32", "0+"),
        ("state_epoch", "int32", "0+"),
        ("leader_epoch", "int32", "0+"),
        ("start_offset", "int64", "0+"),
        ("delivery_complete_count", "int32", "0+", "", 0),
        ("create_timestamp", "int64", "0+"),
        ("write_timestamp", "int64", "0+"),
        ("state_batches", "[]StateBatch", "0+"),
    )


class ShareUpdateKey(Message):
    """ShareUpdateKey, version 0, never flexible."""

    group_id: str = ""
    topic_id: bytes = NULL_UUID
    partition: int = 0

    API_KEY: ClassVar[int] = 1
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (
        ("group_id", "string", "0+"),
        ("topic_id", "uuid", "0+"),
        ("partition", "int32", "0+"),
    )


class ShareUpdateValue(Message):
    """ShareUpdateValue, version 0, flexible from 0."""

    snapshot_epoch: int = 0
    leader_epoch: int = 0
    start_offset: int = 0
    delivery_complete_count: int = -1
    state_batches: list[StateBatch] = []

    API_KEY: ClassVar[int] = 1
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1)

    SCHEMA: ClassVar[Schema] = (
        ("snapshot_epoch", "int32", "0+"),
        ("leader_epoch", "int32", "0+"),
        ("start_offset", "int64", "0+"),
        ("delivery_complete_count", "int32", "0+", "", 0),
        ("state_batches", "[]StateBatch", "0+"),
    )
