"""The tags of a schema of any format, by its text."""

from collections.abc import Sequence

from app.registry.inline_tags.entity import EntityTags, TagChange
from app.registry.schema import SchemaType


def tags_in(schema_type: str | None, text: str) -> list[EntityTags]:
    """All places that have tags. The text is one that was parsed before."""
    match schema_type or SchemaType.AVRO:
        case SchemaType.JSON:
            from app.registry.inline_tags.json_schema import json_tags

            return json_tags(text)
        case SchemaType.PROTOBUF:
            from app.registry.inline_tags.protobuf import protobuf_tags

            return protobuf_tags(text)
        case _:
            from app.registry.inline_tags.avro import avro_tags

            return avro_tags(text)


def with_tags(schema_type: str | None, text: str, changes: Sequence[TagChange]) -> str:
    """The text with other tags. Raises InvalidSchema for a place that is not there."""
    if not changes:
        return text
    match schema_type or SchemaType.AVRO:
        case SchemaType.JSON:
            from app.registry.inline_tags.json_schema import change_json_tags

            return change_json_tags(text, changes)
        case SchemaType.PROTOBUF:
            from app.registry.inline_tags.protobuf import change_protobuf_tags

            return change_protobuf_tags(text, changes)
        case _:
            from app.registry.inline_tags.avro import change_avro_tags

            return change_avro_tags(text, changes)
