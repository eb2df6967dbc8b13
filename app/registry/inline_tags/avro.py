"""Avro's tags: the attribute `confluent:tags` of a record or a field."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.registry.formats.json_text import print_json, read_json
from app.registry.inline_tags.entity import FIELD, RECORD, Entity, EntityTags, TagChange
from app.registry.inline_tags.json_property import change_tags, tags_at


def avro_tags(text: str) -> list[EntityTags]:
    places = _places(read_json(text, comments=True), "")
    return [EntityTags(entity, tags) for entity, place in places if (tags := tags_at(place))]


def change_avro_tags(text: str, changes: Sequence[TagChange]) -> str:
    """Raises InvalidSchema for a place that is not there, and for a text that is no JSON."""
    root = read_json(text, comments=True)
    places: dict[Entity, dict[str, Any]] = {}
    for entity, place in _places(root, ""):
        places.setdefault(entity, place)
    change_tags(places, changes)
    return print_json(root)


def _places(node: Any, namespace: str) -> Iterator[tuple[Entity, dict[str, Any]]]:
    """Every record and field with its path."""
    if isinstance(node, list):
        for one in node:
            yield from _places(one, namespace)
    elif isinstance(node, Mapping):
        if node.get("type") in ("record", "error"):
            assert isinstance(node, dict)
            yield from _of_record(node, namespace)
        else:
            for key in ("type", "items", "values"):
                if isinstance(node.get(key), (list, dict)):
                    yield from _places(node[key], namespace)


def _of_record(node: dict[str, Any], namespace: str) -> Iterator[tuple[Entity, dict[str, Any]]]:
    name = str(node.get("name"))
    if "." in name:
        namespace = name.rpartition(".")[0]
    else:
        namespace = str(node.get("namespace", namespace))
        name = f"{namespace}.{name}" if namespace else name
    yield Entity(RECORD, name), node
    fields = node.get("fields")
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict):
            yield Entity(FIELD, f"{name}.{field.get('name')}"), field
            yield from _places(field.get("type"), namespace)
