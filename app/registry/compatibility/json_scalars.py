"""Changes of strings, numbers, enums and constants."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

from app.registry.formats.json_shapes import Shape
from app.registry.formats.json_text import print_json

Change = tuple[str, str]  # name, place


def bound_changes(old: Any, new: Any, name: str, place: str) -> Iterator[Change]:
    """One change of a bound: added, removed, increased or decreased. None is no bound."""
    if old is None and new is None:
        return
    if old is None:
        yield f"{name}_ADDED", place
    elif new is None:
        yield f"{name}_REMOVED", place
    elif new != old:
        yield f"{name}_{'INCREASED' if new > old else 'DECREASED'}", place


def string_changes(old: Shape, new: Shape) -> Iterator[Change]:
    yield from bound_changes(old.node.get("maxLength"), new.node.get("maxLength"), "MAX_LENGTH", "maxLength")
    yield from bound_changes(old.node.get("minLength"), new.node.get("minLength"), "MIN_LENGTH", "minLength")
    before, after = old.node.get("pattern"), new.node.get("pattern")
    if before != after:
        yield f"PATTERN_{'ADDED' if before is None else 'REMOVED' if after is None else 'CHANGED'}", "pattern"


def number_changes(old: Shape, new: Shape) -> Iterator[Change]:
    for keyword, name, exclusive_name in (
        ("maximum", "MAXIMUM", "EXCLUSIVE_MAXIMUM"),
        ("minimum", "MINIMUM", "EXCLUSIVE_MINIMUM"),
    ):
        exclusive = f"exclusive{keyword.capitalize()}"
        (old_bound, old_exclusive), (new_bound, new_exclusive) = (_bounds(shape, keyword) for shape in (old, new))
        yield from bound_changes(old_bound, new_bound, name, keyword)
        yield from bound_changes(old_exclusive, new_exclusive, exclusive_name, exclusive)
    before, after = old.node.get("multipleOf"), new.node.get("multipleOf")
    if before != after:
        yield f"MULTIPLE_OF_{_multiple_change(before, after)}", "multipleOf"
    if old.is_integer != new.is_integer:
        yield ("TYPE_EXTENDED" if old.is_integer else "TYPE_NARROWED"), ""


def _bounds(shape: Shape, keyword: str) -> tuple[Any, Any]:
    """The bound and the exclusive bound; in draft 4 the second is a flag that makes the first exclusive."""
    bound, exclusive = shape.node.get(keyword), shape.node.get(f"exclusive{keyword.capitalize()}")
    if isinstance(exclusive, bool):
        return (None, bound) if exclusive else (bound, None)
    return bound, exclusive


def _multiple_change(before: Any, after: Any) -> str:
    if before is None:
        return "ADDED"
    if after is None:
        return "REMOVED"
    if _divides(before, after):
        return "EXPANDED"
    return "REDUCED" if _divides(after, before) else "CHANGED"


def _divides(divisor: Any, number: Any) -> bool:
    with localcontext() as context:
        context.prec = 50
        try:
            return Decimal(repr(number)) % Decimal(repr(divisor)) == 0
        except ArithmeticError:
            return False


def value_changes(old: Shape, new: Shape) -> Iterator[Change]:
    """Of an enum or a constant."""
    if old.kind == "const":
        if _text(old.node["const"]) != _text(new.node["const"]):
            yield "ENUM_ARRAY_CHANGED", "const"
        return
    before, after = ({_text(value) for value in shape.node["enum"]} for shape in (old, new))
    if before < after:
        yield "ENUM_ARRAY_EXTENDED", "enum"
    elif before > after:
        yield "ENUM_ARRAY_NARROWED", "enum"
    elif before != after:
        yield "ENUM_ARRAY_CHANGED", "enum"


def _text(value: Any) -> str:
    """JSON values are equal by this: 1 and 1.0 are one number, true is none."""
    return print_json(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
