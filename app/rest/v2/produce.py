"""Records in (REST API v2): `POST /topics/{topic}` and `/topics/{topic}/partitions/{partition}`."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from app.http.json_body import compact, decode, encode
from app.http.routing import Routes
from app.kafka.ports import ClusterUnreachable, RecordToSend
from app.rest.errors import (
    ClusterAway,
    PartitionNotFound,
    Unprocessable,
    UnsupportedMediaType,
)
from app.rest.formats import FORMAT_BY_MEDIA_TYPE, NULL, EmbeddedFormat
from app.rest.http import Request, Response
from app.rest.idempotency import answered_once
from app.rest.negotiation import V2_EMBEDDED, V2_OFFERS, V2_PRODUCE_CONSUMED, parse_content_type
from app.rest.placing import Appended, Placement, partition_count
from app.rest.v2.metadata import partition_number
from app.rest.v2.schema_records import NO_SCHEMAS, SchemaIds, SchemaRecord, SchemaRequest, encode_records
from broker.errors import (
    ClusterAuthorizationFailed,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailed,
    TransactionalIdAuthorizationFailed,
)

routes = Routes(consumes=V2_PRODUCE_CONSUMED, offers=V2_OFFERS)

T = TypeVar("T")


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


_BODIES = dict.fromkeys(V2_PRODUCE_CONSUMED, SchemaRequest) | {
    V2_EMBEDDED["binary"]: _BinaryRequest,
    V2_EMBEDDED["json"]: _JsonRequest,
}

_binary_decoder = msgspec.json.Decoder(_BinaryRequest | None)
_json_decoder = msgspec.json.Decoder(_JsonRequest | None)
_schema_decoder = msgspec.json.Decoder(SchemaRequest | None)


@routes.on("POST", "/topics/{topic}", body=_BODIES)
@answered_once
async def produce_to_topic(request: Request, topic: str) -> Response:
    """Append records; their own `partition` wins, then the key's, then whichever has its turn."""
    body = await request.body()
    embedded = _embedded(request)
    if embedded.needs_registry:
        return await _produce_by_schema(request, topic, embedded, body)
    records, wishes = _read_records(body, embedded)
    count = await partition_count(request.context.producer, topic)
    placement = Placement(request.context.producer, request.context.sticky_partitions, topic, count)
    return await _append(request, placement, records, wishes, size_bytes=len(body))


@routes.on("POST", "/topics/{topic}/partitions/{partition}", body=_BODIES)
@answered_once
async def produce_to_partition(request: Request, topic: str, number: str) -> Response:
    """Append records to one partition; a record's own `partition` still wins."""
    partition = partition_number(number)
    body = await request.body()
    embedded = _embedded(request)
    if embedded.needs_registry:
        return await _produce_by_schema(request, topic, embedded, body, partition)
    records, own = _read_records(body, embedded)
    count = await partition_count(request.context.producer, topic)
    if not 0 <= partition < count:
        raise PartitionNotFound
    wishes = [partition if wish is None else wish for wish in own or [None] * len(records)]
    placement = Placement(request.context.producer, request.context.sticky_partitions, topic, count)
    return await _append(request, placement, records, wishes, size_bytes=len(body))


async def _append(
    request: Request,
    placement: Placement,
    records: list[RecordToSend],
    wishes: Sequence[int | None] | None,
    *,
    size_bytes: int,
    schemas: SchemaIds = NO_SCHEMAS,
) -> Response:
    started = placement.start(records, wishes, size_bytes=size_bytes)
    outcomes = [await append.outcome() for append in started]
    return _answer(request, outcomes, record_count=len(records), schemas=schemas)


async def _produce_by_schema(
    request: Request, topic: str, embedded: EmbeddedFormat, body: bytes, partition: int | None = None
) -> Response:
    """The topic is looked at before a schema is registered for it."""
    asked = _asked(_schema_decoder, compact(body))
    wishes = _wishes(asked.records)
    asked.check()
    count = await partition_count(request.context.producer, topic)
    if partition is not None:
        if not 0 <= partition < count:
            raise PartitionNotFound
        wishes = [partition if wish is None else wish for wish in wishes or [None] * len(asked.records or ())]
    records, schemas = await encode_records(
        asked,
        request.context.schemas,
        topic,
        embedded,
        null_is_kafkas=request.context.settings.null_request_body_always_publishes_empty_record,
    )
    placement = Placement(request.context.producer, request.context.sticky_partitions, topic, count)
    return await _append(request, placement, records, wishes, size_bytes=len(body), schemas=schemas)


