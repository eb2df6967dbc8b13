"""`/contexts`: which there are, and deleting an empty one. `/contexts/C/…` is rewritten before it comes here."""

from app.http.exchange import Answer
from app.http.json_body import no_content
from app.registry.routes import wire
from app.registry.routes.forward import writes
from app.registry.routes.wire import Request, answer, page

routes = wire.routes()


@routes.on("GET", "/contexts")
async def list_contexts(request: Request) -> Answer:
    prefix = request.query.get("contextPrefix", "")
    names = sorted(name for name in request.context.registry.view.context_names() if name.startswith(prefix))
    return answer(request, page(request, names))


@routes.on("DELETE", "/contexts/{context}")
@writes
async def delete(request: Request, context: str) -> Answer:
    await request.context.deletion.delete_context(context)
    return no_content()
