"""Changes of objects and arrays, by their content models."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from app.registry.compatibility.json_changes import Changes
from app.registry.compatibility.json_patterns import covers
from app.registry.compatibility.json_scalars import bound_changes
from app.registry.formats.json_keywords import escape
from app.registry.formats.json_shapes import Shape

if TYPE_CHECKING:
    from app.registry.compatibility.json_schema import Comparison

Steps = Generator[tuple[Shape, Shape], Changes, Changes]
_MISSING = object()


def compare_objects(comparison: "Comparison", old: Shape, new: Shape) -> Steps:
    """Properties, required ones, the others, dependencies, counts."""
    changes = comparison.changed(
        *bound_changes(old.node.get("maxProperties"), new.node.get("maxProperties"), "MAX_PROPERTIES", "maxProperties"),
        *bound_changes(old.node.get("minProperties"), new.node.get("minProperties"), "MIN_PROPERTIES", "minProperties"),
    )
    _compare_required(comparison, changes, old, new)
    before, after = _properties(old), _properties(new)
    for name, node in before.items():
        if name in after:
            inner = yield old.at(node), new.at(after[name])
            comparison.include(changes, f"properties/{escape(name)}", inner)
        else:
            yield from _property_removed(comparison, changes, old, new, name)
    for name in after:
        if name not in before:
            yield from _property_added(comparison, changes, old, new, name)
    yield from _compare_patterns(comparison, changes, old, new)
    place = (
        "unevaluatedProperties" if "additionalProperties" not in new.node and _is_newer(new) else "additionalProperties"
    )
    yield from _compare_others(
        comparison, changes, old, new, (_other_properties(old), _other_properties(new)), "PROPERTIES",
        place if place in new.node or place in old.node else "additionalProperties",
    )  # fmt: skip
    yield from _compare_dependencies(comparison, changes, old, new)
    yield from _compare_one(comparison, changes, old, new, "propertyNames")
    return changes


def _is_newer(shape: Shape) -> bool:
    return shape.resource.draft >= 2019


def _properties(shape: Shape) -> dict[str, Any]:
    properties: dict[str, Any] = shape.node.get("properties", {})
    return properties


def _other_properties(shape: Shape) -> Any:
    """The schema of properties not named: True when all are welcome, False when none is."""
    others = shape.node.get("additionalProperties")
    if others is None and _is_newer(shape):
        others = shape.node.get("unevaluatedProperties")
    return True if others is None or others == {} else others


def _is_open(shape: Shape) -> bool:
    return _other_properties(shape) is True and not shape.node.get("patternProperties")


def _covering(comparison: "Comparison", shape: Shape, name: str) -> Any:
    """The schema that a partially open object has for a property it does not name; None for none."""
    for pattern, node in shape.node.get("patternProperties", {}).items():
        if covers(pattern, name, comparison.budget):
            return node
    others = _other_properties(shape)
    return None if isinstance(others, bool) else others


def _compare_required(comparison: "Comparison", changes: Changes, old: Shape, new: Shape) -> None:
    before, after = set(old.node.get("required", ())), set(new.node.get("required", ()))
    named, now_named = _properties(old), _properties(new)
    for name in sorted(after - before):
        # One that is named since now is told as a property added.
        if name in named or name not in now_named:
            node = now_named.get(name)
            has_default = isinstance(node, dict) and "default" in node
            change = "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED" if has_default else "REQUIRED_ATTRIBUTE_ADDED"
            comparison.add(changes, change, f"required/{escape(name)}")
    for name in sorted(before - after):
        comparison.add(changes, "REQUIRED_ATTRIBUTE_REMOVED", f"required/{escape(name)}")


def _property_removed(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape, name: str
) -> Generator[tuple[Shape, Shape], Changes, None]:
    place, node = f"properties/{escape(name)}", _properties(old)[name]
    if _is_open(new):
        comparison.add(changes, "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL", place)
        return
    covering = _covering(comparison, new, name)
    if covering is not None:
        inner = yield old.at(node), new.at(covering)
        _add_covered(comparison, changes, inner, "PROPERTY_REMOVED", place)
    elif old.at(node).kind == "false":
        comparison.add(changes, "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", place)
    elif _other_properties(new) is True:
        comparison.add(changes, "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL", place)
    else:
        comparison.add(changes, "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", place)


def _property_added(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape, name: str
) -> Generator[tuple[Shape, Shape], Changes, None]:
    place, node = f"properties/{escape(name)}", _properties(new)[name]
    if name not in new.node.get("required", ()):
        kind = "OPTIONAL_PROPERTY_ADDED"
    elif isinstance(node, dict) and "default" in node:
        kind = "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED"
    else:
        kind = "REQUIRED_PROPERTY_ADDED"
    if _is_open(old):
        # An empty schema takes what was let in untold, but nothing makes up for a property that must be there.
        if new.at(node).kind == "empty" and kind != "REQUIRED_PROPERTY_ADDED":
            kind = "PROPERTY_WITH_EMPTY_SCHEMA_ADDED"
        comparison.add(changes, f"{kind}_TO_OPEN_CONTENT_MODEL", place)
        return
    covering = _covering(comparison, old, name)
    if covering is not None:
        inner = yield old.at(covering), new.at(node)
        _add_covered(comparison, changes, inner, "PROPERTY_ADDED", place)
    comparison.add(changes, f"{kind}_TO_UNOPEN_CONTENT_MODEL", place)


def _add_covered(comparison: "Comparison", changes: Changes, inner: Changes, kind: str, place: str) -> None:
    """A schema for the unnamed speaks for a name. Where the policy does not mind a misfit, its inside is not told."""
    change = f"{kind}_{'IS' if inner.is_compatible else 'NOT'}_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
    comparison.add(changes, change, place)
    if inner.is_compatible or change not in comparison.compatible:
        comparison.include(changes, place, inner)


def _compare_patterns(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape
) -> Generator[tuple[Shape, Shape], Changes, None]:
    before, after = old.node.get("patternProperties", {}), new.node.get("patternProperties", {})
    for pattern, node in before.items():
        if pattern in after:
            inner = yield old.at(node), new.at(after[pattern])
            comparison.include(changes, f"patternProperties/{escape(pattern)}", inner)


def _compare_others(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape, others: tuple[Any, Any], kind: str, place: str
) -> Generator[tuple[Shape, Shape], Changes, None]:
    """What is asked of unnamed properties or items: False, True or a schema, before and after."""
    before, after = others
    if before is False or after is False:
        if before is not after:
            comparison.add(changes, f"ADDITIONAL_{kind}_{'ADDED' if before is False else 'REMOVED'}", place)
    elif before is True or after is True:
        if before is not after:
            comparison.add(changes, f"ADDITIONAL_{kind}_{'NARROWED' if before is True else 'EXTENDED'}", place)
    else:
        inner = yield old.at(before), new.at(after)
        comparison.include(changes, place, inner)


def _compare_dependencies(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape
) -> Generator[tuple[Shape, Shape], Changes, None]:
    before, after = _dependencies(old), _dependencies(new)
    for (keyword, name), node in before.items():
        place = f"{keyword}/{escape(name)}"
        other = after.get((keyword, name), _MISSING)
        if other is _MISSING or isinstance(node, list) != isinstance(other, list):
            kind = "ARRAY" if isinstance(node, list) else "SCHEMA"
            comparison.add(changes, f"DEPENDENCY_{kind}_REMOVED", place)
        elif isinstance(node, list) and isinstance(other, list):
            change = _names_change(set(node), set(other))
            if change:
                comparison.add(changes, f"DEPENDENCY_ARRAY_{change}", place)
        else:
            inner = yield old.at(node), new.at(other)
            comparison.include(changes, place, inner)
    for (keyword, name), node in after.items():
        other = before.get((keyword, name), _MISSING)
        if other is _MISSING or isinstance(node, list) != isinstance(other, list):
            kind = "ARRAY" if isinstance(node, list) else "SCHEMA"
            comparison.add(changes, f"DEPENDENCY_{kind}_ADDED", f"{keyword}/{escape(name)}")


def _dependencies(shape: Shape) -> dict[tuple[str, str], Any]:
    return {
        (keyword, name): node
        for keyword in ("dependencies", "dependentRequired", "dependentSchemas")
        for name, node in shape.node.get(keyword, {}).items()
    }


def _names_change(before: set[str], after: set[str]) -> str:
    if before == after:
        return ""
    if before < after:
        return "EXTENDED"
    return "NARROWED" if before > after else "CHANGED"


def _compare_one(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape, keyword: str
) -> Generator[tuple[Shape, Shape], Changes, None]:
    """A keyword that holds one schema."""
    before, after = old.node.get(keyword, _MISSING), new.node.get(keyword, _MISSING)
    if before is _MISSING and after is _MISSING:
        return
    if before is _MISSING:
        comparison.add(changes, "SCHEMA_ADDED", keyword)
    elif after is _MISSING:
        comparison.add(changes, "SCHEMA_REMOVED", keyword)
    else:
        inner = yield old.at(before), new.at(after)
        comparison.include(changes, keyword, inner)


def compare_arrays(comparison: "Comparison", old: Shape, new: Shape) -> Steps:
    """Items, the tuple's and the others, counts, uniqueness, what must be contained."""
    changes = comparison.changed(
        *bound_changes(old.node.get("maxItems"), new.node.get("maxItems"), "MAX_ITEMS", "maxItems"),
        *bound_changes(old.node.get("minItems"), new.node.get("minItems"), "MIN_ITEMS", "minItems"),
        *bound_changes(old.node.get("maxContains"), new.node.get("maxContains"), "MAX_CONTAINS", "maxContains"),
        *bound_changes(old.node.get("minContains"), new.node.get("minContains"), "MIN_CONTAINS", "minContains"),
    )
    before, after = bool(old.node.get("uniqueItems")), bool(new.node.get("uniqueItems"))
    if before != after:
        comparison.add(changes, f"UNIQUE_ITEMS_{'ADDED' if after else 'REMOVED'}", "uniqueItems")
    yield from _compare_all_items(comparison, changes, old, new)
    yield from _compare_tuples(comparison, changes, old, new)
    place = "items" if "prefixItems" in new.node or "prefixItems" in old.node else "additionalItems"
    yield from _compare_others(comparison, changes, old, new, (_other_items(old), _other_items(new)), "ITEMS", place)
    yield from _compare_one(comparison, changes, old, new, "contains")
    return changes


