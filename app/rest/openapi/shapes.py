"""A schema as people read it: the JSON it describes, with words for values."""

from collections.abc import Mapping
from typing import Any, Final

from app.rest.openapi.types import REFERENCE, Schema

_INDENT: Final = "  "
_WORDS: Final = {"contentEncoding": "base64", "format": "time, ISO 8601"}


def shape(schema: Schema, components: Mapping[str, Schema], indent: str = "") -> str:
    """Several lines for an object, one for a value; names that need not be there end in `?`."""
    if "$ref" in schema:
        return shape(components[schema["$ref"].removeprefix(REFERENCE)], components, indent)
    if "anyOf" in schema:
        choices = [shape(one, components, indent) for one in schema["anyOf"]]
        return " | ".join(choices)
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    kind = schema.get("type", "any JSON")
    if kind == "array":
        if schema.get("maxItems") == 0:
            return "[]"
        return f"[{shape(schema['items'], components, indent)}, …]"
    if kind == "object":
        return _object(schema, components, indent)
    if "contentEncoding" in schema or "format" in schema:
        return next(_WORDS[word] for word in _WORDS if word in schema)
    return " | ".join(kind) if isinstance(kind, list) else str(kind)


def _object(schema: Schema, components: Mapping[str, Schema], indent: str) -> str:
    inner = indent + _INDENT
    required = schema.get("required", ())
    properties: Mapping[str, Any] = schema.get("properties", {})
    lines = [
        f"{inner}{name}{'' if name in required else '?'}: {shape(of, components, inner)}"
        for name, of in properties.items()
    ]
    if isinstance(others := schema.get("additionalProperties"), dict):
        lines.append(f"{inner}…: {shape(others, components, inner)}")
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}" if lines else "{}"
