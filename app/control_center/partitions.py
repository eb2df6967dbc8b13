"""A topic's partitions: who leads, which copies are in sync, from where to where the log goes; and adding more."""

from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.damage import bytes_of, capital, offsets_of, remedy_of
from app.cluster.snapshot import ClusterSnapshot, DamagedRange
from app.cluster.topic_summaries import TopicSummary
from app.control_center import words
from app.control_center.errors import explain
from app.control_center.forms import Unreadable, parse_count
from app.control_center.status_words import Chip
from app.control_center.tables import Column, Header, Pages, Table, cut
from app.control_center.topic_create import PARTITIONS_MAX
from app.control_center.topic_head import TopicHead, build_head, find_topic
from app.control_center.visit import Asked, Visit
from app.control_center.words import Moment
from app.kafka.ports import ClusterUnreachable, PartitionInfo, TopicPartition
from broker.errors import KafkaError

router = APIRouter()

ROWS_PER_PAGE = 100
DAMAGED_SHOWN = 20


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """One partition as the table sorts and exports it; None is not known."""

    partition: int
    leader_id: int
    is_offline: bool
    replicas: tuple[int, ...]
    out_of_sync: tuple[int, ...]
    log_start_offset: int | None
    high_watermark: int | None
    record_count: int | None
    size_bytes: int | None


TABLE: Table[PartitionFacts] = Table(
    columns=(
        Column("partition", "Partition", lambda one: one.partition),
        Column("leader", "Leader", lambda one: one.leader_id),
        Column("replicas", "Replicas", lambda one: " ".join(map(str, one.replicas)), False, False),
        Column("out_of_sync", "In sync", lambda one: len(one.out_of_sync), False, True, True),
        Column("start", "Log start", lambda one: one.log_start_offset, True, True, True),
        Column("end", "End", lambda one: one.high_watermark, True, True, True),
        Column("records", "Records", lambda one: one.record_count, True, True, True),
        Column("size", "Size", lambda one: one.size_bytes, True, True, True),
    ),
    default_sort="partition",
)


@dataclass(frozen=True, slots=True)
class ReplicaView:
    broker_id: int
    href: str
    is_in_sync: bool


@dataclass(frozen=True, slots=True)
class PartitionRow:
    facts: PartitionFacts
    leader_href: str
    replicas: tuple[ReplicaView, ...]
    chip: Chip
    messages_href: str
    is_damaged: bool


@dataclass(frozen=True, slots=True)
class DamageView:
    """One range that cannot be read: which, where its bytes are, what to do."""

    headline: str
    where: str
    remedy: str
    found: Moment


@dataclass(frozen=True, slots=True)
class PartitionsPage:
    head: TopicHead
    headers: tuple[Header, ...]
    rows: tuple[PartitionRow, ...]
    damaged: tuple[DamageView, ...]
    damaged_more: str
    pages: Pages
    csv_href: str
    count: int
    add_href: str
    wanted: str
    error: str
    is_keyed_warning: str


