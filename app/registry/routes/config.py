"""`/config`: what holds for the registry, a context, a subject."""

import msgspec

from app.http.exchange import Answer
from app.registry.records import ConfigJson, ConfigUpdate
from app.registry.routes import wire
from app.registry.routes.forward import writes
from app.registry.routes.wire import Request, answer, flag, read

routes = wire.routes()
_update = msgspec.json.Decoder(ConfigUpdate)


@routes.on("GET", "/config")
async def get_global(request: Request) -> Answer:
    return answer(request, _shown(request.context.scopes.config(None)))


@routes.on("GET", "/config/{subject}")
async def get(request: Request, subject: str) -> Answer:
    config = request.context.scopes.config(subject, default_to_global=flag(request, "defaultToGlobal"))
    return answer(request, _shown(config))


@routes.on("PUT", "/config")
@writes
async def put_global(request: Request) -> Answer:
    return await _put(request, None)


@routes.on("PUT", "/config/{subject}")
@writes
async def put(request: Request, subject: str) -> Answer:
    return await _put(request, subject)


@routes.on("DELETE", "/config")
@writes
async def delete_global(request: Request) -> Answer:
    return answer(request, _shown(await request.context.scopes.delete_config(None)))


@routes.on("DELETE", "/config/{subject}")
@writes
async def delete(request: Request, subject: str) -> Answer:
    return answer(request, _shown(await request.context.scopes.delete_config(subject)))


async def _put(request: Request, subject: str | None) -> Answer:
    update = await read(request, _update)
    await request.context.scopes.update_config(subject, update)
    return answer(request, update)


def _shown(config: ConfigJson) -> ConfigJson:
    """Without the subject that a stored value carries."""
    return ConfigJson(**{name: getattr(config, name) for name in ConfigJson.__struct_fields__})
