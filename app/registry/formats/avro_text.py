"""Prints an Avro schema: the canonical text (Java's Schema.toString, compact) and the normalized one.

Canonical is type, name, namespace where it changes, doc, then symbols, size or fields, other attributes as they came,
aliases; of a field name, type, doc, default, order unless ascending, aliases, others. A type is written where it is
first met and by its name after that.
"""

from collections.abc import Collection
from typing import Any

from app.registry.errors import InvalidSchema
from app.registry.formats.avro_parser import PRIMITIVES
from app.registry.formats.avro_types import Array, AvroType, Enum, Field, Fixed, Map, Named, Record, Union
from app.registry.formats.json_text import print_json, quote
from app.registry.limits import NESTING_MAX

LOGICAL_TYPES = {
    "decimal": ("bytes", "fixed"), "big-decimal": ("bytes",), "uuid": ("string", "fixed"), "duration": ("fixed",),
    "date": ("int",), "time-millis": ("int",), "time-micros": ("long",),
    "timestamp-millis": ("long",), "timestamp-micros": ("long",), "timestamp-nanos": ("long",),
    "local-timestamp-millis": ("long",), "local-timestamp-micros": ("long",), "local-timestamp-nanos": ("long",),
}  # fmt: skip


def print_avro(root: AvroType, referenced: Collection[str] = ()) -> str:
    """Compact text of a schema; the types named in referenced are written by name only."""
    printer = _Printer(referenced)
    printer.write(root, "", 0)
    return "".join(printer.parts)


class _Printer:
    def __init__(self, referenced: Collection[str]) -> None:
        self.parts: list[str] = []
        self._written = set(referenced)

    def write(self, node: AvroType, namespace: str, depth: int) -> None:
        parts = self.parts
        if depth > NESTING_MAX + 1:  # the innermost may be a name
            raise InvalidSchema(f"types are nested more than {NESTING_MAX} levels deep")
        match node:
            case Named():
                self._write_named(node, namespace, depth)
            case Union():
                separator = "["
                for branch in node.branches:
                    parts.append(separator)
                    self.write(branch, namespace, depth + 1)
                    separator = ","
                parts.append("]" if node.branches else "[]")
            case Array():
                parts.append('{"type":"array","items":')
                self.write(node.items, namespace, depth + 1)
                self._write_props(node.props)
                parts.append("}")
            case Map():
                parts.append('{"type":"map","values":')
                self.write(node.values, namespace, depth + 1)
                self._write_props(node.props)
                parts.append("}")
            case _:
                if node.props:
                    parts.append(f'{{"type":"{node.kind}"')
                    self._write_props(node.props)
                    parts.append("}")
                else:
                    parts.append(f'"{node.kind}"')

    def _write_named(self, node: Record | Enum | Fixed, namespace: str, depth: int) -> None:
        full_name = node.full_name
        if full_name in self._written:
            self.parts.append(quote(_relative(node.name, node.namespace, namespace)))
            return
        self._written.add(full_name)
        kind = "error" if isinstance(node, Record) and node.is_error else node.kind
        self.parts.append(f'{{"type":"{kind}","name":{quote(node.name)}')
        if node.namespace != namespace:
            self.parts.append(f',"namespace":{quote(node.namespace)}')
        if node.doc is not None:
            self.parts.append(f',"doc":{quote(node.doc)}')
        match node:
            case Record():
                separator = ',"fields":['
                for child in node.fields:
                    self.parts.append(separator)
                    self._write_field(child, node.namespace, depth)
                    separator = ","
                self.parts.append("]" if node.fields else ',"fields":[]')
            case Enum():
                self.parts.append(f',"symbols":{print_json(node.symbols)}')
                if node.default is not None:
                    self.parts.append(f',"default":{quote(node.default)}')
            case Fixed():
                self.parts.append(f',"size":{node.size}')
        self._write_props(node.props)
        if node.aliases:
            aliases = [_relative_name(alias, node.namespace) for alias in node.aliases]
            self.parts.append(f',"aliases":{print_json(aliases)}')
        self.parts.append("}")

    def _write_field(self, child: Field, namespace: str, depth: int) -> None:
        parts = self.parts
        parts.append(f'{{"name":{quote(child.name)},"type":')
        self.write(child.type, namespace, depth + 1)
        if child.doc is not None:
            parts.append(f',"doc":{quote(child.doc)}')
        if child.has_default:
            parts.append(f',"default":{print_json(child.default)}')
        if child.order != "ascending":
            parts.append(f',"order":"{child.order}"')
        if child.aliases:
            parts.append(f',"aliases":{print_json(child.aliases)}')
        if child.props:
            self._write_props(child.props)
        parts.append("}")

    def _write_props(self, props: dict[str, Any]) -> None:
        for key, value in props.items():
            self.parts.append(f",{quote(key)}:{print_json(value)}")


