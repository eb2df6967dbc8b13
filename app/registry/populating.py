"""What becomes part of a schema that its client did not send: from the version before, from the config."""

from dataclasses import dataclass, replace

from app.registry.contracts import Metadata, RuleSet, merge_metadata, merge_rule_sets
from app.registry.errors import InvalidSchema
from app.registry.inline_tags import TagChange, tags_in, with_tags
from app.registry.records import ConfigJson, to_metadata, to_rule_set
from app.registry.schema import Reference
from app.registry.view import Content

VERSION_PROPERTY = "confluent:version"


@dataclass(frozen=True, slots=True)
class NewSchema:
    """A schema as a client sends it. version 0: the next one, LATEST: that too, and told in its metadata; id None: the
    registry chooses. tag_changes are made in its text; with keeps_tags it gets the tags of the version before."""

    text: str | None
    schema_type: str | None = None
    references: tuple[Reference, ...] = ()
    metadata: Metadata | None = None
    rule_set: RuleSet | None = None
    version: int = 0
    id: int | None = None
    tag_changes: tuple[TagChange, ...] = ()
    keeps_tags: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.text or self.text.isspace()


def has_defaults(config: ConfigJson) -> bool:
    """Whether the config adds to what is registered."""
    return any(
        part is not None
        for part in (
            config.default_metadata,
            config.override_metadata,
            config.default_rule_set,
            config.override_rule_set,
        )
    )


def tagged(schema: NewSchema) -> NewSchema:
    """With its own tag changes made. Raises InvalidSchema for a place that is not there, and for no text."""
    if not schema.tag_changes:
        return schema
    if schema.text is None or schema.is_empty:
        raise InvalidSchema("Empty schema")
    text = with_tags(schema.schema_type, schema.text, schema.tag_changes)
    return replace(schema, text=text, tag_changes=())


def populated(schema: NewSchema, previous: Content | None, config: ConfigJson, number: int) -> NewSchema:
    """What the client left out, from the version before; then the config's defaults below and overrides above.

    number is the version it would get. Raises InvalidSchema for no text without a version before.
    """
    if schema.is_empty:
        if previous is None:
            raise InvalidSchema("Empty schema")
        schema = replace(schema, text=previous.text, schema_type=previous.schema_type, references=previous.references)
    if schema.keeps_tags and previous is not None and schema.text is not None:
        changes = [TagChange(one.entity, added=one.tags) for one in tags_in(previous.schema_type, previous.text)]
        schema = replace(schema, text=with_tags(schema.schema_type, schema.text, changes))
    schema = with_contract(schema, previous, config)
    metadata = schema.metadata
    if schema.version or (metadata is not None and VERSION_PROPERTY in metadata.properties):
        metadata = merge_metadata(metadata, Metadata(properties={VERSION_PROPERTY: str(number)}))
    return replace(schema, metadata=metadata)


def with_contract(schema: NewSchema, previous: Content | None, config: ConfigJson) -> NewSchema:
    """With the metadata and rules that it would be registered with, but for its version's number."""
    metadata = schema.metadata or (previous.metadata if previous else None)
    rule_set = schema.rule_set or (previous.rule_set if previous else None)
    return replace(
        schema,
        metadata=merge_metadata(
            merge_metadata(to_metadata(config.default_metadata), metadata), to_metadata(config.override_metadata)
        ),
        rule_set=merge_rule_sets(
            merge_rule_sets(to_rule_set(config.default_rule_set), rule_set), to_rule_set(config.override_rule_set)
        ),
    )
