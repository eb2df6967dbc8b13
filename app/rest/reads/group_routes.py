"""Consuming as a group without an instance: read from where the group is, then say how far you got.

`GET /caudal/v1/groups/{group}/topics/{topic}/records` tells records from the group's committed offsets on and two
cursors: `committed`, where the group was, and `next`, where it will be. `POST …/offsets` with both moves it there. Any
proxy answers either call, since what there is of state is in Kafka. At least once: what nobody committed is told again.
"""

import asyncio
from typing import Final

import msgspec

from app.cluster.messages import BrowseResult, FromOffset, Newer, browse, format_cursor
from app.http.json_body import decode, encode, no_content
from app.http.media_types import JSON, Offers
from app.http.routing import Routes
from app.kafka.answers import raise_for
from app.kafka.ports import EARLIEST, LATEST, CommittedOffset, TopicPartition
from app.rest.access.checks import require
from app.rest.access.rules import Kind, Operation
from app.rest.errors import BadRequest, PartitionNotFound, RestError, TopicNotFound, Unprocessable
from app.rest.http import Request, Response
from app.rest.names import require_group
from app.rest.reads.query import read_cursor, read_query
from app.rest.reads.records import teller
from app.rest.reads.routes import BYTES_MAX, SECONDS_MAX
from broker.errors import UnknownMemberId

WAIT_MS_MAX: Final = 30_000
LOOK_AGAIN_FIRST_S: Final = 0.05
LOOK_AGAIN_MAX_S: Final = 0.5
RESETS: Final = {"earliest": EARLIEST, "latest": LATEST}

routes = Routes(
    consumes=frozenset({JSON}), offers=Offers({JSON: 1.0}), prefix="/caudal/v1/groups/{group}/topics/{topic}"
)


class OffsetsMoved(RestError):
    """Somebody else commits for this group: another reader, or members of its own."""

    status, error_code, default_message = 409, 409, "The group's offsets have moved meanwhile."


class _CommitRequest(msgspec.Struct):
    committed: str | None = None
    next: str | None = None


_commit_decoder = msgspec.json.Decoder(_CommitRequest)


@routes.on("GET", "/records")
async def read_as_group(request: Request, group: str, topic: str) -> Response:
    """The next records of the group; with `wait_ms` an empty answer comes only after that time."""
    require(request, Operation.CONSUME, Kind.TOPIC, topic)
    require_group(group)
    query = dict(request.query)
    wait_ms, reset = _wait_ms(query.pop("wait_ms", "")), query.pop("reset", "") or "earliest"
    if reset not in RESETS:
        raise BadRequest(f"reset is {reset[:100]!r}, not one of {', '.join(RESETS)}")
    wanted = read_query(query)
    if wanted.start is not None or wanted.partitions is not None:
        raise BadRequest("a group reads all partitions from where it is: partition, offset, timestamp, newest, cursor")
    tell = teller(topic, wanted.formats)
    committed = await _committed(request, group, topic, RESETS[reset])
    found = await _browse(request, topic, committed, wanted.limit, wanted.read_committed)
    deadline, pause_s = asyncio.get_running_loop().time() + wait_ms / 1000, LOOK_AGAIN_FIRST_S
    while not found.records and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LOOK_AGAIN_MAX_S)
        found = await _browse(request, topic, committed, wanted.limit, wanted.read_committed)
    cursors = encode(
        {"committed": format_cursor(committed), "next": format_cursor({**committed, **found.next_offsets})}
    )
    return Response(200, b'{"records":[' + b",".join(map(tell, found.records)) + b"]," + cursors[1:], JSON)


@routes.on("POST", "/offsets", body=_CommitRequest)
async def commit_as_group(request: Request, group: str, topic: str) -> Response:
    """Move the group from `committed` to `next`. 409 when it is elsewhere by now, or has members who read for it."""
    require(request, Operation.CONSUME, Kind.TOPIC, topic)
    require_group(group)
    body = await request.body()
    wanted = decode(_commit_decoder, body) if body else _CommitRequest()
    if not wanted.committed or not wanted.next:
        raise Unprocessable("committed and next may not be null or empty")
    before, after = read_cursor("committed", wanted.committed), read_cursor("next", wanted.next)
    admin = request.context.admin
    there = (await admin.metadata()).topics.get(topic)
    if there is None:  # Kafka would be asked again and again, as a topic that was just made is unknown for a while
        raise TopicNotFound
    if not after.keys() <= {one.partition for one in there.partitions}:
        raise PartitionNotFound
    async with request.context.commits.of(group, topic):
        known = (await admin.group_offsets([group])).get(group, {})
        now = {one.partition: at.offset for one, at in known.items() if one.topic == topic}
        if any(number in now and now[number] != offset for number, offset in before.items()):
            raise OffsetsMoved
        try:
            await admin.commit_offsets(
                group, {TopicPartition(topic, number): CommittedOffset(offset) for number, offset in after.items()}
            )
        except UnknownMemberId:
            raise OffsetsMoved("The group has members who read for it; they commit themselves.") from None
    return no_content()


async def _committed(request: Request, group: str, topic: str, reset: int) -> dict[int, int]:
    """Where the group is in each partition: committed, or where reset says when it never committed there.

    Raises the KafkaError of a partition whose end is asked for and cannot be told.
    """
    admin = request.context.admin
    known = (await admin.metadata()).topics.get(topic)
    if known is None:
        raise TopicNotFound
    partitions = [TopicPartition(topic, one.partition) for one in known.partitions]
    committed = (await admin.group_offsets([group])).get(group, {})
    unknown = [one for one in partitions if one not in committed]
    starts = await admin.list_offsets(dict.fromkeys(unknown, reset)) if unknown else {}
    if reset == LATEST:  # from 0 it would be told all over again; earliest may begin there, whoever leads it
        for one, start in starts.items():
            raise_for(start.error_code, f"partition {one.partition} of topic '{topic}' cannot be read now")
    return {
        one.partition: committed[one].offset if one in committed else max(0, starts[one].offset) for one in partitions
    }


async def _browse(
    request: Request, topic: str, offsets: dict[int, int], limit: int, read_committed: bool
) -> BrowseResult:
    return await browse(
        request.context.admin,
        None,
        topic,
        partitions=tuple(offsets),
        start=Newer(offsets) if offsets else FromOffset(0),
        limit=limit,
        read_committed=read_committed,
        bytes_max=BYTES_MAX,
        seconds_max=SECONDS_MAX,
    )


def _wait_ms(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= WAIT_MS_MAX):
        raise BadRequest(f"wait_ms is {text[:100]!r}, not a number from 0 to {WAIT_MS_MAX}")
    return int(text)
