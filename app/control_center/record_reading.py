"""How the keys and values of browsed records are read: by the schema they name, or as somebody wants them read."""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from app.cluster.messages import BrowsedRecord
from app.cluster.words import plural, size
from app.control_center.links import Links
from app.control_center.record_words import (
    HEX_BYTES_MAX,
    PREVIEW_CHARS,
    SHOWN_BYTES_MAX,
    RecordBytes,
    hex_dump,
    indented,
    lay_out,
)
from app.schemas.ports import KnownSchema, SchemaAccess
from app.schemas.reader import InvalidPayload, PayloadReader, SchemaAway

if TYPE_CHECKING:
    from app.schemas.reader import Headers

READ_AS = (
    ("", "automatically"),
    ("schema", "by its schema"),
    ("json", "JSON"),
    ("string", "text"),
    ("hex", "hex"),
)
SLICE_BYTES = 64 * 1024  # read before the loop gets its turn; a larger one is read in a thread
INTEGER_BYTES = 8  # a long of Kafka's own serialiser begins as a schema id does

_check_json = msgspec.json.Decoder(msgspec.Raw).decode


@dataclass(frozen=True, slots=True)
class Reading:
    """A key or value as it was read. text None: it is shown as the bytes look. problem: why it could not be read so
    as was wanted."""

    data: bytes | None
    text: str | None = None
    kind: str = ""
    schema: KnownSchema | None = None
    problem: str = ""

    @property
    def exported(self) -> str | None:
        return export_text(self.data) if self.text is None else self.text


@dataclass(frozen=True, slots=True)
class ReadRecord:
    record: BrowsedRecord
    key: Reading
    value: Reading


async def read_records(
    records: Sequence[BrowsedRecord], schemas: SchemaAccess | None, topic: str, *, key_as: str, value_as: str
) -> list[ReadRecord]:
    """key_as and value_as are of READ_AS. Nothing about a record is an error: what cannot be read says why."""
    reader = None if schemas is None else PayloadReader(schemas, topic)
    if reader is not None and {key_as, value_as} & {"", "schema"}:
        await reader.prepare(records)
    found = []
    read_bytes = 0
    for record in records:
        key = await _reading(record.key, record.headers, key_as, reader, is_key=True)
        value = await _reading(record.value, record.headers, value_as, reader, is_key=False)
        found.append(ReadRecord(record, key, value))
        read_bytes += len(record.key or b"") + len(record.value or b"")
        if read_bytes > SLICE_BYTES:
            read_bytes = 0
            await asyncio.sleep(0)
    return found


async def _reading(
    data: bytes | None, headers: "Headers", wanted: str, reader: PayloadReader | None, *, is_key: bool
) -> Reading:
    if data is not None and len(data) > SLICE_BYTES:
        return await asyncio.to_thread(_read, data, headers, wanted, reader, is_key=is_key)
    return _read(data, headers, wanted, reader, is_key=is_key)


def _read(
    data: bytes | None, headers: "Headers", wanted: str, reader: PayloadReader | None, *, is_key: bool
) -> Reading:
    if data is None:
        return Reading(data)
    match wanted:
        case "hex":
            return Reading(data, data.hex(" "), "binary")
        case "string":
            return Reading(data, data.decode(errors="replace"), "text")
        case "json":
            return _read_json(data)
        case _:
            return _read_by_schema(data, headers, reader, is_key=is_key, is_wanted=wanted == "schema")


def _read_json(data: bytes) -> Reading:
    try:
        text = data.decode()
        _check_json(data)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        return Reading(data, problem=f"This is not JSON: {error}.")
    return Reading(data, text, "json")


def _read_by_schema(
    data: bytes, headers: "Headers", reader: PayloadReader | None, *, is_key: bool, is_wanted: bool
) -> Reading:
    if reader is None:
        return Reading(data, problem="There is no Schema Registry." if is_wanted else "")
    try:
        read = reader.read(data, headers, is_key=is_key)
    except SchemaAway as away:
        is_number = not is_wanted and len(data) == INTEGER_BYTES
        return Reading(data, problem="" if is_number else f"Its schema cannot be had: {away}.")
    except InvalidPayload as error:
        schema = reader.schema_of(data, headers, is_key=is_key)
        return Reading(data, schema=schema, problem=f"It does not fit its schema: {error}.")
    if read is None:
        return Reading(data, problem="It names no schema." if is_wanted else "")
    return Reading(data, read.text.decode(), "json", read.schema)


# --- for the eye ---------------------------------------------------------------------------------------------------


def lay_out_reading(reading: Reading, links: Links) -> RecordBytes:
    """A line to scan and the whole of it, with the schema's name and address."""
    data, text, schema = reading.data, reading.text, reading.schema
    words = "" if schema is None else _schema_words(schema)
    href = "" if schema is None else schema_href(links, schema)
    if data is None or text is None or not data:
        plain = lay_out(data)
        return RecordBytes(plain.kind, plain.preview, plain.full, plain.note, words, href, reading.problem)
    note = plural(len(data), "byte")
    if reading.kind == "binary":
        return RecordBytes("binary", data[:48].hex(" "), hex_dump(data[:HEX_BYTES_MAX]), note)
    shown = text if len(text) <= SHOWN_BYTES_MAX else text[:SHOWN_BYTES_MAX]
    if len(shown) < len(text):
        note += f", first {size(len(shown))} of its text"
    preview = " ".join(shown[: 2 * PREVIEW_CHARS].split())[:PREVIEW_CHARS]
    full = indented(shown) if reading.kind == "json" else shown
    return RecordBytes(reading.kind, preview, full, note, words, href, reading.problem)


def _schema_words(schema: KnownSchema) -> str:
    version = "" if schema.version is None else f", version {schema.version}"
    return f"{schema.subject or 'no subject'}{version} ({schema.schema_type}, id {schema.id})"


def schema_href(links: Links, schema: KnownSchema) -> str:
    """The page of the schema; '' for one that has none."""
    if schema.subject in (None, "", ".", "..") or schema.version is None:
        return ""
    return f"{links.cluster}/schemas/{quote(schema.subject or '', safe='')}/v/{schema.version}"


# --- for programs --------------------------------------------------------------------------------------------------


def schema_as_json(schema: KnownSchema | None) -> dict[str, object] | None:
    if schema is None:
        return None
    return {"id": schema.id, "type": schema.schema_type, "subject": schema.subject, "version": schema.version}


def headers_text(record: BrowsedRecord) -> str:
    return "; ".join(f"{name}={export_text(value)}" for name, value in record.headers)


def export_text(data: bytes | None) -> str | None:
    """The text, or base64 with a mark where the bytes are no text; None for no value at all."""
    if data is None:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()
