"""Keys and values with a schema (REST API v3): which schema a record's `key` or `value` means, and its bytes by it.

Confluent's rules: `schema` (with `type`) is registered; `schema_id`, `schema_version`, or nothing at all (the latest
version) is looked up. The subject is given, or made of topic and schema by a strategy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec

from app.http.json_body import compact
from app.rest.errors import BadRequest, InvalidRecordData, InvalidSchema
from app.rest.formats import EmbeddedFormat
from app.rest.formats_by_schema import REGISTRY_TYPES
from app.schemas.framing import write_id
from app.schemas.ports import InvalidPayload, KnownSchema, SchemaAccess, SchemaAccessError, UnreadableSchema

TYPE_NAMES = {registry_type: embedded.upper() for embedded, registry_type in REGISTRY_TYPES.items()}
_PLAIN_TYPES = ("BINARY", "JSON", "STRING")
_STRATEGIES = ("TOPIC_NAME", "RECORD_NAME", "TOPIC_RECORD_NAME")


class Data(Protocol):
    """A key or value as it was sent."""

    @property
    def type(self) -> str | None: ...
    @property
    def data(self) -> msgspec.Raw: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def subject_name_strategy(self) -> str | None: ...
    @property
    def schema_id(self) -> int | None: ...
    @property
    def schema_version(self) -> int | str | None: ...
    @property
    def schema(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class DataBySchema:
    """Bytes of a key or value, and what the receipt says of them: type and schema; of null data the type, if any."""

    data: bytes | None
    type: str | None
    schema: KnownSchema | None


def needs_schema(data: Data | None) -> bool:
    """Whether a registry is to be asked for it; a null without any type needs none."""
    if data is None:
        return False
    if data.type is not None and data.type.upper() in _PLAIN_TYPES:
        return _names_schema(data)
    return data.type is not None or _names_schema(data) or bytes(data.data).strip() != b"null"


def _names_schema(data: Data) -> bool:
    return not (
        data.schema is None
        and data.schema_id is None
        and data.schema_version is None
        and data.subject is None
        and data.subject_name_strategy is None
    )


_Choice: TypeAlias = tuple[
    str | None, str | None, str | None, int | None, int | str | None, str | None, bool
]  # all but the data, and whether it is a key


class RecordSchemas:
    """The schemas of records for one topic that arrived together; each is asked for once."""

    def __init__(self, schemas: SchemaAccess, topic: str, *, require_subject: Callable[[str], None]) -> None:
        """require_subject: raises what the record's receipt says where nothing may be registered under a subject."""
        self._schemas = schemas
        self._topic = topic
        self._require_subject = require_subject
        self._known: dict[_Choice, KnownSchema] = {}

    async def encode(self, data: Data | None, *, is_key: bool) -> DataBySchema | None:
        """None for what needs no schema. Raises BadRequest, InvalidSchema, InvalidRecordData."""
        if data is None or not needs_schema(data):
            return None
        check(data)
        text = compact(bytes(data.data))
        if text == b"null":
            return DataBySchema(None, None if data.type is None else data.type.upper(), None)
        schema = await self._schema(data, is_key=is_key)
        try:
            (payload,) = schema.codec.encode_all([text])
        except InvalidPayload as error:
            place = "key" if is_key else "value"
            raise InvalidRecordData(f"The {place} does not fit schema {schema.id}: {error}") from error
        return DataBySchema(write_id(schema.id) + payload, TYPE_NAMES[schema.schema_type], schema)

    async def _schema(self, data: Data, *, is_key: bool) -> KnownSchema:
        choice: _Choice = (
            *(data.type, data.subject, data.subject_name_strategy),
            *(data.schema_id, data.schema_version, data.schema, is_key),
        )
        known = self._known.get(choice)
        if known is None:
            try:
                known = await self._find(data, is_key=is_key)
            except UnreadableSchema as error:
                raise InvalidSchema(f"Invalid schema: {error}") from error
            except SchemaAccessError as error:
                raise InvalidRecordData(f"Error serializing message. {error}") from error
            self._known[choice] = known
        return known

    async def _find(self, data: Data, *, is_key: bool) -> KnownSchema:
        by_topic = f"{self._topic}-{'key' if is_key else 'value'}"
        wanted = None if data.type is None else REGISTRY_TYPES[EmbeddedFormat(data.type.lower())]
        if data.schema is not None:
            assert wanted is not None  # see check
            subject = data.subject or by_topic
            if _strategy(data) != "TOPIC_NAME":
                subject = self._record_subject(data, await self._schemas.name_of(wanted, data.schema))
            self._require_subject(subject)
            return await self._schemas.register(subject, wanted, data.schema)
        if data.schema_id is not None:
            subject = data.subject or by_topic
            if _strategy(data) != "TOPIC_NAME":
                subject = self._record_subject(data, (await self._schemas.by_id(data.schema_id)).name)
            return await self._schemas.by_id(data.schema_id, subject)
        known = await self._schemas.by_version(data.subject or by_topic, _version(data.schema_version))
        if wanted is not None and known.schema_type != wanted:
            raise BadRequest(f"type is {data.type}, but the latest schema of {known.subject} is {known.schema_type}")
        return known

    def _record_subject(self, data: Data, name: str | None) -> str:
        if not name:
            raise BadRequest("The schema has no name to make a subject of")
        return name if _strategy(data) == "RECORD_NAME" else f"{self._topic}-{name}"


def check(data: Data) -> None:
    """Raises BadRequest for parts that say different things."""
    kind = None if data.type is None else data.type.upper()
    if kind in _PLAIN_TYPES:
        raise BadRequest(f"type {kind} takes no schema and no subject")
    if kind is not None and kind not in TYPE_NAMES.values():
        raise BadRequest(f"type is {data.type!r}, not one of BINARY, JSON, STRING, AVRO, JSONSCHEMA, PROTOBUF")
    if data.subject is not None and data.subject_name_strategy is not None:
        raise BadRequest("Only one of subject and subject_name_strategy can be used")
    if _strategy(data) not in _STRATEGIES:
        raise BadRequest(
            f"subject_name_strategy is {data.subject_name_strategy!r}, not one of {', '.join(_STRATEGIES)}"
        )
    given = [name for name in ("schema_id", "schema_version", "schema") if getattr(data, name) is not None]
    if len(given) > 1:
        raise BadRequest(f"Only one of {' and '.join(given)} can be used")
    if data.schema is not None and kind is None:
        raise BadRequest("schema needs a type: AVRO, JSONSCHEMA or PROTOBUF")
    if kind is not None and (data.schema_id is not None or data.schema_version is not None):
        raise BadRequest(f"{given[0]} takes no type: it is that of the schema")
    if not given or data.schema_version is not None:
        if _strategy(data) != "TOPIC_NAME":
            raise BadRequest(f"subject_name_strategy {_strategy(data)} needs a schema_id or a schema; give a subject")
        _version(data.schema_version)


def _strategy(data: Data) -> str:
    return (data.subject_name_strategy or "TOPIC_NAME").upper()


def _version(given: int | str | None) -> int | None:
    """None is the latest. Raises BadRequest."""
    if given is None or given in ("latest", -1, "-1"):
        return None
    number = int(given) if isinstance(given, int) or (given.isascii() and given.isdigit() and len(given) < 11) else 0
    if not 0 < number < 2**31:
        raise BadRequest(f"schema_version is {given!r}, not a number from 1 on or latest")
    return number
