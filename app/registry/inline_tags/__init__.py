"""Tags that stand in a schema's text, at records and fields: read, added, taken away. One module per format."""

from app.registry.inline_tags.entity import Entity, EntityTags, TagChange
from app.registry.inline_tags.text import tags_in, with_tags

__all__ = ["Entity", "EntityTags", "TagChange", "tags_in", "with_tags"]
