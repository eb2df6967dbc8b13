"""One broker: its configs with where each value comes from, its log directories."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.broker_summaries import BrokerSummary, summarise_brokers
from app.control_center import words
from app.control_center.brokers import skew_words
from app.control_center.config_words import documentation_words, friendly_value, source_words
from app.control_center.errors import PageNotFound, explain
from app.control_center.overview import Tile
from app.control_center.tables import Column, Table
from app.control_center.topic_head import Tab
from app.control_center.visit import Asked, Visit
from app.control_center.words import Moment
from app.kafka.ports import (
    ClusterUnreachable,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    LogDirInfo,
    ResourceType,
)
from broker.errors import KafkaError, by_code

router = APIRouter()

LARGEST_SHOWN = 12
TABS = (("logdirs", "Log directories"), ("config", "Config"))
CONFIG_TABLE: Table[ConfigEntry] = Table(
    columns=(
        Column("name", "Config", lambda entry: entry.name),
        Column("value", "Value", lambda entry: None if entry.is_sensitive else entry.value),
        Column("source", "Set by", lambda entry: entry.source.name),
        Column("read_only", "", lambda entry: entry.is_read_only),
        Column("sensitive", "", lambda entry: entry.is_sensitive),
    ),
    default_sort="name",
)


@dataclass(frozen=True, slots=True)
class HeldTopic:
    name: str
    href: str
    replica_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LogDirView:
    path: str
    trouble: str
    replica_count: int
    size_bytes: int
    used_percent: int
    used_words: str
    free_words: str
    largest: tuple[HeldTopic, ...]
    more_count: int


@dataclass(frozen=True, slots=True)
class BrokerConfigRow:
    name: str
    value: str
    said: str
    source: str
    is_own: bool
    is_sensitive: bool
    is_read_only: bool
    documentation: str


@dataclass(frozen=True, slots=True)
class BrokerPage:
    broker_id: int
    address: str
    sentence: str
    is_up: bool
    last_seen: Moment | None
    tiles: tuple[Tile, ...]
    tabs: tuple[Tab, ...]
    tab: str
    dirs: tuple[LogDirView, ...]
    configs: tuple[BrokerConfigRow, ...]
    config_trouble: str
    q: str
    only_own: bool
    own_count: int
    toggle_href: str
    base_href: str
    csv_href: str


@router.get("/clusters/{cluster:name}/brokers/{broker:int}")
async def show_broker(visit: Asked) -> Response:
    broker_id = visit.request.path_params["broker"]
    summary = next(
        (one for one in summarise_brokers(visit.snapshot, visit.partition_facts()) if one.node.broker_id == broker_id),
        None,
    )
    if summary is None:
        raise PageNotFound(
            f"There is no broker {broker_id} in {visit.access.title}, and none was seen in the last 24 h."
        )
    tab = visit.argument("tab") if visit.argument("tab") in dict(TABS) else TABS[0][0]
    entries, trouble = await _entries(visit, summary) if tab == "config" else ((), "")
    if visit.wanted_format == "csv":
        return CONFIG_TABLE.csv(entries, f"broker-{broker_id}-config.csv")
    if visit.wanted_format == "json":
        return visit.json(_as_json(visit, summary, entries))
    view = _view(visit, summary, tab, entries, trouble)
    return visit.page(
        "broker/page.html", "broker/_live.html", title=f"Broker {broker_id}", section="brokers", view=view
    )


def _as_json(visit: Visit, one: BrokerSummary, entries: Sequence[ConfigEntry]) -> dict[str, object]:
    return {
        "id": one.node.broker_id,
        "host": one.node.host,
        "port": one.node.port,
        "rack": one.node.rack,
        "up": one.is_up,
        "role": one.role,
        "leaders": one.leader_count,
        "replicas": one.replica_count,
        "size": one.size_bytes,
        "log_dirs": [
            {"path": each.path, "error_code": each.error_code, "total": each.total_bytes, "usable": each.usable_bytes}
            for each in visit.snapshot.log_dirs
            if each.broker_id == one.node.broker_id
        ],
        "configs": CONFIG_TABLE.objects(entries),
    }


async def _entries(visit: Visit, summary: BrokerSummary) -> tuple[Sequence[ConfigEntry], str]:
    """The broker's configs, or why they are not there."""
    if not summary.is_up or not visit.is_reachable:
        return (), "The broker is away; its configs cannot be asked for."
    resource = ConfigResource(ResourceType.BROKER, str(summary.node.broker_id))
    try:
        entries = (await visit.access.admin.describe_configs([resource], documentation=True))[resource]
    except (KafkaError, ClusterUnreachable) as error:
        return (), explain(error)
    return sorted(entries, key=lambda entry: entry.name), ""


