"""Deleting versions, subjects and contexts: softly first (ids still answer), then for good."""

from app.registry import contexts
from app.registry.records import (
    Record,
    SchemaValue,
    config_record,
    context_record,
    delete_subject_record,
    from_metadata,
    from_references,
    from_rule_set,
    mode_record,
    schema_record,
    schema_tombstone,
)
from app.registry.refusals import (
    ContextNotEmpty,
    ReferenceExists,
    SubjectNotFound,
    SubjectNotSoftDeleted,
    SubjectSoftDeleted,
    VersionNotFound,
    VersionNotSoftDeleted,
    VersionSoftDeleted,
)
from app.registry.registry import LATEST, RegistryCore
from app.registry.schema import SchemaType
from app.registry.view import Version


class Deletion:
    """Every method may raise RegistryError; nothing else writes meanwhile."""

    def __init__(self, core: RegistryCore) -> None:
        self.core = core

    async def delete_version(self, subject: str, number: int, *, permanent: bool) -> int:
        """Returns the version's number."""
        subject = self.core.subject(subject)
        async with self.core.gate.alone():
            self.core.refuse_read_only(subject)
            one = self._version(subject, number, permanent=permanent)
            self._refuse_referenced(one, permanent=permanent)
            if not permanent:
                await self.core.store.write([schema_record(_value(one, is_deleted=True))])
                return one.version
            records = [schema_tombstone(subject, one.version)]
            if len(self.core.view.versions(subject)) == 1:
                records += self._without_settings(subject)
            await self.core.store.write(records)
            return one.version

    async def delete_subject(self, subject: str, *, permanent: bool) -> list[int]:
        """Returns the numbers of the versions that were deleted."""
        subject = self.core.subject(subject)
        async with self.core.gate.alone():
            self.core.refuse_read_only(subject)
            versions = sorted(self.core.view.versions(subject).values(), key=lambda one: one.version)
            live = [one for one in versions if not one.is_deleted]
            if not versions:
                raise SubjectNotFound(subject)
            if permanent and live:
                raise SubjectNotSoftDeleted(subject)
            if not permanent and not live:
                raise SubjectSoftDeleted(subject)
            going = versions if permanent else live
            for one in going:
                self._refuse_referenced(one, permanent=permanent, beside=subject)
            if permanent:
                # The newest first: a version may refer to an older one of its own subject.
                tombstones = [schema_tombstone(subject, one.version) for one in reversed(going)]
                await self.core.store.write([*tombstones, *self._without_settings(subject)])
            else:
                await self.core.store.write([delete_subject_record(subject, going[-1].version)])
            return [one.version for one in going]

    async def delete_context(self, name: str) -> None:
        """Raises ContextNotEmpty while a subject is in it, a soft-deleted one too."""
        name = contexts.context_name(name)
        async with self.core.gate.alone():
            if name == contexts.DEFAULT_CONTEXT or self.core.view.context(name).subjects:
                raise ContextNotEmpty(name)
            scope = contexts.qualify(name, "")
            await self.core.store.write([context_record(name, is_deleted=True), *self._without_settings(scope)])

    def _version(self, subject: str, number: int, *, permanent: bool) -> Version:
        """The version that may be deleted this way. Raises what stands in its way."""
        versions = self.core.view.versions(subject)
        one = self.core.view.latest(subject) if number == LATEST else versions.get(number)
        if one is None:
            if not versions:
                raise SubjectNotFound(subject)
            raise VersionNotFound(number)
        if one.is_deleted and not permanent:
            raise VersionSoftDeleted(subject, one.version)
        if permanent and not one.is_deleted:
            raise VersionNotSoftDeleted(subject, one.version)
        return one

    def _refuse_referenced(self, one: Version, *, permanent: bool, beside: str = "") -> None:
        """beside: a subject that goes as a whole. Deleted versions need what goes for good too."""
        referrers = self.core.view.referrers(one.subject, one.version, deleted=permanent)
        if any(referrer.subject != beside for referrer in referrers):
            raise ReferenceExists(one.subject, one.version)

    def _without_settings(self, subject: str) -> list[Record]:
        """A subject that is gone for good takes its mode and config with it (the original since July 2025)."""
        view = self.core.view
        records = []
        if subject in view.modes:
            records.append(mode_record(subject, None))
        if subject in view.configs:
            records.append(config_record(subject, None))
        return records


def _value(one: Version, *, is_deleted: bool) -> SchemaValue:
    content = one.content
    return SchemaValue(
        subject=one.subject,
        version=one.version,
        id=one.id,
        schema_type=None if content.schema_type == SchemaType.AVRO else content.schema_type,
        references=from_references(content.references),
        metadata=from_metadata(content.metadata),
        rule_set=from_rule_set(content.rule_set),
        schema=content.text,
        deleted=is_deleted,
    )
