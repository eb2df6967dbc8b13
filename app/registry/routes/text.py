"""A registered schema in the form that the query asks for: `format`, `referenceFormat`, `findTags`."""

from typing import Any

from app.registry.contexts import DEFAULT_CONTEXT, context_of, in_context_of
from app.registry.inline_tags import tags_in
from app.registry.inline_tags.entity import wanted
from app.registry.records import ReferenceJson
from app.registry.routes.wire import Request, SchemaEntity, SchemaTags
from app.registry.view import Content, Version


async def formatted(request: Request, version: Version) -> str | None:
    """None: the canonical text will do."""
    name = request.query.get("format") if "format" in request.query else None
    if not name:
        return None
    core = request.context.registry.core
    parsed = await core.parse_stored(version)
    return await core.parser.off_loop(lambda: parsed.formatted(name), len(parsed.canonical))


async def formatted_content(request: Request, content: Content) -> str | None:
    """The same for a schema by its id; any of its versions has what it refers to."""
    if not request.scope["query_string"] or "format" not in request.query:
        return None
    return await formatted(request, next(iter(content.uses.values())))


async def extras(request: Request, content: Content, subject: str) -> dict[str, Any]:
    """Fields of the answer that only the query asks for. subject: one that has the schema."""
    if not request.scope["query_string"]:
        return {}
    found: dict[str, Any] = {}
    if content.references and request.query.get("referenceFormat") == "qualified":
        found["references"] = _qualified(content, subject)
    names = [value for name, value in request.query_pairs if name == "findTags" and value]
    if names:
        parser = request.context.registry.core.parser
        tags = await parser.off_loop(lambda: tags_in(content.schema_type, content.text), len(content.text))
        found["schema_tags"] = [
            SchemaTags(SchemaEntity(one.entity.path, one.entity.kind), list(one.tags)) for one in wanted(tags, names)
        ] or None
    return found


def _qualified(content: Content, subject: str) -> list[ReferenceJson]:
    """References with the context their subjects stand in; those of the default context have none."""
    return [
        ReferenceJson(
            one.name,
            one.subject if context_of(subject) == DEFAULT_CONTEXT else in_context_of(subject, one.subject),
            one.version,
        )
        for one in content.references
    ]