def _all_items(shape: Shape) -> Any:
    """The schema of every item, if the array is no tuple."""
    items = shape.node.get("items", _MISSING)
    return _MISSING if isinstance(items, list) or "prefixItems" in shape.node else items


def _tuple(shape: Shape) -> tuple[str, list[Any]]:
    """The keyword and schemas of the first items."""
    if "prefixItems" in shape.node:
        return "prefixItems", shape.node["prefixItems"]
    items = shape.node.get("items")
    return "items", items if isinstance(items, list) else []


def _other_items(shape: Shape) -> Any:
    others = shape.node.get("items") if "prefixItems" in shape.node else shape.node.get("additionalItems")
    if others is None and _is_newer(shape):
        others = shape.node.get("unevaluatedItems")
    return True if others is None or others == {} else others


def _compare_all_items(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape
) -> Generator[tuple[Shape, Shape], Changes, None]:
    before, after = _all_items(old), _all_items(new)
    if before is _MISSING and after is _MISSING:
        return
    if before is _MISSING:
        if new.at(after).kind != "empty":
            comparison.add(changes, "SCHEMA_ADDED", "items")
    elif after is _MISSING:
        comparison.add(changes, "SCHEMA_REMOVED", "items")
    else:
        inner = yield old.at(before), new.at(after)
        comparison.include(changes, "items", inner)


