"""What only Confluent Server does, on paths that are ours for other methods: 404, as all of its others are."""

from app.rest.errors import NotFound
from app.rest.http import Request, Response
from app.rest.v3.resources import v3_routes

routes = v3_routes("/v3/clusters/{cluster_id}/brokers")


@routes.on("DELETE", "/{broker_id}")
@routes.on("POST", "/{broker_id}")  # {broker_id}:unregister
async def has_no_such_operation(request: Request, cluster_id: str, broker_id: str) -> Response:
    raise NotFound
