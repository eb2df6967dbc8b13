"""The first page: every cluster as a card, worst first."""

from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from app.cluster.snapshot import Severity
from app.control_center import words
from app.control_center.access import ClusterAccess
from app.control_center.shell import cluster_tone
from app.control_center.visit import Asked, Visit

router = APIRouter()

TONE_ORDER = {"bad": 0, "warn": 1, "off": 2, "good": 3}
FINDINGS_SHOWN = 2


@dataclass(frozen=True, slots=True)
class CardFact:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class CardFinding:
    words: str
    is_critical: bool


@dataclass(frozen=True, slots=True)
class ClusterCard:
    title: str
    href: str
    tone: str
    state: str
    score: int
    kind: str
    findings: tuple[CardFinding, ...]
    more_findings: int
    facts: tuple[CardFact, ...]


@dataclass(frozen=True, slots=True)
class ClustersPage:
    sentence: str
    cards: tuple[ClusterCard, ...]


@router.get("/", name="home")
async def show_clusters(visit: Asked) -> Response:
    cards = sorted((_card(visit, one) for one in visit.center.clusters), key=lambda card: TONE_ORDER[card.tone])
    if visit.wanted_format == "json":
        return visit.json([{"cluster": card.title, "state": card.state, "score": card.score} for card in cards])
    view = ClustersPage(_sentence(cards), tuple(cards))
    version = "-".join(str(one.sampler.snapshot.number) for one in visit.center.clusters)
    return visit.page(
        "clusters/page.html", "clusters/_live.html", title="Clusters", section="clusters", view=view, version=version
    )


@router.get("/clusters")
async def to_clusters(visit: Asked) -> Response:
    return RedirectResponse(visit.links.home, status_code=303)


def _sentence(cards: list[ClusterCard]) -> str:
    troubled = sum(card.tone in ("bad", "warn") for card in cards)
    if not troubled:
        return f"{words.plural(len(cards), 'cluster')}, nothing is wrong."
    return f"{words.plural(len(cards), 'cluster')}, {words.count(troubled)} with something to look at."


def _card(visit: Visit, access: ClusterAccess) -> ClusterCard:
    snapshot = access.sampler.snapshot
    tone, state = cluster_tone(snapshot)
    facts = access.facts.partitions(snapshot)
    worst = max((group.time_lag_s for group in snapshot.groups.values() if group.time_lag_s is not None), default=None)
    known = len(snapshot.known_brokers) or len(snapshot.brokers)
    up = len(snapshot.brokers)
    return ClusterCard(
        title=access.title,
        href=visit.links.of_cluster(access.title),
        tone=tone,
        state=state,
        score=snapshot.score,
        kind=snapshot.version_words or ("Embedded broker" if snapshot.is_embedded else snapshot.cluster_id),
        findings=tuple(
            CardFinding(words.stopped(one.headline), one.severity is Severity.CRITICAL)
            for one in snapshot.findings[:FINDINGS_SHOWN]
        ),
        more_findings=max(0, len(snapshot.findings) - FINDINGS_SHOWN),
        facts=(
            CardFact("Brokers up", words.count(up) if up == known else f"{up} of {known}"),
            CardFact("Topics", words.count(access.facts.visible_topic_count(snapshot))),
            CardFact("Consumer groups", words.count(len(snapshot.groups))),
            CardFact("Offline partitions", words.count(len(facts.offline))),
            CardFact("Under-replicated", words.count(len(facts.under_replicated))),
            CardFact("Latest group", words.span(None if worst is None else worst * 1000)),
        ),
    )
