"""Names a data contract keeps free: the metadata property `confluent:reserved`, a list with commas.

A reserved name stays reserved, and no property of a JSON Schema's root or field of a Protobuf file's first message
may have it. Avro has none.
"""

from collections.abc import Collection, Iterator

from app.registry.compatibility.incompatibility import Incompatibility
from app.registry.schema import ParsedSchema, SchemaType

PROPERTY = "confluent:reserved"


def reserved_differences(new: ParsedSchema, old: ParsedSchema) -> Iterator[Incompatibility]:
    """Reservations that new gives up or breaks."""
    kind = "PROPERTY" if new.schema_type is SchemaType.JSON else "FIELD"
    reserved = _reserved(new)
    for name in _reserved(old):
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
    if schema.metadata is None or schema.schema_type is SchemaType.AVRO:
        return []
    names = (name.strip() for name in schema.metadata.properties.get(PROPERTY, "").split(","))
    return [name for name in dict.fromkeys(names) if name]


def _top_level_names(schema: ParsedSchema) -> Collection[str]:
    if schema.schema_type is SchemaType.JSON:
        from app.registry.formats.json_schema import JsonSchema

        assert isinstance(schema, JsonSchema)
        properties = schema.value.get("properties", {}) if isinstance(schema.value, dict) else {}
        return set(properties)
    from app.registry.formats.protobuf import ProtobufSchema

    assert isinstance(schema, ProtobufSchema)
    return {one.name for message in schema.file.messages[:1] for one in message.all_fields()}
