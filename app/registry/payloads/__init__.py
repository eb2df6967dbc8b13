"""Payloads and JSON, back and forth by a schema. Pure; a format's library is imported with its first codec."""

from app.registry.schema import ParsedSchema, SchemaType
from app.schemas.ports import PayloadCodec


def compile_codec(schema: ParsedSchema) -> PayloadCodec:
    """The codec of a schema, to be kept: it costs more than a payload. Raises InvalidSchema for one nothing can fit."""
    match schema.schema_type:
        case SchemaType.AVRO:
            from app.registry.formats.avro import AvroSchema
            from app.registry.payloads.avro import AvroCodec

            assert isinstance(schema, AvroSchema)
            return AvroCodec(schema)
        case SchemaType.PROTOBUF:
            from app.registry.formats.protobuf import ProtobufSchema
            from app.registry.payloads.protobuf import ProtobufCodec

            assert isinstance(schema, ProtobufSchema)
            return ProtobufCodec(schema)
        case SchemaType.JSON:
            from app.registry.formats.json_schema import JsonSchema
            from app.registry.payloads.json_schema import JsonSchemaCodec

            assert isinstance(schema, JsonSchema)
            return JsonSchemaCodec(schema)