def _relative_name(full_name: str, namespace: str) -> str:
    space, _, name = full_name.rpartition(".")
    return _relative(name, space, namespace)


def _relative(name: str, space: str, namespace: str) -> str:
    """A name as it is written inside a namespace: in full only where it would mean another type."""
    if space == namespace or not space:
        return f"{space}.{name}" if name in PRIMITIVES and space else name
    return f"{space}.{name}"


def normalized_value(root: AvroType, referenced: Collection[str]) -> Any:
    """The schema as JSON in which order and spelling of insignificant parts no longer differ.

    Full names, a logical type before the other attributes, those sorted, aliases sorted, defaults as values of their
    type (`1` of a double becomes `1.0`).
    """
    return _normalize(root, set(referenced), 0)


def _normalize(node: AvroType, written: set[str], depth: int) -> Any:
    if depth > NESTING_MAX + 1:
        raise InvalidSchema(f"types are nested more than {NESTING_MAX} levels deep")
    match node:
        case Named():
            return _normalize_named(node, written, depth)
        case Union():
            return [_normalize(branch, written, depth + 1) for branch in node.branches]
        case Array():
            return {"type": "array", "items": _normalize(node.items, written, depth + 1), **_sorted_props(node.props)}
        case Map():
            return {"type": "map", "values": _normalize(node.values, written, depth + 1), **_sorted_props(node.props)}
        case _:
            return {"type": node.kind, **_logical_props(node.kind, node.props)} if node.props else node.kind


def _normalize_named(node: Record | Enum | Fixed, written: set[str], depth: int) -> Any:
    if node.full_name in written:
        return node.full_name
    written.add(node.full_name)
    value: dict[str, Any] = {"name": node.full_name, "type": node.kind}
    if not node.namespace:
        value["namespace"] = ""
    match node:
        case Record():
            value["fields"] = [_normalize_field(child, written, depth) for child in node.fields]
            if node.is_error:
                value["type"] = "error"
        case Enum():
            value["symbols"] = node.symbols
            if node.default is not None:
                value["default"] = node.default
        case Fixed():
            value["size"] = node.size
    if node.doc:
        value["doc"] = node.doc
    if node.aliases:
        value["aliases"] = sorted(node.aliases)
    return value | (_logical_props("fixed", node.props) if isinstance(node, Fixed) else _sorted_props(node.props))


def _normalize_field(child: Field, written: set[str], depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"name": child.name, "type": _normalize(child.type, written, depth + 1)}
    value["order"] = child.order
    if child.doc is not None:
        value["doc"] = child.doc
    if child.aliases:
        value["aliases"] = sorted(child.aliases)
    if child.has_default:
        value["default"] = _typed_default(child.type, child.default)
    return value | _sorted_props(child.props)


def _logical_props(kind: str, props: dict[str, Any]) -> dict[str, Any]:
    """A logical type that is known, and fits, stands first, with its precision and scale."""
    name = props.get("logicalType")
    if not isinstance(name, str) or kind not in LOGICAL_TYPES.get(name, ()):
        return _sorted_props(props)
    first = [
        key for key in ("logicalType", "precision", "scale") if key in props and (key[0] == "l" or name == "decimal")
    ]
    if props.get("scale") == 0 and "scale" in first:
        first.remove("scale")
    return {key: props[key] for key in first} | _sorted_props(props)


def _sorted_props(props: dict[str, Any]) -> dict[str, Any]:
    return {key: _sorted_maps(props[key]) for key in sorted(props)}


def _sorted_maps(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted_maps(value[key]) for key in sorted(value)}
    return [_sorted_maps(item) for item in value] if isinstance(value, list) else value


def _typed_default(node: AvroType, value: Any) -> Any:
    kind = node.branches[0].kind if isinstance(node, Union) and node.branches else node.kind
    if kind in ("double", "float") and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _sorted_maps(value)
