"""Records in (REST API v3): one stream of JSON objects with a receipt for each, and batches.

`POST …/topics/{topic}/records` answers while the request is still being sent: a client may hold it open for hours.
Receipts come in the order of the records. An error of one record is its receipt; the HTTP status is 200 all the same.
"""

import asyncio
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from app.http.json_body import charset_of, compact, decode, encode, read_utf8
from app.kafka.ports import ClusterUnreachable, RecordToSend
from app.rest.access.checks import require_subject
from app.rest.context import RestContext
from app.rest.errors import (
    BadRequest,
    InternalServerError,
    InvalidPayload,
    InvalidProduceBatch,
    InvalidRecordData,
    RequestTimeout,
    RestError,
    SerializationFailed,
    Unprocessable,
    translate,
)
from app.rest.formats import NULL, json_bytes, json_text, no_registry
from app.rest.http import Request, Response
from app.rest.idempotency import answered_once
from app.rest.placing import Appended, Placement, Started, partition_count
from app.rest.v3.data_by_schema import DataBySchema, RecordSchemas, needs_schema
from app.rest.v3.record_stream import RecordStream
from app.rest.v3.resources import find_cluster, v3_routes
from broker.errors import KafkaError

routes = v3_routes("/v3/clusters/{cluster_id}/topics/{topic}")

RECORD_OVERHEAD_BYTES = 40  # about what a record weighs besides its key and value
TIMESTAMP_MS_MAX = 253_402_300_799_999  # with an offset from UTC, the last years that can be written reach beyond it
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_BySchema: TypeAlias = tuple[DataBySchema | None, DataBySchema | None]
_NO_SCHEMAS: _BySchema = (None, None)
_TYPES_OF_REGISTRY = ("AVRO", "JSONSCHEMA", "PROTOBUF")


class _Header(msgspec.Struct):
    name: str
    value: bytes | None = None


class _Data(msgspec.Struct, gc=False):
    """A key or value; with anything but type and data it needs the Schema Registry."""

    type: str | None = None
    data: msgspec.Raw = NULL
    subject: str | None = None
    subject_name_strategy: str | None = None
    schema_id: int | None = None
    schema_version: int | str | None = None
    schema: str | None = None


class _Record(msgspec.Struct, gc=False):
    partition_id: int | None = None
    headers: list[_Header] | None = None
    key: _Data | None = None
    value: _Data | None = None
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _EntryId(msgspec.Struct):
    id: str | None = None


class _BatchRequest(msgspec.Struct):
    entries: list[msgspec.Raw] | None = None


class _Entry(_Record, gc=False):
    """A record of a batch, and the id by which its receipt is told apart."""

    id: str | None = None


class _Batch(msgspec.Struct):
    """What a batch is said to be; it is read entry by entry, so that a broken one does not spoil the others."""

    entries: list[_Entry] | None = None


class _DataReceipt(msgspec.Struct, omit_defaults=True):
    type: str
    subject: str | UnsetType = UNSET
    schema_id: int | UnsetType = UNSET
    schema_version: int | UnsetType = UNSET
    size: int | UnsetType = UNSET


class _Receipt(msgspec.Struct, omit_defaults=True, gc=False):
    error_code: int
    cluster_id: str
    topic_name: str
    partition_id: int
    offset: int
    timestamp: str
    key: _DataReceipt | UnsetType = UNSET
    value: _DataReceipt | UnsetType = UNSET
    id: str | UnsetType = UNSET


class _Failure(msgspec.Struct, omit_defaults=True):
    error_code: int
    message: str
    id: str | UnsetType = UNSET


_record_decoder = msgspec.json.Decoder(_Record)
_entry_id_decoder = msgspec.json.Decoder(_EntryId)
_batch_decoder = msgspec.json.Decoder(_BatchRequest)
_string_decoder = msgspec.json.Decoder(str)


