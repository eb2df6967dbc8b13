"""What a Schema Registry must answer, in a hundred lines of dicts: versions, ids, deletes, modes, levels, contexts.

Refusals name the classes that the real one raises. Of schemas it knows the text alone; who may follow whom it is
told by `follows`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.registry.errors import InvalidSchema
from app.registry.refusals import (
    ContextNotEmpty,
    IncompatibleSchema,
    OperationNotPermitted,
    ReferenceExists,
    SubjectNotFound,
    SubjectNotSoftDeleted,
    SubjectSoftDeleted,
    VersionNotFound,
    VersionNotSoftDeleted,
    VersionSoftDeleted,
)

REFERRED = "Money"


class Refused(Exception):
    """The registry must raise this."""

    def __init__(self, error: type[Exception]) -> None:
        super().__init__(error.__name__)
        self.error = error


@dataclass(frozen=True)
class Content:
    """A schema; refers_to: the subject and version it needs, under the name REFERRED."""

    schema_type: str
    text: str
    refers_to: tuple[str, int] | None = None


@dataclass
class Entry:
    """A version of a subject."""

    content: Content
    id: int
    is_deleted: bool = False


Follows = Callable[[str, str, Content, Sequence[Content]], bool]
"""Whether at a level, in a subject, a content may follow others (oldest first)."""


def context_of(subject: str) -> str:
    return subject[1:].partition(":")[0] if subject.startswith(":") else "."


def beside(subject: str, other: str) -> str:
    """Another subject of the same context."""
    context = context_of(subject)
    return other if context == "." else f":{context}:{other}"


@dataclass
class RegistryModel:
    """Subjects by qualified name; settings by scope, None for the registry and `:.x:` for a context."""

    follows: Follows
    subjects: dict[str, dict[int, Entry]] = field(default_factory=dict)
    levels: dict[str | None, str] = field(default_factory=dict)
    modes: dict[str | None, str] = field(default_factory=dict)
    contexts: set[str] = field(default_factory=set)
    id_max: dict[str, int] = field(default_factory=dict)
    id_max_in_topic: dict[str, int] = field(default_factory=dict)

    # --- questions -------------------------------------------------------------------------------------------------

    def versions(self, subject: str) -> dict[int, Entry]:
        return self.subjects.get(subject, {})

    def live(self, subject: str) -> list[int]:
        return sorted(number for number, one in self.versions(subject).items() if not one.is_deleted)

    def ids(self, context: str, content: Content) -> set[int]:
        """The ids that a content has in a context."""
        return {
            one.id for subject, _, one in self.entries() if context_of(subject) == context and one.content == content
        }

    def entries(self) -> list[tuple[str, int, Entry]]:
        return [(subject, number, one) for subject, found in self.subjects.items() for number, one in found.items()]

    def referred(self, subject: str, content: Content) -> Content | None:
        """What a content under a subject refers to. From the default context, the other one is looked into too."""
        assert content.refers_to is not None
        name, version = content.refers_to
        places = [beside(subject, name)]
        if context_of(subject) == ".":
            places += [f":{context}:{name}" for context in {context_of(one) for one in self.subjects} - {"."}]
        found = [self.versions(place)[version].content for place in places if version in self.versions(place)]
        return found[0] if found else None

    def is_whole(self, subject: str, content: Content) -> bool:
        """Whether what it refers to is there, and is what it should be."""
        referred = self.referred(subject, content) if content.refers_to else None
        return content.refers_to is None or (referred is not None and f'"name":"{REFERRED}"' in referred.text)

    def is_referred_to(self, subject: str, number: int, *, deleted: bool = False, but_by: str = "") -> bool:
        """By live versions, or by soft-deleted ones too; those of one subject may not count."""
        return any(
            one.content.refers_to is not None
            and (beside(place, one.content.refers_to[0]), one.content.refers_to[1]) == (subject, number)
            for place, _, one in self.entries()
            if (deleted or not one.is_deleted) and place != but_by
        )

    def mode(self, scope: str | None) -> str:
        if self.modes.get(None) == "READONLY_OVERRIDE":
            return "READONLY_OVERRIDE"
        return next((self.modes[one] for one in scopes(scope) if one in self.modes), "READWRITE")

    def level(self, subject: str) -> str:
        return next((self.levels[one] for one in scopes(subject) if one in self.levels), "BACKWARD")

    def find(self, subject: str, content: Content, *, deleted: bool = False) -> int | None:
        """The version with a content: a live one, the highest."""
        found = [
            (not one.is_deleted, number)
            for number, one in self.versions(subject).items()
            if one.content == content and (deleted or not one.is_deleted)
        ]
        return max(found)[1] if found else None

    def look_up(self, subject: str, content: Content, *, deleted: bool) -> set[int | None]:
        """The versions that may be told: of the subject, else of its name in another context."""
        found = self.find(subject, content, deleted=deleted)
        if found is not None or context_of(subject) != ".":
            return {found}
        others = [place for place in self.subjects if place != subject and place.endswith(f":{subject}")]
        elsewhere = {self.find(one, content, deleted=deleted) for one in others if self.is_whole(one, content)}
        return elsewhere - {None} or {None}

    # --- changes ---------------------------------------------------------------------------------------------------

    def register(self, subject: str, content: Content) -> tuple[int, set[int]]:
        """The version, and the ids it may have."""
        if subject in self.subjects and not self.is_whole(subject, content):
            raise Refused(InvalidSchema)
        found = self.find(subject, content)
        if found is not None:
            return found, {self.versions(subject)[found].id}
        if self.mode(subject) != "READWRITE":
            raise Refused(OperationNotPermitted)
        if not self.is_whole(subject, content):
            raise Refused(InvalidSchema)
        level = self.level(subject)
        if level != "NONE":
            older = [self.versions(subject)[number].content for number in self.live(subject)]
            older = older if level.endswith("TRANSITIVE") else older[-1:]
            if not all(self.is_whole(subject, one) for one in older):
                raise Refused(InvalidSchema)
            if not self.follows(level, subject, content, older):
                raise Refused(IncompatibleSchema)
        context = context_of(subject)
        ids = self.ids(context, content) or {self.id_max.get(context, 0) + 1}
        return max(self.versions(subject), default=0) + 1, ids

    def import_version(self, subject: str, content: Content, schema_id: int, number: int) -> tuple[int, set[int]]:
        if self.mode(subject) != "IMPORT":
            raise Refused(OperationNotPermitted)
        if not self.is_whole(subject, content):
            raise Refused(InvalidSchema)
        context = context_of(subject)
        if any(
            one.id == schema_id and one.content != content
            for place, _, one in self.entries()
            if context_of(place) == context
        ):
            raise Refused(OperationNotPermitted)
        return number, {schema_id}

    def write(self, subject: str, number: int, content: Content, schema_id: int) -> None:
        """What a registration leaves: older soft-deleted versions of the same id give way to it."""
        for older, one in list(self.versions(subject).items()):
            if one.is_deleted and one.id == schema_id and older < number and not self.is_referred_to(subject, older):
                self._remove(subject, older)
        self.subjects.setdefault(subject, {})[number] = Entry(content, schema_id)
        context = context_of(subject)
        for known in (self.id_max, self.id_max_in_topic):
            known[context] = max(schema_id, known.get(context, 0))
        if context != ".":
            self.contexts.add(context)

    def delete_version(self, subject: str, number: int, *, permanent: bool) -> int:
        self._refuse_read_only(subject)
        versions = self.versions(subject)
        if number not in versions:
            raise Refused(VersionNotFound if versions else SubjectNotFound)
        if versions[number].is_deleted and not permanent:
            raise Refused(VersionSoftDeleted)
        if permanent and not versions[number].is_deleted:
            raise Refused(VersionNotSoftDeleted)
        if self.is_referred_to(subject, number, deleted=permanent):
            raise Refused(ReferenceExists)
        if permanent:
            self._remove(subject, number)
            if not self.versions(subject):
                self._forget_settings(subject)
        else:
            versions[number].is_deleted = True
        return number

    def delete_subject(self, subject: str, *, permanent: bool) -> list[int]:
        self._refuse_read_only(subject)
        if not self.versions(subject):
            raise Refused(SubjectNotFound)
        live = self.live(subject)
        if permanent and live:
            raise Refused(SubjectNotSoftDeleted)
        if not permanent and not live:
            raise Refused(SubjectSoftDeleted)
        going = sorted(self.versions(subject)) if permanent else live
        if any(self.is_referred_to(subject, number, deleted=permanent, but_by=subject) for number in going):
            raise Refused(ReferenceExists)
        for number in going:
            if permanent:
                self._remove(subject, number)
            else:
                self.versions(subject)[number].is_deleted = True
        if permanent:
            self._forget_settings(subject)
        return going

    def delete_context(self, context: str) -> None:
        if any(context_of(subject) == context for subject in self.subjects):
            raise Refused(ContextNotEmpty)
        self.contexts.discard(context)
        self._forget_settings(f":{context}:")

    def set_level(self, scope: str | None, level: str) -> None:
        self._refuse_read_only(scope)
        self.levels[scope] = level

    def delete_level(self, scope: str | None) -> str:
        self._refuse_read_only(scope)
        if scope is not None and scope not in self.levels:
            raise Refused(SubjectNotFound)
        return self.levels.pop(scope, "BACKWARD")

    def set_mode(self, scope: str | None, mode: str, *, force: bool) -> str:
        if mode == "IMPORT" and self.mode(scope) != "IMPORT" and not force:
            inside = [one for one in self.entries() if scope in (None, *scopes(one[0]))]
            if any(not one.is_deleted for _, _, one in inside):
                raise Refused(OperationNotPermitted)
            if any(self.is_referred_to(subject, number) for subject, number, _ in inside):
                raise Refused(ReferenceExists)
            for subject, number, _ in inside:
                self._remove(subject, number)
        self.modes[scope] = mode
        return mode

    def delete_mode(self, scope: str | None) -> str:
        if scope is not None and scope not in self.modes:
            raise Refused(SubjectNotFound)
        return self.modes.pop(scope, "READWRITE")

    def restart(self, *, is_compacted: bool) -> None:
        """All that is known is what the topic still says."""
        if is_compacted:
            self.id_max_in_topic = {}
            for subject, _, one in self.entries():
                context = context_of(subject)
                self.id_max_in_topic[context] = max(one.id, self.id_max_in_topic.get(context, 0))
        self.id_max = dict(self.id_max_in_topic)

    def _remove(self, subject: str, number: int) -> None:
        del self.subjects[subject][number]
        if not self.subjects[subject]:
            del self.subjects[subject]

    def _forget_settings(self, scope: str) -> None:
        self.levels.pop(scope, None)
        self.modes.pop(scope, None)

    def _refuse_read_only(self, scope: str | None) -> None:
        if self.mode(scope).startswith("READONLY"):
            raise Refused(OperationNotPermitted)


def scopes(scope: str | None) -> list[str | None]:
    """Where a setting for a scope is looked for, the narrowest first."""
    if scope is None:
        return [None]
    context = context_of(scope)
    return [scope, None] if context == "." else [scope, f":{context}:", None]
