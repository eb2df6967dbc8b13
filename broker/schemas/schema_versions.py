"""Which schema ids are registered under which subjects, changed by the records of `_schemas` alone.

Subjects of the default context have their plain names, those of others `:.context:subject`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from broker.schemas.registry_records import (
    Key,
    decode_config,
    decode_key,
    decode_schema,
    decode_subject,
    schema_guid,
)

DEFAULT_CONTEXT: Final = "."
GLOBAL_CONTEXT: Final = ".__GLOBAL"

SchemaId: TypeAlias = int | bytes
"""What a record carries: the id of a schema in its context, or its guid (16 bytes)."""


class BadRecord(Exception):
    """A record that says nothing; the message says why."""


@dataclass(slots=True, eq=False)
class Version:
    """A schema under a subject. offset: where its record is in `_schemas`; is_gone: no longer registered at all."""

    subject: str
    version: int
    id: int
    guid: bytes
    schema_type: str
    offset: int
    is_deleted: bool
    is_gone: bool = False


class SchemaVersions:
    """The versions of all subjects, as of the last record that was applied."""

    def __init__(self) -> None:
        self._subjects: dict[str, dict[int, Version]] = {}
        self._aliases: dict[str, str] = {}
        self._by_id: dict[SchemaId, Version] = {}
        """Any version that has the id (of the default context) or guid. One that is gone may still stand here."""
        self._by_subject: dict[str, dict[SchemaId, Version]] = {}
        """Of subjects that were asked for, until they change."""

    def __len__(self) -> int:
        return sum(map(len, self._subjects.values()))

    def find(self, schema_id: SchemaId) -> Version | None:
        """A version with that id, under whatever subject; it may be a soft-deleted one."""
        found = self._by_id.get(schema_id)
        if found is not None and found.is_gone:
            found = next(self._with(schema_id), None)  # once for each id that was deleted for good
            if found is None:
                del self._by_id[schema_id]
            else:
                self._by_id[schema_id] = found
        return found

    def find_under(self, subject: str, schema_id: SchemaId) -> Version | None:
        """The version of a subject, or of what it is an alias of, with that id; it may be a soft-deleted one."""
        subject = self._aliases.get(subject, subject)
        known = self._by_subject.get(subject)
        if known is None:
            known = {}
            for one in sorted(self._subjects.get(subject, {}).values(), key=lambda one: not one.is_deleted):
                known[one.id] = known[one.guid] = one
            if known:
                self._by_subject[subject] = known
        return known.get(schema_id)

    def apply(self, key: bytes | None, value: bytes | None, offset: int) -> None:
        """Take one record. Raises BadRecord."""
        try:
            self._apply(decode_key(key or b""), value, offset)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise BadRecord(str(error)) from error

    def _apply(self, key: Key, value: bytes | None, offset: int) -> None:
        subject = None if key.subject is None else _normalize(key.subject)
        if key.keytype == "CLEAR_SUBJECT":
            if value is not None:
                self._clear(subject)
            return
        if subject is None:
            return
        if key.keytype == "SCHEMA":
            self._put(subject, key.version, value, offset)
        elif key.keytype == "CONFIG":
            alias = None if value is None else decode_config(value).alias
            if alias:
                self._aliases[subject] = _normalize(alias)
            else:
                self._aliases.pop(subject, None)
        elif key.keytype == "DELETE_SUBJECT" and value is not None:
            up_to = decode_subject(value).version
            for one in self._subjects.get(subject, {}).values():
                one.is_deleted = one.is_deleted or one.version <= up_to
            self._by_subject.pop(subject, None)

    def _put(self, subject: str, version: int, value: bytes | None, offset: int) -> None:
        if value is None:
            self._remove(subject, version)
            return
        read = decode_schema(value)
        guid = schema_guid(read)
        self._remove(subject, version)
        one = Version(subject, version, read.id, guid, read.schema_type or "AVRO", offset, read.deleted)
        self._subjects.setdefault(subject, {})[version] = one
        self._note(guid, one)
        if _context_of(subject) == DEFAULT_CONTEXT:
            self._note(one.id, one)

    def _note(self, schema_id: SchemaId, one: Version) -> None:
        known = self._by_id.get(schema_id)
        if known is None or known.is_gone or not one.is_deleted:
            self._by_id[schema_id] = one

    def _remove(self, subject: str, version: int) -> None:
        self._by_subject.pop(subject, None)
        versions = self._subjects.get(subject, {})
        one = versions.pop(version, None)
        if one is not None:
            one.is_gone = True
            if not versions:
                del self._subjects[subject]

    def _clear(self, scope: str | None) -> None:
        """Forget the soft-deleted versions in a scope: a subject, a context (`:.ctx:`), everything (None)."""
        deleted = [one for one in self._all() if one.is_deleted and _is_in_scope(one.subject, scope)]
        for one in deleted:
            self._remove(one.subject, one.version)

    def _with(self, schema_id: SchemaId) -> Iterator[Version]:
        if isinstance(schema_id, bytes):
            return (one for one in self._all() if one.guid == schema_id)
        return (one for one in self._all() if one.id == schema_id and _context_of(one.subject) == DEFAULT_CONTEXT)

    def _all(self) -> Iterator[Version]:
        for versions in self._subjects.values():
            yield from versions.values()


def _split(subject: str) -> tuple[str, str]:
    """Context and name of a subject."""
    if subject.startswith(":."):
        context, colon, name = subject[1:].partition(":")
        if colon:
            return context, name
    return DEFAULT_CONTEXT, subject


def _context_of(subject: str) -> str:
    return _split(subject)[0] if subject.startswith(":.") else DEFAULT_CONTEXT


def _normalize(subject: str) -> str:
    """The one spelling of a subject: `:.:s` is `s`."""
    context, name = _split(subject)
    return name if context == DEFAULT_CONTEXT else subject


def _is_in_scope(subject: str, scope: str | None) -> bool:
    if scope is None:
        return True
    context, name = _split(scope)
    return context == GLOBAL_CONTEXT or subject == scope or (not name and _context_of(subject) == context)
