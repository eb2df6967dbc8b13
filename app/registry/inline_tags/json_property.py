"""The attribute `confluent:tags` of a JSON object, in Avro and in JSON Schema."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.registry.errors import InvalidSchema
from app.registry.inline_tags.entity import Entity, TagChange

PROPERTY = "confluent:tags"


def tags_at(place: Mapping[str, Any]) -> tuple[str, ...]:
    tags = place.get(PROPERTY)
    return tuple(dict.fromkeys(tag for tag in tags if isinstance(tag, str))) if isinstance(tags, list) else ()


def change_tags(places: Mapping[Entity, dict[str, Any]], changes: Sequence[TagChange]) -> None:
    """Change the objects. Raises InvalidSchema for a place that is not there."""
    for change in changes:
        place = places.get(change.entity)
        if place is None:
            raise InvalidSchema(f"the schema has no {change.entity.kind} '{change.entity.path}' to tag")
        tags = change.apply(tags_at(place))
        if tags:
            place[PROPERTY] = tags
        else:
            place.pop(PROPERTY, None)
