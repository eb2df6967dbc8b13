"""Reads Avro's JSON into the graph of avro_types, by the rules of the Java library (1.12), whose word counts here.

So: a name may be used before it is defined; a definition may be repeated if it says the same; unknown attributes are
kept; a name without a namespace is looked for in the enclosing namespace, then in none.
"""

import re
from collections.abc import Callable
from typing import Any

from app.registry.errors import InvalidSchema
from app.registry.formats.avro_defaults import refuse_bad_defaults
from app.registry.formats.avro_types import (
    NO_DEFAULT,
    Array,
    AvroType,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    Primitive,
    Record,
    Union,
    children,
    name_of,
)
from app.registry.formats.json_text import print_json
from app.registry.limits import NESTING_MAX

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
ORDERS = frozenset({"ascending", "descending", "ignore"})
FIXED_SIZE_MAX = 2**31 - 1
_RESERVED = frozenset({"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"})
_ENUM_RESERVED = _RESERVED | {"default"}
_FIELD_RESERVED = frozenset({"default", "doc", "name", "order", "type", "aliases"})
_ASCII_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class AvroParser:
    """Parses the texts of one schema: its references first, each a call of parse, then its own.

    validate_new refuses names and defaults that break Avro's rules; stored schemas are read without.
    """

    def __init__(self, *, validate_new: bool) -> None:
        self._validate_new = validate_new
        self._names: dict[str, Record | Enum | Fixed] = {}
        self._primitives = {kind: Primitive(kind, {}) for kind in PRIMITIVES}
        self._pending: list[tuple[str, str, str, Callable[[AvroType], None]]] = []
        self._unions: list[tuple[Union, str]] = []
        self._records: list[tuple[Record, str]] = []

    def parse(self, value: Any) -> AvroType:
        """The type a parsed JSON value stands for. Raises InvalidSchema with the place in it."""
        root: list[AvroType] = []
        node = self._type(value, "", "", 0, root.append)
        self._resolve_pending()
        if self._validate_new:
            for record, path in self._records:
                refuse_bad_defaults(record, path)
        self._records.clear()
        return root[-1] if root else node

    def _type(self, value: Any, namespace: str, path: str, depth: int, patch: Callable[[AvroType], None]) -> AvroType:
        """patch is called later with the type, if value is a name that is not defined yet."""
        if isinstance(value, str):
            return self._named(value, namespace, path, patch)
        if depth > NESTING_MAX:
            raise InvalidSchema(f"types are nested more than {NESTING_MAX} levels deep", path)
        if isinstance(value, dict):
            return self._object(value, namespace, path, depth, patch)
        if isinstance(value, list):
            return self._union(value, namespace, path, depth)
        raise InvalidSchema(f"{print_json(value)} is no Avro type", path)

    def _named(self, name: str, namespace: str, path: str, patch: Callable[[AvroType], None]) -> AvroType:
        if name in self._primitives:
            return self._primitives[name]
        found = self._find(name, namespace)
        if found is not None:
            return found
        self._pending.append((name, namespace, path, patch))
        return self._primitives["null"]

    def _find(self, name: str, namespace: str) -> Record | Enum | Fixed | None:
        if "." in name:
            return self._names.get(name.removeprefix("."))
        return self._names.get(f"{namespace}.{name}" if namespace else name) or self._names.get(name)

    def _resolve_pending(self) -> None:
        for name, namespace, path, patch in self._pending:
            found = self._find(name, namespace)
            if found is None:
                raise InvalidSchema(f"Undefined name: {quote_name(name, namespace)}", path)
            patch(found)
        for union, path in self._unions:
            _refuse_doubled_branch(union, path)
        self._pending.clear()
        self._unions.clear()

    def _object(
        self, value: dict[str, Any], namespace: str, path: str, depth: int, patch: Callable[[AvroType], None]
    ) -> AvroType:
        kind = value.get("type")
        if not isinstance(kind, str):
            raise InvalidSchema(f"No type: {excerpt(value)}", path)
        if kind in self._primitives:
            props = _props(value, _RESERVED)
            return Primitive(kind, props) if props else self._primitives[kind]
        match kind:
            case "record" | "error" | "enum" | "fixed":
                return self._definition(kind, value, namespace, path, depth)
            case "array":
                if "items" not in value:
                    raise InvalidSchema(f"Array has no items type: {excerpt(value)}", path)
                array = Array(self._primitives["null"], _props(value, _RESERVED))

                def patch_items(node: AvroType) -> None:
                    array.items = node

                array.items = self._type(value["items"], namespace, f"{path}/items", depth + 1, patch_items)
                return array
            case "map":
                if "values" not in value:
                    raise InvalidSchema(f"Map has no values type: {excerpt(value)}", path)
                mapping = Map(self._primitives["null"], _props(value, _RESERVED))

                def patch_values(node: AvroType) -> None:
                    mapping.values = node

                mapping.values = self._type(value["values"], namespace, f"{path}/values", depth + 1, patch_values)
                return mapping
            case _:
                return self._named(kind, namespace, f"{path}/type", patch)

    def _union(self, value: list[Any], namespace: str, path: str, depth: int) -> Union:
        union = Union([])
        pending = len(self._pending)
        for index, item in enumerate(value):
            place = f"{path}/{index}"

            def patch(node: AvroType, index: int = index) -> None:
                union.branches[index] = node

            branch = self._type(item, namespace, place, depth + 1, patch)
            if isinstance(branch, Union):
                raise InvalidSchema(f"Nested union: {excerpt(value)}", place)
            union.branches.append(branch)
        if len(self._pending) == pending:
            _refuse_doubled_branch(union, path)
        else:  # a null stands for each name that is not defined yet
            self._unions.append((union, path))
        return union

    def _definition(
        self, kind: str, value: dict[str, Any], namespace: str, path: str, depth: int
    ) -> Record | Enum | Fixed:
        name, space = self._name(value, namespace, path)
        doc = value.get("doc")
        node: Record | Enum | Fixed
        common: dict[str, Any] = {
            "name": name,
            "namespace": space,
            "doc": doc if isinstance(doc, str) else None,
            "aliases": self._aliases(value, space, path),
        }
        match kind:
            case "enum":
                node = self._enum(value, path, common)
            case "fixed":
                node = Fixed(**common, props=_props(value, _RESERVED), kind="fixed", size=_size(value, path))
            case _:
                node = Record(**common, props=_props(value, _RESERVED), kind="record", is_error=kind == "error")
        known = self._names.get(node.full_name)
        if known is None:
            self._names[node.full_name] = node
        if isinstance(node, Record):
            self._fields(node, value, space, path, depth)
        if known is not None:
            if not _same_definition(known, node):
                raise InvalidSchema(f"Can't redefine: {node.full_name}", path)
            return known
        return node

    def _name(self, value: dict[str, Any], enclosing: str, path: str) -> tuple[str, str]:
        given = value.get("name")
        if not isinstance(given, str):
            raise InvalidSchema(f"No name in schema: {excerpt(value)}", path)
        space, _, name = given.rpartition(".")
        if "." not in given:
            namespace = value.get("namespace")
            space = namespace if isinstance(namespace, str) else enclosing
        self._refuse_bad_name(name, f"{path}/name")
        for part in space.split(".") if space else ():
            self._refuse_bad_name(part, f"{path}/namespace")
        if not space and name in PRIMITIVES:
            raise InvalidSchema(f"Schemas may not be named after primitives: {name}", f"{path}/name")
        return name, space

    def _aliases(self, value: dict[str, Any], namespace: str, path: str) -> list[str]:
        names = _alias_names(value, path)
        for name in names:
            self._refuse_bad_name(name.rpartition(".")[2], f"{path}/aliases")
        return list(dict.fromkeys(name if "." in name or not namespace else f"{namespace}.{name}" for name in names))

    def _enum(self, value: dict[str, Any], path: str, common: dict[str, Any]) -> Enum:
        symbols = value.get("symbols")
        if not isinstance(symbols, list):
            raise InvalidSchema(f"Enum has no symbols: {excerpt(value)}", path)
        known: set[str] = set()
        for index, symbol in enumerate(symbols):
            if not isinstance(symbol, str):
                raise InvalidSchema(f"Enum symbol is no string: {excerpt(symbol)}", f"{path}/symbols/{index}")
            self._refuse_bad_name(symbol, f"{path}/symbols/{index}")
            if symbol in known:
                raise InvalidSchema(f"Duplicate enum symbol: {symbol}", f"{path}/symbols/{index}")
            known.add(symbol)
        default = value.get("default")
        if not isinstance(default, str):
            default = None
        elif default not in known:
            raise InvalidSchema(f"The Enum Default: {default} is not in the enum symbol set", f"{path}/default")
        return Enum(**common, props=_props(value, _ENUM_RESERVED), kind="enum", symbols=symbols, default=default)

    def _fields(self, record: Record, value: dict[str, Any], namespace: str, path: str, depth: int) -> None:
        items = value.get("fields")
        if not isinstance(items, list):
            raise InvalidSchema(f"Record has no fields: {excerpt(value)}", path)
        has_defaults = False
        for index, item in enumerate(items):
            child = self._field(item, namespace, f"{path}/fields/{index}", depth)
            if child.name in record.by_name:
                raise InvalidSchema(
                    f"Duplicate field {child.name} in record {record.full_name}", f"{path}/fields/{index}"
                )
            record.fields.append(child)
            record.by_name[child.name] = child
            has_defaults = has_defaults or child.has_default
        if has_defaults:
            self._records.append((record, path))

    def _field(self, item: Any, namespace: str, path: str, depth: int) -> Field:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise InvalidSchema(f"No field name: {excerpt(item)}", path)
        if not _ASCII_NAME.match(name):
            self._refuse_bad_name(name, f"{path}/name")
        if "type" not in item:
            raise InvalidSchema(f"No field type: {excerpt(item)}", path)
        order = item.get("order")
        order = order.lower() if isinstance(order, str) else "ascending"
        if order not in ORDERS:
            raise InvalidSchema(f"order {order!r} is not one of {', '.join(sorted(ORDERS))}", f"{path}/order")
        doc = item.get("doc")
        node = Field(
            name=name,
            type=self._primitives["null"],
            doc=doc if isinstance(doc, str) else None,
            default=item.get("default", NO_DEFAULT),
            order=order,
            aliases=list(dict.fromkeys(_alias_names(item, path))) if "aliases" in item else [],
            props=_props(item, _FIELD_RESERVED),
        )

        def patch(found: AvroType) -> None:
            node.type = found

        node.type = self._type(item["type"], namespace, f"{path}/type", depth + 1, patch)
        return node

    def _refuse_bad_name(self, name: str, path: str) -> None:
        if not self._validate_new or _ASCII_NAME.match(name):
            return
        if not name:
            raise InvalidSchema("Empty name", path)
        if not (name[0].isalpha() or name[0] == "_"):
            raise InvalidSchema(f"Illegal initial character: {name}", path)
        if not all(character.isalpha() or character.isdecimal() or character == "_" for character in name):
            raise InvalidSchema(f"Illegal character in: {name}", path)