@routes.on("POST", "/records", body=_Record)
@answered_once
async def produce_stream(request: Request, cluster_id: str, topic: str) -> RecordStream[_Record]:
    """Any number of records, one JSON object each; a receipt per record while the request goes on."""
    await find_cluster(request, cluster_id)
    charset_of(request.headers)
    target = _Target(request.context, cluster_id, topic, partial(require_subject, request))
    chunks = request.chunks()
    try:
        async with asyncio.timeout(request.context.settings.produce_stream_idle_ms / 1000):
            async for first in chunks:
                if first.strip():
                    return RecordStream(target, _record_decoder, first, chunks)
    except TimeoutError:
        raise RequestTimeout("No record arrived in time") from None
    raise InvalidPayload


@routes.on("POST", "/records:batch", body=_Batch)
@answered_once
async def produce_batch(request: Request, cluster_id: str, topic: str) -> Response:
    """A few records at once, each with an id of the client's by which its receipt is told apart."""
    await find_cluster(request, cluster_id)
    body = await read_utf8(request)
    if not body:
        raise InvalidPayload
    entries = decode(_batch_decoder, compact(body)).entries
    ids = _entry_ids(entries, request.context.settings.produce_batch_entries_max)
    target = _Target(request.context, cluster_id, topic, partial(require_subject, request))
    chunk = await target.start([_decoded(entry) for entry in entries or ()])
    successes: list[_Receipt] = []
    failures: list[_Failure] = []
    for entry_id, receipt in zip(ids, await chunk.receipts(), strict=True):
        receipt.id = entry_id
        if isinstance(receipt, _Receipt):
            successes.append(receipt)
        else:
            failures.append(receipt)
    return Response(207, encode({"successes": successes, "failures": failures}), request.media_type)


def _entry_ids(entries: Sequence[msgspec.Raw] | None, entries_max: int) -> list[str]:
    """The ids, one per entry. Raises InvalidProduceBatch when the batch is no batch for them."""
    if not entries:
        raise InvalidProduceBatch("Invalid produce batch. There are no entries.")
    if len(entries) > entries_max:
        raise InvalidProduceBatch(
            f"Invalid produce batch. There are {len(entries)} entries, at most {entries_max} may."
        )
    ids = [decode(_entry_id_decoder, entry).id or "" for entry in entries]
    for entry_id in ids:
        if not _ENTRY_ID.fullmatch(entry_id):
            raise InvalidProduceBatch(
                f"Invalid produce batch. {entry_id!r} is no id of 1 to 80 letters, digits, - and _."
            )
    if len(set(ids)) != len(ids):
        raise InvalidProduceBatch("Invalid produce batch. Two entries have the same id.")
    return ids


def _decoded(entry: msgspec.Raw) -> "_Record | BadRequest":
    try:
        return decode(_record_decoder, entry)
    except BadRequest as error:
        return error


# --- receipts ------------------------------------------------------------------------------------------------------


class _Accepted(msgspec.Struct, gc=False):
    """A record on its way, with what its receipt will say of it."""

    record: RecordToSend
    key_type: str | DataBySchema | None
    value_type: str | DataBySchema | None


