"""What JSON Schema's keywords may hold, as their meta-schemas say; and where the schemas inside a schema stand.

By hand and not by a validator over the meta-schemas: those take some 50 microseconds per keyword, a second for a text
of 100 kB, and never less than the import of the library.
"""

from collections.abc import Callable, Iterator
from typing import Any

from app.registry.errors import InvalidSchema
from app.registry.formats.json_shapes import DEFAULT_DRAFT, DRAFTS, Resource
from app.registry.limits import NESTING_MAX

TYPES = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
_ONE = frozenset(
    {
        "additionalItems", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else",
        "unevaluatedItems", "unevaluatedProperties", "contentSchema",
    }
)  # fmt: skip
_MAP = frozenset({"properties", "patternProperties", "definitions", "$defs", "dependentSchemas"})
_LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_TEXT = frozenset(
    {"$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "title", "description", "pattern"}
)
_COUNT = frozenset(
    {"maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties", "maxContains", "minContains"}
)


def draft_of(root: Any) -> int:
    """4, 6, 7, 2019 or 2020. Without `$schema`, or with one nobody knows, 7, as the registry has always done."""
    given = root.get("$schema") if isinstance(root, dict) else None
    return DRAFTS.get(given.rstrip("#"), DEFAULT_DRAFT) if isinstance(given, str) else DEFAULT_DRAFT


def check_schema(root: Any, base: str) -> tuple[list[Resource], list[tuple[str, Resource, str]]]:
    """Check every keyword of a text. Returns its resources, the whole first, and each `$ref` with its place.

    Raises InvalidSchema with the JSON pointer of the first value that its keyword does not allow.
    """
    whole = Resource(root, base, draft_of(root))
    resources, references = [whole], []
    stack: list[tuple[Any, str, Resource, int]] = [(root, "#", whole, 0)]
    while stack:
        node, path, resource, depth = stack.pop()
        if isinstance(node, bool):
            if resource.draft == 4 and depth == 0:
                raise InvalidSchema("a schema of draft 4 is an object", path)
            continue
        if not isinstance(node, dict):
            raise InvalidSchema("a schema is an object or a boolean", path)
        if depth > NESTING_MAX:
            raise InvalidSchema(f"schemas are nested more than {NESTING_MAX} levels deep", path)
        identity = node.get("id" if resource.draft == 4 else "$id")
        if depth and isinstance(identity, str) and "$ref" not in node:
            if identity.startswith("#"):
                resource.anchors[identity[1:]] = (node, resource)
            else:
                inner = Resource(node, identity, resource.draft)
                resource.inside[id(node)] = inner
                resources.append(inner)
                resource = inner
        _check_keywords(node, path, resource.draft)
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(node.get(keyword), str):
                resource.anchors[node[keyword]] = (node, resource)
        if isinstance(node.get("$ref"), str):
            references.append((node["$ref"], resource, path))
        stack += ((child, f"{path}/{place}", resource, depth + 1) for place, child in subschemas(node))
    return resources, references


def subschemas(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside a schema, each with its place as a JSON pointer without the first slash."""
    for key, value in node.items():
        if key in _ONE:
            yield key, value
        elif key in _MAP or key == "dependencies":
            for name, child in value.items():
                if not isinstance(child, list) or key != "dependencies":
                    yield f"{key}/{escape(name)}", child
        elif key in _LIST or (key == "items" and isinstance(value, list)):
            for index, child in enumerate(value):
                yield f"{key}/{index}", child
        elif key == "items":
            yield key, value


def escape(name: str) -> str:
    """A property's name as a segment of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def _check_keywords(node: dict[str, Any], path: str, draft: int) -> None:
    for key, value in node.items():
        check = _CHECKS.get(key)
        if check is not None:
            complaint = check(value, draft)
            if complaint:
                raise InvalidSchema(f"{key} {complaint}", f"{path}/{escape(key)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any, draft: int) -> str:
    return "" if isinstance(value, str) else "is not a string"


def _count(value: Any, draft: int) -> str:
    return "" if _is_number(value) and value >= 0 and value == int(value) else "is not a count"


def _number(value: Any, draft: int) -> str:
    return "" if _is_number(value) else "is not a number"


def _bound(value: Any, draft: int) -> str:
    if draft == 4:
        return "" if isinstance(value, bool) else "is not a boolean, which it is in draft 4"
    return _number(value, draft)


def _multiple(value: Any, draft: int) -> str:
    return "" if _is_number(value) and value > 0 else "is not a number above 0"


def _flag(value: Any, draft: int) -> str:
    return "" if isinstance(value, bool) else "is not a boolean"


def _names(value: Any, draft: int) -> str:
    return "" if _is_names(value) else "is not a list of different strings"


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value) and len(set(value)) == len(value)


def _kinds(value: Any, draft: int) -> str:
    kinds = [value] if isinstance(value, str) else value
    if not _is_names(kinds) or not kinds:
        return "is not a type or a list of different types"
    unknown = [kind for kind in kinds if kind not in TYPES]
    return f"has an unknown type: {unknown[0]}" if unknown else ""


def _values(value: Any, draft: int) -> str:
    return "" if isinstance(value, list) else "is not a list"


def _schemas(value: Any, draft: int) -> str:
    return "" if isinstance(value, list) and value else "is not a list of schemas"


def _mapping(value: Any, draft: int) -> str:
    return "" if isinstance(value, dict) else "is not an object"


def _dependencies(value: Any, draft: int) -> str:
    if not isinstance(value, dict):
        return "is not an object"
    return (
        ""
        if all(not isinstance(one, list) or _is_names(one) for one in value.values())
        else "has a list that is no names"
    )


def _required_with(value: Any, draft: int) -> str:
    is_good = isinstance(value, dict) and all(_is_names(one) for one in value.values())
    return "" if is_good else "is not an object of lists of different strings"


_CHECKS: dict[str, Callable[[Any, int], str]] = {
    **dict.fromkeys(_TEXT, _text),
    **dict.fromkeys(_COUNT, _count),
    **dict.fromkeys(_MAP, _mapping),
    **dict.fromkeys(_LIST, _schemas),
    "maximum": _number,
    "minimum": _number,
    "exclusiveMaximum": _bound,
    "exclusiveMinimum": _bound,
    "multipleOf": _multiple,
    "uniqueItems": _flag,
    "required": _names,
    "type": _kinds,
    "enum": _values,
    "dependencies": _dependencies,
    "dependentRequired": _required_with,
}