def _embedded(request: Request) -> EmbeddedFormat:
    embedded = FORMAT_BY_MEDIA_TYPE.get(parse_content_type(request.headers.get(b"content-type", b"")).name)
    if embedded is None:  # neither a body nor a type for it
        raise UnsupportedMediaType
    return embedded


def _asked(decoder: msgspec.json.Decoder[T | None], body: bytes) -> T:
    """What the body asks for. Raises Unprocessable for none at all, and for null."""
    asked = decode(decoder, body) if body else None
    if asked is None:
        raise Unprocessable("The request body may not be null")
    return asked


def _read_records(body: bytes, embedded: EmbeddedFormat) -> tuple[list[RecordToSend], list[int | None] | None]:
    """The records of a request, and the partitions that they ask for (None: none does)."""
    if embedded is EmbeddedFormat.JSON:
        of_json = _asked(_json_decoder, compact(body)).records
        wishes = _wishes(of_json)
        # json_bytes written out: a call per record is a third of this.
        records = [
            RecordToSend(
                None if one.key is NULL or (key := bytes(one.key)) == b"null" else key,
                None if (value := bytes(one.value)) == b"null" else value,
            )
            for one in of_json or ()
        ]
    else:
        of_binary = _asked(_binary_decoder, body).records
        wishes = _wishes(of_binary)
        records = [RecordToSend(one.key, one.value) for one in of_binary or ()]
    return records, wishes


def _wishes(
    records: Sequence[_BinaryRecord] | Sequence[_JsonRecord] | Sequence[SchemaRecord] | None,
) -> list[int | None] | None:
    """Raises Unprocessable when there are no records, or one asks for a partition below 0."""
    if not records:
        raise Unprocessable("records may not be empty")
    wishes = [record.partition for record in records]
    if wishes.count(None) == len(wishes):
        return None
    if any(wish is not None and wish < 0 for wish in wishes):
        raise Unprocessable("records.partition must be greater than or equal to 0")
    return wishes


# --- the answer ----------------------------------------------------------------------------------------------------

_UNAUTHENTICATED, _UNAUTHORIZED, _RETRIABLE, _FAILED = 40101, 40301, 50003, 50002


class _OffsetEntry(msgspec.Struct):
    partition: int | None = None
    offset: int | None = None
    error_code: int | None = None
    error: str | None = None


def _answer(
    request: Request, outcomes: Sequence[Appended], *, record_count: int, schemas: SchemaIds = NO_SCHEMAS
) -> Response:
    """One entry per record, in the order of the request. 401 or 403 when any record met with that, else 200."""
    if len(outcomes) == 1 and outcomes[0].error is None:
        return Response(200, _one_partition(outcomes[0], schemas), request.media_type)
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
    body = encode({"offsets": entries, "key_schema_id": schemas.key, "value_schema_id": schemas.value})
    return Response(status, body, request.media_type)


def _one_partition(appended: Appended, schemas: SchemaIds) -> bytes:
    """The answer when all records went to one partition, which is nearly always: joined in C, not encoded."""
    start = b'{"partition":%d,"offset":' % appended.partition
    end = b',"error_code":null,"error":null}'
    entries = (end + b"," + start).join([b"%d" % offset for offset in appended.offsets])
    ids = b'],"key_schema_id":null,"value_schema_id":null}' if schemas is NO_SCHEMAS else _ids_end(schemas)
    return b'{"offsets":[' + start + entries + end + ids


def _ids_end(schemas: SchemaIds) -> bytes:
    return b"]," + encode({"key_schema_id": schemas.key, "value_schema_id": schemas.value})[1:]


def _error_code(error: Exception) -> int:
    if isinstance(error, SaslAuthenticationFailed):
        return _UNAUTHENTICATED
    if isinstance(error, TopicAuthorizationFailed | ClusterAuthorizationFailed | TransactionalIdAuthorizationFailed):
        return _UNAUTHORIZED
    if isinstance(error, ClusterUnreachable) or (isinstance(error, KafkaError) and error.retriable):
        return _RETRIABLE
    return _FAILED
