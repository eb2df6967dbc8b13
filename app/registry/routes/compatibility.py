"""`/compatibility`: could this schema be registered?"""

import msgspec

from app.http.exchange import Answer
from app.registry.errors import InvalidSchema
from app.registry.routes import wire
from app.registry.routes.wire import Request, SchemaBody, answer, flag, read, version_number

routes = wire.routes()
_body = msgspec.json.Decoder(SchemaBody)


@routes.on("POST", "/compatibility/subjects/{subject}/versions/{version}")
async def with_version(request: Request, subject: str, version: str) -> Answer:
    return await _check(request, subject, version_number(version))


@routes.on("POST", "/compatibility/subjects/{subject}/versions")
async def with_all(request: Request, subject: str) -> Answer:
    return await _check(request, subject, None)


async def _check(request: Request, subject: str, number: int | None) -> Answer:
    schema = (await read(request, _body)).to_schema()
    verbose = flag(request, "verbose")
    try:
        reasons = await request.context.registry.incompatibilities(
            subject, schema, number, normalize=flag(request, "normalize")
        )
    except InvalidSchema as error:
        if not verbose:
            raise
        reasons = [str(error)]
    found: dict[str, object] = {"is_compatible": not reasons}
    if verbose:
        found["messages"] = reasons
    return answer(request, found)
