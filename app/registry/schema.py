"""What the registry knows of a schema once it is read: its canonical text, what it refers to, what travels with it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from uuid import UUID

    from app.registry.contracts import Metadata, RuleSet


class SchemaType(StrEnum):
    """The formats served, by the names of `schemaType` in the API."""

    AVRO = "AVRO"
    JSON = "JSON"
    PROTOBUF = "PROTOBUF"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A schema's pointer to another: the name used in its text, and the subject and version that name stands for."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class ResolvedReference:
    """A reference with the text it stands for.

    A schema is parsed with all it needs, dependencies first: what a referenced schema itself refers to stands before
    it, with is_direct False, so that only the schema's own references become part of its identity. position is that
    of a direct one in the request, as their order is part of the identity too.
    """

    reference: Reference
    text: str
    is_direct: bool = True
    position: int = 0


@dataclass(frozen=True, kw_only=True)
class ParsedSchema(ABC):
    """A schema of any format, read and checked.

    canonical is what is stored and looked up by; two texts that differ only in what the format calls insignificant
    (white space, Protobuf comments, the order of attributes in Avro) have the same one.
    """

    schema_type: SchemaType
    canonical: str
    references: tuple[Reference, ...] = ()
    resolved_references: tuple[ResolvedReference, ...] = ()
    metadata: "Metadata | None" = None
    rule_set: "RuleSet | None" = None

    @property
    def guid(self) -> "UUID":
        """The identity of the content in every registry: see identity.py."""
        from app.registry.identity import schema_guid  # identity knows Reference

        return schema_guid(self.canonical, self.references, self.metadata, self.rule_set)

    @property
    @abstractmethod
    def name(self) -> str | None:
        """The full name of the record or first message; a JSON Schema's title. None when it has none."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Full names of all records or messages in the text, in order of appearance."""

    @abstractmethod
    def normalized(self) -> Self:
        """The same schema as `normalize=true` stores it: semantically equal texts become one."""

    def formatted(self, format_name: str | None) -> str:
        """The text in one of the format's other forms (query `format`); an unknown name gives the canonical text."""
        del format_name
        return self.canonical

    def with_contract(self, metadata: "Metadata | None", rule_set: "RuleSet | None") -> Self:
        """The same schema with other metadata and rules."""
        return replace(self, metadata=metadata, rule_set=rule_set)


def direct_references(references: Sequence[ResolvedReference]) -> tuple[Reference, ...]:
    """Those that are the schema's own, by position, else in the order given."""
    direct = (resolved for resolved in references if resolved.is_direct)
    return tuple(resolved.reference for resolved in sorted(direct, key=lambda resolved: resolved.position))


def normalized_references(references: Sequence[Reference]) -> tuple[Reference, ...]:
    """Sorted by subject and version, each once."""
    return tuple(sorted(dict.fromkeys(references), key=lambda reference: (reference.subject, reference.version)))
