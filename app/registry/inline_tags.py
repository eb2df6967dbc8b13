"""Tags inside a schema's text (`confluent:tags`), added to and taken from records and fields. Avro only."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.registry.errors import InvalidSchema
from app.registry.schema import SchemaType

PROPERTY = "confluent:tags"


@dataclass(frozen=True, slots=True)
class TagChange:
    """Tags of one place: `sr_record` of a record's full name, `sr_field` of that, a dot and the field's name."""

    path: str
    tags: tuple[str, ...]
    is_removal: bool = False


def change_avro_tags(text: str, changes: Sequence[TagChange]) -> str:
    """The text with other tags. Raises InvalidSchema for a place that is not there."""
    root = json.loads(text)
    places: dict[str, dict[str, Any]] = {}
    for path, place in _places(root, ""):
        places.setdefault(path, place)
    for change in changes:
        found = places.get(change.path.lstrip("."))
        if found is None:
            raise InvalidSchema(f"the schema has no record or field '{change.path}' to tag")
        _change(found, change)
    return json.dumps(root, separators=(",", ":"), ensure_ascii=False)


def with_tags(schema_type: str, text: str, changes: Sequence[TagChange]) -> str:
    """The text with other tags; as it is when there are none to change. Raises InvalidSchema."""
    if not changes:
        return text
    if schema_type != SchemaType.AVRO:
        raise InvalidSchema(f"tags inside a schema of type {schema_type} are not supported")
    return change_avro_tags(text, changes)


def _change(place: dict[str, Any], change: TagChange) -> None:
    old = [tag for tag in place.get(PROPERTY, []) if isinstance(tag, str)]
    if change.is_removal:
        new = [tag for tag in old if tag not in change.tags]
    else:
        new = list(dict.fromkeys([*old, *change.tags]))
    if new:
        place[PROPERTY] = new
    else:
        place.pop(PROPERTY, None)


def _places(node: Any, namespace: str) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _of_record(node: dict[str, Any], namespace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    name = str(node["name"])
    if "." in name:
        namespace = name.rpartition(".")[0]
    else:
        namespace = str(node.get("namespace", namespace))
        name = f"{namespace}.{name}" if namespace else name
    yield name, node
    for field in node.get("fields", []):
        yield f"{name}.{field['name']}", field
        yield from _places(field["type"], namespace)
