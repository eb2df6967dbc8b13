"""`/mode`: what may be done in the registry, a context, a subject."""

import msgspec
from msgspec import Struct

from app.http.exchange import Answer
from app.registry.routes import wire
from app.registry.routes.forward import writes
from app.registry.routes.wire import Request, answer, flag, read

routes = wire.routes()


class ModeBody(Struct, frozen=True):
    mode: str | None = None


_body = msgspec.json.Decoder(ModeBody)


@routes.on("GET", "/mode")
async def get_global(request: Request) -> Answer:
    return answer(request, {"mode": request.context.scopes.mode(None)})


@routes.on("GET", "/mode/{subject}")
async def get(request: Request, subject: str) -> Answer:
    default_to_global = flag(request, "defaultToGlobal")
    return answer(request, {"mode": request.context.scopes.mode(subject, default_to_global=default_to_global)})


@routes.on("PUT", "/mode")
@writes
async def put_global(request: Request) -> Answer:
    return await _put(request, None)


@routes.on("PUT", "/mode/{subject}")
@writes
async def put(request: Request, subject: str) -> Answer:
    return await _put(request, subject)


@routes.on("DELETE", "/mode")
@writes
async def delete_global(request: Request) -> Answer:
    return await _delete(request, None)


@routes.on("DELETE", "/mode/{subject}")
@writes
async def delete(request: Request, subject: str) -> Answer:
    return await _delete(request, subject)


async def _put(request: Request, subject: str | None) -> Answer:
    body = await read(request, _body)
    mode = await request.context.scopes.set_mode(subject, body.mode, force=flag(request, "force"))
    return answer(request, {"mode": mode})


async def _delete(request: Request, subject: str | None) -> Answer:
    mode = await request.context.scopes.delete_mode(subject, recursive=flag(request, "recursive"))
    return answer(request, {"mode": mode})
