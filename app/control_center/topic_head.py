"""What stands above every tab of a topic: its name, one sentence, the tabs."""

from dataclasses import dataclass

from app.cluster.topic_summaries import TopicSummary
from app.control_center import words
from app.control_center.errors import PageNotFound
from app.control_center.overview import topic_keeps
from app.control_center.visit import Visit

TABS = (
    ("", "Overview"),
    ("messages", "Messages"),
    ("partitions", "Partitions"),
    ("config", "Config"),
    ("settings", "Settings"),
)


@dataclass(frozen=True, slots=True)
class Tab:
    words: str
    href: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class TopicHead:
    name: str
    sentence: str
    tabs: tuple[Tab, ...]
    is_internal: bool
    clone_href: str
    produce_href: str


def find_topic(visit: Visit, name: str) -> TopicSummary:
    """Raises PageNotFound for a topic that the snapshot does not hold."""
    if name not in visit.snapshot.topics:
        raise PageNotFound(f"There is no topic “{name}” on {visit.access.title}. It may have been deleted.")
    return next(topic for topic in visit.topic_summaries() if topic.name == name)


def build_head(visit: Visit, topic: TopicSummary, tab: str) -> TopicHead:
    copies = "one copy of each" if topic.replication_factor == 1 else f"{topic.replication_factor} copies of each"
    kind = "An internal topic. " if topic.is_internal else ""
    return TopicHead(
        name=topic.name,
        sentence=f"{kind}{words.plural(topic.partition_count, 'partition')}, {copies}, {topic_keeps(topic)}.",
        tabs=tuple(Tab(said, visit.links.topic(topic.name, name), name == tab) for name, said in TABS),
        is_internal=topic.is_internal,
        clone_href=visit.links.new_topic(**{"from": topic.name}),
        produce_href=visit.links.topic(topic.name, "messages") + "#produce",
    )
