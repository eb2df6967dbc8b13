"""Records of the formats with schemas (REST API v2): which schemas a request names, and its records by them."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from app.kafka.ports import RecordToSend
from app.rest.errors import BadRequest, InvalidSchema, KeySchemaMissing, ValueSchemaMissing
from app.rest.formats import EmbeddedFormat, no_registry
from app.rest.formats_by_schema import REGISTRY_TYPES, encode_all, told
from app.schemas.ports import InvalidPayload, KnownSchema, SchemaAccess, SchemaAccessError

ABSENT = msgspec.Raw(b"null")  # told from a null that was sent by what it is, not by what it says


class SchemaRecord(msgspec.Struct):
    value: msgspec.Raw = ABSENT
    key: msgspec.Raw = ABSENT
    partition: int | None = None


class SchemaRequest(msgspec.Struct):
    """The body. A schema is given as its text or by id."""

    records: list[SchemaRecord] | None = None
    key_schema: str | None = None
    key_schema_id: int | None = None
    value_schema: str | None = None
    value_schema_id: int | None = None

    @property
    def has_key_schema(self) -> bool:
        return self.key_schema is not None or self.key_schema_id is not None

    @property
    def has_value_schema(self) -> bool:
        return self.value_schema is not None or self.value_schema_id is not None

    def check(self) -> None:
        """Raises KeySchemaMissing and ValueSchemaMissing for data without a schema. Nulls need none."""
        records = self.records or ()
        if not self.has_key_schema and any(_is_data(record.key) for record in records):
            raise KeySchemaMissing
        if not self.has_value_schema and any(_is_data(record.value) for record in records):
            raise ValueSchemaMissing


def _is_data(raw: msgspec.Raw) -> bool:
    return raw is not ABSENT and bytes(raw) != b"null"


@dataclass(frozen=True, slots=True)
class SchemaIds:
    """What an answer says of the schemas of keys and values."""

    key: int | None
    value: int | None


NO_SCHEMAS = SchemaIds(None, None)


async def encode_records(
    asked: SchemaRequest,
    schemas: SchemaAccess | None,
    topic: str,
    embedded: EmbeddedFormat,
    *,
    null_is_kafkas: bool = False,
) -> tuple[list[RecordToSend], SchemaIds]:
    """The records, framed, and the ids of their schemas. Schemas given as text are registered under the topic.

    A null is written by the schema, which must allow it; without a schema, with null_is_kafkas, and where nothing was
    sent, it is Kafka's.
    Raises SerializationFailed, InvalidSchema, and BadRequest for data that does not fit.
    """
    if schemas is None:
        raise no_registry(embedded)
    records = asked.records or []
    key_schema = value_schema = None
    if asked.has_key_schema:
        key_schema = await _schema(schemas, embedded, f"{topic}-key", asked.key_schema, asked.key_schema_id)
    if asked.has_value_schema:
        value_schema = await _schema(schemas, embedded, f"{topic}-value", asked.value_schema, asked.value_schema_id)
    raw_keys = [record.key for record in records]
    raw_values = [record.value for record in records]
    if null_is_kafkas:
        raw_keys = [raw if _is_data(raw) else ABSENT for raw in raw_keys]
        raw_values = [raw if _is_data(raw) else ABSENT for raw in raw_values]
    keys = await _encode("key", key_schema, raw_keys)
    values = await _encode("value", value_schema, raw_values)
    ids = SchemaIds(key_schema.id if key_schema else None, value_schema.id if value_schema else None)
    return list(map(RecordToSend, keys, values)), ids


async def _schema(
    schemas: SchemaAccess, embedded: EmbeddedFormat, subject: str, text: str | None, schema_id: int | None
) -> KnownSchema:
    """An id wins over a text."""
    wanted = REGISTRY_TYPES[embedded]
    try:
        if schema_id is None:
            return await schemas.register(subject, wanted, text or "")
        known = await schemas.by_id(schema_id, subject)
    except SchemaAccessError as error:
        raise told(error) from error
    if known.schema_type != wanted:
        raise InvalidSchema(f"Invalid schema: id {schema_id} is of type {known.schema_type}, not {wanted}")
    return known


async def _encode(what: str, schema: KnownSchema | None, raws: Sequence[msgspec.Raw]) -> list[bytes | None]:
    if schema is None:
        return [None] * len(raws)
    present = [index for index, raw in enumerate(raws) if raw is not ABSENT]
    try:
        framed = await encode_all(schema, [bytes(raws[index]) for index in present])
    except InvalidPayload as error:
        place = f"records[{present[error.index]}].{what}"
        raise BadRequest(f"Bad Request: {place} does not fit schema {schema.id}: {error}") from error
    if len(present) == len(raws):
        return list(framed)
    found: list[bytes | None] = [None] * len(raws)
    for index, data in zip(present, framed, strict=True):
        found[index] = data
    return found
