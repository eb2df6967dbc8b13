"""Read a schema of any format. The libraries a format needs are imported with its first schema, not before."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.registry.errors import InvalidSchema
from app.registry.limits import refuse_large
from app.registry.schema import ParsedSchema, ResolvedReference, SchemaType

if TYPE_CHECKING:
    from app.registry.contracts import Metadata, RuleSet


def parse(
    schema_type: str | None,
    text: str,
    references: Sequence[ResolvedReference] = (),
    *,
    validate_new: bool = True,
    metadata: "Metadata | None" = None,
    rule_set: "RuleSet | None" = None,
) -> ParsedSchema:
    """Read one schema; schema_type None means AVRO.

    references come dependencies first (see ResolvedReference). validate_new refuses what older registries let in (bad
    names and defaults in Avro, a `$ref` or a type that leads nowhere): True for a registration, False for what is read
    back. Raises InvalidSchema (42201)
    and SchemaTooLarge (42209).
    """
    refuse_large(text, sum(len(reference.text) for reference in references))
    try:
        parsed = _parse(schema_type, text, references, validate_new)
        parsed.canonical.encode()
    except RecursionError:
        raise InvalidSchema("the schema is nested too deeply") from None
    except UnicodeEncodeError:
        raise InvalidSchema("the schema has half of a surrogate pair, which is no character") from None
    return parsed.with_contract(metadata, rule_set) if metadata is not None or rule_set is not None else parsed


def _parse(
    schema_type: str | None, text: str, references: Sequence[ResolvedReference], validate_new: bool
) -> ParsedSchema:
    match schema_type or SchemaType.AVRO:
        case SchemaType.AVRO:
            from app.registry.formats.avro import parse_avro

            return parse_avro(text, references, validate_new=validate_new)
        case SchemaType.JSON:
            from app.registry.formats.json_schema import parse_json_schema

            return parse_json_schema(text, references, validate_new=validate_new)
        case SchemaType.PROTOBUF:
            from app.registry.formats.protobuf import parse_protobuf

            return parse_protobuf(text, references, validate_new=validate_new)
        case unknown:
            raise InvalidSchema(f"Invalid schema type {unknown}")
