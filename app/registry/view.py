"""What `_schemas` says, in memory: subjects, versions, ids, contents, configs, modes. Changed by its records alone.

Contents are shared: a schema registered under a thousand subjects is held once. Nothing is parsed here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.registry.contexts import DEFAULT_CONTEXT, GLOBAL_CONTEXT, context_of, in_context_of, normalize, split
from app.registry.contracts import Metadata, RuleSet
from app.registry.identity import schema_guid
from app.registry.records import (
    ConfigJson,
    Key,
    SchemaValue,
    decode_config,
    decode_key,
    decode_mode,
    decode_schema,
    decode_subject,
    to_metadata,
    to_references,
    to_rule_set,
)
from app.registry.schema import Reference, SchemaType

UseKey = tuple[str, int]


class BadRecord(Exception):
    """A record of the topic that says nothing we can use; the message says why."""


@dataclass(slots=True, eq=False)
class Content:
    """A schema without the places it is registered at. guid: its identity in every registry, 16 bytes."""

    guid: bytes
    schema_type: str
    text: str
    references: tuple[Reference, ...]
    metadata: Metadata | None
    rule_set: RuleSet | None
    uses: dict[UseKey, "Version"] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Version:
    """A content under a subject (qualified by its context unless that is the default one)."""

    subject: str
    version: int
    id: int
    content: Content
    is_deleted: bool
    timestamp_ms: int


@dataclass(slots=True)
class Context:
    """One context: its ids, and its subjects by qualified name."""

    name: str
    by_id: dict[int, Content] = field(default_factory=dict)
    ids: dict[bytes, int] = field(default_factory=dict)
    subjects: dict[str, dict[int, Version]] = field(default_factory=dict)
    id_max: int = 0
    is_recorded: bool = False


class View:
    """The registry as of the last record that was applied."""

    def __init__(self) -> None:
        self.contexts: dict[str, Context] = {DEFAULT_CONTEXT: Context(DEFAULT_CONTEXT)}
        self.contents: dict[bytes, Content] = {}
        self.configs: dict[str | None, ConfigJson] = {}
        self.modes: dict[str | None, str] = {}
        self.unknown_keytypes: dict[str, int] = {}
        self._referrers: dict[UseKey, dict[UseKey, Version]] = {}

    # --- questions -------------------------------------------------------------------------------------------------

    def context(self, name: str) -> Context:
        """A context, an empty one if nothing is known of it."""
        return self.contexts.get(name) or Context(name)

    def context_names(self) -> list[str]:
        return [
            name for name, one in self.contexts.items() if name == DEFAULT_CONTEXT or one.is_recorded or one.subjects
        ]

    def versions(self, subject: str) -> dict[int, Version]:
        """All versions of a subject, the soft-deleted ones too, in no particular order."""
        return self.context(context_of(subject)).subjects.get(subject) or {}

    def live(self, subject: str) -> list[Version]:
        """The versions that are not deleted, ascending."""
        return sorted(
            (one for one in self.versions(subject).values() if not one.is_deleted), key=lambda one: one.version
        )

    def latest(self, subject: str) -> Version | None:
        live = self.live(subject)
        return live[-1] if live else None

    def all_versions(self, contexts: Iterable[str] | None = None) -> Iterator[Version]:
        for name in list(self.contexts) if contexts is None else contexts:
            for versions in self.context(name).subjects.values():
                yield from versions.values()

    def find(self, subject: str, guid: bytes, *, deleted: bool = False) -> Version | None:
        """The version of a subject with this content: a live one if there is one, then the highest."""
        content = self.contents.get(guid)
        if content is None:
            return None
        versions = self.versions(subject)
        if len(content.uses) < len(versions):
            found = [use for use in content.uses.values() if use.subject == subject]
        else:
            found = [one for one in versions.values() if one.content is content]
        found = [one for one in found if deleted or not one.is_deleted]
        return max(found, key=lambda one: (not one.is_deleted, one.version), default=None)

    def referrers(self, subject: str, version: int, *, deleted: bool = False) -> list[Version]:
        """The versions whose schemas refer to this one."""
        found = self._referrers.get((subject, version), {}).values()
        return [one for one in found if deleted or not one.is_deleted]

    # --- changes ---------------------------------------------------------------------------------------------------

    def apply(self, key: bytes | None, value: bytes | None, timestamp_ms: int) -> None:
        """Take one record. Raises BadRecord."""
        try:
            read = decode_key(key or b"")
            self._apply(read, value, timestamp_ms)
        except (ValueError, TypeError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise BadRecord(str(error)) from error

    def _apply(self, key: Key, value: bytes | None, timestamp_ms: int) -> None:
        subject = None if key.subject is None else normalize(key.subject)
        match key.keytype:
            case "SCHEMA":
                self._apply_schema(subject, key.version, value, timestamp_ms)
            case "CONFIG":
                if value is None:
                    self.configs.pop(subject, None)
                else:
                    self.configs[subject] = decode_config(value)
            case "MODE":
                if value is None:
                    self.modes.pop(subject, None)
                else:
                    self.modes[subject] = decode_mode(value).mode
            case "DELETE_SUBJECT":
                if value is not None and subject is not None:
                    up_to = decode_subject(value).version
                    for one in self.versions(subject).values():
                        one.is_deleted = one.is_deleted or one.version <= up_to
            case "CLEAR_SUBJECT":
                if value is not None:
                    self._clear(subject)
            case "CONTEXT":
                self._apply_context(key.context, is_deleted=value is None)
            case "NOOP":
                pass
            case unknown:
                self.unknown_keytypes[unknown] = self.unknown_keytypes.get(unknown, 0) + 1

    def _apply_schema(self, subject: str | None, version: int, value: bytes | None, timestamp_ms: int) -> None:
        if subject is None:
            raise BadRecord("a SCHEMA key without a subject")
        if value is None:
            self._remove(subject, version)
            return
        read = decode_schema(value)
        old = self.versions(subject).get(version)
        content = self._content(read)
        if old is not None and old.content is content and old.id == read.id:
            old.is_deleted, old.timestamp_ms = read.deleted, timestamp_ms
            return
        self._remove(subject, version)
        self._insert(Version(subject, version, read.id, content, read.deleted, timestamp_ms))

    def _content(self, value: SchemaValue) -> Content:
        references = to_references(value.references)
        metadata, rule_set = to_metadata(value.metadata), to_rule_set(value.rule_set)
        guid = schema_guid(value.schema, references, metadata, rule_set).bytes
        return self.contents.get(guid) or Content(
            guid, value.schema_type or SchemaType.AVRO.value, value.schema, references, metadata, rule_set
        )

    def _insert(self, one: Version) -> None:
        name = context_of(one.subject)
        context = self.contexts.get(name)
        if context is None:
            context = self.contexts[name] = Context(name)
        content, use = one.content, (one.subject, one.version)
        self.contents[content.guid] = content
        content.uses[use] = one
        context.subjects.setdefault(one.subject, {})[one.version] = one
        context.by_id[one.id] = content
        context.ids[content.guid] = one.id
        context.id_max = max(context.id_max, one.id)
        for reference in content.references:
            target = (in_context_of(one.subject, reference.subject), reference.version)
            self._referrers.setdefault(target, {})[use] = one

    def _remove(self, subject: str, version: int) -> None:
        context = self.context(context_of(subject))
        versions = context.subjects.get(subject, {})
        one = versions.pop(version, None)
        if one is None:
            return
        if not versions:
            del context.subjects[subject]
        content, use = one.content, (subject, version)
        content.uses.pop(use)
        if not content.uses:
            self.contents.pop(content.guid, None)
        if not any(other.id == one.id and context_of(other.subject) == context.name for other in content.uses.values()):
            if context.by_id.get(one.id) is content:
                del context.by_id[one.id]
            if context.ids.get(content.guid) == one.id:
                del context.ids[content.guid]
        for reference in content.references:
            target = (in_context_of(subject, reference.subject), reference.version)
            referrers = self._referrers.get(target, {})
            referrers.pop(use, None)
            if not referrers:
                self._referrers.pop(target, None)

    def _clear(self, scope: str | None) -> None:
        """Forget the soft-deleted versions in a scope: a subject, a context (`:.ctx:`), everything (None)."""
        for one in [one for one in self.all_versions() if one.is_deleted and is_in_scope(one.subject, scope)]:
            self._remove(one.subject, one.version)

    def _apply_context(self, name: str, *, is_deleted: bool) -> None:
        if not name:
            raise BadRecord("a CONTEXT key without a context")
        if is_deleted:
            if name in self.contexts:
                # It goes from the lists, not from memory: no id that it gave is given again for another schema.
                self.contexts[name].is_recorded = False
        elif name != GLOBAL_CONTEXT:
            self.contexts.setdefault(name, Context(name)).is_recorded = True


def is_in_scope(subject: str, scope: str | None) -> bool:
    """Whether a config or mode at scope can concern a subject; None is the whole registry."""
    if scope is None:
        return True
    wanted = split(scope)
    if wanted.context == GLOBAL_CONTEXT:
        return True
    return subject == scope or (not wanted.subject and context_of(subject) == wanted.context)
