"""`POST /subjects/S/versions/V/tags`: a new version that differs in tags, metadata or rules."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from app.http.exchange import Answer
from app.registry.contracts import RuleSet, merge_rule_sets
from app.registry.inline_tags import TagChange, with_tags
from app.registry.records import MetadataJson, RuleSetJson, to_metadata, to_rule_set
from app.registry.registry import LATEST, NewSchema
from app.registry.routes import wire
from app.registry.routes.forward import writes
from app.registry.routes.wire import Request, SchemaTags, answer, read, registered_answer, version_number


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
    old = registry.version(subject, version_number(version), deleted=True).content
    changes = [*_changes(body.tags_to_add), *_changes(body.tags_to_remove, is_removal=True)]
    rules = to_rule_set(body.rule_set) or old.rule_set
    if body.rules_to_merge is not None:
        rules = merge_rule_sets(rules, to_rule_set(body.rules_to_merge))
    schema = NewSchema(
        with_tags(old.schema_type, old.text, changes),
        old.schema_type,
        old.references,
        to_metadata(body.metadata) or old.metadata,
        _without(rules, body.rules_to_remove or ()),
        body.new_version or LATEST,
    )
    return answer(request, registered_answer(await registry.register(subject, schema)))


def _changes(tags: Sequence[SchemaTags] | None, *, is_removal: bool = False) -> list[TagChange]:
    return [TagChange(one.schema_entity.get("entityPath", ""), tuple(one.tags), is_removal) for one in tags or ()]


def _without(rules: RuleSet | None, names: Sequence[str]) -> RuleSet | None:
    if rules is None or not names:
        return rules
    return RuleSet(
        tuple(rule for rule in rules.migration_rules if rule.name not in names),
        tuple(rule for rule in rules.domain_rules if rule.name not in names),
        tuple(rule for rule in rules.encoding_rules if rule.name not in names),
        rules.enable_at,
    )
