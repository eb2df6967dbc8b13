"""What the pages ask of the registry of this process, and an index of its subjects that is made once per change."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.control_center.errors import PageNotFound, PageNotReady
from app.control_center.tables import matching
from app.control_center.visit import Visit
from app.registry import contexts
from app.registry.changes import RegistryChanges
from app.registry.registry import SchemaRegistry
from app.registry.scopes import Mode, scopes_of
from app.registry.service import RegistryService
from app.registry.view import Version, View

T = TypeVar("T")

SUBJECTS_PER_SLICE = 500  # about a millisecond of the loop's time
IN_THREAD_MIN_ROWS = 2_000
COUNTED_MAX = 5_000
IN_THREAD_MIN_CHARS = 10_000  # some milliseconds of work
READY_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject as lists show it. latest is its newest live version, of a soft-deleted subject its newest one."""

    name: str
    context: str
    latest: Version
    version_count: int
    deleted_count: int

    @property
    def is_deleted(self) -> bool:
        return self.version_count == 0


@dataclass(frozen=True, slots=True)
class SubjectIndex:
    """All subjects, and those that are not soft-deleted, by name."""

    all: Sequence[Subject]
    live: Sequence[Subject]

    @property
    def deleted_count(self) -> int:
        return len(self.all) - len(self.live)


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting that holds somewhere: its value, and whose it is ('' when nobody set it)."""

    value: str
    scope_words: str
    is_own: bool


class SchemaDesk:
    """One cluster's registry as its pages see it."""

    def __init__(self, service: RegistryService) -> None:
        self.service = service
        self.changes = RegistryChanges(service)
        self._index = SubjectIndex((), ())
        self._indexed: tuple[View | None, int] = (None, -1)
        self._counted: tuple[View | None, int] = (None, -1)
        self._count = 0
        self._texts = asyncio.Semaphore(1)

    @property
    def registry(self) -> SchemaRegistry:
        return self.service.registry

    @property
    def view(self) -> View:
        return self.service.store.view

    @property
    def position(self) -> int:
        return self.service.store.position

    @property
    def is_ready(self) -> bool:
        return self.service.store.is_ready

    @property
    def subject_count(self) -> int:
        """For the rail: without the soft-deleted, unless there are so many that only the list's page looks at them."""
        now = (self.view, self.position)
        if self._indexed == now:
            return len(self._index.live)
        if self._counted != now:
            subjects = [versions for one in self.view.contexts.values() for versions in one.subjects.values()]
            if len(subjects) <= COUNTED_MAX:
                subjects = [one for one in subjects if any(not version.is_deleted for version in one.values())]
            self._counted, self._count = now, len(subjects)
        return self._count

    async def ready(self) -> None:
        """Raises PageNotReady while the topic has not been read to its end: pages do not wait for that."""
        if self.service.store.is_ready:
            return
        try:
            async with asyncio.timeout(READY_WAIT_S):
                await self.service.store.ready()
        except TimeoutError:
            raise PageNotReady(
                "The Schema Registry is still reading its topic. Load the page again in a moment."
            ) from None

    async def subjects(self) -> SubjectIndex:
        """Built in slices, since there may be a hundred thousand."""
        view, position = self.view, self.position
        if self._indexed != (view, position):
            names = [name for context in view.contexts.values() for name in context.subjects]
            found: list[Subject] = []
            for start in range(0, len(names), SUBJECTS_PER_SLICE):
                found += [one for name in names[start : start + SUBJECTS_PER_SLICE] if (one := _subject(view, name))]
                await asyncio.sleep(0)
            self._index = await self.off_loop(lambda: _indexed(found), len(found))
            self._indexed = (view, position)
        return self._index

    async def matching(self, wanted: str) -> list[Subject]:
        """The subjects that are not deleted whose names have every word of the search."""
        live = (await self.subjects()).live
        return await self.off_loop(lambda: list(matching(live, wanted, lambda one: one.name)), len(live))

    async def off_loop(self, work: Callable[[], T], rows: int) -> T:
        return work() if rows < IN_THREAD_MIN_ROWS else await asyncio.to_thread(work)

    async def aside(self, work: Callable[[], T], chars: int) -> T:
        """Work on texts: here when they are small, else in a thread, one at a time so that others keep theirs."""
        if chars < IN_THREAD_MIN_CHARS:
            return work()
        async with self._texts:
            return await asyncio.to_thread(work)

    # --- settings ----------------------------------------------------------------------------------------------------

    def level(self, scope: str | None) -> Effective:
        """The compatibility level in force."""
        return self._level(scope, scopes_of(scope))

    def level_above(self, scope: str | None) -> Effective:
        """The level that would be in force without the scope's own."""
        return self._level(scope, scopes_of(scope)[1:])

    def _level(self, scope: str | None, asked: Sequence[str | None]) -> Effective:
        for one in asked:
            config = self.view.configs.get(one)
            if config is not None and config.compatibility_level is not None:
                return Effective(config.compatibility_level, scope_words(one), one == scope)
        return Effective(self.service.settings.schema_compatibility_level, "", is_own=False)

    def mode(self, scope: str | None) -> Effective:
        """The mode in force."""
        for whole in (None, contexts.GLOBAL_SUBJECT):
            if self.view.modes.get(whole) == Mode.READONLY_OVERRIDE:  # beats what narrower scopes say
                return Effective(Mode.READONLY_OVERRIDE, scope_words(whole), scope == whole)
        return self._mode(scope, scopes_of(scope))

    def mode_above(self, scope: str | None) -> Effective:
        """The mode that would be in force without the scope's own."""
        return self._mode(scope, scopes_of(scope)[1:])

    def _mode(self, scope: str | None, asked: Sequence[str | None]) -> Effective:
        for one in asked:
            if (mode := self.view.modes.get(one)) is not None:
                known = mode if mode in Mode.__members__ else Mode.READWRITE
                return Effective(known, scope_words(one), one == scope)
        return Effective(Mode.READWRITE, "", is_own=False)

    def why_closed(self, scope: str | None) -> str:
        """Why nothing can be registered here by a form, '' when it can."""
        mode = self.mode(scope)
        if mode.value == Mode.READWRITE:
            return ""
        if mode.value == Mode.IMPORT:
            return f"The mode {mode.value}, set on {mode.scope_words}, takes only schemas that bring their own id."
        return f"The mode {mode.value}, set on {mode.scope_words}, lets nothing be registered."

    def why_frozen(self, scope: str | None) -> str:
        """Why nothing can be deleted or set here, '' when it can."""
        mode = self.mode(scope)
        if mode.value not in (Mode.READONLY, Mode.READONLY_OVERRIDE):
            return ""
        return f"The mode {mode.value}, set on {mode.scope_words}, lets nothing be changed."


