"""Avro, JSON Schema and Protobuf in and out, by the schemas of a registry: what v2 and v3 share."""

import asyncio
from collections.abc import Sequence

import msgspec

from app.kafka.ports import ConsumedRecord, ConsumedRecords
from app.rest.errors import InvalidSchema, RestError, SerializationFailed
from app.rest.formats import NULL, EmbeddedFormat, JsonRecord
from app.schemas.framing import write_id
from app.schemas.ports import InvalidPayload, KnownSchema, SchemaAccess, SchemaAccessError, UnreadableSchema
from app.schemas.reader import PayloadReader, SchemaAway

REGISTRY_TYPES = {EmbeddedFormat.AVRO: "AVRO", EmbeddedFormat.JSONSCHEMA: "JSON", EmbeddedFormat.PROTOBUF: "PROTOBUF"}
SLICE_BYTES = 64 * 1024  # of JSON encoded before the loop gets its turn


def told(error: SchemaAccessError) -> RestError:
    """What a client is told when the registry has no schema for it."""
    if isinstance(error, UnreadableSchema):
        return InvalidSchema(f"Invalid schema: {error}")
    return SerializationFailed(f"Error serializing message. {error}")


async def encode_all(schema: KnownSchema, texts: Sequence[bytes]) -> list[bytes]:
    """Each JSON text as the bytes of a key or value: the schema's id, then the payload. Raises InvalidPayload."""
    prefix = write_id(schema.id)
    if sum(map(len, texts)) <= SLICE_BYTES:
        return [prefix + payload for payload in schema.codec.encode_all(texts)]
    framed: list[bytes] = []
    start = size = 0
    for end, text in enumerate(texts, 1):
        size += len(text)
        if size < SLICE_BYTES and end < len(texts):
            continue
        try:
            framed += [prefix + payload for payload in schema.codec.encode_all(texts[start:end])]
        except InvalidPayload as error:
            error.index += start
            raise
        start, size = end, 0
        await asyncio.sleep(0)
    return framed


class SchemaRecords:
    """Encodes consumed records of one format, for one read."""

    def __init__(self, schemas: SchemaAccess, embedded: EmbeddedFormat) -> None:
        self._reader = PayloadReader(schemas)
        self._embedded = embedded

    async def prepare(self, records: Sequence[ConsumedRecord]) -> None:
        """Ask for the schemas of the records that come next."""
        await self._reader.prepare(records)

    def encode(self, consumed: ConsumedRecords) -> list[JsonRecord]:
        """Raises SerializationFailed for one that does not decode, or is of another format."""
        topic, partition = consumed.topic, consumed.partition
        return [
            JsonRecord(
                topic,
                self._text(consumed, one, one.key, is_key=True),
                self._text(consumed, one, one.value, is_key=False),
                partition,
                one.offset,
            )
            for one in consumed.records
        ]

    def _text(
        self, consumed: ConsumedRecords, record: ConsumedRecord, data: bytes | None, *, is_key: bool
    ) -> msgspec.Raw:
        if data is None:
            return NULL
        try:
            read = self._reader.read(data, record.headers, is_key=is_key)
        except (InvalidPayload, SchemaAway) as error:
            raise self._failed(consumed, record, str(error), is_key=is_key) from error
        if read is None:
            raise self._failed(consumed, record, "it names no schema", is_key=is_key)
        if read.schema.schema_type != REGISTRY_TYPES[self._embedded]:
            raise self._failed(consumed, record, f"its schema is of type {read.schema.schema_type}", is_key=is_key)
        return msgspec.Raw(read.text)

    def _failed(
        self, consumed: ConsumedRecords, record: ConsumedRecord, reason: str, *, is_key: bool
    ) -> SerializationFailed:
        place = f"{'key' if is_key else 'value'} of {consumed.topic}-{consumed.partition} at offset {record.offset}"
        return SerializationFailed(f"The {place} is not {self._embedded}: {reason}")
