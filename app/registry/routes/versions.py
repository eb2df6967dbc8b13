"""`/subjects/S/versions`: registration, versions, who refers to them, their deletion, tags."""

import msgspec

from app.http.exchange import Answer, Response
from app.registry.routes import wire
from app.registry.routes.forward import writes
from app.registry.routes.text import extras, formatted
from app.registry.routes.wire import (
    SCHEMAS_MAX,
    Request,
    SchemaBody,
    answer,
    flag,
    page,
    read,
    registered_answer,
    version_answer,
    version_number,
)

routes = wire.routes()
_body = msgspec.json.Decoder(SchemaBody)


@routes.on("GET", "/subjects/{subject}/versions")
async def list_versions(request: Request, subject: str) -> Answer:
    deleted_only = flag(request, "deletedOnly")
    negative = flag(request, "deletedAsNegative") and not deleted_only
    found = request.context.registry.versions(
        subject, deleted=flag(request, "deleted") or negative, deleted_only=deleted_only
    )
    numbers = [-one.version if negative and one.is_deleted else one.version for one in found]
    return answer(request, page(request, numbers))


@routes.on("POST", "/subjects/{subject}/versions")
@writes
async def register(request: Request, subject: str) -> Answer:
    schema = (await read(request, _body)).to_schema()
    found = await request.context.registry.register(subject, schema, normalize=flag(request, "normalize"))
    return answer(request, registered_answer(found, await formatted(request, found)))


@routes.on("GET", "/subjects/{subject}/versions/{version}")
async def get_version(request: Request, subject: str, version: str) -> Answer:
    found = request.context.registry.version(subject, version_number(version), deleted=flag(request, "deleted"))
    more = await extras(request, found.content, found.subject)
    return answer(request, version_answer(found, await formatted(request, found), **more))


@routes.on("GET", "/subjects/{subject}/versions/{version}/schema")
async def get_text(request: Request, subject: str, version: str) -> Answer:
    found = request.context.registry.version(subject, version_number(version), deleted=flag(request, "deleted"))
    text = await formatted(request, found) or found.content.text
    return Response(200, text.encode(), request.media_type)


@routes.on("GET", "/subjects/{subject}/versions/{version}/referencedby")
async def referenced_by(request: Request, subject: str, version: str) -> Answer:
    registry = request.context.registry
    found = registry.version(subject, version_number(version), deleted=True)
    referrers = registry.view.referrers(found.subject, found.version, deleted=flag(request, "deleted"))
    ids = sorted({one.id for one in referrers})
    return answer(request, page(request, ids, default=SCHEMAS_MAX, maximum=SCHEMAS_MAX))


@routes.on("DELETE", "/subjects/{subject}/versions/{version}")
@writes
async def delete_version(request: Request, subject: str, version: str) -> Answer:
    number = version_number(version)
    permanent = flag(request, "permanent")
    return answer(request, await request.context.deletion.delete_version(subject, number, permanent=permanent))
