"""`/schemas`: by id, by guid, and all of them."""

from uuid import UUID

from app.http.errors import NotFound
from app.http.exchange import Answer, Response
from app.registry.contexts import WILDCARD, context_of, normalize, qualify, split
from app.registry.refusals import SchemaNotFound
from app.registry.routes import wire
from app.registry.routes.text import extras, formatted_content
from app.registry.routes.wire import SCHEMAS_MAX, Request, answer, content_answer, flag, page, version_answer
from app.registry.view import Content, Version

# A schema never changes behind its id; but a registry that is wiped gives ids anew, so not for ever.
CACHEABLE = ((b"cache-control", b"public, max-age=3600, immutable"),)

routes = wire.routes()


@routes.on("GET", "/schemas/types")
async def types(request: Request) -> Answer:
    return answer(request, ["JSON", "PROTOBUF", "AVRO"])


@routes.on("GET", "/schemas/ids/{id}")
async def by_id(request: Request, schema_id: str) -> Answer:
    number = _number(schema_id)
    if not request.scope["query_string"] and "query" not in request.__dict__:
        found = request.context.registry.view.context(".").by_id.get(number)
        if found is None:
            raise SchemaNotFound(number)
        return answer(request, content_answer(found), headers=CACHEABLE)
    context, content = _content(request, number)
    use = _use(request, context, content, number)
    more = await extras(request, content, use.subject)
    if flag(request, "fetchMaxId"):
        more["max_id"] = request.context.registry.view.context(context).id_max
    if "subject" in request.query:
        more |= {"subject": use.subject, "version": use.version}
    return answer(request, content_answer(content, await formatted_content(request, content), **more))


@routes.on("GET", "/schemas/ids/{id}/schema")
async def text_by_id(request: Request, schema_id: str) -> Answer:
    _, content = _content(request, _number(schema_id))
    text = await formatted_content(request, content) or content.text
    return Response(200, text.encode(), request.media_type, CACHEABLE)


@routes.on("GET", "/schemas/ids/{id}/subjects")
async def subjects_by_id(request: Request, schema_id: str) -> Answer:
    uses = _uses(request, _number(schema_id))
    return answer(request, page(request, list(dict.fromkeys(use.subject for use in uses))))


@routes.on("GET", "/schemas/ids/{id}/versions")
async def versions_by_id(request: Request, schema_id: str) -> Answer:
    uses = _uses(request, _number(schema_id))
    return answer(request, page(request, [{"subject": use.subject, "version": use.version} for use in uses]))


@routes.on("GET", "/schemas/guids/{guid}")
async def by_guid(request: Request, guid: str) -> Answer:
    content = _by_guid(request, guid)
    return answer(request, content_answer(content, await formatted_content(request, content)), headers=CACHEABLE)


@routes.on("GET", "/schemas/guids/{guid}/ids")
async def ids_by_guid(request: Request, guid: str) -> Answer:
    content = _by_guid(request, guid)
    contexts = request.context.registry.view.contexts.values()
    found = [{"context": one.name, "id": one.ids[content.guid]} for one in contexts if content.guid in one.ids]
    return answer(request, found)


@routes.on("GET", "/schemas")
async def list_schemas(request: Request) -> Answer:
    if any(request.query.get(name) for name in ("resourceType", "associationType", "lifecycle")):
        return answer(request, [])  # of associations, and there are none
    registry = request.context.registry
    deleted = flag(request, "deleted")
    prefix = request.query.get("subjectPrefix", WILDCARD)
    subjects = registry.subjects(prefix, deleted=deleted)
    aliases = registry.aliases(prefix) if flag(request, "aliases") else {}
    if aliases:
        subjects = sorted({*subjects, *aliases})
    latest_only = flag(request, "latestOnly")
    rule_type = request.query.get("ruleType")
    found = []
    for subject in subjects:
        versions = sorted(registry.view.versions(subject).values(), key=lambda one: one.version)
        versions = [one for one in versions if deleted or not one.is_deleted]
        found += versions[-1:] if latest_only else versions
    if rule_type:
        found = [one for one in found if _has_rule(one.content, rule_type)]
    chosen = page(request, found, default=SCHEMAS_MAX, maximum=SCHEMAS_MAX)
    return answer(request, [version_answer(one, aliases=aliases.get(one.subject)) for one in chosen])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise NotFound
    return int(text)


def _content(request: Request, number: int) -> tuple[str, Content]:
    found = request.context.registry.content_by_id(number, request.query.get("subject"))
    if found is None:
        raise SchemaNotFound(number)
    return found


def _use(request: Request, context: str, content: Content, number: int) -> Version:
    """Where an id was registered last; of the subject that is asked for, if it has it."""
    name = split(normalize(request.query.get("subject", ""))).subject
    uses = [one for one in content.uses.values() if one.id == number and context_of(one.subject) == context]
    wanted = [one for one in uses if one.subject == qualify(context, name)]
    return (wanted or uses)[-1]


def _uses(request: Request, number: int) -> list[Version]:
    found = request.context.registry.uses_of_id(number, request.query.get("subject"), deleted=flag(request, "deleted"))
    if found is None:
        raise SchemaNotFound(number)
    return found


def _by_guid(request: Request, guid: str) -> Content:
    try:
        content = request.context.registry.view.contents.get(UUID(guid).bytes)
    except ValueError:
        content = None
    if content is None:
        raise SchemaNotFound(guid)
    return content


def _has_rule(content: Content, rule_type: str) -> bool:
    rules = content.rule_set
    return rules is not None and any(
        rule.type == rule_type for rule in (*rules.migration_rules, *rules.domain_rules, *rules.encoding_rules)
    )