@dataclass(slots=True)
class _Chunk:
    """Records that arrived together: failures known at once, and appends that go on. order: one entry per record."""

    target: "_Target"
    order: list[_Accepted | _Failure]
    accepted: list[_Accepted]
    started: list[Started]
    size_bytes: int
    _receipts: list[_Receipt | _Failure] | None = None

    @property
    def is_done(self) -> bool:
        return self._receipts is not None or all(append.is_done for append in self.started)

    async def receipts(self) -> list[_Receipt | _Failure]:
        """One per record, in order, when all are known."""
        if self._receipts is None:
            outcomes = [await append.outcome() for append in self.started]
            self._receipts = self._one_partition(outcomes) or self._in_order(outcomes)
        return self._receipts

    def _one_partition(self, outcomes: Sequence[Appended]) -> list[_Receipt | _Failure] | None:
        """The receipts where all went well and to one partition, which is nearly always; else None."""
        if len(outcomes) != 1 or outcomes[0].error is not None or len(self.order) != len(self.accepted):
            return None
        receipt, partition = self.target.receipt, outcomes[0].partition
        return [
            receipt(accepted, partition, offset)
            for accepted, offset in zip(self.accepted, outcomes[0].offsets, strict=True)
        ]

    def _in_order(self, outcomes: Sequence[Appended]) -> list[_Receipt | _Failure]:
        told: list[_Receipt | _Failure | None] = [None] * len(self.accepted)
        for outcome in outcomes:
            for position, index in enumerate(outcome.indexes):
                told[index] = (
                    self.target.receipt(self.accepted[index], outcome.partition, outcome.offsets[position])
                    if outcome.error is None
                    else _failure(outcome.error)
                )
        of_accepted = iter(one for one in told if one is not None)
        return [one if isinstance(one, _Failure) else next(of_accepted) for one in self.order]


@dataclass(frozen=True, slots=True)
class _Target:
    """The topic that records of one request go to."""

    context: RestContext
    cluster_id: str
    topic: str
    require_subject: Callable[[str], None]

    async def start(self, records: Sequence[_Record | BadRequest]) -> _Chunk:
        """Hand records to the producer; those that were no records fail with what was wrong."""
        order: list[_Accepted | _Failure] = []
        accepted: list[_Accepted] = []
        wishes: list[int | None] = []
        now_ms = self.context.clock.now_ms()
        schemas = None
        if self.context.schemas is not None:
            schemas = RecordSchemas(self.context.schemas, self.topic, require_subject=self.require_subject)
        for record in records:
            try:
                if isinstance(record, BadRequest):
                    raise record
                by_schema = _NO_SCHEMAS
                if schemas is not None and (needs_schema(record.key) or needs_schema(record.value)):
                    by_schema = await _by_schema(record, schemas)
                one, wish = _accept(record, now_ms, by_schema)
            except RestError as error:
                order.append(_failure(error))
                continue
            order.append(one)
            accepted.append(one)
            wishes.append(wish)
        size_bytes = sum([_size_bytes(one.record) for one in accepted])
        if not accepted:
            return _Chunk(self, order, [], [], size_bytes)
        try:
            count = await partition_count(self.context.producer, self.topic)
        except (RestError, KafkaError, ClusterUnreachable) as error:
            told: list[_Accepted | _Failure] = [one if isinstance(one, _Failure) else _failure(error) for one in order]
            return _Chunk(self, told, [], [], size_bytes)
        placement = Placement(self.context.producer, self.context.sticky_partitions, self.topic, count)
        started = placement.start(
            [one.record for one in accepted],
            None if wishes.count(None) == len(wishes) else wishes,
            size_bytes=size_bytes,
        )
        return _Chunk(self, order, accepted, started, size_bytes)

    def failed(self, error: RestError, *, count: int) -> _Chunk:
        """Receipts of that many records that cannot be taken."""
        return _Chunk(self, [_failure(error) for _ in range(count)], [], [], 0)

    def receipt(self, accepted: _Accepted, partition: int, offset: int) -> _Receipt:
        record = accepted.record
        return _Receipt(
            200,
            self.cluster_id,
            self.topic,
            partition,
            offset,
            iso_time(record.timestamp_ms or 0),
            _data_receipt(accepted.key_type, record.key),
            _data_receipt(accepted.value_type, record.value),
        )


def _data_receipt(kind: str | DataBySchema | None, data: bytes | None) -> _DataReceipt | UnsetType:
    if kind is None:
        return UNSET
    size = len(data or b"")
    if isinstance(kind, str):
        return _DataReceipt(kind, size=size)
    if kind.type is None:
        return UNSET
    schema = kind.schema
    if schema is None:
        return _DataReceipt(kind.type, size=size)
    subject = UNSET if schema.subject is None else schema.subject
    return _DataReceipt(kind.type, subject, schema.id, UNSET if schema.version is None else schema.version, size)


