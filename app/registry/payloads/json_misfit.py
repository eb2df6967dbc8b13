"""Why a value does not fit a JSON Schema, as far as a bounded look finds it: the first plain rule that is broken.

Only what is certain is said. Alternatives (anyOf, oneOf, not, if) are not looked into.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app.registry.formats.json_schema import JsonSchema
from app.registry.formats.json_shapes import Resource, Shapes
from app.registry.payloads.json_text import excerpt

UNEXPLAINED = "the value does not fit the schema"
STEPS_MAX = 2_000

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "null": (type(None),),
    "number": (int, float), "integer": (int, float),
}  # fmt: skip


def pointer(parts: Iterable[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def explain(schema: JsonSchema, value: Any) -> tuple[str, str]:
    """The reason, and where in the value, as a JSON pointer."""
    shapes = Shapes(schema.resources, is_strict=False)
    waiting: list[tuple[Any, Resource, Any, tuple[str | int, ...]]] = [(schema.value, schema.resource, value, ())]
    for _ in range(STEPS_MAX):
        if not waiting:
            break
        node, resource, here, path = waiting.pop()
        node, resource = shapes.follow(node, resource)
        if node is False:
            return f"nothing may stand here, not {excerpt(here)}", pointer(path)
        if not isinstance(node, dict):
            continue
        reason = _broken(node, here)
        if reason:
            return reason, pointer(path)
        inside = [(part, resource, item, (*path, *step)) for part, item, step in _inside(node, here)]
        waiting += reversed(inside)
    return UNEXPLAINED, ""


def _broken(node: dict[str, Any], here: Any) -> str:
    wanted = node.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    if names and not any(_is_type(here, name) for name in names):
        return f"{excerpt(here)} is not of type {' or '.join(map(excerpt, names))}"
    if isinstance(here, dict):
        required = node.get("required")
        for name in required if isinstance(required, list) else ():
            if name not in here:
                return f"{excerpt(name)} is a required property"
        if node.get("additionalProperties") is False and "patternProperties" not in node:
            known = node.get("properties") or {}
            for name in here:
                if name not in known:
                    return f"Additional properties are not allowed ({excerpt(name)} was unexpected)"
    elif isinstance(here, str) and isinstance(node.get("enum"), list) and here not in node["enum"]:
        return f"{excerpt(here)} is not one of {excerpt(node['enum'])}"
    return ""


def _is_type(here: Any, name: str) -> bool:
    if isinstance(here, bool):
        return name == "boolean"
    if name == "integer" and isinstance(here, float):
        return here.is_integer()
    return isinstance(here, _TYPES.get(name, (object,)))


def _inside(node: dict[str, Any], here: Any) -> Iterator[tuple[Any, Any, Sequence[str | int]]]:
    """Schemas that must hold for the value itself or for a part of it, with the part and the step to it."""
    for part in node.get("allOf") or ():
        yield part, here, ()
    if isinstance(here, dict):
        properties = node.get("properties")
        for name, part in properties.items() if isinstance(properties, dict) else ():
            if name in here:
                yield part, here[name], (name,)
    elif isinstance(here, list) and isinstance(node.get("items"), dict) and "prefixItems" not in node:
        for index, item in enumerate(here[:STEPS_MAX]):
            yield node["items"], item, (index,)
