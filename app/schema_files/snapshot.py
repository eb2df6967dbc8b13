"""What a registry holds, apart from where it is: in a server or in a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from app.registry.contexts import context_of, in_context_of
from app.registry.errors import InvalidSchema
from app.registry.formats.json_text import read_json

Json: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, int]  # subject, version

GLOBAL = ""  # the scope of the registry as a whole; others are subjects, and `:.ctx:` for a context


class TransferError(Exception):
    """An export or import cannot go on. The message says why, a line per reason."""


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One version of a subject; the subject is qualified by its context unless that is the default one."""

    subject: str
    version: int
    id: int
    schema_type: str
    text: str
    references: Sequence[Json] = ()
    metadata: Json | None = None
    rule_set: Json | None = None
    is_deleted: bool = False

    @property
    def key(self) -> Key:
        return self.subject, self.version

    def __str__(self) -> str:
        return f"{self.subject} version {self.version}"

    def needs(self) -> list[Key]:
        """The versions it refers to."""
        return [(in_context_of(self.subject, one["subject"]), one["version"]) for one in self.references]

    def has_content_of(self, other: "SchemaVersion") -> bool:
        """Whether both are the same schema. Spelling that registries change (white space, layout) does not count."""
        return (
            self.schema_type == other.schema_type
            and bare(list(self.references)) == bare(list(other.references))
            and bare(self.metadata) == bare(other.metadata)
            and bare(self.rule_set) == bare(other.rule_set)
            and _is_same_text(self.schema_type, self.text, other.text)
        )


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """What is set of a scope. None: nothing of that kind."""

    config: Json | None = None
    mode: str | None = None


@dataclass(slots=True)
class Snapshot:
    """All versions, and the settings of all scopes that have some."""

    versions: dict[Key, SchemaVersion] = field(default_factory=dict)
    settings: dict[str, ScopeSettings] = field(default_factory=dict)

    def contents(self) -> dict[tuple[str, int], SchemaVersion]:
        """A version for each context and id."""
        return {(context_of(one.subject), one.id): one for one in self.versions.values()}


def bare(value: Any) -> Any:
    """JSON without what says nothing: null, false, empty lists and objects."""
    if isinstance(value, Mapping):
        inside = {key: bare(item) for key, item in value.items()}
        return {key: item for key, item in inside.items() if item} or None
    if isinstance(value, list):
        return [bare(item) for item in value] or None
    return value or None


def _is_same_text(schema_type: str, one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        if schema_type == "PROTOBUF":
            from app.registry.formats.proto_text import print_proto
            from app.registry.formats.protobuf import read_file

            return print_proto(read_file(one)) == print_proto(read_file(other))
        if schema_type in ("AVRO", "JSON"):
            same: bool = read_json(one) == read_json(other)
            return same
    except InvalidSchema:
        pass
    return False
