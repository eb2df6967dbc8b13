"""Keys and values of `_schemas`, byte for byte as Confluent's registry writes them, and the JSON parts the API shares.

Compaction compares keys as bytes: their fields stand in the order keytype, subject, version, magic.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from app.registry.contracts import Metadata, Rule, RuleSet
from app.registry.schema import Reference

Record: TypeAlias = tuple[bytes, bytes | None]

NOOP_KEY = b'{"keytype":"NOOP","magic":0}'
TENANT = "default"


# --- JSON that the topic and the API share ----------------------------------------------------------------------------


class ReferenceJson(Struct, frozen=True):
    name: str
    subject: str
    version: int


class MetadataJson(Struct, frozen=True, omit_defaults=True):
    tags: dict[str, list[str]] | None = None
    properties: dict[str, str] | None = None
    sensitive: list[str] | None = None


class RuleJson(Struct, frozen=True, omit_defaults=True, rename="camel"):
    name: str = ""
    doc: str | None = None
    kind: str | None = None
    mode: str | None = None
    type: str | None = None
    tags: list[str] | None = None
    params: dict[str, str] | None = None
    expr: str | None = None
    on_success: str | None = None
    on_failure: str | None = None
    disabled: bool = field(default_factory=bool)  # by a factory, so that false is written too


class RuleSetJson(Struct, frozen=True, omit_defaults=True, rename="camel"):
    migration_rules: list[RuleJson] | None = None
    domain_rules: list[RuleJson] | None = None
    encoding_rules: list[RuleJson] | None = None
    enable_at: str | None = None


class ConfigJson(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What a subject, a context or the registry can be set to. None: not set here, the next wider scope says."""

    alias: str | None = None
    alias_for_deks: bool | None = None
    normalize: bool | None = None
    validate_fields: bool | None = None
    validate_new_schemas: bool | None = None
    validate_rules: bool | None = None
    compatibility_level: str | None = None
    compatibility_policy: str | None = None
    compatibility_group: str | None = None
    default_metadata: MetadataJson | None = None
    override_metadata: MetadataJson | None = None
    default_rule_set: RuleSetJson | None = None
    override_rule_set: RuleSetJson | None = None


# --- values of the topic ----------------------------------------------------------------------------------------------


