"""Does every document of the old JSON Schema satisfy the new one? A comparison of structure, by Confluent's names.

An object is open (other properties welcome), closed, or partially open (`patternProperties`, or a schema for the
others). What an open one lets in untold keeps it from being told later: see COMPATIBLE for what each change means.
"""

from collections.abc import Generator, Iterator

from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.compatibility.json_changes import COMPATIBLE, COMPATIBLE_LENIENT, Changes, describe
from app.registry.compatibility.json_containers import compare_arrays, compare_objects
from app.registry.compatibility.json_scalars import number_changes, string_changes, value_changes
from app.registry.compatibility.stepping import drive
from app.registry.formats.json_schema import JsonSchema
from app.registry.formats.json_shapes import Shape
from app.registry.formats.json_text import print_json
from app.registry.limits import Budget

Steps = Generator[tuple[Shape, Shape], Changes, Changes]

_NOTHING = Changes()


def json_differences(
    reader: JsonSchema, writer: JsonSchema, *, is_lenient: bool, budget: Budget
) -> Iterator[Incompatibility]:
    """What a document of writer may hold that reader refuses, as far as structure tells. SchemaTooLarge by budget."""
    compatible = COMPATIBLE_LENIENT if is_lenient else COMPATIBLE
    for change, path in json_changes(reader, writer, is_lenient=is_lenient, budget=budget):
        if change not in compatible:
            yield describe(change, path)


def json_changes(
    reader: JsonSchema, writer: JsonSchema, *, is_lenient: bool, budget: Budget
) -> Iterator[tuple[str, str]]:
    """Every change from writer to reader, the compatible ones too: its name and its path."""
    comparison = Comparison(is_lenient=is_lenient, budget=budget)
    return drive(comparison.compare, writer.shape(), reader.shape()).walk()


