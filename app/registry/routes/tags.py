"""`POST /subjects/S/versions/V/tags`: a new version that differs in tags, metadata or rules."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from app.http.exchange import Answer
from app.registry.contracts import RuleSet, merge_rule_sets, validate_rules
from app.registry.errors import InvalidRuleSet
from app.registry.populating import NewSchema
from app.registry.records import MetadataJson, RuleSetJson, to_metadata, to_rule_set
from app.registry.registry import LATEST, SchemaRegistry
from app.registry.routes import wire
from app.registry.routes.forward import writes
from app.registry.routes.wire import Request, SchemaTags, answer, read, registered_answer, tag_changes, version_number


class TagsBody(Struct, frozen=True, rename="camel"):
    """What of a version shall be another in the new one."""

    new_version: int | None = None
    tags_to_add: list[SchemaTags] | None = None
    tags_to_remove: list[SchemaTags] | None = None
    metadata: MetadataJson | None = None
    rule_set: RuleSetJson | None = None
    rules_to_merge: RuleSetJson | None = None
    rules_to_remove: list[str] | None = None


routes = wire.routes()
_tags_body = msgspec.json.Decoder(TagsBody)


@routes.on("POST", "/subjects/{subject}/versions/{version}/tags")
@writes
async def tag(request: Request, subject: str, version: str) -> Answer:
    registry = request.context.registry
    body = await read(request, _tags_body)
    old = registry.version(subject, version_number(version)).content
    schema = NewSchema(
        old.text,
        old.schema_type,
        old.references,
        to_metadata(body.metadata) or old.metadata,
        _rules(registry, subject, body),
        body.new_version or LATEST,
        tag_changes=tag_changes(body.tags_to_add, body.tags_to_remove),
    )
    return answer(request, registered_answer(await registry.register(subject, schema)))


def _rules(registry: SchemaRegistry, subject: str, body: TagsBody) -> RuleSet | None:
    """Those of the body, or those of the version before the new one with some added and taken away."""
    if body.rules_to_merge is None and body.rules_to_remove is None:
        return to_rule_set(body.rule_set)
    if body.rule_set is not None:
        raise InvalidRuleSet("ruleSet should be omitted if specifying rulesToMerge or rulesToRemove")
    added = to_rule_set(body.rules_to_merge)
    if added is not None:
        validate_rules(added)
    before = registry.version(subject, body.new_version - 1 if body.new_version else LATEST).content.rule_set
    return _without(merge_rule_sets(before, added), body.rules_to_remove or ())


def _without(rules: RuleSet | None, names: Sequence[str]) -> RuleSet | None:
    if rules is None or not names:
        return rules
    return RuleSet(
        tuple(rule for rule in rules.migration_rules if rule.name not in names),
        tuple(rule for rule in rules.domain_rules if rule.name not in names),
        tuple(rule for rule in rules.encoding_rules if rule.name not in names),
        rules.enable_at,
    )