class SchemaValue(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One version of a subject. schema_type None means AVRO."""

    subject: str
    version: int
    id: int
    md5: str | None = None
    schema_type: str | None = None
    references: list[ReferenceJson] | None = None
    metadata: MetadataJson | None = None
    rule_set: RuleSetJson | None = None
    schema: str = ""
    deleted: bool = field(default_factory=bool)


class ConfigValue(ConfigJson, frozen=True, omit_defaults=True, rename="camel"):
    subject: str | None = None


class ModeValue(Struct, frozen=True, omit_defaults=True):
    mode: str
    subject: str | None = None


class SubjectValue(Struct, frozen=True, omit_defaults=True):
    """Of DELETE_SUBJECT (all versions up to this one are deleted) and of CLEAR_SUBJECT (version 0)."""

    subject: str | None = None
    version: int = 0


class Key(Struct, frozen=True):
    """Any key; fields that its keytype does not have keep their defaults."""

    keytype: str
    subject: str | None = None
    version: int = 0
    magic: int = 0
    context: str = ""


class ConfigUpdate(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The body of PUT /config: what is absent stays as it is, what is null is no longer set."""

    alias: str | UnsetType | None = UNSET
    alias_for_deks: bool | UnsetType | None = UNSET
    normalize: bool | UnsetType | None = UNSET
    validate_fields: bool | UnsetType | None = UNSET
    validate_new_schemas: bool | UnsetType | None = UNSET
    validate_rules: bool | UnsetType | None = UNSET
    compatibility: str | UnsetType | None = UNSET
    compatibility_level: str | UnsetType | None = UNSET
    compatibility_policy: str | UnsetType | None = UNSET
    compatibility_group: str | UnsetType | None = UNSET
    default_metadata: MetadataJson | UnsetType | None = UNSET
    override_metadata: MetadataJson | UnsetType | None = UNSET
    default_rule_set: RuleSetJson | UnsetType | None = UNSET
    override_rule_set: RuleSetJson | UnsetType | None = UNSET


class _SubjectKey(Struct):
    keytype: str
    subject: str | None
    magic: int = 0


class _SchemaKey(Struct):
    keytype: Literal["SCHEMA"]
    subject: str
    version: int
    magic: int = 1


_encode = msgspec.json.Encoder().encode
decode_key = msgspec.json.Decoder(Key).decode
decode_schema = msgspec.json.Decoder(SchemaValue).decode
decode_config = msgspec.json.Decoder(ConfigValue).decode
decode_mode = msgspec.json.Decoder(ModeValue).decode
decode_subject = msgspec.json.Decoder(SubjectValue).decode


def schema_key(subject: str, version: int) -> bytes:
    return _encode(_SchemaKey("SCHEMA", subject, version))


def schema_record(value: SchemaValue) -> Record:
    return schema_key(value.subject, value.version), _encode(value)


def schema_tombstone(subject: str, version: int) -> Record:
    return schema_key(subject, version), None


def config_record(subject: str | None, config: ConfigJson | None) -> Record:
    """config None removes it."""
    key = _encode(_SubjectKey("CONFIG", subject))
    if config is None:
        return key, None
    return key, _encode(ConfigValue(subject=subject, **msgspec.structs.asdict(config)))


def mode_record(subject: str | None, mode: str | None) -> Record:
    """mode None removes it."""
    key = _encode(_SubjectKey("MODE", subject))
    return key, None if mode is None else _encode(ModeValue(subject=subject, mode=mode))


def delete_subject_record(subject: str, version: int) -> Record:
    return _encode(_SubjectKey("DELETE_SUBJECT", subject)), _encode(SubjectValue(subject, version))


def clear_subject_record(subject: str | None) -> Record:
    return _encode(_SubjectKey("CLEAR_SUBJECT", subject)), _encode({"subject": subject})


def context_record(context: str, *, is_deleted: bool = False) -> Record:
    key = _encode({"keytype": "CONTEXT", "tenant": TENANT, "context": context, "magic": 0})
    return key, None if is_deleted else _encode({"tenant": TENANT, "context": context})


# --- between JSON and the domain --------------------------------------------------------------------------------------


def to_references(references: Sequence[ReferenceJson] | None) -> tuple[Reference, ...]:
    return tuple(Reference(one.name, one.subject, one.version) for one in references or ())


def from_references(references: Sequence[Reference]) -> list[ReferenceJson] | None:
    return [ReferenceJson(one.name, one.subject, one.version) for one in references] or None


def to_metadata(metadata: MetadataJson | None) -> Metadata | None:
    if metadata is None:
        return None
    return Metadata(metadata.tags or {}, metadata.properties or {}, tuple(metadata.sensitive or ()))


def from_metadata(metadata: Metadata | None) -> MetadataJson | None:
    if metadata is None:
        return None
    return MetadataJson(
        {path: list(tags) for path, tags in metadata.tags.items()} or None,
        dict(metadata.properties) or None,
        list(metadata.sensitive) or None,
    )


def to_rule_set(rules: RuleSetJson | None) -> RuleSet | None:
    if rules is None:
        return None
    return RuleSet(
        tuple(map(_to_rule, rules.migration_rules or ())),
        tuple(map(_to_rule, rules.domain_rules or ())),
        tuple(map(_to_rule, rules.encoding_rules or ())),
        rules.enable_at,
    )


def from_rule_set(rules: RuleSet | None) -> RuleSetJson | None:
    if rules is None:
        return None
    return RuleSetJson(
        [_from_rule(rule) for rule in rules.migration_rules] or None,
        [_from_rule(rule) for rule in rules.domain_rules] or None,
        [_from_rule(rule) for rule in rules.encoding_rules] or None,
        rules.enable_at,
    )


def _to_rule(rule: RuleJson) -> Rule:
    fields: Mapping[str, Any] = msgspec.structs.asdict(rule)
    return Rule(**{**fields, "tags": tuple(rule.tags or ()), "params": rule.params or {}})


def _from_rule(rule: Rule) -> RuleJson:
    return RuleJson(
        rule.name,
        rule.doc,
        rule.kind,
        rule.mode,
        rule.type,
        list(rule.tags) or None,
        dict(rule.params) or None,
        rule.expr,
        rule.on_success,
        rule.on_failure,
        rule.disabled,
    )