def _failure(error: Exception) -> _Failure:
    """What a receipt says of an error. Codes of constraints stand only in the text, as in the original."""
    told = translate(error) or InternalServerError()
    if told.status == 422 and told.error_code != 422:
        return _Failure(422, f"Error: {told.error_code} : {told.message}")
    return _Failure(told.error_code, told.message)


@lru_cache(256)
def iso_time(timestamp_ms: int) -> str:
    """2026-11-23T07:30:00.123Z"""
    seconds, millis = divmod(timestamp_ms, 1000)
    return f"{_iso_second(seconds)}.{millis:03}Z" if millis else f"{_iso_second(seconds)}Z"


def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


# --- one record ----------------------------------------------------------------------------------------------------


async def _by_schema(record: _Record, schemas: RecordSchemas) -> _BySchema:
    """The key and the value, where they need a schema. Raises a RestError."""
    return await schemas.encode(record.key, is_key=True), await schemas.encode(record.value, is_key=False)


def _accept(record: _Record, now_ms: int, by_schema: _BySchema) -> tuple[_Accepted, int | None]:
    """Raises a RestError that says what is wrong with the record."""
    if record.partition_id is not None and record.partition_id < 0:
        raise Unprocessable("partition_id must be greater than or equal to 0")
    headers = tuple((header.name, header.value) for header in record.headers) if record.headers else ()
    timestamp_ms = now_ms if record.timestamp is None else _timestamp_ms(record.timestamp)
    key, value = by_schema
    to_send = RecordToSend(
        _data_bytes(record.key) if key is None else key.data,
        _data_bytes(record.value) if value is None else value.data,
        headers,
        timestamp_ms,
    )
    return _Accepted(to_send, key or _type_of(record.key), value or _type_of(record.value)), record.partition_id


def _timestamp_ms(timestamp: datetime) -> int:
    timestamp_ms = int(timestamp.timestamp() * 1000)
    if timestamp_ms < 0:
        raise BadRequest("timestamp must not lie before 1970")
    if timestamp_ms > TIMESTAMP_MS_MAX:
        raise BadRequest("timestamp must lie before the year 10000")
    return timestamp_ms


def _size_bytes(record: RecordToSend) -> int:
    return RECORD_OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")


def _type_of(data: _Data | None) -> str | None:
    return None if data is None or data.type is None else data.type.upper()


def _data_bytes(data: _Data | None) -> bytes | None:
    if data is None:
        return None
    name = (data.type or "").upper()
    if name in _TYPES_OF_REGISTRY:
        raise no_registry(name)
    if data.schema is not None or data.schema_id is not None or data.schema_version is not None:
        raise SerializationFailed("A schema needs a Schema Registry, and none is configured")
    if name == "JSON":
        return json_text(data.data)
    text = json_bytes(data.data)
    if name in ("BINARY", "STRING"):
        return None if text is None else _string_bytes(text, name)
    if not name and text is None:
        return None
    if not name:
        raise SerializationFailed("Data without type needs a Schema Registry, and none is configured; give a type")
    raise BadRequest(f"type is {data.type!r}, not one of BINARY, JSON, STRING, AVRO, JSONSCHEMA, PROTOBUF")


def _string_bytes(text: bytes, name: str) -> bytes:
    try:
        string = _string_decoder.decode(text)
        return string.encode() if name == "STRING" else binascii.a2b_base64(string, strict_mode=True)
    except msgspec.ValidationError as error:
        raise InvalidRecordData(f"data of type {name} must be a string") from error
    except (binascii.Error, ValueError) as error:
        raise InvalidRecordData(f"data of type {name} must be a base64 string: {error}") from error
