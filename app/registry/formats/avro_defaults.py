"""Whether a field's default is a value of the field's type, as Java's Schema.Parser judges it.

Like Java 1.12, and unlike the specification up to 1.11, a union's default may be of any branch.
"""

from typing import Any

from app.registry.errors import InvalidSchema
from app.registry.formats.avro_types import Array, AvroType, Map, Record, Union
from app.registry.formats.json_text import print_json
from app.registry.limits import NESTING_MAX, Budget

_INTEGER_BITS = {"int": 31, "long": 63}
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})


def refuse_bad_defaults(record: Record, path: str) -> None:
    """Raises InvalidSchema for the first field whose default its type does not allow."""
    budget = Budget()
    for index, child in enumerate(record.fields):
        if child.has_default and not is_valid(child.type, child.default, budget):
            value = print_json(child.default)
            raise InvalidSchema(
                f"Invalid default for field {child.name}: {value[:200]} not a {_describe(child.type)}",
                f"{path}/fields/{index}/default",
            )


def is_valid(node: AvroType, value: Any, budget: Budget, depth: int = 0) -> bool:
    """Whether value, as JSON, may be a default of this type. A record that needs itself to be complete is refused."""
    budget.spend()
    if depth > NESTING_MAX:
        return False
    match node.kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            bound = 1 << _INTEGER_BITS[node.kind]
            return isinstance(value, int) and not isinstance(value, bool) and -bound <= value < bound
        case "float" | "double":
            return (isinstance(value, int | float) and not isinstance(value, bool)) or (
                isinstance(value, str) and value in _NOT_FINITE
            )
        case "string" | "bytes" | "enum" | "fixed":
            return isinstance(value, str)
    match node:
        case Array():
            return isinstance(value, list) and all(is_valid(node.items, item, budget, depth + 1) for item in value)
        case Map():
            return isinstance(value, dict) and all(
                is_valid(node.values, item, budget, depth + 1) for item in value.values()
            )
        case Union():
            return any(is_valid(branch, value, budget, depth + 1) for branch in node.branches)
        case Record():
            return isinstance(value, dict) and all(
                (child.name in value or child.has_default)
                and is_valid(child.type, value.get(child.name, child.default), budget, depth + 1)
                for child in node.fields
            )
        case _:
            return False


def _describe(node: AvroType) -> str:
    return " or ".join(branch.kind for branch in node.branches) if isinstance(node, Union) else node.kind
