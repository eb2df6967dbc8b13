"""The records of `_schemas`, as far as validation needs them, and the guid of a schema.

Keys and values are JSON, as Confluent's Schema Registry writes them. Unknown fields are passed over.
"""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct


class Key(Struct, frozen=True):
    """Any key; fields that its keytype does not have keep their defaults."""

    keytype: str
    subject: str | None = None
    version: int = 0


class Reference(Struct, frozen=True):
    name: str
    subject: str
    version: int


class Metadata(Struct, frozen=True):
    tags: dict[str, list[str]] | None = None
    properties: dict[str, str] | None = None
    sensitive: list[str] | None = None


class Rule(Struct, frozen=True, rename="camel"):
    name: str | None = None
    doc: str | None = None
    kind: str | None = None
    mode: str | None = None
    type: str | None = None
    tags: list[str] | None = None
    params: dict[str, str] | None = None
    expr: str | None = None
    on_success: str | None = None
    on_failure: str | None = None
    disabled: bool = False


class RuleSet(Struct, frozen=True, rename="camel"):
    migration_rules: list[Rule] | None = None
    domain_rules: list[Rule] | None = None
    encoding_rules: list[Rule] | None = None
    enable_at: str | None = None


class SchemaValue(Struct, frozen=True, rename="camel"):
    """One version of a subject. schema_type None means AVRO."""

    id: int
    schema_type: str | None = None
    references: list[Reference] | None = None
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    schema: str = ""
    deleted: bool = False


class ConfigValue(Struct, frozen=True):
    alias: str | None = None


class SubjectValue(Struct, frozen=True):
    """Of DELETE_SUBJECT: all versions up to this one are deleted."""

    version: int = 0


class SchemaText(Struct, frozen=True):
    """A schema's text alone, for whoever wants its names."""

    schema: str = ""


decode_key = msgspec.json.Decoder(Key).decode
decode_schema = msgspec.json.Decoder(SchemaValue).decode
decode_config = msgspec.json.Decoder(ConfigValue).decode
decode_subject = msgspec.json.Decoder(SubjectValue).decode
decode_text = msgspec.json.Decoder(SchemaText).decode


def schema_guid(value: SchemaValue) -> bytes:
    """The guid of a schema (Confluent Platform 8.0), 16 bytes: the same content has the same one in every registry.

    MD5 over the text; name, subject and version (int32) of each reference; then, if present, a byte 1 and the metadata,
    a byte 1 and the rules; sets and maps in sorted order.
    """
    digest = hashlib.md5(value.schema.encode(), usedforsecurity=False)
    for reference in value.references or ():
        digest.update(f"{reference.name}{reference.subject}".encode())
        digest.update(reference.version.to_bytes(4, "big", signed=True))
    if value.metadata is not None:
        digest.update(b"\x01" + "".join(_metadata_texts(value.metadata)).encode())
    if value.rule_set is not None:
        digest.update(b"\x01" + "".join(_rule_set_texts(value.rule_set)).encode())
    return digest.digest()


def _metadata_texts(metadata: Metadata) -> Iterator[str]:
    for path, tags in sorted((metadata.tags or {}).items()):
        yield path
        yield from sorted(set(tags))
    yield from _pairs(metadata.properties)
    yield from sorted(set(metadata.sensitive or ()))


def _rule_set_texts(rules: RuleSet) -> Iterator[str]:
    for one in (*(rules.migration_rules or ()), *(rules.domain_rules or ()), *(rules.encoding_rules or ())):
        yield from _texts((one.name, one.doc, one.kind, one.mode, one.type))
        yield from sorted(set(one.tags or ()))
        yield from _pairs(one.params)
        yield from _texts((one.expr, one.on_success, one.on_failure))
        if one.disabled:
            yield "\x01"
    yield rules.enable_at or ""


def _texts(parts: Iterable[str | None]) -> Iterator[str]:
    return (part or "" for part in parts)


def _pairs(pairs: dict[str, str] | None) -> Iterator[str]:
    for key, value in sorted((pairs or {}).items()):
        yield key
        yield value
