"""JSON Schema's tags: the attribute `confluent:tags` of an object's schema or of a property's.

A schema that asks several kinds of things is an allOf of them, one with several types an anyOf; the parts of these are
counted in the order of their kinds' names (then of titles and descriptions), so that a path does not depend on
spelling.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from app.registry.formats.json_shapes import ARRAY_KEYWORDS, NUMBER_KEYWORDS, OBJECT_KEYWORDS, STRING_KEYWORDS
from app.registry.formats.json_text import print_json, read_json
from app.registry.inline_tags.entity import FIELD, RECORD, Entity, EntityTags, TagChange
from app.registry.inline_tags.json_property import change_tags, tags_at

_FAMILIES = {"array": ARRAY_KEYWORDS, "number": NUMBER_KEYWORDS, "object": OBJECT_KEYWORDS, "string": STRING_KEYWORDS}
_COMBINING = ("allOf", "anyOf", "oneOf")
_CONDITIONAL = ("if", "then", "else")
_TYPES = "combined:types"  # several types

_Place = tuple[Entity, dict[str, Any], bool]  # the last: an object that is a property's value, listed as that


def json_tags(text: str) -> list[EntityTags]:
    places = _places(read_json(text))
    return [EntityTags(entity, tags) for entity, place, is_twice in places if not is_twice and (tags := tags_at(place))]


def change_json_tags(text: str, changes: Sequence[TagChange]) -> str:
    """Raises InvalidSchema for a place that is not there, and for a text that is no JSON."""
    root = read_json(text)
    places: dict[Entity, dict[str, Any]] = {}
    for entity, place, _ in _places(root):
        places.setdefault(entity, place)
    change_tags(places, changes)
    return print_json(root)


def _places(root: Any) -> Iterator[_Place]:
    """Every object and property with its path. Not recursive: a text may nest deeper than Python's stack is."""
    stack: list[tuple[Any, str, bool]] = [(root, "", False)]
    while stack:
        node, scope, is_property = stack.pop()
        if not isinstance(node, dict) or "$ref" in node:
            continue
        inside: list[tuple[Any, str, bool]] = []
        parts = sorted(_parts(node))
        for index, kind in enumerate(parts):
            where = f"{scope}allof.{index}." if len(parts) > 1 else scope
            if kind == _TYPES:
                for position, one in enumerate(sorted(set(node["type"]), key=_kind_of_type)):
                    yield from _inside(node, _kind_of_type(one), f"{where}anyof.{position}.", False, inside)
            else:
                yield from _inside(node, kind, where, is_property and len(parts) == 1, inside)
        stack += reversed(inside)


def _parts(node: dict[str, Any]) -> Iterator[str]:
    """The kinds of things that one schema asks."""
    given = node.get("type")
    if isinstance(given, str):
        yield _kind_of_type(given)
    elif isinstance(given, list):
        yield _TYPES
    else:
        for kind, keywords in _FAMILIES.items():
            if any(keyword in node for keyword in keywords):
                yield kind
    yield from (f"combined:{one}" for one in _COMBINING if isinstance(node.get(one), list))
    if any(one in node for one in _CONDITIONAL):
        yield "conditional"
    yield from (word for word in ("not", "enum", "const") if word in node)


def _kind_of_type(name: Any) -> str:
    return "number" if name == "integer" else str(name)


def _inside(
    node: dict[str, Any], kind: str, scope: str, is_property: bool, inside: list[tuple[Any, str, bool]]
) -> Iterator[_Place]:
    """The places of one kind of thing; what is below it goes into inside."""
    match kind.partition(":")[::2]:
        case "object", _:
            yield Entity(RECORD, f"{scope}object"), node, is_property
            properties = node.get("properties")
            for name, value in properties.items() if isinstance(properties, dict) else ():
                if isinstance(value, dict):
                    yield Entity(FIELD, f"{scope}object.{name}"), value, False
                    inside.append((value, f"{scope}object.{name}.", True))
            for keyword in ("definitions", "$defs"):
                named = node.get(keyword)
                for name, value in named.items() if isinstance(named, dict) else ():
                    inside.append((value, f"{scope}object.{keyword}.{name}.", False))
        case "array", _:
            inside.append((node.get("items"), f"{scope}array.", False))
        case "combined", criterion:
            for index, part in enumerate(sorted(node[criterion], key=_order)):
                inside.append((part, f"{scope}{criterion.lower()}.{index}.", False))
        case "conditional", _:
            inside += ((node.get(one), f"{scope}conditional.{one}.", False) for one in _CONDITIONAL)
        case "not", _:
            inside.append((node["not"], f"{scope}not.", False))


def _order(part: Any) -> tuple[str, str, str]:
    if not isinstance(part, dict):
        return "empty" if part else "false", "", ""
    if "$ref" in part:
        kind = "reference"
    else:
        kinds = [one.partition(":")[0] for one in _parts(part)]
        kind = kinds[0] if len(kinds) == 1 else "combined" if kinds else "empty"
    return kind, str(part.get("title") or ""), str(part.get("description") or "")