class Comparison:
    """One comparison, in steps for stepping.drive. A pair of schemas that is met inside itself is taken to fit."""

    def __init__(self, *, is_lenient: bool, budget: Budget) -> None:
        self.compatible = COMPATIBLE_LENIENT if is_lenient else COMPATIBLE
        self.budget = budget
        self._known: dict[tuple[int, int], Changes] = {}

    def changed(self, *own: tuple[str, str]) -> Changes:
        """Changes with these of their own, each a name and a relative place."""
        changes = Changes()
        for change, place in own:
            self.add(changes, change, place)
        return changes

    def add(self, changes: Changes, change: str, place: str = "") -> None:
        changes.own.append((change, place))
        changes.is_compatible = changes.is_compatible and change in self.compatible

    def include(self, changes: Changes, place: str, inner: Changes) -> None:
        """Take in what differs at a place below."""
        if inner:
            changes.inside.append((place, inner))
            changes.is_compatible = changes.is_compatible and inner.is_compatible

    def compare(self, old: Shape, new: Shape) -> Steps:
        """All changes between two shapes."""
        self.budget.spend()
        if new.kind == "empty" or old.kind == "false":
            return _NOTHING
        key = (id(old), id(new))
        known = self._known.get(key)
        if known is not None:
            return known
        self._known[key] = _NOTHING
        changes = yield from self._compare(old, new)
        self._known[key] = changes
        return changes

    def _compare(self, old: Shape, new: Shape) -> Steps:
        if old.kind == "combined" and new.kind == "combined":
            return (yield from self._compare_combined(old, new))
        if old.kind == "combined":
            return (yield from self._compare_part_of(old, new))
        if new.kind == "combined":
            return (yield from self._compare_with_parts(old, new))
        if old.kind != new.kind:
            return self.changed(("TYPE_CHANGED", ""))
        match old.kind:
            case "string":
                return self.changed(*string_changes(old, new))
            case "number":
                return self.changed(*number_changes(old, new))
            case "enum" | "const":
                self.budget.spend(len(old.node.get("enum", ())) // 100)
                return self.changed(*value_changes(old, new))
            case "object":
                return (yield from compare_objects(self, old, new))
            case "array":
                return (yield from compare_arrays(self, old, new))
            case "not":
                return (yield from self._compare_denied(old, new))
            case _:
                return _NOTHING

    def _compare_denied(self, old: Shape, new: Shape) -> Steps:
        """What is denied must not grow, so the question is turned round."""
        inner = yield new.at(new.node["not"]), old.at(old.node["not"])
        if not inner:
            return _NOTHING
        return self.changed(("NOT_TYPE_NARROWED" if inner.is_compatible else "NOT_TYPE_EXTENDED", "not"))

    def _compare_part_of(self, old: Shape, new: Shape) -> Steps:
        parts = _distinct(old.parts())
        if len(parts) == 1:
            return (yield parts[0][1], new)
        if old.criterion == "allOf":
            for _, part in parts:
                inner = yield part, new
                if inner.is_compatible:
                    changes = self.changed(("PRODUCT_TYPE_NARROWED", ""))
                    self.include(changes, "", inner)
                    return changes
        else:
            for _, part in parts:
                if (yield part, new).is_compatible:
                    return self.changed(("SUM_TYPE_NARROWED", ""))
        return self.changed(("TYPE_CHANGED", ""))

    def _compare_with_parts(self, old: Shape, new: Shape) -> Steps:
        parts = _distinct(new.parts())
        if len(parts) == 1:
            return (yield old, parts[0][1])
        if new.criterion != "allOf":
            for _, part in parts:
                inner = yield old, part
                if inner.is_compatible:
                    changes = self.changed(("SUM_TYPE_EXTENDED", ""))
                    self.include(changes, "", inner)
                    return changes
        return self.changed(("TYPE_CHANGED", ""))

    def _compare_combined(self, old: Shape, new: Shape) -> Steps:
        changes = Changes()
        olds, news = _distinct(old.parts()), _distinct(new.parts())
        if old.criterion != new.criterion:
            # A sum or product of one is that one, and anyOf takes what the others take.
            if new.criterion == "anyOf" or (len(olds) == 1 and (new.criterion == "oneOf" or len(news) == 1)):
                self.add(changes, "COMBINED_TYPE_EXTENDED")
            else:
                self.add(changes, "COMBINED_TYPE_CHANGED")
                return changes
        if len(olds) > len(news):
            self.add(changes, "PRODUCT_TYPE_NARROWED" if old.criterion == "allOf" else "SUM_TYPE_NARROWED")
        elif len(olds) < len(news):
            self.add(changes, "PRODUCT_TYPE_EXTENDED" if new.criterion == "allOf" else "SUM_TYPE_EXTENDED")
        pairs = yield from self._pair_up([part for _, part in olds], [part for _, part in news])
        if len(pairs) < min(len(olds), len(news)):
            self.add(changes, "COMBINED_TYPE_SUBSCHEMAS_CHANGED")
        for one, other in sorted(pairs.items()):
            inner = yield olds[one][1], news[other][1]
            self.include(changes, f"{old.criterion}/{olds[one][0]}", inner)
        return changes

    def _pair_up(self, olds: list[Shape], news: list[Shape]) -> Generator[tuple[Shape, Shape], Changes, dict[int, int]]:
        """As many pairs of an old part with a new one that takes it as there can be: by augmenting paths."""
        taker_of: dict[int, int] = {}
        taken_by: dict[int, int] = {}
        for start in range(len(olds)):
            came_from: dict[int, int] = {}  # new part -> the old one that asked for it
            queue, end = [start], -1
            while queue and end < 0:
                one = queue.pop(0)
                for other in _from(one, len(news)):
                    if other in came_from or not (yield olds[one], news[other]).is_compatible:
                        continue
                    came_from[other] = one
                    if other not in taken_by:
                        end = other
                        break
                    queue.append(taken_by[other])
            while end >= 0:
                one = came_from[end]
                taken_by[end] = one
                taker_of[one], end = end, taker_of.get(one, -1)
        return taker_of


def _from(start: int, count: int) -> Iterator[int]:
    """All indexes, first the one where a part stood: most stay in place."""
    if start < count:
        yield start
    yield from (index for index in range(count) if index != start)


def _distinct(parts: list[Shape]) -> list[tuple[int, Shape]]:
    """Parts that say something of their own, with their places."""
    seen: set[tuple[str, str, str, bool, str]] = set()
    found = []
    for index, part in enumerate(parts):
        key = (part.kind, part.criterion, part.resource.base, part.is_integer, print_json(part.node, sort_keys=True))
        if key not in seen:
            seen.add(key)
            found.append((index, part))
    return found
