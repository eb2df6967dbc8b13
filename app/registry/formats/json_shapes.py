"""A JSON Schema as what it asks of a value: one shape per schema, `$ref`s followed, drafts told apart here only.

A schema that asks several kinds of things at once (a type and an enum, say) is an allOf of them, and a list of types
an anyOf, so that the comparison of two schemas knows sums and products and nothing of spelling.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from app.registry.errors import InvalidSchema

DRAFTS = {
    "http://json-schema.org/draft-04/schema": 4,
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-07/schema": 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "https://json-schema.org/draft/2020-12/schema": 2020,
}
DEFAULT_DRAFT = 7
REF_HOPS_MAX = 100  # a $ref to a $ref to …

NUMBER_KEYWORDS = ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf")
STRING_KEYWORDS = ("maxLength", "minLength", "pattern")
ARRAY_KEYWORDS = (
    "items", "prefixItems", "additionalItems", "unevaluatedItems", "maxItems", "minItems", "uniqueItems", "contains",
)  # fmt: skip
OBJECT_KEYWORDS = (
    "properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "required", "maxProperties",
    "minProperties", "dependencies", "dependentRequired", "dependentSchemas", "propertyNames",
)  # fmt: skip
_FAMILIES = {
    "string": STRING_KEYWORDS, "number": NUMBER_KEYWORDS, "object": OBJECT_KEYWORDS, "array": ARRAY_KEYWORDS,
}  # fmt: skip
_PARTS = ("enum", "const", "not", "allOf", "anyOf", "oneOf")


@dataclass(slots=True, eq=False)
class Resource:
    """A schema that has an address of its own: a whole text, or a part of it with an `$id`."""

    root: Any
    base: str
    draft: int
    anchors: dict[str, tuple[Any, "Resource"]] = field(default_factory=dict)
    inside: dict[int, "Resource"] = field(default_factory=dict)  # by id(node): resources begun below this one


@dataclass(slots=True, eq=False)
class Shape:
    """What one schema asks. kind is one of empty, false, boolean, null, string, number, object, array, enum, const,
    not, combined; node holds its keywords."""

    kind: str
    node: dict[str, Any]
    resource: Resource
    shapes: "Shapes" = field(repr=False)
    criterion: str = ""
    subs: "list[Shape]" = field(default_factory=list)
    is_integer: bool = False

    def at(self, node: Any) -> "Shape":
        """The shape of a schema inside this one."""
        return self.shapes.of(node, self.resource)

    def parts(self) -> "list[Shape]":
        """The parts of a combined shape. Read late: a schema may be a part of itself."""
        if not self.subs and self.criterion in self.node:
            self.subs = [self.at(sub) for sub in self.node[self.criterion]]
        elif any(sub.kind == "ref" for sub in self.subs):
            self.subs = [
                self.shapes.of(*self.shapes.resolve(sub.node["$ref"], sub.resource)) if sub.kind == "ref" else sub
                for sub in self.subs
            ]
        return self.subs


class Shapes:
    """All shapes of one schema and what it refers to. resources maps an address, or a reference's name, to its text."""

    def __init__(self, resources: dict[str, Resource], *, is_strict: bool) -> None:
        """is_strict refuses a `$ref` that leads nowhere; else it asks for nothing, as an old schema may hold one."""
        self._is_strict = is_strict
        self._resources = resources
        self._known: dict[tuple[int, int], Shape] = {}

    def of(self, node: Any, resource: Resource) -> Shape:
        """The shape of a schema that stands in a resource. Raises InvalidSchema for a `$ref` that leads nowhere."""
        node, resource = self.follow(node, resource)
        key = (id(node), id(resource))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._build(node, resource)
        return known

    def follow(self, node: Any, resource: Resource) -> tuple[Any, Resource]:
        """Where a chain of `$ref`s ends. One that comes back to itself asks for nothing."""
        for _ in range(REF_HOPS_MAX):
            if not isinstance(node, dict):
                return node, resource
            resource = resource.inside.get(id(node), resource)
            reference = node.get("$ref", node.get("$dynamicRef", node.get("$recursiveRef")))
            if not isinstance(reference, str) or (resource.draft >= 2019 and _asks_more(node)):
                return node, resource
            node, resource = self.resolve(reference, resource)
        return True, resource

    def resolve(self, reference: str, resource: Resource) -> tuple[Any, Resource]:
        """The schema a `$ref` names. Nothing is ever fetched: it is in the text or among its references."""
        try:
            return self._resolve(reference, resource)
        except InvalidSchema:
            if self._is_strict:
                raise
            return True, resource

    def _resolve(self, reference: str, resource: Resource) -> tuple[Any, Resource]:
        try:
            address, fragment = urldefrag(reference)
            joined = urljoin(resource.base, address)
        except ValueError:
            raise InvalidSchema(f"unresolved reference {reference!r}: it is no address") from None
        if address:
            found = self._resources.get(address) or self._resources.get(joined)
            if found is None:
                if address in DRAFTS:
                    return True, resource
                raise InvalidSchema(f"unresolved reference {reference!r}: it is not among the schema's references")
            resource = found
        if not fragment:
            return resource.root, resource
        if not fragment.startswith("/"):
            if fragment in resource.anchors:
                return resource.anchors[fragment]
            raise InvalidSchema(f"unresolved reference {reference!r}: no such anchor")
        return _point(fragment, resource, reference)

    def _build(self, node: Any, resource: Resource) -> Shape:
        if node is False:
            return Shape("false", {}, resource, self)
        if not isinstance(node, dict):
            return Shape("empty", {}, resource, self)
        parts = list(self._parts(node, resource))
        if not parts:
            return Shape("empty", node, resource, self)
        if len(parts) == 1:
            return parts[0]
        return Shape("combined", node, resource, self, criterion="allOf", subs=parts)

    def _parts(self, node: dict[str, Any], resource: Resource) -> Iterator[Shape]:
        reference = node.get("$ref", node.get("$dynamicRef"))
        if isinstance(reference, str):
            yield Shape("ref", {"$ref": reference}, resource, self)
        given = node.get("type")
        if isinstance(given, str):
            yield self._typed(given, node, resource)
        elif isinstance(given, list):
            yield Shape(
                "combined",
                node,
                resource,
                self,
                criterion="anyOf",
                subs=[self._typed(one, node, resource) for one in given],
            )
        else:
            for kind, keywords in _FAMILIES.items():
                if any(keyword in node for keyword in keywords):
                    yield self._typed(kind, node, resource)
        if "enum" in node:
            yield Shape("enum", node, resource, self)
        if "const" in node:
            yield Shape("const", node, resource, self)
        if "not" in node:
            yield Shape("not", node, resource, self)
        for criterion in ("allOf", "anyOf", "oneOf"):
            if criterion in node:
                yield Shape(
                    "combined", {**_titles(node), criterion: node[criterion]}, resource, self, criterion=criterion
                )

    def _typed(self, kind: str, node: dict[str, Any], resource: Resource) -> Shape:
        if kind == "integer":
            return Shape("number", node, resource, self, is_integer=True)
        return Shape(kind, node, resource, self)


def _titles(node: dict[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in ("$id", "id", "title", "description", "default") if key in node}


def _asks_more(node: dict[str, Any]) -> bool:
    """From 2019-09 on, keywords beside a `$ref` count."""
    return "type" in node or any(key in node for family in (*_FAMILIES.values(), _PARTS) for key in family)


def _point(fragment: str, resource: Resource, reference: str) -> tuple[Any, Resource]:
    node = resource.root
    for segment in fragment[1:].split("/"):
        key = unquote(segment).replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            raise InvalidSchema(f"unresolved reference {reference!r}: nothing is there")
        resource = resource.inside.get(id(node), resource)
    return node, resource
