"""Embedded formats: how keys and values stand in JSON, and what becomes of them in Kafka.

binary: base64 strings. json: any JSON, kept as the client wrote it but for whitespace. The others need a Schema
Registry; without one they answer the code that the original gives when its registry fails.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from app.kafka.ports import ConsumedRecord, ConsumedRecords
from app.rest.errors import SerializationFailed
from app.rest.negotiation import V2_EMBEDDED

NULL = msgspec.Raw(b"null")
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode


class EmbeddedFormat(StrEnum):
    BINARY = "binary"
    JSON = "json"
    AVRO = "avro"
    JSONSCHEMA = "jsonschema"
    PROTOBUF = "protobuf"

    @property
    def needs_registry(self) -> bool:
        return self not in (EmbeddedFormat.BINARY, EmbeddedFormat.JSON)


FORMAT_BY_MEDIA_TYPE = {media_type: EmbeddedFormat(name) for name, media_type in V2_EMBEDDED.items()}


class BinaryRecord(msgspec.Struct, gc=False):
    """A consumed record; msgspec writes bytes as base64."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int
    offset: int


class JsonRecord(msgspec.Struct):
    topic: str
    key: msgspec.Raw
    value: msgspec.Raw
    partition: int
    offset: int


RecordsEncoder: TypeAlias = Callable[[ConsumedRecords], Sequence[msgspec.Struct]]
"""What stands in JSON for some records, all of them. Raises SerializationFailed when one cannot."""


def encoder_of(embedded: EmbeddedFormat) -> RecordsEncoder:
    """Raises SerializationFailed for a format that needs the Schema Registry that is not there."""
    if embedded.needs_registry:
        raise no_registry(embedded)
    return _json_records if embedded is EmbeddedFormat.JSON else _binary_records


def no_registry(embedded: str) -> SerializationFailed:
    return SerializationFailed(f"The format {embedded.lower()} needs a Schema Registry, and none is configured")


def json_bytes(raw: msgspec.Raw) -> bytes | None:
    """What goes to Kafka for a JSON key or value: its text, or None (a tombstone) for null."""
    data = bytes(raw)
    return None if data == b"null" else data


def json_text(raw: msgspec.Raw) -> bytes | None:
    """The same where the body was not made compact before it was decoded."""
    data = bytes(raw)
    if data == b"null":
        return None
    # Written out: a loop over the four costs more than decoding the record.
    if b" " in data or b"\n" in data or b"\r" in data or b"\t" in data:
        data = msgspec.json.format(data, indent=-1)
    return data


def _binary_records(consumed: ConsumedRecords) -> list[BinaryRecord]:
    topic, partition = consumed.topic, consumed.partition
    return [BinaryRecord(topic, one.key, one.value, partition, one.offset) for one in consumed.records]


def _json_records(consumed: ConsumedRecords) -> list[JsonRecord]:
    return [_json_record(consumed.topic, consumed.partition, one) for one in consumed.records]


def _json_record(topic: str, partition: int, record: ConsumedRecord) -> JsonRecord:
    try:
        key, value = _raw(record.key), _raw(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        place = f"{topic}-{partition} at offset {record.offset}"
        raise SerializationFailed(f"The record of {place} is not JSON: {error}") from error
    return JsonRecord(topic, key, value, partition, record.offset)


def _raw(data: bytes | None) -> msgspec.Raw:
    """JSON text checked and passed on unread; absent and empty data is null."""
    if not data:
        return NULL
    if not data.isascii():
        data.decode()
    return _decode_raw(data)