def excerpt(value: Any) -> str:
    """A JSON value for a message, cut where it gets long."""
    text = print_json(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def quote_name(name: str, namespace: str) -> str:
    """The full name a reference stands for."""
    return f"{namespace}.{name}" if namespace and "." not in name else name


def _props(value: dict[str, Any], reserved: frozenset[str]) -> dict[str, Any]:
    if value.keys() <= reserved:
        return {}
    return {key: item for key, item in value.items() if key not in reserved}


def _alias_names(value: dict[str, Any], path: str) -> list[str]:
    if "aliases" not in value:
        return []
    names = value["aliases"]
    if not isinstance(names, list):
        raise InvalidSchema(f"aliases not an array: {excerpt(value)}", f"{path}/aliases")
    for name in names:
        if not isinstance(name, str):
            raise InvalidSchema(f"alias not a string: {excerpt(name)}", f"{path}/aliases")
    return names


def _size(value: dict[str, Any], path: str) -> int:
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise InvalidSchema(f"Invalid or no size: {excerpt(value)}", path)
    if not 0 <= size <= FIXED_SIZE_MAX:
        raise InvalidSchema(f"the size of a fixed is 0 to {FIXED_SIZE_MAX}, not {size}", f"{path}/size")
    return size


def _refuse_doubled_branch(union: Union, path: str) -> None:
    seen: set[str] = set()
    for index, branch in enumerate(union.branches):
        name = name_of(branch)
        if name in seen:
            raise InvalidSchema(f"Duplicate in union: {name}", f"{path}/{index}")
        seen.add(name)


def _same_definition(one: AvroType, other: AvroType) -> bool:
    """Whether two definitions of a name say the same. Named types inside were compared when they were read."""
    if one is other:
        return True
    if one.kind != other.kind or getattr(one, "props", None) != getattr(other, "props", None):
        return False
    if isinstance(one, Named):
        assert isinstance(other, Named)
        if one.full_name != other.full_name:
            return False
    match one, other:
        case Enum(), Enum():
            return one.symbols == other.symbols
        case Fixed(), Fixed():
            return one.size == other.size
        case Record(), Record():
            if len(one.fields) != len(other.fields) or one.is_error != other.is_error:
                return False
            return all(
                (ours.name, ours.order, ours.props) == (theirs.name, theirs.order, theirs.props)
                and ours.has_default == theirs.has_default
                and (not ours.has_default or ours.default == theirs.default)
                and _same_definition(ours.type, theirs.type)
                for ours, theirs in zip(one.fields, other.fields, strict=True)
            )
        case _:
            ours_inside, theirs_inside = children(one), children(other)
            return len(ours_inside) == len(theirs_inside) and all(map(_same_definition, ours_inside, theirs_inside))
