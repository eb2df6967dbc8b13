"""Protobuf's tags: the options `(confluent.message_meta)` and `(confluent.field_meta)`, paths inside the package."""

from collections.abc import Iterator, Sequence

from app.registry.errors import InvalidSchema
from app.registry.formats.proto_extensions import extension_of
from app.registry.formats.proto_model import Field, File, Message, Option, Value, walk_messages
from app.registry.formats.proto_text import print_proto
from app.registry.formats.protobuf import read_file
from app.registry.inline_tags.entity import FIELD, RECORD, Entity, EntityTags, TagChange

_META = {RECORD: "confluent.message_meta", FIELD: "confluent.field_meta"}


def protobuf_tags(text: str) -> list[EntityTags]:
    found = ((entity, _tags(_meta(place.options, _META[entity.kind]))) for entity, place in _places(read_file(text)))
    return [EntityTags(entity, tags) for entity, tags in found if tags]


def change_protobuf_tags(text: str, changes: Sequence[TagChange]) -> str:
    """Raises InvalidSchema for a place that is not there, and for a text that is no .proto file."""
    file = read_file(text)
    places: dict[Entity, Message | Field] = {}
    for entity, place in _places(file):
        places.setdefault(entity, place)
    package = f"{file.package}." if file.package else ""
    for change in changes:
        entity = change.entity
        found = places.get(entity) or places.get(Entity(entity.kind, entity.path.removeprefix(package)))
        if found is None:
            raise InvalidSchema(f"the schema has no {entity.kind} '{entity.path}' to tag")
        _change(found, _META[entity.kind], change)
    return print_proto(file)


def _places(file: File) -> Iterator[tuple[Entity, Message | Field]]:
    for name, message in walk_messages(file):
        yield Entity(RECORD, name), message
        for field in message.all_fields():
            yield Entity(FIELD, f"{name}.{field.name}"), field


def _change(place: Message | Field, extension: str, change: TagChange) -> None:
    """All that is said with the extension becomes one option, where the first of its options stood."""
    meta = [(name, value) for name, value in _meta(place.options, extension) if name != "tags"]
    tags = change.apply(_tags(_meta(place.options, extension)))
    if tags:
        meta.append(("tags", Value("list", items=[("", Value("string", tag)) for tag in tags])))
    position = next((index for index, one in enumerate(place.options) if _is_of(one, extension)), len(place.options))
    place.options[:] = [one for one in place.options if not _is_of(one, extension)]
    if meta:
        place.options.insert(position, Option(f"({extension})", Value("map", items=meta)))


def _meta(options: Sequence[Option], extension: str) -> list[tuple[str, Value]]:
    """Name and value of all that options say with an extension, in either spelling."""
    found: list[tuple[str, Value]] = []
    for option in options:
        if _is_of(option, extension):
            name = option.name.partition(")")[2].removeprefix(".")
            found += [(name, option.value)] if name else option.value.items
    return found


def _is_of(option: Option, extension: str) -> bool:
    return option.name.startswith("(") and extension_of(option) == extension


def _tags(meta: Sequence[tuple[str, Value]]) -> tuple[str, ...]:
    values = (item for name, value in meta if name == "tags" for item in _items(value))
    return tuple(dict.fromkeys(item.text for item in values))


def _items(value: Value) -> list[Value]:
    return [item for _, item in value.items] if value.kind == "list" else [value]
