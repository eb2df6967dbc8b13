"""Consumer instances (REST API v2): everything below `/consumers/{group}`."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec

from app.http.json_body import answer, decode, no_content
from app.http.routing import Routes
from app.kafka.ports import EARLIEST, LATEST, CommittedOffset, OffsetReset, TopicPartition
from app.rest.access.checks import consumable, owner_of, principal_of, require
from app.rest.access.rules import Kind, Operation
from app.rest.consumers import FETCH_MIN_BYTES_UNSET, ConsumerConfig, ConsumerInstance
from app.rest.errors import (
    BadRequest,
    ConsumerConfigOutOfRange,
    ConsumerFormatMismatch,
    ConsumerInstanceNotFound,
    InvalidConsumerConfig,
    PartitionNotFound,
    Unprocessable,
)
from app.rest.formats import FORMAT_BY_MEDIA_TYPE, EmbeddedFormat, encoder_of
from app.rest.formats_by_schema import SchemaRecords
from app.rest.http import Request, Response
from app.rest.names import NamePattern, require_group
from app.rest.negotiation import RECORDS_OFFERS, V2_CONSUMED, V2_OFFERS

FETCH_MIN_BYTES_MAX = 10_000_000
OFFSET_MAX = (1 << 63) - 2  # the one behind it is what is committed
PARTITION_MAX = (1 << 31) - 1
METADATA_BYTES_MAX = (1 << 15) - 1  # a string of Kafka's protocol
REQUEST_TIMEOUT_MS_MAX = 600_000  # nobody holds a connection for longer on purpose
_QUERY_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")

routes = Routes(consumes=V2_CONSUMED, offers=V2_OFFERS, prefix="/consumers/{group}")

T = TypeVar("T")
Setting: TypeAlias = str | int | bool | None  # clients send numbers and booleans as strings, too


class _CreateRequest(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    format: str | None = None
    auto_offset_reset: str | None = msgspec.field(default=None, name="auto.offset.reset")
    auto_commit_enable: Setting = msgspec.field(default=None, name="auto.commit.enable")
    fetch_min_bytes: Setting = msgspec.field(default=None, name="fetch.min.bytes")
    request_timeout_ms: Setting = msgspec.field(default=None, name="consumer.request.timeout.ms")


class _SubscribeRequest(msgspec.Struct):
    topics: list[str] | None = None
    topic_pattern: str | None = None


class _Partition(msgspec.Struct):
    topic: str | None = None
    partition: int | None = None

    @property
    def key(self) -> TopicPartition:
        """Raises Unprocessable when half of it is missing, BadRequest for a number that no partition can have."""
        if not self.topic or self.partition is None:
            raise Unprocessable("topic and partition may not be null")
        if self.partition < 0:
            raise Unprocessable("partition must be greater than or equal to 0")
        if self.partition > PARTITION_MAX:
            raise BadRequest(f"partition must be at most {PARTITION_MAX}")
        return TopicPartition(self.topic, self.partition)


class _PartitionsRequest(msgspec.Struct):
    partitions: list[_Partition] | None = None


class _Offset(_Partition):
    offset: int | None = None
    metadata: str | None = None


class _Time(_Partition):
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _PositionsRequest(msgspec.Struct):
    offsets: list[_Offset] | None = None
    timestamps: list[_Time] | None = None


class _OffsetsRequest(msgspec.Struct):
    offsets: list[_Offset] | None = None


_create_decoder = msgspec.json.Decoder(_CreateRequest | None)
_subscribe_decoder = msgspec.json.Decoder(_SubscribeRequest | None)
_partitions_decoder = msgspec.json.Decoder(_PartitionsRequest | None)
_positions_decoder = msgspec.json.Decoder(_PositionsRequest | None)
_offsets_decoder = msgspec.json.Decoder(_OffsetsRequest | None)


# --- instances -----------------------------------------------------------------------------------------------------


@routes.on("POST", "", body=_CreateRequest)
async def create_instance(request: Request, group: str) -> Response:
    require_group(group)
    body = await request.body()
    wanted = (decode(_create_decoder, body) if body else None) or _CreateRequest()
    instance = request.context.consumers.create(group, _config(wanted, owner_of(request)))
    base_uri = f"{request.base_url}/consumers/{quote(group, safe='')}/instances/{quote(instance.name, safe='')}"
    return answer(request, {"instance_id": instance.name, "base_uri": base_uri})


@routes.on("DELETE", "/instances/{instance}")
async def delete_instance(request: Request, group: str, name: str) -> Response:
    _instance(request, group, name)
    await request.context.consumers.remove(group, name)
    return no_content()


# --- subscription and assignment -----------------------------------------------------------------------------------


@routes.on("POST", "/instances/{instance}/subscription", body=_SubscribeRequest)
async def subscribe(request: Request, group: str, name: str) -> Response:
    instance = _instance(request, group, name)
    wanted = await _read(request, _subscribe_decoder)
    if wanted.topics is not None:
        require(request, Operation.CONSUME, Kind.TOPIC, *wanted.topics)
        await instance.subscribe(wanted.topics)
    elif wanted.topic_pattern is not None:
        may_read = consumable(request, wanted.topic_pattern)
        try:
            pattern = NamePattern(wanted.topic_pattern)
        except ValueError as error:
            raise InvalidConsumerConfig(str(error)) from error
        await instance.subscribe_pattern(pattern, may_read=may_read)
    return no_content()


@routes.on("GET", "/instances/{instance}/subscription")
async def get_subscription(request: Request, group: str, name: str) -> Response:
    instance = _instance(request, group, name)
    return answer(request, {"topics": await instance.subscription()})


@routes.on("DELETE", "/instances/{instance}/subscription")
async def unsubscribe(request: Request, group: str, name: str) -> Response:
    await _instance(request, group, name).unsubscribe()
    return no_content()


@routes.on("POST", "/instances/{instance}/assignments", body=_PartitionsRequest)
async def assign(request: Request, group: str, name: str) -> Response:
    instance = _instance(request, group, name)
    partitions = _partitions(await _read(request, _partitions_decoder))
    require(request, Operation.CONSUME, Kind.TOPIC, *(partition.topic for partition in partitions))
    await instance.assign(partitions)
    return no_content()


@routes.on("GET", "/instances/{instance}/assignments")
async def get_assignments(request: Request, group: str, name: str) -> Response:
    assigned = await _instance(request, group, name).assignment()
    return answer(request, {"partitions": [{"topic": one.topic, "partition": one.partition} for one in assigned]})


# --- positions and offsets -----------------------------------------------------------------------------------------


@routes.on("POST", "/instances/{instance}/positions", body=_PositionsRequest)
async def seek(request: Request, group: str, name: str) -> Response:
    instance = _instance(request, group, name)
    wanted = await _read(request, _positions_decoder)
    if wanted.offsets is None and wanted.timestamps is None:
        raise Unprocessable("offsets may not be null")
    positions = {one.key: _offset(one) for one in wanted.offsets or ()}
    times_ms = {one.key: _time_ms(one) for one in wanted.timestamps or ()}
    if positions:
        await instance.seek(positions)
    if times_ms:
        await instance.seek_to_times(times_ms)
    return no_content()


@routes.on("POST", "/instances/{instance}/positions/beginning", body=_PartitionsRequest)
async def seek_to_beginning(request: Request, group: str, name: str) -> Response:
    return await _seek_all(request, _instance(request, group, name), EARLIEST)


@routes.on("POST", "/instances/{instance}/positions/end", body=_PartitionsRequest)
async def seek_to_end(request: Request, group: str, name: str) -> Response:
    return await _seek_all(request, _instance(request, group, name), LATEST)


@routes.on("POST", "/instances/{instance}/offsets", body=_OffsetsRequest)
async def commit_offsets(request: Request, group: str, name: str) -> Response:
    """Commit; done when answered, `?async=true` or not. A given offset names the last record that was processed."""
    instance = _instance(request, group, name)
    body = await request.body()
    wanted = decode(_offsets_decoder, body) if body else None
    if wanted is None or wanted.offsets is None:
        await instance.commit()
    else:
        offsets = {one.key: CommittedOffset(_offset(one) + 1, metadata=_metadata(one)) for one in wanted.offsets}
        require(request, Operation.CONSUME, Kind.TOPIC, *(partition.topic for partition in offsets))
        await instance.commit(offsets)
    return answer(request, [])


@routes.on("GET", "/instances/{instance}/offsets")
async def get_committed_offsets(request: Request, group: str, name: str) -> Response:
    """Committed offsets of the partitions in the body, or in `?topic=…&partition=…` since proxies drop such bodies."""
    _instance(request, group, name)
    body = await request.body()
    wanted = decode(_partitions_decoder, body) if body else None
    partitions = _partitions_of_query(request.query_pairs) if wanted is None else _partitions(wanted)
    require(request, Operation.CONSUME, Kind.TOPIC, *(partition.topic for partition in partitions))
    committed = (await request.context.admin.group_offsets([group])).get(group, {})
    offsets = [
        {
            "topic": partition.topic,
            "partition": partition.partition,
            "offset": committed[partition].offset,
            "metadata": committed[partition].metadata,
        }
        for partition in partitions
        if partition in committed
    ]
    return answer(request, {"offsets": offsets})


# --- records -------------------------------------------------------------------------------------------------------


@routes.on("GET", "/instances/{instance}/records", offers=RECORDS_OFFERS)
async def read_records(request: Request, group: str, name: str) -> Response:
    """The next records, in the format that Accept asks for; it must be the instance's."""
    instance = _instance(request, group, name)
    asked = FORMAT_BY_MEDIA_TYPE.get(request.media_type, EmbeddedFormat.BINARY)
    if asked is not instance.config.embedded:
        raise ConsumerFormatMismatch
    if principal_of(request) is not None:  # whose rules may be others than when it subscribed
        require(request, Operation.CONSUME, Kind.TOPIC, *instance.topics)
    settings = request.context.settings
    wait_ms = instance.config.request_timeout_ms or settings.consumer_request_timeout_ms
    asked_wait_ms = _query_number(request.query, "timeout")
    if asked_wait_ms > 0:
        wait_ms = min(wait_ms, asked_wait_ms)
    bytes_max = settings.consumer_request_max_bytes
    asked_bytes_max = _query_number(request.query, "max_bytes")
    if asked_bytes_max > 0:
        bytes_max = min(bytes_max, asked_bytes_max)
    if asked.needs_registry and request.context.schemas is not None:
        by_schema = SchemaRecords(request.context.schemas, asked)
        body = await instance.read(by_schema.encode, wait_ms=wait_ms, bytes_max=bytes_max, prepare=by_schema.prepare)
    else:
        body = await instance.read(encoder_of(asked), wait_ms=wait_ms, bytes_max=bytes_max)
    return Response(200, body, request.media_type)