@router.get("/clusters/{cluster:name}/topics/{topic:name}/partitions")
async def show_partitions(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    column, descending = TABLE.order(visit.argument("sort"), visit.argument("dir"))
    rows = TABLE.sorted(partition_facts(visit.snapshot, topic.name), column, descending=descending)
    if visit.wanted_format == "csv":
        return TABLE.csv(rows, f"{topic.name}-partitions.csv")
    if visit.wanted_format == "json":
        return visit.json(TABLE.objects(rows))
    headers = TABLE.headers(column, descending=descending, arguments=visit.arguments())
    return _answer(visit, _view(visit, topic, rows, headers, column.label.lower()))


@router.post("/clusters/{cluster:name}/topics/{topic:name}/partitions")
async def add_partitions(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    wanted = visit.form().get("count", "")
    error = ""
    try:
        total_count = parse_count(wanted, least=topic.partition_count + 1, most=PARTITIONS_MAX, what="partitions")
        await visit.access.admin.create_partitions(topic.name, total_count=total_count)
    except Unreadable as problem:
        error = str(problem)
    except (KafkaError, ClusterUnreachable) as problem:
        error = explain(problem)
    if error:
        rows = list(partition_facts(visit.snapshot, topic.name))
        headers = TABLE.headers(TABLE.columns[0], descending=False, arguments={})
        view = _view(visit, topic, rows, headers, "partition", wanted=wanted, error=error)
        return _answer(visit, view, status_code=422)
    await visit.settle(lambda snapshot: len(snapshot.topics[topic.name].partitions) >= total_count)
    return visit.done(
        visit.links.topic(topic.name, "partitions"), f"{topic.name} has {words.plural(total_count, 'partition')} now."
    )


def partition_facts(snapshot: ClusterSnapshot, topic: str) -> tuple[PartitionFacts, ...]:
    sizes = {
        (one.topic, one.partition, log_dir.broker_id): one.size_bytes
        for log_dir in snapshot.log_dirs
        for one in log_dir.replicas
        if one.topic == topic and not one.is_future
    }
    return tuple(_facts(snapshot, topic, partition, sizes) for partition in snapshot.topics[topic].partitions)


def _facts(
    snapshot: ClusterSnapshot, topic: str, info: PartitionInfo, sizes: dict[tuple[str, int, int], int]
) -> PartitionFacts:
    offsets = snapshot.offsets.get(TopicPartition(topic, info.partition))
    return PartitionFacts(
        partition=info.partition,
        leader_id=info.leader_id,
        is_offline=snapshot.is_offline(info),
        replicas=info.replicas,
        out_of_sync=tuple(replica for replica in info.replicas if replica not in info.isr),
        log_start_offset=offsets.log_start_offset if offsets else None,
        high_watermark=offsets.high_watermark if offsets else None,
        record_count=offsets.record_count if offsets else None,
        size_bytes=sizes.get((topic, info.partition, info.leader_id)),
    )


def _view(
    visit: Visit,
    topic: TopicSummary,
    rows: list[PartitionFacts],
    headers: tuple[Header, ...],
    order: str,
    *,
    wanted: str = "",
    error: str = "",
) -> PartitionsPage:
    arguments = visit.arguments()
    page = visit.number_argument("page", 1, least=1)
    shown, pages = cut(rows, page=page, per_page=ROWS_PER_PAGE, order_words=f"by {order}", arguments=arguments)
    damaged = [one for one in visit.snapshot.damaged if one.topic == topic.name]
    damaged_partitions = {one.partition for one in damaged}
    more_count = len(damaged) - DAMAGED_SHOWN
    return PartitionsPage(
        head=build_head(visit, topic, "partitions"),
        headers=headers,
        rows=tuple(_row(visit, topic.name, facts, facts.partition in damaged_partitions) for facts in shown),
        damaged=tuple(_damage(visit, one) for one in damaged[:DAMAGED_SHOWN]),
        damaged_more=f"And {words.plural(more_count, 'more range')}." if more_count > 0 else "",
        pages=pages,
        csv_href=visit.links.topic(topic.name, "partitions", **{**arguments, "format": "csv"}),
        count=topic.partition_count,
        add_href=visit.links.topic(topic.name, "partitions"),
        wanted=wanted or str(topic.partition_count + 1),
        error=error,
        is_keyed_warning="Records with a key that were written before stay where they are; the same key may go to "
        "another partition from then on. The number cannot be lowered again.",
    )


def _damage(visit: Visit, damage: DamagedRange) -> DamageView:
    return DamageView(
        headline=f"{capital(offsets_of(damage))} of partition {damage.partition} cannot be read.",
        where=f"Damaged: {bytes_of(damage)}. Consumers get CORRUPT_MESSAGE there, and all around is served.",
        remedy=remedy_of([damage]),
        found=visit.zone.moment(damage.found_at_ms, visit.now_ms),
    )


def _row(visit: Visit, topic: str, facts: PartitionFacts, is_damaged: bool) -> PartitionRow:
    return PartitionRow(
        facts=facts,
        leader_href=visit.links.broker(facts.leader_id) if facts.leader_id >= 0 else "",
        replicas=tuple(
            ReplicaView(broker_id, visit.links.broker(broker_id), broker_id not in facts.out_of_sync)
            for broker_id in facts.replicas
        ),
        chip=_chip(facts),
        messages_href=visit.links.topic(topic, "messages", p=facts.partition),
        is_damaged=is_damaged,
    )


def _chip(facts: PartitionFacts) -> Chip:
    if facts.is_offline:
        return Chip("offline", "bad")
    if facts.out_of_sync:
        return Chip(f"{len(facts.replicas) - len(facts.out_of_sync)} of {len(facts.replicas)}", "warn")
    return Chip("all", "good") if len(facts.replicas) > 1 else Chip("one copy")


def _answer(visit: Visit, view: PartitionsPage, *, status_code: int = 200) -> Response:
    is_form = visit.request.method == "POST"
    fragment = "partitions/_form.html" if is_form and visit.is_fragment else "partitions/_live.html"
    return visit.page(
        "partitions/page.html",
        fragment,
        title=f"Partitions of {view.head.name}",
        section="topics",
        view=view,
        version=str(visit.snapshot.number),
        status_code=status_code,
    )
