"""`/associations`: of subjects with resources (8.x). None are kept here, and clients that ask are told so in the
standard shape: some probe this before each serialization and go on only after such an answer."""

from app.http.exchange import Answer
from app.registry.refusals import AssociationNotFound
from app.registry.routes import wire
from app.registry.routes.wire import Request, answer

routes = wire.routes()


@routes.on("GET", "/associations/subjects/{subject}")
async def of_subject(request: Request, subject: str) -> Answer:
    return answer(request, [])


@routes.on("GET", "/associations/resources/{namespace}/{name}")
async def of_name(request: Request, namespace: str, name: str) -> Answer:
    return answer(request, [])


@routes.on("GET", "/associations/resources/{id}")
async def of_resource(request: Request, resource_id: str) -> Answer:
    return answer(request, [])


@routes.on("DELETE", "/associations/resources/{id}")
async def delete(request: Request, resource_id: str) -> Answer:
    raise AssociationNotFound(resource_id)
