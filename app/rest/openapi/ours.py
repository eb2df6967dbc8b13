"""Our additions, described: off the paths that are compatible with Confluent's."""

from typing import Any, Final

import msgspec

from app.rest.negotiation import JSON, V2
from app.rest.openapi.described import ByMediaType, Described, Parameter, Surface
from app.rest.reads.query import LIMIT, LIMIT_MAX
from app.rest.reads.records import Told


class Records(msgspec.Struct):
    """next is the cursor of what comes after; unread names partitions that could not be read, with Kafka's error."""

    records: list[Told]
    next: str
    stopped_by: str
    unread: dict[str, str]


class GroupRecords(msgspec.Struct):
    """Give both cursors back to commit: committed, where the group was, and next, where it will be."""

    records: list[Told]
    committed: str
    next: str


_LINES: Final = {"type": "string", "description": "One JSON object a line"}
_EVENTS: Final = {"type": "string", "description": "Server-sent events; the id of each is the cursor behind it"}
_TOPIC: Final = "/caudal/v1/topics/{topic}"
_GROUP: Final = "/caudal/v1/groups/{group}/topics/{topic}"
_FORMAT: Final = Parameter("format", str, "binary, string or json; or two of them as key,value")
_LIMIT: Final = Parameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}, f"At most so many records; {LIMIT} by default"
)
_ISOLATION: Final = Parameter(
    "isolation", {"enum": ["read_committed", "read_uncommitted"]}, "read_committed by default"
)
_OFFSET: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}

SURFACE: Final = Surface(
    name="caudal",
    description="Our own: reading records by a plain GET, as they come, or as a group without an instance.",
    error_media_types=(V2, JSON),
    operations={
        f"GET {_TOPIC}/records": Described(
            "Records by offset, by time or the newest; as events, all that come",
            {
                200: ByMediaType(
                    {JSON: Records, "application/x-ndjson": _LINES, "text/event-stream": _EVENTS},
                )
            },
            parameters=(
                Parameter("offset", _OFFSET, "From this offset on"),
                Parameter("timestamp", str, "From the first record of this time on: ISO 8601, or ms since 1970"),
                Parameter("newest", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}, "The newest so many"),
                Parameter("cursor", str, "Where an answer before this one ended"),
                Parameter("partition", str, "Only these partitions: numbers, separated by commas"),
                _LIMIT,
                _FORMAT,
                _ISOLATION,
                Parameter("Last-Event-ID", str, "Where a live tail goes on", place="header"),
            ),
            headers={"Link": "Address of what comes after, with rel=next"},
        ),
        f"GET {_GROUP}/records": Described(
            "The next records of a group",
            {200: GroupRecords},
            parameters=(
                Parameter("wait_ms", {"type": "integer", "minimum": 0, "maximum": 30_000}, "Wait so long for records"),
                Parameter("reset", {"enum": ["earliest", "latest"]}, "Where to begin if the group never committed"),
                _LIMIT,
                _FORMAT,
                _ISOLATION,
            ),
        ),
        f"POST {_GROUP}/offsets": Described(
            "Move the group from committed to next",
            {204: None},
            errors=frozenset({409}),
            example={"committed": "0:0", "next": "0:2"},
        ),
        "GET /openapi.json": Described("This document", {200: {"type": "object"}}),
        "GET /docs/": Described("This document as a page", {200: {"type": "string"}}),
    },
)
