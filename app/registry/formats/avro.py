"""Avro schemas of the registry: canonical and normalized text, names, the resolved form.

Not fastavro's parse_schema: it drops docs, order and unknown attributes, which a registry must give back, and judges
names and defaults by other rules than the Java library that Kafka's clients are written against.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from app.registry.errors import InvalidSchema
from app.registry.formats.avro_parser import AvroParser
from app.registry.formats.avro_text import normalized_value, print_avro
from app.registry.formats.avro_types import AvroType, Named, Record, full_names
from app.registry.formats.json_text import read_json
from app.registry.schema import (
    ParsedSchema,
    ResolvedReference,
    SchemaType,
    direct_references,
    normalized_references,
)


@dataclass(frozen=True, kw_only=True)
class AvroSchema(ParsedSchema):
    """An Avro schema. root is its graph of types, shared and never changed after parsing."""

    root: AvroType = field(repr=False, compare=False)
    referenced_names: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    @property
    def name(self) -> str | None:
        return self.root.full_name if isinstance(self.root, Record) else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(full_names(self.root))

    def normalized(self) -> Self:
        value = normalized_value(self.root, self.referenced_names)
        parsed = _build(value, self.resolved_references, validate_new=False)
        return replace(
            self,
            canonical=parsed.canonical,
            root=parsed.root,
            references=normalized_references(self.references),
        )

    @property
    def resolved(self) -> str:
        """The canonical text with the referenced types written out where they are first used."""
        return print_avro(self.root)

    def formatted(self, format_name: str | None) -> str:
        return self.resolved if format_name == "resolved" else self.canonical


def parse_avro(text: str, references: Sequence[ResolvedReference] = (), *, validate_new: bool = True) -> AvroSchema:
    """Read an Avro schema. Raises InvalidSchema."""
    return _build(read_json(text, comments=True), references, validate_new)


def _build(value: Any, references: Sequence[ResolvedReference], validate_new: bool) -> AvroSchema:
    parser = AvroParser(validate_new=validate_new)
    names: set[str] = set()
    for reference in references:
        try:
            node = parser.parse(read_json(reference.text, comments=True))
        except InvalidSchema as error:
            raise InvalidSchema(f"reference {reference.reference.name!r}: {error.message}", error.path) from None
        if isinstance(node, Named):
            names.add(node.full_name)
    root = parser.parse(value)
    return AvroSchema(
        schema_type=SchemaType.AVRO,
        canonical=print_avro(root, names),
        references=direct_references(references),
        resolved_references=tuple(references),
        root=root,
        referenced_names=frozenset(names),
    )
