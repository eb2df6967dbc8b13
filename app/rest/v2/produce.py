"""Records in (REST API v2): `POST /topics/{topic}` and `/topics/{topic}/partitions/{partition}`."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar

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
from app.rest.placing import Appended, Placement, Started, partition_count
from app.rest.v2.metadata import partition_number
from app.rest.v2.schema_records import NO_SCHEMAS, SchemaIds, SchemaRecord, SchemaRequest, encode_records
from broker.errors import (
    ClusterAuthorizationFailed,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailed,
    TransactionalIdAuthorizationFailed,
)

SLICE_BYTES = 4 << 20  # of a request: so much of it is made into records at a time

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
    embedded = _embedded(request)
    if embedded.needs_registry:
        return await _produce_by_schema(request, topic, embedded, await request.body())
    asked, wishes, size_bytes = _read_records(await request.body(), embedded)
    count = await partition_count(request.context.producer, topic)
    placement = Placement(request.context.producer, request.context.sticky_partitions, topic, count)
    return await _append(request, placement, asked, wishes, size_bytes=size_bytes, to_send=_TO_SEND[embedded])


@routes.on("POST", "/topics/{topic}/partitions/{partition}", body=_BODIES)
@answered_once
async def produce_to_partition(request: Request, topic: str, number: str) -> Response:
    """Append records to one partition; a record's own `partition` still wins."""
    partition = partition_number(number)
    embedded = _embedded(request)
    if embedded.needs_registry:
        return await _produce_by_schema(request, topic, embedded, await request.body(), partition)
    asked, own, size_bytes = _read_records(await request.body(), embedded)
    count = await partition_count(request.context.producer, topic)
    if not 0 <= partition < count:
        raise PartitionNotFound
    wishes = [partition if wish is None else wish for wish in own or [None] * len(asked)]
    placement = Placement(request.context.producer, request.context.sticky_partitions, topic, count)
    return await _append(request, placement, asked, wishes, size_bytes=size_bytes, to_send=_TO_SEND[embedded])


async def _append(
    request: Request,
    placement: Placement,
    asked: list[T],
    wishes: Sequence[int | None] | None,
    *,
    size_bytes: int,
    to_send: Callable[[list[T]], list[RecordToSend]],
    schemas: SchemaIds = NO_SCHEMAS,
) -> Response:
    record_count = len(asked)
    if size_bytes <= SLICE_BYTES:
        started = placement.start(to_send(asked), wishes, size_bytes=size_bytes)
        outcomes = [await append.outcome() for append in started]
    else:
        outcomes = await _append_slices(placement, asked, wishes, size_bytes=size_bytes, to_send=to_send)
    return _answer(request, outcomes, record_count=record_count, schemas=schemas)


async def _append_slices(
    placement: Placement,
    asked: list[T],
    wishes: Sequence[int | None] | None,
    *,
    size_bytes: int,
    to_send: Callable[[list[T]], list[RecordToSend]],
) -> list[Appended]:
    """A large request in slices, in order, two of them on their way; what became records is taken out of asked.

    All of it at once would hold the loop for a second, and the request in memory as what was asked, as records and as
    batches. After a slice that found no cluster nothing more is sent.
    """
    record_count, slice_count = len(asked), max(1, len(asked) * SLICE_BYTES // size_bytes)
    outcomes: list[Appended] = []
    on_their_way: list[Started] = []
    first = 0
    while asked:
        records = to_send(asked[:slice_count])
        del asked[:slice_count]
        started = placement.start(
            records, wishes and wishes[first : first + len(records)], size_bytes=min(size_bytes, SLICE_BYTES)
        )
        for one in started:
            one.group.indexes = _moved(one.group.indexes, first)
        first += len(records)
        ended = [await one.outcome() for one in on_their_way]
        outcomes += ended
        on_their_way = started
        away = next((one for one in ended if isinstance(one.error, ClusterUnreachable)), None)
        if away is not None:
            outcomes.append(replace(away, indexes=range(first, record_count)))
            break
        await asyncio.sleep(0)
    return outcomes + [await one.outcome() for one in on_their_way]


def _moved(indexes: Sequence[int], by: int) -> Sequence[int]:
    if isinstance(indexes, range):
        return range(indexes.start + by, indexes.stop + by)
    return [index + by for index in indexes]


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
    return await _append(request, placement, records, wishes, size_bytes=len(body), to_send=list, schemas=schemas)


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


def _read_records(body: bytes, embedded: EmbeddedFormat) -> tuple[list[Any], list[int | None] | None, int]:
    """The records of a request, the partitions that they ask for (None: none does), and the body's bytes.

    Callers keep no body: of a large one there would be two while it is read.
    """
    size_bytes = len(body)
    asked: list[_JsonRecord] | list[_BinaryRecord] | None
    if embedded is EmbeddedFormat.JSON:
        body = compact(body)
        asked = _asked(_json_decoder, body).records
    else:
        asked = _asked(_binary_decoder, body).records
    return asked or [], _wishes(asked), size_bytes


def _json_to_send(asked: list[_JsonRecord]) -> list[RecordToSend]:
    # json_bytes written out: a call per record is a third of this.
    return [
        RecordToSend(
            None if one.key is NULL or (key := bytes(one.key)) == b"null" else key,
            None if (value := bytes(one.value)) == b"null" else value,
        )
        for one in asked
    ]


def _binary_to_send(asked: list[_BinaryRecord]) -> list[RecordToSend]:
    return [RecordToSend(one.key, one.value) for one in asked]


_TO_SEND: dict[EmbeddedFormat, Callable[[list[Any]], list[RecordToSend]]] = {
    EmbeddedFormat.JSON: _json_to_send,
    EmbeddedFormat.BINARY: _binary_to_send,
}


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
    first = outcomes[0]
    if len(outcomes) == 1 and first.error is None:
        return Response(200, _one_partition(first.partition, first.offsets, schemas), request.media_type)
    if all(one.error is None and one.partition == first.partition for one in outcomes):
        offsets = chain.from_iterable(one.offsets for one in outcomes)
        return Response(200, _one_partition(first.partition, offsets, schemas), request.media_type)
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


def _one_partition(partition: int, offsets: Iterable[int], schemas: SchemaIds) -> bytes:
    """The answer when all records went to one partition, which is nearly always: joined in C, not encoded."""
    start = b'{"partition":%d,"offset":' % partition
    end = b',"error_code":null,"error":null}'
    entries = (end + b"," + start).join([b"%d" % offset for offset in offsets])
    ids = b'],"key_schema_id":null,"value_schema_id":null}' if schemas is NO_SCHEMAS else _ids_end(schemas)
    return b"".join((b'{"offsets":[', start, entries, end, ids))


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
