"""The messages of a topic: the newest, or onwards from an offset or a time; and a form to produce one.

The only page that waits for Kafka, within a budget that it states. Without JavaScript it is the same page.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from fastapi import APIRouter, Response

from app.cluster.messages import (
    BYTES_MAX,
    SECONDS_MAX,
    BrowseResult,
    FromOffset,
    FromTime,
    Newer,
    Newest,
    Older,
    Start,
    browse,
    format_cursor,
    parse_cursor,
)
from app.cluster.topic_summaries import TopicSummary
from app.control_center import words
from app.control_center.errors import explain
from app.control_center.links import query
from app.control_center.produce_by_schema import encode_by_schema
from app.control_center.produce_form import ProduceForm, ProduceFormView, build_form, parse_form, refusal_by_field
from app.control_center.record_reading import (
    READ_AS,
    ReadRecord,
    export_text,
    headers_text,
    lay_out_reading,
    read_records,
    schema_as_json,
)
from app.control_center.record_words import RecordBytes, lay_out
from app.control_center.tables import Column, Table
from app.control_center.topic_head import TopicHead, build_head, find_topic
from app.control_center.visit import Asked, Visit
from app.control_center.words import Moment, Zone
from app.kafka.ports import ClusterUnreachable
from broker.errors import KafkaError

router = APIRouter()

LIMITS = (25, 50, 100, 200, 500)
DEFAULT_LIMIT = 50
BUDGET_FACTORS = (1, 4, 16)
STARTS = (
    ("newest", "the newest"),
    ("oldest", "the oldest"),
    ("offset", "an offset"),
    ("time", "a time"),
)

TABLE: Table[ReadRecord] = Table(
    columns=(
        Column("partition", "Partition", lambda one: one.record.partition),
        Column("offset", "Offset", lambda one: one.record.offset),
        Column("timestamp", "Timestamp", lambda one: words.iso(one.record.timestamp_ms)),
        Column("key", "Key", lambda one: one.key.exported),
        Column("value", "Value", lambda one: one.value.exported),
        Column("headers", "Headers", lambda one: headers_text(one.record)),
    ),
    default_sort="offset",
)


@dataclass(frozen=True, slots=True)
class HeaderView:
    name: str
    value: RecordBytes


@dataclass(frozen=True, slots=True)
class RecordRow:
    id: str
    partition: int
    offset: int
    offset_href: str
    at: Moment
    key: RecordBytes
    value: RecordBytes
    headers: tuple[HeaderView, ...]
    raw_value: str


@dataclass(frozen=True, slots=True)
class BrowseQuery:
    """The view state of the page, as its query string says it."""

    start: str
    offset: str
    at: str
    partitions: str
    limit: int
    is_uncommitted: bool
    budget: int
    key_as: str
    value_as: str


@dataclass(frozen=True, slots=True)
class MessagesPage:
    head: TopicHead
    asked: BrowseQuery
    starts: tuple[tuple[str, str], ...]
    limits: tuple[int, ...]
    read_as: tuple[tuple[str, str], ...]
    error: str
    rows: tuple[RecordRow, ...]
    words: str
    budget_words: str
    more_href: str
    more_words: str
    again_href: str
    csv_href: str
    json_href: str
    partition_count: int
    form: ProduceFormView


class BadQuery(ValueError):
    """The query cannot be read; the message says which part."""


@router.get("/clusters/{cluster:name}/topics/{topic:name}/messages")
async def show_messages(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    asked = _asked(visit)
    result: BrowseResult | None = None
    records: Sequence[ReadRecord] = ()
    error = ""
    if visit.is_reachable:
        try:
            result = await _browse(visit, topic, asked)
            records = await read_records(
                result.records, visit.access.payloads, topic.name, key_as=asked.key_as, value_as=asked.value_as
            )
        except BadQuery as problem:
            error = str(problem)
        except (KafkaError, ClusterUnreachable) as problem:
            error = explain(problem)
    else:
        error = "The cluster is away; its records cannot be read now."
    if visit.wanted_format == "csv":
        return TABLE.csv(records, f"{topic.name}.csv")
    if visit.wanted_format == "json":
        return visit.json(_as_json(result, records, error), 200 if result else 503)
    view = _view(
        visit, topic, asked, result, records, error, build_form(visit, topic, ProduceForm.from_query(visit), {})
    )
    return _answer(visit, view, "messages/_live.html")


@router.post("/clusters/{cluster:name}/topics/{topic:name}/messages")
async def produce(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    form = ProduceForm.of(visit.form())
    framed, schema_errors = await encode_by_schema(form, visit.access.payloads, topic.name)
    record, errors = parse_form(form, topic.partition_count, framed, schema_errors)
    if record is not None:
        try:
            offsets = await visit.access.producer.append(topic.name, record.partition, [record.record])
            await visit.settle()
            where = f"partition {record.partition} at offset {offsets[0]}"
            return visit.done(visit.links.topic(topic.name, "messages"), f"The record was written to {where}.")
        except (KafkaError, ClusterUnreachable) as error:
            errors = refusal_by_field(error) or {"form": explain(error)}
    view = _view(visit, topic, _asked(visit), None, (), "", build_form(visit, topic, form, errors))
    return _answer(visit, view, "messages/_produce.html", status_code=422)


def _answer(visit: Visit, view: MessagesPage, fragment: str, *, status_code: int = 200) -> Response:
    return visit.page(
        "messages/page.html",
        fragment,
        title=f"Messages of {view.head.name}",
        section="topics",
        view=view,
        status_code=status_code,
    )


# --- what was asked ------------------------------------------------------------------------------------------------


def _asked(visit: Visit) -> BrowseQuery:
    start = visit.argument("from", "newest")
    limit = visit.number_argument("limit", DEFAULT_LIMIT, least=1, most=LIMITS[-1])
    factor = visit.number_argument("budget", 1)
    return BrowseQuery(
        start=start if start in dict(STARTS) else "newest",
        offset=visit.argument("offset"),
        at=visit.argument("at"),
        partitions=visit.argument("p"),
        limit=limit,
        is_uncommitted=visit.argument("uncommitted") == "1",
        budget=factor if factor in BUDGET_FACTORS else 1,
        key_as=_read_as(visit.argument("key_as")),
        value_as=_read_as(visit.argument("value_as")),
    )


def _read_as(wanted: str) -> str:
    return wanted if wanted in dict(READ_AS) else ""


async def _browse(visit: Visit, topic: TopicSummary, asked: BrowseQuery) -> BrowseResult:
    """Raises BadQuery, KafkaError or ClusterUnreachable."""
    return await browse(
        visit.access.admin,
        visit.snapshot,
        topic.name,
        start=_start(visit, asked),
        partitions=parse_partitions(asked.partitions, topic.partition_count),
        limit=asked.limit,
        read_committed=not asked.is_uncommitted,
        bytes_max=BYTES_MAX * asked.budget,
        seconds_max=SECONDS_MAX * asked.budget,
    )


def _start(visit: Visit, asked: BrowseQuery) -> Start:
    try:
        if older := visit.argument("older"):
            return Older(parse_cursor(older))
        if newer := visit.argument("newer"):
            return Newer(parse_cursor(newer))
    except ValueError:
        raise BadQuery("The address of this page was cut. Start again from the newest.") from None
    if asked.start == "oldest":
        return FromOffset(0)
    if asked.start == "offset":
        if not (asked.offset.isascii() and asked.offset.isdigit()) or len(asked.offset) > 18:
            raise BadQuery("Write the offset as a whole number.")
        return FromOffset(int(asked.offset))
    if asked.start == "time":
        return FromTime(parse_time_ms(asked.at, visit.zone))
    return Newest()


def parse_partitions(text: str, partition_count: int) -> list[int] | None:
    """'0, 3-5' -> [0, 3, 4, 5]; empty is None, all of them. Raises BadQuery."""
    chosen: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if not part:
            continue
        if not first.isdigit() or (dash and not last.isdigit()) or len(part) > 20:
            raise BadQuery("Write partitions as numbers, for example 0, 3-5.")
        low, high = int(first), int(last or first)
        if high >= partition_count or low > high:
            raise BadQuery(f"The topic has partitions 0 to {partition_count - 1}.")
        chosen.update(range(low, high + 1))
    return sorted(chosen) or None


def parse_time_ms(text: str, zone: Zone) -> int:
    """ISO 8601 (the reader's zone where it names none) or milliseconds since the epoch. Raises BadQuery."""
    if text.isascii() and text.isdigit() and 9 < len(text) < 16:
        return int(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadQuery("Write a time, for example 2026-11-23T14:03 or milliseconds since the epoch.") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone(timedelta(minutes=zone.offset_minutes)))
    return int(moment.astimezone(UTC).timestamp() * 1000)


# --- what is shown -------------------------------------------------------------------------------------------------


def _view(
    visit: Visit,
    topic: TopicSummary,
    asked: BrowseQuery,
    result: BrowseResult | None,
    records: Sequence[ReadRecord],
    error: str,
    form: ProduceFormView,
) -> MessagesPage:
    arguments = visit.arguments("older", "newer")
    here = visit.links.topic(topic.name, "messages")
    return MessagesPage(
        head=build_head(visit, topic, "messages"),
        asked=asked,
        starts=STARTS,
        limits=LIMITS if asked.limit in LIMITS else tuple(sorted({*LIMITS, asked.limit})),
        read_as=READ_AS,
        error=error,
        rows=tuple(_row(visit, topic.name, one) for one in records),
        words=_result_words(result) if result else "",
        budget_words=_budget_words(asked),
        more_href=_more_href(here, arguments, asked, result),
        more_words=_more_words(result),
        again_href=here + query(arguments),
        csv_href=here + query({**visit.arguments(), "format": "csv"}),
        json_href=here + query({**visit.arguments(), "format": "json"}),
        partition_count=topic.partition_count,
        form=form,
    )


def _budget_words(asked: BrowseQuery) -> str:
    size, span = words.size(BYTES_MAX * asked.budget), words.span(SECONDS_MAX * asked.budget * 1000)
    return f"At most {size} and {span} are spent on one look."


def _result_words(result: BrowseResult) -> str:
    unread = [f"{partition} ({name})" for partition, name in sorted(result.unread.items())]
    return result.words + (f" Not readable now: partition {words.joined(unread)}." if unread else "")


def _more_href(here: str, arguments: Mapping[str, str], asked: BrowseQuery, result: BrowseResult | None) -> str:
    """Where the look goes on; with a larger budget when that was what ended it."""
    if result is None or not result.cursor:
        return ""
    direction = "older" if result.is_backwards else "newer"
    larger = next((factor for factor in BUDGET_FACTORS if factor > asked.budget), BUDGET_FACTORS[-1])
    budget = larger if result.stopped_by in ("bytes", "time") else asked.budget
    return here + query({**arguments, direction: format_cursor(result.cursor), "budget": budget if budget > 1 else ""})


def _more_words(result: BrowseResult | None) -> str:
    if result is None:
        return ""
    if result.stopped_by in ("bytes", "time"):
        return "Go on from here, with a larger budget"
    return "Older" if result.is_backwards else "Newer"


def _row(visit: Visit, topic: str, one: ReadRecord) -> RecordRow:
    record = one.record
    key, value = lay_out_reading(one.key, visit.links), lay_out_reading(one.value, visit.links)
    here = {"p": record.partition, "from": "offset", "offset": record.offset}
    return RecordRow(
        id=f"r{record.partition}-{record.offset}",
        partition=record.partition,
        offset=record.offset,
        offset_href=visit.links.topic(topic, "messages", **here),
        at=visit.zone.full(record.timestamp_ms),
        key=key,
        value=value,
        headers=tuple(HeaderView(name, lay_out(each)) for name, each in record.headers),
        raw_value=_raw_value(record.value, value),
    )


def _raw_value(data: bytes | None, shown: RecordBytes) -> str:
    """The exact bytes in base64, where what is shown is not them."""
    return base64.b64encode(data).decode() if data and (shown.kind == "binary" or shown.schema) else ""


def _as_json(result: BrowseResult | None, records: Sequence[ReadRecord], error: str) -> dict[str, object]:
    if result is None:
        return {"error": error}
    return {
        "words": result.words,
        "scanned": result.scanned_offsets,
        "total": result.total_offsets,
        "stopped_by": result.stopped_by,
        "cursor": format_cursor(result.cursor),
        "records": [_record_as_json(one) for one in records],
    }


def _record_as_json(one: ReadRecord) -> dict[str, object]:
    """key and value are texts, so that numbers keep every digit; a schema or an error is named where there is one."""
    record = one.record
    told: dict[str, object] = {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
        "key": one.key.exported,
        "value": one.value.exported,
        "headers": [{"name": name, "value": export_text(value)} for name, value in record.headers],
    }
    for name, reading in (("key", one.key), ("value", one.value)):
        if reading.schema is not None:
            told[f"{name}_schema"] = schema_as_json(reading.schema)
        if reading.problem:
            told[f"{name}_error"] = reading.problem
    return told