def _view(visit: Visit, one: BrokerSummary, tab: str, entries: Sequence[ConfigEntry], trouble: str) -> BrokerPage:
    broker_id = one.node.broker_id
    q, only_own = visit.argument("q"), visit.argument("only") == "own"
    rows = [_config_row(entry) for entry in entries]
    shown = [row for row in rows if (row.is_own or not only_own) and q.casefold() in row.name.casefold()]
    base = visit.links.broker(broker_id)
    return BrokerPage(
        broker_id=broker_id,
        address=f"{one.node.host}:{one.node.port}",
        sentence=_sentence(one),
        is_up=one.is_up,
        last_seen=visit.zone.moment(one.last_seen_ms, visit.now_ms) if one.last_seen_ms else None,
        tiles=_tiles(visit, one),
        tabs=tuple(Tab(said, visit.links.broker(broker_id, tab=name), name == tab) for name, said in TABS),
        tab=tab,
        dirs=tuple(_dir(visit, each) for each in visit.snapshot.log_dirs if each.broker_id == broker_id),
        configs=tuple(sorted(shown, key=lambda row: not row.is_own)),
        config_trouble=trouble,
        q=q,
        only_own=only_own,
        own_count=sum(row.is_own for row in rows),
        toggle_href=visit.links.broker(broker_id, tab="config", q=q, only="" if only_own else "own"),
        base_href=base,
        csv_href=visit.links.broker(broker_id, tab="config", format="csv"),
    )


def _sentence(one: BrokerSummary) -> str:
    role = {"controller": "the controller", "voter": "a voter of the quorum", "observer": "an observer"}.get(one.role)
    rack = f", in rack {one.node.rack}" if one.node.rack else ""
    return f"{one.node.host}:{one.node.port}{rack}{f', {role}' if role else ''}."


def _tiles(visit: Visit, one: BrokerSummary) -> tuple[Tile, ...]:
    topics = visit.links.topics(internal="1")
    leader_skew, replica_skew = skew_words(one.leader_skew), skew_words(one.replica_skew)
    dirs = visit.links.broker(one.node.broker_id, tab="logdirs")
    share = one.fullest.used_share if one.fullest else None
    full = "alarm" if share and share >= 0.9 else "caution" if share and share >= 0.8 else ""
    return (
        Tile(
            "Leads",
            words.count(one.leader_count),
            f"{leader_skew} against the mean" if leader_skew else "partitions",
            topics,
        ),
        Tile(
            "Holds",
            words.count(one.replica_count),
            f"{replica_skew} against the mean" if replica_skew else "replicas",
            topics,
        ),
        Tile("Size", words.size(one.size_bytes), "all its replicas", dirs),
        Tile(
            "Fullest disk",
            words.percent(share),
            f"{words.size(one.fullest.usable_bytes)} free" if one.fullest else "the broker does not say",
            dirs,
            full,
        ),
    )


def _dir(visit: Visit, log_dir: LogDirInfo) -> LogDirView:
    sizes: dict[str, list[int]] = {}
    for replica in log_dir.replicas:
        if not replica.is_future:
            sizes.setdefault(replica.topic, []).append(replica.size_bytes)
    largest = sorted(sizes.items(), key=lambda item: (-sum(item[1]), item[0]))
    has_total = log_dir.total_bytes > 0 and log_dir.usable_bytes >= 0
    used = log_dir.total_bytes - log_dir.usable_bytes
    return LogDirView(
        path=log_dir.path,
        trouble=_dir_trouble(log_dir),
        replica_count=sum(len(each) for each in sizes.values()),
        size_bytes=sum(sum(each) for each in sizes.values()),
        used_percent=round(used / log_dir.total_bytes * 100) if has_total else 0,
        used_words=words.percent(used / log_dir.total_bytes) if has_total else "",
        free_words=f"{words.size(log_dir.usable_bytes)} of {words.size(log_dir.total_bytes)} free" if has_total else "",
        largest=tuple(
            HeldTopic(name, visit.links.topic(name), len(each), sum(each)) for name, each in largest[:LARGEST_SHOWN]
        ),
        more_count=max(0, len(largest) - LARGEST_SHOWN),
    )


def _dir_trouble(log_dir: LogDirInfo) -> str:
    return f"This directory failed: {by_code(log_dir.error_code).__name__}." if log_dir.error_code else ""


def _config_row(entry: ConfigEntry) -> BrokerConfigRow:
    return BrokerConfigRow(
        name=entry.name,
        value=words.UNKNOWN if entry.value is None else entry.value,
        said=friendly_value(entry.name, entry.value),
        source=source_words(entry.source),
        is_own=entry.source is not ConfigSource.DEFAULT_CONFIG,
        is_sensitive=entry.is_sensitive,
        is_read_only=entry.is_read_only,
        documentation=documentation_words(entry),
    )
