"""What stands above every tab of a subject: its name, one sentence, the tabs."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.control_center import words
from app.control_center.errors import PageNotFound
from app.control_center.schemas.desk import Effective, SchemaDesk, desk_of, find_versions
from app.control_center.schemas.words import type_words
from app.control_center.topic_head import Tab
from app.control_center.visit import Visit
from app.registry.contexts import normalize
from app.registry.view import Version

TABS = (("", "Schema"), ("diff", "Compare"), ("evolve", "New version"), ("settings", "Settings"))


@dataclass(frozen=True, slots=True)
class SubjectHead:
    name: str
    sentence: str
    tabs: tuple[Tab, ...]
    is_deleted: bool
    level: Effective
    mode: Effective
    why_closed: str
    why_frozen: str
    evolve_href: str
    settings_href: str
    registry_settings_href: str


@dataclass(frozen=True, slots=True)
class Found:
    """A subject that a page is about: all its versions, ascending."""

    desk: SchemaDesk
    name: str
    versions: Sequence[Version]

    @property
    def live(self) -> list[Version]:
        return [one for one in self.versions if not one.is_deleted]

    @property
    def latest(self) -> Version:
        """The newest live version; of a soft-deleted subject its newest."""
        return (self.live or self.versions)[-1]

    def version(self, text: str, default: Version) -> Version:
        """The version a query names; the default for nothing. Raises PageNotFound."""
        if not text or text == "latest":
            return default
        found = next((one for one in self.versions if str(one.version) == text), None)
        if found is None:
            raise PageNotFound(f"The subject “{self.name}” has no version {text}.")
        return found


async def find_subject(visit: Visit) -> Found:
    """By the path. Raises PageNotFound, PageNotReady."""
    desk = desk_of(visit)
    await desk.ready()
    name = normalize(visit.request.path_params["subject"] or visit.argument("name"))
    return Found(desk, name, find_versions(desk, name))


def build_head(visit: Visit, found: Found, tab: str) -> SubjectHead:
    desk, name = found.desk, found.name
    level = desk.level(name)
    return SubjectHead(
        name=name,
        sentence=_sentence(found, level),
        tabs=tuple(Tab(said, visit.links.subject(name, path), path == tab) for path, said in TABS),
        is_deleted=not found.live,
        level=level,
        mode=desk.mode(name),
        why_closed=desk.why_closed(name),
        why_frozen=desk.why_frozen(name),
        evolve_href=visit.links.subject(name, "evolve"),
        settings_href=visit.links.subject(name, "settings"),
        registry_settings_href=visit.links.schema_settings(),
    )


def _sentence(found: Found, level: Effective) -> str:
    kind = type_words(found.latest.content.schema_type)
    if not found.live:
        return f"{kind}. Soft-deleted: lists leave it out, its ids still answer."
    count = words.plural(len(found.live), "version")
    asked = "is not compared" if level.value == "NONE" else f"must be {level.value} compatible"
    return f"{kind}, {count}, the latest is {found.latest.version} with id {found.latest.id}. The next {asked}."