# --- reading requests ----------------------------------------------------------------------------------------------


def _instance(request: Request, group: str, name: str) -> ConsumerInstance:
    """The user's instance of this name, renewed; those of others are not there. Raises ConsumerInstanceNotFound."""
    instance = request.context.consumers.get(group, name)
    if instance.config.owner != owner_of(request):
        raise ConsumerInstanceNotFound
    return instance


async def _read(request: Request, decoder: msgspec.json.Decoder[T | None]) -> T:
    body = await request.body()
    wanted = decode(decoder, body) if body else None
    if wanted is None:
        raise Unprocessable("The request body may not be null")
    return wanted


def _config(wanted: _CreateRequest, owner: str) -> ConsumerConfig:
    try:
        embedded = EmbeddedFormat((wanted.format or EmbeddedFormat.BINARY).lower())
    except ValueError:
        raise Unprocessable(f"Invalid format type {wanted.format}") from None
    try:
        offset_reset = OffsetReset((wanted.auto_offset_reset or OffsetReset.LATEST).lower())
    except ValueError:
        choices = ", ".join(OffsetReset)
        raise InvalidConsumerConfig(f"auto.offset.reset is {wanted.auto_offset_reset}, not one of {choices}") from None
    fetch_min_bytes = _number("fetch.min.bytes", wanted.fetch_min_bytes, FETCH_MIN_BYTES_UNSET)
    if not FETCH_MIN_BYTES_UNSET <= fetch_min_bytes <= FETCH_MIN_BYTES_MAX:
        raise ConsumerConfigOutOfRange(
            f"fetch.min.bytes is {fetch_min_bytes}, not between {FETCH_MIN_BYTES_UNSET} and {FETCH_MIN_BYTES_MAX}"
        )
    request_timeout_ms = _number("consumer.request.timeout.ms", wanted.request_timeout_ms, 0)
    if not 0 <= request_timeout_ms <= REQUEST_TIMEOUT_MS_MAX:
        raise ConsumerConfigOutOfRange(
            f"consumer.request.timeout.ms is {request_timeout_ms}, not between 0 and {REQUEST_TIMEOUT_MS_MAX}"
        )
    return ConsumerConfig(
        name=wanted.id or wanted.name,
        owner=owner,
        embedded=embedded,
        offset_reset=offset_reset,
        auto_commit=_switch("auto.commit.enable", wanted.auto_commit_enable, default=True),
        fetch_min_bytes=fetch_min_bytes,
        request_timeout_ms=request_timeout_ms or None,
    )


