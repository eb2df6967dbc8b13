"""The list of brokers: who is up, who leads how much, how full the disks are."""

from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.broker_summaries import BrokerSummary, summarise_brokers
from app.control_center import words
from app.control_center.links import query
from app.control_center.status_words import Chip
from app.control_center.tables import Column, Header, Table
from app.control_center.visit import Asked, Visit
from app.control_center.words import Moment

router = APIRouter()

TABLE: Table[BrokerSummary] = Table(
    columns=(
        Column("id", "Broker", lambda one: one.node.broker_id),
        Column("state", "State", lambda one: "up" if one.is_up else "away"),
        Column("host", "", lambda one: one.node.host),
        Column("port", "", lambda one: one.node.port),
        Column("rack", "Rack", lambda one: one.node.rack),
        Column("role", "Role", lambda one: one.role),
        Column("leaders", "Leads", lambda one: one.leader_count, True, True, True),
        Column("replicas", "Holds", lambda one: one.replica_count, True, True, True),
        Column("size", "Size", lambda one: one.size_bytes, True, True, True),
        Column("disk", "Disk used", lambda one: one.fullest.used_share if one.fullest else None, False, True, True),
    ),
    default_sort="id",
)


@dataclass(frozen=True, slots=True)
class BrokerRow:
    broker_id: int
    href: str
    address: str
    chip: Chip
    last_seen: Moment | None
    rack: str
    role: str
    leader_count: int
    leader_skew: str
    replica_count: int | None
    replica_skew: str
    size_bytes: int | None
    disk_share: float | None
    disk_percent: int
    disk_words: str
    failed_dirs: str


@dataclass(frozen=True, slots=True)
class BrokersPage:
    sentence: str
    headers: tuple[Header, ...]
    rows: tuple[BrokerRow, ...]
    csv_href: str


@router.get("/clusters/{cluster:name}/brokers")
async def list_brokers(visit: Asked) -> Response:
    column, descending = TABLE.order(visit.argument("sort"), visit.argument("dir"))
    rows = TABLE.sorted(summarise_brokers(visit.snapshot, visit.partition_facts()), column, descending=descending)
    if visit.wanted_format == "csv":
        return TABLE.csv(rows, "brokers.csv")
    if visit.wanted_format == "json":
        return visit.json(TABLE.objects(rows))
    view = BrokersPage(
        sentence=_sentence(visit, rows),
        headers=TABLE.headers(column, descending=descending, arguments=visit.arguments()),
        rows=tuple(_row(visit, one) for one in rows),
        csv_href=visit.path + query({**visit.arguments(), "format": "csv"}),
    )
    version = str(visit.snapshot.number)
    return visit.page(
        "brokers/page.html", "brokers/_live.html", title="Brokers", section="brokers", view=view, version=version
    )


def _sentence(visit: Visit, rows: list[BrokerSummary]) -> str:
    away = [one.node.broker_id for one in rows if not one.is_up]
    up = f"{words.plural(len(rows) - len(away), 'broker')} up"
    quorum = visit.snapshot.quorum
    leads = f" Broker {quorum.leader_id} is the controller." if quorum and quorum.leader_id >= 0 else ""
    gone = f", broker {words.joined([str(one) for one in away])} away" if away else ""
    return f"{up}{gone}.{leads}"


def _row(visit: Visit, one: BrokerSummary) -> BrokerRow:
    share = one.fullest.used_share if one.fullest else None
    return BrokerRow(
        broker_id=one.node.broker_id,
        href=visit.links.broker(one.node.broker_id),
        address=f"{one.node.host}:{one.node.port}",
        chip=Chip("up", "good") if one.is_up else Chip("away", "bad"),
        last_seen=visit.zone.moment(one.last_seen_ms, visit.now_ms) if one.last_seen_ms else None,
        rack=one.node.rack or "",
        role=one.role,
        leader_count=one.leader_count,
        leader_skew=skew_words(one.leader_skew),
        replica_count=one.replica_count,
        replica_skew=skew_words(one.replica_skew),
        size_bytes=one.size_bytes,
        disk_share=share,
        disk_percent=0 if share is None else round(share * 100),
        disk_words="" if one.fullest is None else f"{words.size(one.fullest.usable_bytes)} free",
        failed_dirs=words.plural(one.failed_dir_count, "log dir") + " failed" if one.failed_dir_count else "",
    )


def skew_words(skew: float | None) -> str:
    """'+12 %' against the mean of all live brokers, '' where that says nothing."""
    return "" if skew is None or abs(skew) < 0.5 else f"{skew:+.0f} %".replace("-", "−")
