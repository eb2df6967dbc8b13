"""`/v1/metadata`: which cluster and which version this is."""

from app.http.exchange import Answer
from app.registry.routes import wire
from app.registry.routes.wire import Request, answer
from app.version import VERSION

routes = wire.routes()


@routes.on("GET", "/v1/metadata/id")
async def cluster_id(request: Request) -> Answer:
    metadata = await request.context.admin.metadata()
    group_id = request.context.settings.schema_registry_group_id
    clusters = {"kafka-cluster": metadata.cluster_id, "schema-registry-cluster": group_id}
    return answer(request, {"scope": {"path": [], "clusters": clusters}, "id": ""})


@routes.on("GET", "/v1/metadata/version")
async def version(request: Request) -> Answer:
    return answer(request, {"version": VERSION, "commitId": ""})


@routes.on("GET", "/v1/metadata/deployment")
async def deployment(request: Request) -> Answer:
    return answer(request, {"attributes": []})
