"""What `__transaction_state` holds: the records in which a broker remembers transactional ids.

Kept by hand from Kafka 4.3's record specifications, which kio does not carry. A record's key is an int16 record type
(`API_KEY` here), then the key's only version; its value is an int16 version, then the value in that version. A null
value deletes.
"""

from typing import ClassVar

from broker.protocol.primitives import Fields, Message, Schema


class TransactionLogKey(Message):
    """TransactionLogKey, version 0, never flexible."""

    transactional_id: str = ""

    API_KEY: ClassVar[int] = 0
    VERSIONS: ClassVar[range] = range(1)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(0)

    SCHEMA: ClassVar[Schema] = (("transactional_id", "string", "0+"),)


class PartitionsSchema(Fields):
    """`TransactionLogValue.transaction_partitions`."""

    topic: str = ""
    partition_ids: list[int] = []

    SCHEMA: ClassVar[Schema] = (
        ("topic", "string", "0+"),
        ("partition_ids", "[]int32", "0+"),
    )


class TransactionLogValue(Message):
    """TransactionLogValue, versions 0-1, flexible from 1."""

    producer_id: int = 0
    previous_producer_id: int = -1
    next_producer_id: int = -1
    producer_epoch: int = 0
    next_producer_epoch: int = -1
    transaction_timeout_ms: int = 0
    transaction_status: int = 0
    transaction_partitions: list[PartitionsSchema] | None = []
    transaction_last_update_timestamp_ms: int = 0
    transaction_start_timestamp_ms: int = 0
    client_transaction_version: int = 0

    API_KEY: ClassVar[int] = 0
    VERSIONS: ClassVar[range] = range(2)
    FLEXIBLE_VERSIONS: ClassVar[range] = range(1, 2)

    SCHEMA: ClassVar[Schema] = (
        ("producer_id", "int64", "0+"),
        ("previous_producer_id", "int64", "1+", "", 0),
        ("next_producer_id", "int64", "1+", "", 1),
        ("producer_epoch", "int16", "0+"),
        ("next_producer_epoch", "int16", "1+", "", 3),
        ("transaction_timeout_ms", "int32", "0+"),
        ("transaction_status", "int8", "0+"),
        ("transaction_partitions", "[]PartitionsSchema", "0+", "0+"),
        ("transaction_last_update_timestamp_ms", "int64", "0+"),
        ("transaction_start_timestamp_ms", "int64", "0+"),
        ("client_transaction_version", "int16", "1+", "", 2),
    )
