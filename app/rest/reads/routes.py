"""`GET /caudal/v1/topics/{topic}/records`: what is there as JSON or NDJSON, what comes as server-sent events.

No instance, no session: any proxy on the cluster answers the next request as well. Ours, see docs/rest-reads.md.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final
from urllib.parse import urlencode

from starlette.types import Send

from app.cluster.messages import BrowsedRecord, FromOffset, FromTime, Newer, browse, format_cursor
from app.cluster.tail import Encode, TailReader
from app.http.exchange import Request as AnyRequest
from app.http.json_body import encode
from app.http.media_types import JSON, Offers
from app.http.routing import Routes
from app.kafka.ports import ClusterUnreachable, TopicPartition
from app.rest.access.checks import STILL_ALLOWED, until_refused
from app.rest.errors import BadRequest, PartitionNotFound, TopicNotFound, translate
from app.rest.http import Answer, Request, Response
from app.rest.reads.query import Query, read_cursor, read_query
from app.rest.reads.records import teller
from broker.errors import KafkaError

NDJSON: Final = "application/x-ndjson"
EVENT_STREAM: Final = "text/event-stream"
BYTES_MAX: Final = 32 << 20
SECONDS_MAX: Final = 5.0
KEEP_ALIVE_S: Final = 15.0
RETRY_MS: Final = 1_000
KEPT_WITH_CURSOR: Final = frozenset({"partition", "limit", "format", "isolation"})

routes = Routes(
    consumes=frozenset(),
    offers=Offers({JSON: 1.0, NDJSON: 0.9, EVENT_STREAM: 0.8}),
    prefix="/caudal/v1/topics/{topic}",
)


@routes.on("GET", "/records")
async def read_records(request: Request, topic: str) -> Answer:
    """Records as the query says, and where to go on; with `Accept: text/event-stream` all that come from now on."""
    query = read_query(request.query)
    tell = teller(topic, query.formats)
    partitions = await _partitions(request, topic, query)
    if request.media_type == EVENT_STREAM:
        return await _tail(request, topic, query, partitions)
    found = await browse(
        request.context.admin,
        None,
        topic,
        partitions=partitions,
        start=query.start or FromOffset(0),
        limit=query.limit,
        read_committed=query.read_committed,
        bytes_max=BYTES_MAX,
        seconds_max=SECONDS_MAX,
    )
    records = sorted(found.records, key=_place) if found.is_backwards else found.records
    told = [tell(record) for record in records]
    cursor = format_cursor(found.next_offsets)
    link = ((b"link", f'<{_next_url(request, topic, query, cursor)}>; rel="next"'.encode()),)
    if request.media_type == NDJSON:
        return Response(200, b"".join(line + b"\n" for line in told), NDJSON, link)
    rest = encode({"next": cursor, "stopped_by": found.stopped_by, "unread": dict(found.unread)})
    return Response(200, b'{"records":[' + b",".join(told) + b"]," + rest[1:], JSON, link)


def _place(record: BrowsedRecord) -> tuple[int, int, int]:
    return record.timestamp_ms, record.partition, record.offset


def _next_url(request: Request, topic: str, query: Query, cursor: str) -> str:
    kept = {name: value for name, value in request.query.items() if name in KEPT_WITH_CURSOR}
    return f"{request.base_url}{request.path}?{urlencode({**kept, 'cursor': cursor})}"


async def _partitions(request: Request, topic: str, query: Query) -> tuple[int, ...]:
    """Those asked for, or all. Raises TopicNotFound, PartitionNotFound."""
    known = (await request.context.admin.metadata()).topics.get(topic)
    if known is None:
        raise TopicNotFound
    numbers = tuple(one.partition for one in known.partitions)
    if query.partitions is None:
        return numbers
    if not set(query.partitions) <= set(numbers):
        raise PartitionNotFound
    return query.partitions


# --- the live tail -------------------------------------------------------------------------------------------------


async def _tail(request: Request, topic: str, query: Query, partitions: tuple[int, ...]) -> "EventStream":
    last_event_id = request.headers.get(b"last-event-id", b"").decode("latin-1")
    if last_event_id:
        wanted = read_cursor("Last-Event-ID", last_event_id)
    else:
        wanted = await _wanted(request, topic, query, partitions)
    reader = await request.context.tails.join(
        topic,
        partitions,
        wanted,
        encode=_event_of(topic, query.formats),
        encoding=query.formats,
        read_committed=query.read_committed,
        idle_s=KEEP_ALIVE_S,
    )
    return EventStream(reader)


async def _wanted(request: Request, topic: str, query: Query, partitions: tuple[int, ...]) -> dict[int, int]:
    """The offsets that the query says; none where it is the end."""
    match query.start:
        case None:
            return {}
        case FromOffset(offset):
            return dict.fromkeys(partitions, offset)
        case Newer(offsets):
            return dict(offsets)
        case FromTime(timestamp_ms):
            times = dict.fromkeys((TopicPartition(topic, number) for number in partitions), timestamp_ms)
            found = await request.context.admin.list_offsets(times)
            return {partition.partition: one.offset for partition, one in found.items() if one.offset >= 0}
    raise BadRequest("a live tail begins at an offset, a timestamp, a cursor or at the end, not with the newest")


def _event_of(topic: str, formats: str) -> Encode:
    tell = teller(topic, formats)

    def event_of(record: BrowsedRecord, cursor: str) -> bytes:
        return b"id: %b\ndata: %b\n\n" % (cursor.encode(), tell(record))

    return event_of


class EventStream:
    """The answer of a live tail; ends when the client goes or may not read any more, or with an event `error`."""

    def __init__(self, reader: TailReader) -> None:
        self._reader = reader

    async def send_to(self, send: Send, request: AnyRequest[Any]) -> None:
        headers = [
            (b"content-type", EVENT_STREAM.encode()),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            watching = [until_refused(request)] if STILL_ALLOWED in request.scope else []
            await until_first(self._send_events(send), request.gone(), request.stopping(), *watching)
        finally:
            self._reader.close()
        await send({"type": "http.response.body", "body": b""})

    async def _send_events(self, send: Send) -> None:
        async def part(body: bytes) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": True})

        await part(b"retry: %d\n\n" % RETRY_MS)
        try:
            async for each in self._reader.events():
                await part(each or b": keep-alive\n\n")
        except (KafkaError, ClusterUnreachable) as error:
            told = translate(error)
            assert told is not None
            await part(b"event: error\ndata: %b\n\n" % encode({"error_code": told.error_code, "message": told.message}))


async def until_first(*doings: Coroutine[Any, Any, None]) -> None:
    """Run until one of them is done, then cancel the others. Raises what the first raised."""
    tasks = [asyncio.create_task(doing) for doing in doings]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
