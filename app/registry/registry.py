"""The registry's questions, and registration: which id and version a schema gets, and whether it may have one.

Deletes stand in deletion.py, configs and modes in scope_changes.py; all of them work on the same RegistryCore.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.registry import contexts
from app.registry.compatibility import CompatibilityLevel, CompatibilityPolicy, check
from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.compatibility.reserved import refuse_restricted_names, reserved_differences
from app.registry.contexts import DEFAULT_CONTEXT, GLOBAL_CONTEXT, context_of, qualify, split
from app.registry.contracts import Metadata, validate_rules
from app.registry.errors import InvalidSchema
from app.registry.gate import WriteGate
from app.registry.identity import schema_guid
from app.registry.parsing import Parser
from app.registry.populating import VERSION_PROPERTY, NewSchema, has_defaults, populated, tagged, with_contract
from app.registry.records import (
    ConfigJson,
    Record,
    SchemaValue,
    context_record,
    from_metadata,
    from_references,
    from_rule_set,
    schema_record,
    schema_tombstone,
)
from app.registry.references import find_referenced, resolve_references
from app.registry.refusals import (
    IncompatibleSchema,
    OperationNotPermitted,
    StoreFailed,
    SubjectNotFound,
    VersionNotFound,
)
from app.registry.schema import ParsedSchema, Reference, SchemaType
from app.registry.scopes import Mode, effective_config, effective_mode
from app.registry.settings import RegistrySettings
from app.registry.store import SchemasTopic
from app.registry.verdict import Verdict
from app.registry.view import Content, Version, View

LATEST = -1
ID_MAX = 2**31 - 1


@dataclass(slots=True)
class RegistryCore:
    """What every part of the registry works with."""

    store: SchemasTopic
    settings: RegistrySettings
    parser: Parser = field(default_factory=Parser)
    gate: WriteGate = field(default_factory=WriteGate)

    @property
    def view(self) -> View:
        return self.store.view

    def subject(self, name: str) -> str:
        """The subject a name stands for: its one spelling, and what its alias says. Nothing is checked."""
        name = contexts.normalize(name)
        config = self.view.configs.get(name)
        if config is not None and config.alias:
            return contexts.in_context_of(name, config.alias)
        return name

    def config(self, subject: str | None) -> ConfigJson:
        default = ConfigJson(compatibility_level=self.settings.schema_compatibility_level)
        return effective_config(self.view, subject, default)

    def mode(self, subject: str | None) -> Mode:
        return effective_mode(self.view, subject)

    def refuse_read_only(self, subject: str | None) -> None:
        """Raises OperationNotPermitted (42205) in READONLY and READONLY_OVERRIDE."""
        if self.mode(subject) in (Mode.READONLY, Mode.READONLY_OVERRIDE):
            raise OperationNotPermitted(f"Subject {subject} is in read-only mode")

    async def parse_stored(self, version: Version) -> ParsedSchema:
        """A registered schema, read with what it refers to."""
        content = version.content
        return await self.parser.parse(
            content.schema_type,
            content.text,
            resolve_references(self.view, version.subject, content.references),
            references=content.references,
            validate_new=False,
            metadata=content.metadata,
            rule_set=content.rule_set,
        )


class SchemaRegistry:
    """Questions and registration. Every method may raise RegistryError or SchemaError."""

    def __init__(self, core: RegistryCore) -> None:
        self.core = core
        self._issued: dict[str, int] = {}

    @property
    def view(self) -> View:
        return self.core.view

    # --- questions -------------------------------------------------------------------------------------------------

    def subjects(
        self, prefix: str = contexts.WILDCARD, *, deleted: bool = False, deleted_only: bool = False
    ) -> list[str]:
        """Sorted names. prefix: of the qualified name; after `:*:` of the unqualified one, in every context."""
        found = []
        for name, context in self.view.contexts.items():
            wanted = _prefix_in(prefix, name)
            if wanted is None:
                continue
            for subject, versions in context.subjects.items():
                if wanted and not subject.startswith(wanted):
                    continue
                is_live = any(not one.is_deleted for one in versions.values())
                if not is_live if deleted_only else is_live or deleted:
                    found.append(subject)
        return sorted(found)

    def aliases(self, prefix: str = contexts.WILDCARD) -> dict[str, list[str]]:
        """Subject -> the aliases it is known by, of those that begin with prefix (see subjects)."""
        found: dict[str, list[str]] = {}
        for alias, config in self.view.configs.items():
            if alias is None or not config.alias:
                continue
            wanted = _prefix_in(prefix, context_of(alias))
            if wanted is not None and alias.startswith(wanted):
                found.setdefault(contexts.in_context_of(alias, config.alias), []).append(alias)
        return {subject: sorted(names) for subject, names in found.items()}

    def versions(self, subject: str, *, deleted: bool = False, deleted_only: bool = False) -> list[Version]:
        """Ascending. Raises SubjectNotFound."""
        subject = self.core.subject(subject)
        versions = sorted(self.view.versions(subject).values(), key=lambda one: one.version)
        if not any(deleted or deleted_only or not one.is_deleted for one in versions):
            raise SubjectNotFound(subject)
        if deleted_only:
            return [one for one in versions if one.is_deleted]
        return [one for one in versions if deleted or not one.is_deleted]

    def version(self, subject: str, number: int, *, deleted: bool = False) -> Version:
        """number LATEST: the highest live one. A subject of the default context may be met in another one.

        Raises SubjectNotFound, VersionNotFound.
        """
        subject = self.core.subject(subject)
        found = self._version(subject, number, deleted=deleted)
        context, name = split(subject)
        if found is None and context == DEFAULT_CONTEXT:
            others = (
                self._version(qualify(other, name), number, deleted=deleted) for other in list(self.view.contexts)
            )
            found = next((one for one in others if one is not None), None)
        if found is not None:
            return found
        if not any(deleted or not one.is_deleted for one in self.view.versions(subject).values()):
            raise SubjectNotFound(subject)
        raise VersionNotFound(number)

    def _version(self, subject: str, number: int, *, deleted: bool) -> Version | None:
        if number == LATEST:
            return self.view.latest(subject)
        found = self.view.versions(subject).get(number)
        return found if found is not None and (deleted or not found.is_deleted) else None

    def content_by_id(self, schema_id: int, subject: str | None = None) -> tuple[str, Content] | None:
        """The context and the schema of an id: in subject's context first, then where a subject of that name has it."""
        context_name, name = split(contexts.normalize(subject or ""))
        content = self.view.context(context_name).by_id.get(schema_id)
        if not name or context_name != DEFAULT_CONTEXT or (content and _is_used(content, schema_id, name)):
            return None if content is None else (context_name, content)
        for other in self.view.contexts.values():
            elsewhere = other.by_id.get(schema_id)
            if elsewhere is not None and _is_used(elsewhere, schema_id, qualify(other.name, name)):
                return other.name, elsewhere
        return None if content is None else (context_name, content)

    def uses_of_id(self, schema_id: int, subject: str | None = None, *, deleted: bool = False) -> list[Version] | None:
        """The versions that have an id, by subject and version; None for an unknown id."""
        found = self.content_by_id(schema_id, subject)
        if found is None:
            return None
        context, content = found
        name = split(contexts.normalize(subject or "")).subject
        return sorted(
            (
                use
                for use in content.uses.values()
                if use.id == schema_id
                and context_of(use.subject) == context
                and (deleted or not use.is_deleted)
                and (not name or use.subject == qualify(context, name))
            ),
            key=lambda use: (use.subject, use.version),
        )

    def latest_with(self, subject: str, properties: Mapping[str, str], *, deleted: bool = False) -> Version | None:
        """The highest version whose metadata has all these properties. Raises SubjectNotFound."""
        for one in reversed(self.versions(subject, deleted=deleted)):
            metadata = one.content.metadata
            if metadata is not None and properties.items() <= metadata.properties.items():
                return one
        return None

    async def lookup(
        self, subject: str, schema: NewSchema, *, normalize: bool = False, deleted: bool = False
    ) -> Version | None:
        """The version of the subject that has this content, or has it with the metadata and rules it would be lent.

        A subject of the default context may be met in another one.
        """
        subject = self.core.subject(subject)
        if schema.is_empty:
            return None
        found = await self._lookup(subject, schema, normalize=normalize, deleted=deleted)
        if found is not None or context_of(subject) != DEFAULT_CONTEXT:
            return found
        for other in list(self.view.contexts):
            elsewhere = qualify(other, subject)
            if elsewhere != subject and self.view.versions(elsewhere):
                with contextlib.suppress(InvalidSchema):  # its references are not in that context
                    found = await self._lookup(elsewhere, schema, normalize=normalize, deleted=deleted)
                if found is not None:
                    return found
        return None

    async def _lookup(self, subject: str, schema: NewSchema, *, normalize: bool, deleted: bool) -> Version | None:
        config = self.core.config(subject)
        parsed = await self._parse(subject, schema, validate_new=False, normalize=normalize or bool(config.normalize))
        found = await self._find(subject, parsed, deleted=deleted)
        latest = self.view.latest(subject) if found is None else None
        if latest is None:
            return found
        lent = with_contract(schema, latest.content, config)
        if (lent.metadata, lent.rule_set) == (schema.metadata, schema.rule_set):
            return None
        return await self._find(subject, parsed.with_contract(lent.metadata, lent.rule_set), deleted=deleted)

    async def read(self, subject: str, schema: NewSchema) -> ParsedSchema:
        """A schema as a registration under the subject would read it, and nothing more."""
        return await self._parse(self.core.subject(subject), schema, validate_new=True, normalize=False)

    # --- compatibility ---------------------------------------------------------------------------------------------

    async def incompatibilities(
        self, subject: str, schema: NewSchema, number: int | None, *, normalize: bool = False
    ) -> list[str]:
        """Why a schema could not be registered now; number: against this version alone, None: as the level says.

        Raises VersionNotFound for a number that is not there; there is no LATEST of an empty subject to disagree with.
        """
        verdict = await self.verdict(subject, schema, number, normalize=normalize)
        return [] if verdict is None else verdict.messages()

    async def verdict(
        self, subject: str, schema: NewSchema, number: int | None = None, *, normalize: bool = False
    ) -> Verdict | None:
        """As incompatibilities, with every reason by itself; None: nothing speaks against it."""
        subject = self.core.subject(subject)
        if number is None:
            previous = self.view.live(subject)
        else:
            found = self._version(subject, number, deleted=False)
            if found is None and number != LATEST:
                raise VersionNotFound(number)
            previous = [] if found is None else [found]
        config = self.core.config(subject)
        parsed = await self._parse(subject, schema, validate_new=True, normalize=normalize or bool(config.normalize))
        if config.validate_fields:
            refuse_restricted_names(parsed)
        return await self._verdict(subject, parsed, previous)

    async def _verdict(self, subject: str, new: ParsedSchema, previous: Sequence[Version]) -> Verdict | None:
        config = self.core.config(subject)
        level = CompatibilityLevel(config.compatibility_level or CompatibilityLevel.BACKWARD)
        broken: tuple[Incompatibility, ...] = ()
        if config.validate_fields:
            latest = await self.core.parse_stored(previous[-1]) if previous else None
            broken = tuple(one.directed(reader="new", writer="old") for one in reserved_differences(new, latest))
        reserved_only = Verdict(level, broken, validate_fields=True) if broken else None
        if level is CompatibilityLevel.NONE:
            return reserved_only
        group = config.compatibility_group
        if group:
            previous = [
                one for one in previous if _property(one.content.metadata, group) == _property(new.metadata, group)
            ]
        if not level.is_transitive:
            previous = previous[-1:]
        is_lenient = config.compatibility_policy == CompatibilityPolicy.LENIENT
        policy = CompatibilityPolicy.LENIENT if is_lenient else CompatibilityPolicy.STRICT
        older = [await self.core.parse_stored(one) for one in previous]
        chars = len(new.canonical) + sum(len(one.canonical) for one in older)

        def judge() -> Verdict | None:
            for one, parsed in zip(reversed(previous), reversed(older), strict=True):
                if found := check(level, new, [parsed], policy=policy):
                    reasons = (*broken, *found)
                    return Verdict(level, reasons, one.version, parsed.canonical, bool(config.validate_fields))
            return reserved_only

        return await self.core.parser.off_loop(judge, chars)

    # --- registration ----------------------------------------------------------------------------------------------

    async def find_registered(self, subject: str, schema: NewSchema, *, normalize: bool = False) -> Version | None:
        """The live version that a registration would be answered with without a write; may miss one that is there."""
        subject = self.core.subject(subject)
        config = self.core.config(subject)
        versions = self.view.versions(subject)
        if schema.is_empty or schema.tag_changes or schema.keeps_tags or not versions or has_defaults(config):
            return None
        parsed = await self._parse(subject, schema, validate_new=False, normalize=normalize or bool(config.normalize))
        if schema.version == 0:
            found = await self._find(subject, parsed)
        elif schema.version == LATEST:
            found = self.view.latest(subject)
            found = found if found is not None and await self._has_content(found, parsed, parsed.guid.bytes) else None
        else:  # an import that is repeated
            found = versions.get(schema.version)
            if found is None or schema.id is None or found.is_deleted or found.content.guid != parsed.guid.bytes:
                return None
        return found if found is not None and schema.id in (None, found.id) else None

    async def register(self, subject: str, schema: NewSchema, *, normalize: bool = False) -> Version:
        """Give a schema its id and version, or find those it has."""
        subject = self.core.subject(subject)
        contexts.check_subject(subject)
        if schema.rule_set is not None:
            validate_rules(schema.rule_set)
        if schema.tag_changes:
            sent = replace(schema, version=schema.version or LATEST)
            schema = await self.core.parser.off_loop(lambda: tagged(sent), len(sent.text or ""))
        else:
            found = await self.find_registered(subject, schema, normalize=normalize)
            if found is not None:
                return found
        async with self.core.gate.beside(("subject", subject)):
            return await self._register(subject, schema, normalize)

    async def _register(self, subject: str, schema: NewSchema, normalize: bool) -> Version:
        mode = self._check_mode(subject, schema)
        config = self.core.config(subject)
        if mode is not Mode.IMPORT:
            latest = self.view.latest(subject)
            number = max(self.view.versions(subject), default=0) + 1
            sent, previous = schema, None if latest is None else latest.content
            schema = await self.core.parser.off_loop(
                lambda: populated(sent, previous, config, number), len(sent.text or "") if sent.keeps_tags else 0
            )
        validate = config.validate_new_schemas
        parsed = await self._parse(
            subject,
            schema,
            validate_new=schema.id is None
            and (self.core.settings.schema_validate_new_schemas if validate is None else validate),
            normalize=normalize or bool(config.normalize),
        )
        async with self.core.gate.locked(("content", context_of(subject), parsed.guid)):
            if not schema.version:
                found = await self._find(subject, parsed)
                if found is not None and schema.id in (None, found.id):
                    return found
            if mode is not Mode.IMPORT:
                if config.validate_fields:
                    refuse_restricted_names(parsed)
                verdict = await self._verdict(subject, parsed, self.view.live(subject))
                if verdict is not None:
                    raise IncompatibleSchema(subject, "[" + ", ".join(verdict.messages()) + "]")
            return await self._write(subject, schema, parsed, mode)

    def _check_mode(self, subject: str, schema: NewSchema) -> Mode:
        self.core.refuse_read_only(subject)
        mode = self.core.mode(subject)
        if schema.id is not None and mode is not Mode.IMPORT:
            raise OperationNotPermitted(f"Subject {subject} is not in import mode")
        if schema.id is None and mode is not Mode.READWRITE:
            raise OperationNotPermitted(f"Subject {subject} is not in read-write mode")
        return mode

    async def _write(self, subject: str, schema: NewSchema, parsed: ParsedSchema, mode: Mode) -> Version:
        # No await between here and the append: ids are given out one after the other.
        guid = parsed.guid.bytes
        context = self.view.context(context_of(subject))
        versions = self.view.versions(subject)
        number = max(versions, default=0) + 1
        if schema.version > 0:
            if schema.version != number and mode is not Mode.IMPORT:
                raise InvalidSchema("Version is not one more than previous version")
            number = schema.version
        schema_id = context.ids.get(guid) if schema.id is None else schema.id
        if schema_id is None:
            schema_id = max(context.id_max, self._issued.get(context.name, 0)) + 1
            if schema_id > ID_MAX:
                raise StoreFailed(message=f"The ids of context {context.name} are used up")
        elif (other := context.by_id.get(schema_id)) is not None and other.guid != guid:
            raise OperationNotPermitted(f"Overwrite new schema with id {schema_id} is not permitted.")
        self._issued[context.name] = max(schema_id, self._issued.get(context.name, 0))
        value = SchemaValue(
            subject=subject,
            version=number,
            id=schema_id,
            schema_type=None if parsed.schema_type is SchemaType.AVRO else parsed.schema_type.value,
            references=from_references(parsed.references),
            metadata=from_metadata(parsed.metadata),
            rule_set=from_rule_set(parsed.rule_set),
            schema=parsed.canonical,
        )
        records: list[Record] = []
        if context.name not in (DEFAULT_CONTEXT, GLOBAL_CONTEXT) and not context.is_recorded:
            records.append(context_record(context.name))
        records += [  # soft-deleted before with the same id: superseded by this version
            schema_tombstone(subject, one.version)
            for one in versions.values()
            if one.is_deleted
            and one.id == schema_id
            and one.version < number
            and not self.view.referrers(subject, one.version)
        ]
        await self.core.store.write([*records, schema_record(value)])
        written = self.view.versions(subject).get(number)
        if written is not None and written.content.guid == guid:
            return written
        content = Content(
            guid, parsed.schema_type.value, parsed.canonical, parsed.references, parsed.metadata, parsed.rule_set
        )
        return Version(subject, number, schema_id, content, is_deleted=False, timestamp_ms=0)

    # --- content ---------------------------------------------------------------------------------------------------

    async def _parse(self, subject: str, schema: NewSchema, *, validate_new: bool, normalize: bool) -> ParsedSchema:
        if not schema.text or schema.text.isspace():
            raise InvalidSchema("Empty schema")
        references = tuple(self._numbered(subject, one) for one in schema.references)
        parsed = await self.core.parser.parse(
            schema.schema_type,
            schema.text,
            resolve_references(self.view, subject, references),
            references=references,
            validate_new=validate_new,
            metadata=schema.metadata,
            rule_set=schema.rule_set,
        )
        if normalize:
            parsed = await self.core.parser.off_loop(parsed.normalized, len(parsed.canonical))
        return parsed

    def _numbered(self, subject: str, reference: Reference) -> Reference:
        """A reference to the latest version (-1) is stored as the version that is."""
        if reference.version != LATEST:
            return reference
        return replace(reference, version=find_referenced(self.view, subject, reference).version)

    async def _find(self, subject: str, parsed: ParsedSchema, *, deleted: bool = False) -> Version | None:
        """By content; then as one that was registered with references which are resolved here, or with its version."""
        guid = parsed.guid.bytes
        found = self.view.find(subject, guid, deleted=deleted)
        if found is not None:
            return found
        for one in sorted(self.view.versions(subject).values(), key=lambda one: -one.version):
            if (deleted or not one.is_deleted) and await self._has_content(one, parsed, guid):
                return one
        return None

    async def _has_content(self, one: Version, parsed: ParsedSchema, guid: bytes) -> bool:
        """guid: of parsed, which takes a digest each time it is asked for."""
        content = one.content
        if content.guid == guid:
            return True
        if content.references and not parsed.references and content.schema_type == parsed.schema_type:
            try:
                stored = await self.core.parse_stored(one)
            except InvalidSchema:  # what a deleted version refers to may be gone; that is not the asker's fault
                return False
            if stored.formatted("resolved") == parsed.formatted("resolved"):
                return True
        is_numbered = bool(_property(content.metadata, VERSION_PROPERTY))
        return is_numbered and _guid_without_version(content) == guid


def _guid_without_version(content: Content) -> bytes:
    metadata = content.metadata
    assert metadata is not None
    properties = {key: value for key, value in metadata.properties.items() if key != VERSION_PROPERTY}
    left = replace(metadata, properties=properties) if properties or metadata.tags or metadata.sensitive else None
    return schema_guid(content.text, content.references, left, content.rule_set).bytes


def _property(metadata: Metadata | None, key: str) -> str | None:
    return None if metadata is None else metadata.properties.get(key)


def _is_used(content: Content, schema_id: int, subject: str) -> bool:
    return any(use.subject == subject and use.id == schema_id for use in content.uses.values())


def _prefix_in(prefix: str, context: str) -> str | None:
    """What a subject of a context must begin with, '' for anything, None for nothing."""
    if prefix.startswith(contexts.WILDCARD):
        unqualified = prefix.removeprefix(contexts.WILDCARD)
        return qualify(context, unqualified) if unqualified else ""
    wanted = split(prefix)
    if prefix.startswith(":.") and wanted.context == context:
        return qualify(context, wanted.subject) if wanted.subject else ""
    return None if prefix.startswith(":.:") else prefix
