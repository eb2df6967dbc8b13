"""Names of fields that a config with `validateFields` looks at, at every level, NONE too.

A data contract keeps names free by the metadata property `confluent:reserved`, a list with commas: a reserved name
stays reserved, and no property of a JSON Schema's root, field of an Avro record or of a Protobuf file's first message
may have it. No name may begin with `$$`.
"""

from collections.abc import Collection, Iterator

from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.errors import InvalidSchema
from app.registry.schema import ParsedSchema, SchemaType

PROPERTY = "confluent:reserved"
RESTRICTED_PREFIX = "$$"


def refuse_restricted_names(schema: ParsedSchema) -> None:
    """Raises InvalidSchema."""
    for name in _top_level_names(schema):
        if name.startswith(RESTRICTED_PREFIX):
            raise InvalidSchema(f"field names cannot start with {RESTRICTED_PREFIX}, as '{name}' does")


def reserved_differences(new: ParsedSchema, old: ParsedSchema | None) -> Iterator[Incompatibility]:
    """Reservations that new gives up or breaks; old is the latest version, None when there is none."""
    kind = "PROPERTY" if new.schema_type is SchemaType.JSON else "FIELD"
    reserved = _reserved(new)
    for name in _reserved(old) if old is not None else ():
        if name not in reserved:
            yield Incompatibility(
                f"RESERVED_{kind}_REMOVED",
                name,
                f"The {{reader}} schema no longer reserves '{name}', as the {{writer}} schema does",
            )
    taken = _top_level_names(new) if reserved else ()
    for name in reserved:
        if name in taken:
            is_json = new.schema_type is SchemaType.JSON
            change = "RESERVED_PROPERTY_CONFLICTS_WITH_PROPERTY" if is_json else "FIELD_CONFLICTS_WITH_RESERVED_FIELD"
            path = f"#/properties/{name}" if is_json else name
            yield Incompatibility(change, path, f"The {{reader}} schema uses the name '{name}', which it reserves")


def _reserved(schema: ParsedSchema) -> list[str]:
    if schema.metadata is None:
        return []
    names = (name.strip() for name in schema.metadata.properties.get(PROPERTY, "").split(","))
    return [name for name in dict.fromkeys(names) if name]


def _top_level_names(schema: ParsedSchema) -> Collection[str]:
    if schema.schema_type is SchemaType.JSON:
        from app.registry.formats.json_schema import JsonSchema

        assert isinstance(schema, JsonSchema)
        properties = schema.value.get("properties", {}) if isinstance(schema.value, dict) else {}
        return set(properties)
    if schema.schema_type is SchemaType.AVRO:
        from app.registry.formats.avro import AvroSchema
        from app.registry.formats.avro_types import Record

        assert isinstance(schema, AvroSchema)
        return set(schema.root.by_name) if isinstance(schema.root, Record) else ()
    from app.registry.formats.protobuf import ProtobufSchema

    assert isinstance(schema, ProtobufSchema)
    return {one.name for message in schema.file.messages[:1] for one in message.all_fields()}
