"""A registered schema in the form that the query asks for (`format`)."""

from app.registry.routes.wire import Request
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
