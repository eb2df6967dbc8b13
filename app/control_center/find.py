"""Find: topics, groups, subjects, brokers and actions by a few letters. A page of its own, and what Ctrl-K shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.control_center.tables import matching
from app.control_center.visit import Asked, Visit

router = APIRouter()

EACH_KIND_MAX = 8


@dataclass(frozen=True, slots=True)
class Found:
    words: str
    href: str
    kind: str
    icon: str
    is_name: bool


@dataclass(frozen=True, slots=True)
class FindPage:
    q: str
    found: tuple[Found, ...]


@router.get("/clusters/{cluster:name}/find")
async def find(visit: Asked) -> Response:
    subjects = await _subjects(visit, visit.argument("q"))
    view = FindPage(visit.argument("q"), tuple(_found(visit, visit.argument("q"), subjects)))
    if visit.wanted_format == "json":
        return visit.json([{"kind": one.kind, "name": one.words, "href": one.href} for one in view.found])
    if visit.is_fragment:
        return visit.part("find/_found.html", view=view)
    return visit.page("find/page.html", "find/_found.html", title="Find", section="find", view=view)


async def _subjects(visit: Visit, wanted: str) -> list[str]:
    """Names of the registry's subjects, if there is one and it has been read."""
    schemas = visit.access.schemas
    if schemas is None or not schemas.is_ready or not wanted:
        return []
    return [one.name for one in await schemas.matching(wanted)]


def _found(visit: Visit, wanted: str, subjects: list[str]) -> Iterator[Found]:
    """Names that begin with what is wanted stand before those that only hold it."""
    links, snapshot = visit.links, visit.snapshot
    topics = [topic for topic in visit.topic_summaries() if wanted or not topic.is_internal]
    for name in _best([topic.name for topic in topics], wanted):
        yield Found(name, links.topic(name), "topic", "topic", True)
    for name in _best(list(snapshot.groups), wanted):
        yield Found(name or "(no name)", links.group(name), "consumer group", "group", True)
    for name in _best(subjects, wanted) if wanted else ():
        yield Found(name, links.subject(name), "subject", "schema", True)
    for broker in snapshot.brokers:
        if wanted and all(part in f"broker {broker.broker_id} {broker.host}" for part in wanted.casefold().split()):
            yield Found(f"Broker {broker.broker_id}", links.broker(broker.broker_id), broker.host, "broker", False)
    yield from matching(_actions(visit), wanted, lambda one: one.words)


def _best(names: list[str], wanted: str) -> list[str]:
    found = sorted(matching(names, wanted, lambda name: name))
    found.sort(key=lambda name: not name.casefold().startswith(wanted.casefold()))
    return found[:EACH_KIND_MAX]


def _actions(visit: Visit) -> list[Found]:
    links = visit.links
    return [
        Found("Create topic", links.new_topic(), "action", "plus", False),
        Found("Overview", links.cluster, "page", "home", False),
        Found("Topics", links.topics(), "page", "topic", False),
        Found("Busiest topics", links.topics(sort="rate", dir="desc"), "page", "topic", False),
        Found("Largest topics", links.topics(sort="size", dir="desc"), "page", "topic", False),
        Found("Consumer groups", links.groups(), "page", "group", False),
        *(
            (
                Found("Schemas", links.subjects(), "page", "schema", False),
                Found("Register schema", links.new_subject(), "action", "plus", False),
                Found("Registry settings", links.schema_settings(), "page", "schema", False),
            )
            if visit.access.schemas
            else ()
        ),
        Found("Brokers", links.brokers(), "page", "broker", False),
        Found("Health report", links.report(), "download", "download", False),
        Found("All clusters", links.home, "page", "home", False),
    ]
