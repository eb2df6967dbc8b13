"""`/subjects`: the list, lookup by content, deletion of a whole subject, `/`."""

import msgspec

from app.http.exchange import Answer
from app.registry.contexts import WILDCARD
from app.registry.refusals import SchemaNotFound, SubjectNotFound
from app.registry.routes import wire
from app.registry.routes.forward import writes
from app.registry.routes.text import formatted
from app.registry.routes.wire import Request, SchemaBody, answer, flag, page, read, version_answer

routes = wire.routes()
_body = msgspec.json.Decoder(SchemaBody)


@routes.on("GET", "/")
@routes.on("POST", "/")
async def root(request: Request) -> Answer:
    return answer(request, {})


@routes.on("GET", "/subjects")
async def list_subjects(request: Request) -> Answer:
    found = request.context.registry.subjects(
        request.query.get("subjectPrefix", WILDCARD),
        deleted=flag(request, "deleted"),
        deleted_only=flag(request, "deletedOnly"),
    )
    return answer(request, page(request, found))


@routes.on("POST", "/subjects/{subject}")
async def look_up(request: Request, subject: str) -> Answer:
    registry = request.context.registry
    schema = (await read(request, _body)).to_schema()
    deleted = flag(request, "deleted")
    found = await registry.lookup(subject, schema, normalize=flag(request, "normalize"), deleted=deleted)
    if found is None:
        name = registry.core.subject(subject)
        if not any(deleted or not one.is_deleted for one in registry.view.versions(name).values()):
            raise SubjectNotFound(name)
        raise SchemaNotFound(message="Schema not found")
    return answer(request, version_answer(found, await formatted(request, found)))


@routes.on("DELETE", "/subjects/{subject}")
@writes
async def delete(request: Request, subject: str) -> Answer:
    return answer(request, await request.context.deletion.delete_subject(subject, permanent=flag(request, "permanent")))


@routes.on("GET", "/subjects/{subject}/metadata")
async def latest_with_metadata(request: Request, subject: str) -> Answer:
    keys = [value for name, value in request.query_pairs if name == "key"]
    values = [value for name, value in request.query_pairs if name == "value"]
    wanted = dict(zip(keys, values, strict=False))
    found = request.context.registry.latest_with(subject, wanted, deleted=flag(request, "deleted"))
    if found is None:
        raise SchemaNotFound(message="Schema not found")
    return answer(request, version_answer(found, await formatted(request, found)))
