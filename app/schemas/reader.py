"""Records as JSON, by the schemas that they name."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from uuid import UUID

from app.schemas.framing import unframe
from app.schemas.ports import InvalidPayload, KnownSchema, SchemaAccess, SchemaAccessError

RECORDS_PER_SLICE = 200

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]


class ReadableRecord(Protocol):
    """What is looked at of a record."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class SchemaAway(Exception):
    """Bytes name a schema that cannot be had; the message says why. schema: its id or guid."""

    def __init__(self, schema: int | UUID, reason: str) -> None:
        super().__init__(reason)
        self.schema = schema


@dataclass(frozen=True, slots=True)
class ReadPayload:
    """The JSON of a key or value, and the schema it was read by."""

    text: bytes
    schema: KnownSchema


class PayloadReader:
    """Reads the payloads of some records, of one topic. A schema is asked for once; so keep a reader for a request,
    not for longer."""

    def __init__(self, schemas: SchemaAccess, topic: str = "") -> None:
        """topic: whose subjects are named first where a schema has several."""
        self._schemas = schemas
        self._topic = topic
        self._found: dict[tuple[int | UUID, bool], KnownSchema | SchemaAccessError] = {}

    async def prepare(self, records: Iterable[ReadableRecord]) -> None:
        """Ask for the schemas of these records, which then can be read."""
        for index, record in enumerate(records):
            for data, is_key in ((record.key, True), (record.value, False)):
                framed = None if data is None else unframe(data, record.headers, is_key=is_key)
                if framed is not None and (framed.schema, is_key) not in self._found:
                    self._found[framed.schema, is_key] = await self._ask(framed.schema, is_key)
            if index % RECORDS_PER_SLICE == RECORDS_PER_SLICE - 1:
                await asyncio.sleep(0)

    def read(self, data: bytes, headers: Headers, *, is_key: bool) -> ReadPayload | None:
        """None for bytes that name no schema. Raises InvalidPayload, SchemaAway."""
        framed = unframe(data, headers, is_key=is_key)
        if framed is None:
            return None
        schema = self._found.get((framed.schema, is_key))
        if not isinstance(schema, KnownSchema):
            raise SchemaAway(framed.schema, str(schema or "its schema was not asked for"))
        return ReadPayload(schema.codec.decode(framed.payload), schema)

    def schema_of(self, data: bytes, headers: Headers, *, is_key: bool) -> KnownSchema | None:
        """The schema that bytes name, whether they fit it or not; None for none that is known."""
        framed = unframe(data, headers, is_key=is_key)
        found = None if framed is None else self._found.get((framed.schema, is_key))
        return found if isinstance(found, KnownSchema) else None

    async def _ask(self, schema: int | UUID, is_key: bool) -> KnownSchema | SchemaAccessError:
        try:
            if isinstance(schema, UUID):
                return await self._schemas.by_guid(schema)
            if not self._topic:
                return await self._schemas.by_id(schema)
            found = await self._schemas.by_id(schema, f"{self._topic}-{'key' if is_key else 'value'}")
            return found if found.version is not None else await self._schemas.by_id(schema)
        except SchemaAccessError as error:
            return error


__all__ = ["InvalidPayload", "PayloadReader", "ReadPayload", "ReadableRecord", "SchemaAway"]
