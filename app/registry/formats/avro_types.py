"""An Avro schema as a graph of types: named ones are shared objects, so a schema may hold itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

NO_DEFAULT: Any = object()  # a default may be null


@dataclass(slots=True, eq=False)
class Primitive:
    kind: str
    props: dict[str, Any]


@dataclass(slots=True, eq=False)
class Array:
    items: "AvroType"
    props: dict[str, Any]
    kind: str = "array"


@dataclass(slots=True, eq=False)
class Map:
    values: "AvroType"
    props: dict[str, Any]
    kind: str = "map"


@dataclass(slots=True, eq=False)
class Union:
    branches: "list[AvroType]"
    kind: str = "union"


@dataclass(slots=True, eq=False)
class Named:
    """What records, enums and fixed have in common. namespace is "" for none; aliases are full names."""

    name: str
    namespace: str
    doc: str | None
    aliases: list[str]
    props: dict[str, Any]
    kind: str

    @property
    def full_name(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


@dataclass(slots=True, eq=False)
class Enum(Named):
    symbols: list[str] = field(default_factory=list)
    default: str | None = None


@dataclass(slots=True, eq=False)
class Fixed(Named):
    size: int = 0


@dataclass(slots=True, eq=False)
class Field:
    name: str
    type: "AvroType"
    doc: str | None
    default: Any
    order: str
    aliases: list[str]
    props: dict[str, Any]

    @property
    def has_default(self) -> bool:
        return self.default is not NO_DEFAULT


@dataclass(slots=True, eq=False)
class Record(Named):
    is_error: bool = False
    fields: list[Field] = field(default_factory=list)
    by_name: dict[str, Field] = field(default_factory=dict)


AvroType = Primitive | Array | Map | Union | Record | Enum | Fixed


def full_names(root: AvroType) -> Iterator[str]:
    """Full names of all named types reachable from root, each once, in order of appearance."""
    seen: set[int] = set()
    stack: list[AvroType] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Named):
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node.full_name
        stack += reversed(children(node))


def children(node: AvroType) -> list[AvroType]:
    """The types directly inside a type."""
    match node:
        case Array():
            return [node.items]
        case Map():
            return [node.values]
        case Union():
            return node.branches
        case Record():
            return [child.type for child in node.fields]
        case _:
            return []


def name_of(node: AvroType) -> str:
    """A union tells its branches apart by this: the full name, or the kind of what has no name."""
    return node.full_name if isinstance(node, Named) else node.kind