def desk_of(visit: Visit) -> SchemaDesk:
    """Raises PageNotFound where there is no registry."""
    if visit.access.schemas is None:
        raise PageNotFound("No Schema Registry runs beside this cluster.")
    return visit.access.schemas


def find_versions(desk: SchemaDesk, name: str) -> list[Version]:
    """All versions of a subject, soft-deleted ones too, ascending. Raises PageNotFound."""
    versions = sorted(desk.view.versions(contexts.normalize(name)).values(), key=lambda one: one.version)
    if not versions:
        raise PageNotFound(f"There is no subject “{name}” in the Schema Registry. It may have been deleted.")
    return versions


def scope_words(scope: str | None) -> str:
    """What a scope is called in a sentence."""
    if scope is None:
        return "the registry"
    if scope == contexts.GLOBAL_SUBJECT:
        return "all contexts"
    context, name = contexts.split(scope)
    return (name and scope) or f"the context {context}"


def _subject(view: View, name: str) -> Subject | None:
    versions: Sequence[Version] = list(view.versions(name).values())
    if not versions:
        return None
    live = [one for one in versions if not one.is_deleted]
    latest = max(live or versions, key=lambda one: one.version)
    return Subject(name, contexts.context_of(name), latest, len(live), len(versions) - len(live))


def _indexed(found: list[Subject]) -> SubjectIndex:
    found.sort(key=lambda one: one.name.casefold())
    return SubjectIndex(tuple(found), tuple(one for one in found if not one.is_deleted))
