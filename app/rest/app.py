"""The REST Proxy as one ASGI application: REST API v2 and v3 over a cluster's ports.

Plain ASGI with msgspec. A request finds its endpoint, the types of both bodies are checked, the endpoint answers, and
whatever it raises becomes `{"error_code", "message"}` here and nowhere else.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from app.cluster.tail import TopicTails
from app.http import exchange
from app.http.json_body import encode
from app.http.routing import Endpoint, Router
from app.kafka.ports import ClusterAdmin, ConsumerFactory, Producer
from app.rest.consumers import ConsumerInstances
from app.rest.context import Clock, RestContext
from app.rest.endpoints import build_router
from app.rest.errors import InternalServerError, MethodNotAllowed, NotAcceptable, UnsupportedMediaType, translate
from app.rest.http import Answer, ClientDisconnected, Request, Response
from app.rest.idempotency import KeyedAnswers
from app.rest.negotiation import JSON, V2, parse_content_type
from app.rest.observation.observed import ENDPOINT
from app.rest.openapi.routes import Documentation
from app.rest.reads import group_routes as group_reads
from app.rest.reads import routes as reads
from app.rest.settings import RestSettings
from app.rest.v2 import consumers as v2_consumers
from app.rest.v2 import metadata as v2_metadata
from app.rest.v2 import produce as v2_produce
from app.rest.v3 import (
    acls,
    brokers,
    clusters,
    configs,
    consumer_groups,
    partitions,
    reassignments,
    records,
    share_groups,
    topics,
)
from app.schemas.ports import SchemaAccess

log = logging.getLogger(__name__)

V2_ROUTES = (v2_metadata.routes, v2_produce.routes, v2_consumers.routes)
V3_ROUTES = (
    clusters.routes,
    brokers.routes,
    topics.routes,
    configs.routes,
    partitions.routes,
    reassignments.routes,
    acls.routes,
    consumer_groups.routes,
    share_groups.routes,
    records.routes,
)

OUR_ROUTES = (reads.routes, group_reads.routes)

DOCUMENTATION = Documentation(V2_ROUTES, V3_ROUTES, OUR_ROUTES)

_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class OtherCluster(NamedTuple):
    """A cluster beside the default one; name is what the settings call it."""

    name: str
    admin: ClusterAdmin
    producer: Producer


def create_rest(
    *,
    admin: ClusterAdmin,
    producer: Producer,
    consumers: ConsumerFactory,
    clock: Clock,
    settings: RestSettings | None = None,
    schemas: SchemaAccess | None = None,
    others: Sequence[OtherCluster] = (),
) -> "RestProxy":
    """The proxy; `stop` is its owner's to call. Without schemas, formats that need a registry answer 408 / 40801.

    others: clusters that v3 serves beside the one of admin; the schemas are those of all.
    """
    settings = settings or RestSettings()
    instances = ConsumerInstances(consumers, admin=admin, settings=settings, clock=clock)
    keyed_answers = KeyedAnswers(settings, clock)
    default = RestContext(
        admin=admin,
        producer=producer,
        consumers=instances,
        settings=settings,
        clock=clock,
        tails=TopicTails(admin),
        keyed_answers=keyed_answers,
        schemas=schemas,
    )
    default.others = tuple(
        RestContext(
            admin=one.admin,
            producer=one.producer,
            consumers=instances,
            settings=settings,
            clock=clock,
            tails=TopicTails(one.admin),
            keyed_answers=keyed_answers,
            schemas=schemas,
            name=one.name,
        )
        for one in others
    )
    return RestProxy(default)


def routes_of(settings: RestSettings) -> Router:
    """The router of the endpoints that the settings leave. Raises StartError for a list with an unknown name."""
    return build_router(V2_ROUTES, V3_ROUTES, OUR_ROUTES, settings, always=DOCUMENTATION.all_routes)


class RestProxy:
    """The ASGI application; takes only `http` scopes."""

    def __init__(self, context: RestContext) -> None:
        self.context = context
        self._router = routes_of(context.settings)

    async def stop(self) -> None:
        """Close all consumer instances; requests that come later find none."""
        self.context.stop_looking()
        await self.context.consumers.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = exchange.Request(scope, receive, self.context)
        try:
            endpoint, parameters = self._router.find(scope["method"], request.path)
            scope[ENDPOINT] = endpoint.name
            _negotiate(request, endpoint)
            answer: Answer = await endpoint.function(request, *parameters)
        except ClientDisconnected:
            return
        except Exception as error:
            answer = _error_answer(request, error)
        await answer.send_to(send, request)


def _negotiate(request: Request, endpoint: Endpoint) -> None:
    """Set the answer's media type. Raises UnsupportedMediaType, NotAcceptable."""
    content_type = request.headers.get(b"content-type", b"")
    if request.scope["method"] in _METHODS_WITH_BODY:
        if content_type:
            if parse_content_type(content_type).name not in endpoint.consumes:
                raise UnsupportedMediaType
        elif request.has_body:
            raise UnsupportedMediaType
    chosen = endpoint.offers.choose(request.headers.get(b"accept", b""))
    if chosen is None:
        raise NotAcceptable
    request.media_type = chosen


def _error_answer(request: Request, error: Exception) -> Response:
    told = translate(error)
    if told is None:
        log.error("request failed method=%s path=%s", request.method, request.path, exc_info=error)
        told = InternalServerError()
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(told, MethodNotAllowed):
        headers.append((b"allow", ", ".join(told.allowed).encode()))
    body = encode({"error_code": told.error_code, "message": told.message})
    media_type = JSON if request.path.startswith("/v3") else V2
    return Response(told.status, body, media_type, tuple(headers))