def _compare_tuples(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape
) -> Generator[tuple[Shape, Shape], Changes, None]:
    (keyword, before), (new_keyword, after) = _tuple(old), _tuple(new)
    for index in range(min(len(before), len(after))):
        inner = yield (
            old.at(before[index]),
            new.at(after[index]),
        )
        comparison.include(changes, f"{keyword}/{index}", inner)
    for index in range(len(after), len(before)):
        yield from _item_removed(comparison, changes, old, new, before[index], f"{keyword}/{index}")
    for index in range(len(before), len(after)):
        yield from _item_added(comparison, changes, old, new, after[index], f"{new_keyword}/{index}")


def _item_removed(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape, node: Any, place: str
) -> Generator[tuple[Shape, Shape], Changes, None]:
    others = _other_items(new)
    shape = old.at(node)
    if others is True:
        comparison.add(changes, "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL", place)
    elif others is False:
        kind = "ITEM_WITH_FALSE_REMOVED" if shape.kind == "false" else "ITEM_REMOVED"
        comparison.add(changes, f"{kind}_FROM_CLOSED_CONTENT_MODEL", place)
    else:
        inner = yield shape, new.at(others)
        _add_covered(comparison, changes, inner, "ITEM_REMOVED", place)


def _item_added(
    comparison: "Comparison", changes: Changes, old: Shape, new: Shape, node: Any, place: str
) -> Generator[tuple[Shape, Shape], Changes, None]:
    others = _all_items(old)
    others = _other_items(old) if others is _MISSING else others
    shape = new.at(node)
    if others is True:
        kind = "ITEM_WITH_EMPTY_SCHEMA_ADDED" if shape.kind == "empty" else "ITEM_ADDED"
        comparison.add(changes, f"{kind}_TO_OPEN_CONTENT_MODEL", place)
    elif others is False:
        comparison.add(changes, "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL", place)
    else:
        inner = yield old.at(others), shape
        _add_covered(comparison, changes, inner, "ITEM_ADDED", place)
