"""What stands around every page: rail, bar, notices."""

from dataclasses import dataclass

from app.cluster.snapshot import ClusterSnapshot, Severity
from app.control_center import words
from app.control_center.access import ClusterAccess, ControlCenter
from app.control_center.flash import Toast
from app.control_center.links import Links
from app.control_center.words import Moment, Zone


@dataclass(frozen=True, slots=True)
class NavItem:
    section: str
    words: str
    icon: str
    key: str
    href: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class ClusterBadge:
    """The cluster in the rail: tone is 'good', 'warn', 'bad' or 'off'."""

    title: str
    words: str
    tone: str
    tone_words: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    as_of: Moment | None
    since: Moment
    reason: str


@dataclass(frozen=True, slots=True)
class Shell:
    title: str
    section: str
    crumb: str
    badge: ClusterBadge | None
    nav: tuple[NavItem, ...]
    as_of: Moment | None
    unreachable: Unreachable | None
    is_insecure: bool
    version: str
    theme: str
    csrf_token: str
    toast: Toast | None
    zone_offset: int
    path: str

    @property
    def can_change(self) -> bool:
        """Forms are disabled, not hidden, while the cluster is away."""
        return self.unreachable is None


def build_shell(
    center: ControlCenter,
    cluster: ClusterAccess | None,
    *,
    links: Links,
    zone: Zone,
    now_ms: int,
    title: str,
    section: str,
    theme: str,
    csrf_token: str,
    toast: Toast | None,
    path: str,
) -> Shell:
    snapshot = cluster.sampler.snapshot if cluster else None
    return Shell(
        title=" - ".join(part for part in (title, cluster.title if cluster else "", "Caudal") if part),
        section=section,
        crumb=title,
        badge=_badge(cluster.title, snapshot) if cluster and snapshot else None,
        nav=_nav(cluster, links) if cluster else _nav_above(links),
        as_of=zone.clock(snapshot.taken_at_ms) if snapshot and snapshot.taken_at_ms else None,
        unreachable=_unreachable(snapshot, zone, now_ms) if snapshot else None,
        is_insecure=center.settings.insecure,
        version=center.settings.version,
        theme=theme if theme in ("light", "dark") else "",
        csrf_token=csrf_token,
        toast=toast,
        zone_offset=zone.offset_minutes,
        path=path,
    )


def cluster_tone(snapshot: ClusterSnapshot) -> tuple[str, str]:
    """The worst finding as a tone and a word."""
    if snapshot.unreachable_since_ms is not None:
        return "bad", "unreachable"
    if not snapshot.taken_at_ms:
        return "off", "not seen yet"
    severities = {finding.severity for finding in snapshot.findings}
    if Severity.CRITICAL in severities:
        return "bad", "needs attention now"
    return ("warn", "needs attention") if severities else ("good", "healthy")


def _badge(title: str, snapshot: ClusterSnapshot) -> ClusterBadge:
    tone, tone_words = cluster_tone(snapshot)
    brokers = words.plural(len(snapshot.brokers), "broker")
    name = snapshot.version_words or ("embedded" if snapshot.is_embedded else "")
    return ClusterBadge(title, f"{name}, {brokers}" if name else brokers, tone, tone_words)


def _nav_above(links: Links) -> tuple[NavItem, ...]:
    return (NavItem("clusters", "Clusters", "home", "o", links.home),)


def _nav(cluster: ClusterAccess, links: Links) -> tuple[NavItem, ...]:
    snapshot = cluster.sampler.snapshot
    topic_count = cluster.facts.visible_topic_count(snapshot)
    schemas = cluster.schemas
    return (
        NavItem("overview", "Overview", "home", "o", links.cluster),
        NavItem("topics", "Topics", "topic", "t", links.topics(), topic_count),
        NavItem("groups", "Consumer groups", "group", "g", links.groups(), len(snapshot.groups)),
        *((NavItem("schemas", "Schemas", "schema", "s", links.subjects(), schemas.subject_count),) if schemas else ()),
        NavItem("brokers", "Brokers", "broker", "b", links.brokers(), len(snapshot.brokers)),
    )


def _unreachable(snapshot: ClusterSnapshot, zone: Zone, now_ms: int) -> Unreachable | None:
    if snapshot.unreachable_since_ms is None:
        return None
    return Unreachable(
        as_of=zone.clock(snapshot.taken_at_ms) if snapshot.taken_at_ms else None,
        since=zone.moment(snapshot.unreachable_since_ms, now_ms),
        reason=snapshot.unreachable_reason,
    )
