"""Records in (REST API v2): `POST /topics/{topic}` and `/topics/{topic}/partitions/{partition}`."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from app.kafka.ports import ClusterUnreachable, RecordToSend
from app.rest.errors import (
    ClusterAway,
    KeySchemaMissing,
    PartitionNotFound,
    Unprocessable,
    UnsupportedMediaType,
    ValueSchemaMissing,
)
from app.rest.formats import FORMAT_BY_MEDIA_TYPE, NULL, EmbeddedFormat, json_bytes, no_registry
from app.rest.http import Request, Response
from app.rest.json_body import compact, decode, encode
from app.rest.negotiation import V2_OFFERS, V2_PRODUCE_CONSUMED, parse_content_type
from app.rest.placing import Appended, Placed, partition_count, place, start_appends
from app.rest.routing import Routes
from app.rest.v2.metadata import partition_number
from broker.errors import (
    ClusterAuthorizationFailed,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailed,
    TransactionalIdAuthorizationFailed,
)

routes = Routes(consumes=V2_PRODUCE_CONSUMED, offers=V2_OFFERS)


class _BinaryRecord(msgspec.Struct, gc=False):
    """base64 is decoded by msgspec; null and absent are Kafka's null."""

    value: bytes | None = None
    key: bytes | None = None
    partition: int | None = None


class _JsonRecord(msgspec.Struct):
    value: msgspec.Raw = NULL
    key: msgspec.Raw = NULL
    partition: int | None = None


class _BinaryRequest(msgspec.Struct):
    records: list[_BinaryRecord] | None = None


class _JsonRequest(msgspec.Struct):
    records: list[_JsonRecord] | None = None


class _SchemaRequest(_JsonRequest):
    key_schema: str | None = None
    key_schema_id: int | None = None
    value_schema: str | None = None
    value_schema_id: int | None = None


AnyRecord = TypeVar("AnyRecord", _BinaryRecord, _JsonRecord)

_binary_decoder = msgspec.json.Decoder(_BinaryRequest)
_json_decoder = msgspec.json.Decoder(_JsonRequest)
_schema_decoder = msgspec.json.Decoder(_SchemaRequest)


@routes.on("POST", "/topics/{topic}")
async def produce_to_topic(request: Request, topic: str) -> Response:
    """Append records; their own `partition` wins, then the key's, then whichever has its turn."""
    records = _read_records(await request.body(), request)
    count = await partition_count(request.context.producer, topic)
    return await _produce(request, topic, records, count)


@routes.on("POST", "/topics/{topic}/partitions/{partition}")
async def produce_to_partition(request: Request, topic: str, number: str) -> Response:
    """Append records to one partition; a record's own `partition` still wins."""
    partition = partition_number(number)
    records = _read_records(await request.body(), request)
    count = await partition_count(request.context.producer, topic)
    if not 0 <= partition < count:
        raise PartitionNotFound
    placed = [(record, partition if own is None else own) for record, own in records]
    return await _produce(request, topic, placed, count)


async def _produce(request: Request, topic: str, records: Sequence[Placed], count: int) -> Response:
    context = request.context
    groups = place(topic, records, count, context.sticky_partitions)
    started = start_appends(context.producer, topic, groups, count)
    outcomes = [await append.outcome(topic) for append in started]
    return _answer(request, outcomes, record_count=len(records))


def _read_records(body: bytes, request: Request) -> list[Placed]:
    """The records of a request, each with the partition that it names itself."""
    embedded = FORMAT_BY_MEDIA_TYPE.get(parse_content_type(request.headers.get(b"content-type", b"")).name)
    if embedded is None:  # neither a body nor a type for it
        raise UnsupportedMediaType
    if embedded is EmbeddedFormat.JSON:
        # A record is built anew for Kafka, so no part of the request's body stays in memory with it.
        return [
            (RecordToSend(json_bytes(one.key) if one.key is not NULL else None, json_bytes(one.value)), one.partition)
            for one in _checked(decode(_json_decoder, compact(body)).records)
        ]
    if embedded is EmbeddedFormat.BINARY:
        return [
            (RecordToSend(one.key, one.value), one.partition) for one in _checked(decode(_binary_decoder, body).records)
        ]
    _check_schemas(decode(_schema_decoder, compact(body)))
    raise no_registry(embedded)


def _checked(records: list[AnyRecord] | None) -> list[AnyRecord]:
    if not records:
        raise Unprocessable("records may not be empty")
    if any(record.partition is not None and record.partition < 0 for record in records):
        raise Unprocessable("records.partition must be greater than or equal to 0")
    return records


def _check_schemas(request: _SchemaRequest) -> None:
    records = _checked(request.records)
    has_keys = any(json_bytes(record.key) is not None for record in records)
    if has_keys and request.key_schema is None and request.key_schema_id is None:
        raise KeySchemaMissing
    has_values = any(json_bytes(record.value) is not None for record in records)
    if has_values and request.value_schema is None and request.value_schema_id is None:
        raise ValueSchemaMissing


# --- the answer ----------------------------------------------------------------------------------------------------

_UNAUTHENTICATED, _UNAUTHORIZED, _RETRIABLE, _FAILED = 40101, 40301, 50003, 50002


class _OffsetEntry(msgspec.Struct):
    partition: int | None = None
    offset: int | None = None
    error_code: int | None = None
    error: str | None = None


def _answer(request: Request, outcomes: Sequence[Appended], *, record_count: int) -> Response:
    """One entry per record, in the order of the request. 401 or 403 when any record met with that, else 200."""
    if len(outcomes) == 1 and outcomes[0].error is None:
        return Response(200, _one_partition(outcomes[0]), request.media_type)
    if all(isinstance(outcome.error, ClusterUnreachable) for outcome in outcomes):
        raise ClusterAway(str(outcomes[0].error))
    entries = [_OffsetEntry()] * record_count
    status = 200
    for outcome in outcomes:
        if outcome.error is None:
            for index, offset in zip(outcome.indexes, outcome.offsets, strict=True):
                entries[index] = _OffsetEntry(outcome.partition, offset)
            continue
        failed = _OffsetEntry(error_code=_error_code(outcome.error), error=str(outcome.error))
        status = max(status, {_UNAUTHENTICATED: 401, _UNAUTHORIZED: 403}.get(failed.error_code or 0, 200))
        for index in outcome.indexes:
            entries[index] = failed
    body = encode({"offsets": entries, "key_schema_id": None, "value_schema_id": None})
    return Response(status, body, request.media_type)


def _one_partition(appended: Appended) -> bytes:
    """The answer when all records went to one partition, which is nearly always: joined in C, not encoded."""
    start = b'{"partition":%d,"offset":' % appended.partition
    end = b',"error_code":null,"error":null}'
    entries = (end + b"," + start).join([b"%d" % offset for offset in appended.offsets])
    return b'{"offsets":[' + start + entries + end + b'],"key_schema_id":null,"value_schema_id":null}'


def _error_code(error: Exception) -> int:
    if isinstance(error, SaslAuthenticationFailed):
        return _UNAUTHENTICATED
    if isinstance(error, TopicAuthorizationFailed | ClusterAuthorizationFailed | TransactionalIdAuthorizationFailed):
        return _UNAUTHORIZED
    if isinstance(error, ClusterUnreachable) or (isinstance(error, KafkaError) and error.retriable):
        return _RETRIABLE
    return _FAILED