def _number(name: str, value: Setting, default: int) -> int:
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        raise InvalidConsumerConfig(f"{name} is {value!r}, not a number") from None


def _switch(name: str, value: Setting, *, default: bool) -> bool:
    if value is None:
        return default
    word = str(value).strip().lower()
    if word not in ("true", "false"):
        raise InvalidConsumerConfig(f"{name} is {value!r}, not true or false")
    return word == "true"


def _query_number(query: Mapping[str, str], name: str) -> int:
    value = query.get(name, "")
    if not value:
        return 0
    if not _QUERY_NUMBER.fullmatch(value):
        raise BadRequest(f"{name} is {value[:100]!r}, not a number")
    return int(value)


def _partitions(wanted: _PartitionsRequest) -> list[TopicPartition]:
    if wanted.partitions is None:
        raise Unprocessable("partitions may not be null")
    return [one.key for one in wanted.partitions]


def _partitions_of_query(pairs: list[tuple[str, str]]) -> list[TopicPartition]:
    topics = [value for name, value in pairs if name == "topic"]
    numbers = [value for name, value in pairs if name == "partition"]
    if not topics or len(topics) != len(numbers) or not all(number.isdecimal() for number in numbers):
        raise PartitionNotFound
    return [TopicPartition(topic, int(number)) for topic, number in zip(topics, numbers, strict=True)]


def _offset(one: _Offset) -> int:
    if one.offset is None or one.offset < 0:
        raise Unprocessable("offset must be a number greater than or equal to 0")
    if one.offset > OFFSET_MAX:
        raise BadRequest(f"offset must be at most {OFFSET_MAX}")
    return one.offset


def _metadata(one: _Offset) -> str:
    metadata = one.metadata or ""
    if len(metadata.encode()) > METADATA_BYTES_MAX:
        raise BadRequest(f"metadata must be at most {METADATA_BYTES_MAX} bytes long")
    return metadata


def _time_ms(one: _Time) -> int:
    if one.timestamp is None:
        raise Unprocessable("timestamp may not be null")
    return int(one.timestamp.timestamp() * 1000)


async def _seek_all(request: Request, instance: ConsumerInstance, where: int) -> Response:
    partitions = _partitions(await _read(request, _partitions_decoder))
    await instance.seek_to_times(dict.fromkeys(partitions, where))
    return no_content()
