"""JSON Schemas of the registry: drafts 4, 6, 7, 2019-09 and 2020-12; nothing is fetched, no pattern is run."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import urljoin

from app.registry.errors import InvalidSchema
from app.registry.formats.json_keywords import check_schema
from app.registry.formats.json_shapes import Resource, Shape, Shapes
from app.registry.formats.json_text import print_json, read_json
from app.registry.schema import (
    ParsedSchema,
    ResolvedReference,
    SchemaType,
    direct_references,
    normalized_references,
)


@dataclass(frozen=True, kw_only=True)
class JsonSchema(ParsedSchema):
    """A JSON Schema with the texts its `$ref`s name."""

    value: Any = field(repr=False, compare=False)
    draft: int = field(compare=False)
    resource: Resource = field(repr=False, compare=False)
    resources: dict[str, Resource] = field(repr=False, compare=False)

    @property
    def name(self) -> str | None:
        title = self.value.get("title") if isinstance(self.value, dict) else None
        return title if isinstance(title, str) else None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,) if self.name else ()

    def normalized(self) -> Self:
        return replace(
            self,
            canonical=print_json(self.value, sort_keys=True),
            references=normalized_references(self.references),
        )

    def shape(self) -> Shape:
        """What the schema asks of a document."""
        return Shapes(self.resources, is_strict=False).of(self.value, self.resource)


def parse_json_schema(
    text: str, references: Sequence[ResolvedReference] = (), *, validate_new: bool = True
) -> JsonSchema:
    """Read a JSON Schema. Raises InvalidSchema for a keyword's wrong value and for a `$ref` that leads nowhere."""
    value = read_json(text)
    resources: dict[str, Resource] = {}
    for reference in references:
        name = reference.reference.name
        try:
            _enter(read_json(reference.text), name, resources)
        except InvalidSchema as error:
            raise InvalidSchema(f"reference {name!r}: {error.message}", error.path) from None
    whole, refs = _enter(value, "", resources)
    shapes = Shapes(resources, is_strict=True)
    for reference_text, resource, path in refs if validate_new else ():
        try:
            shapes.resolve(reference_text, resource)
        except InvalidSchema as error:
            raise InvalidSchema(error.message, path) from None
    return JsonSchema(
        schema_type=SchemaType.JSON,
        canonical=print_json(value),
        references=direct_references(references),
        resolved_references=tuple(references),
        value=value,
        draft=whole.draft,
        resource=whole,
        resources=resources,
    )


def _enter(value: Any, name: str, resources: dict[str, Resource]) -> tuple[Resource, list[tuple[str, Resource, str]]]:
    """Check a text and make it, and the parts with an `$id`, known by name and address."""
    found, refs = check_schema(value, name)
    whole = found[0]
    identity = value.get("id" if whole.draft == 4 else "$id") if isinstance(value, dict) else None
    if isinstance(identity, str) and not identity.startswith("#"):
        whole.base = identity.rstrip("#")
        resources[whole.base] = whole
    if name:
        resources[name] = whole
    for inner in found[1:]:
        address = inner.base.rstrip("#")
        try:
            inner.base = urljoin(whole.base, address)
        except ValueError:
            raise InvalidSchema(f"$id {address!r} is no address") from None
        resources.setdefault(address, inner)
        resources[inner.base] = inner
    return whole, refs
