"""The Schema Registry as one ASGI application, shaped as the REST Proxy's: plain ASGI with msgspec."""

import logging
from collections.abc import Mapping
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from app.http import exchange
from app.http.errors import HttpError, InternalServerError, MethodNotAllowed, NotAcceptable, UnsupportedMediaType
from app.http.exchange import Answer, ClientDisconnected, Response
from app.http.json_body import encode
from app.http.media_types import parse_content_type
from app.http.routing import Endpoint, Router, decode_segment
from app.kafka.ports import ClusterUnreachable
from app.registry.contexts import WILDCARD, context_name
from app.registry.errors import SchemaError
from app.registry.refusals import IncompatibleSchema, RegistryError
from app.registry.routes import associations, cluster, compatibility, config, mode, schemas, subjects, tags, versions
from app.registry.routes import contexts as context_routes
from app.registry.routes.forward import forward, is_write
from app.registry.routes.wire import V1, Request
from app.registry.service import RegistryService
from broker.errors import KafkaError

log = logging.getLogger("caudal.registry")

_METHODS_WITH_BODY = frozenset({"POST", "PUT"})
_PREFIX = "/contexts/"
ROUTES = (
    subjects.routes,
    versions.routes,
    tags.routes,
    schemas.routes,
    compatibility.routes,
    config.routes,
    mode.routes,
    context_routes.routes,
    cluster.routes,
    associations.routes,
)


def create_registry(service: RegistryService) -> "RegistryApp":
    return RegistryApp(service)


class RegistryApp:
    """The ASGI application; takes only `http` scopes. Starting and stopping the service is its owner's."""

    def __init__(self, service: RegistryService) -> None:
        self.service = service
        self._router = Router(*ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: Request = exchange.Request(scope, receive, self.service)
        try:
            if request.path.startswith(_PREFIX):
                _enter_context(request)
            endpoint, parameters = self._router.find(scope["method"], request.path)
            _negotiate(request, endpoint)
            if not self.service.store.is_ready:
                await self.service.store.ready()
            answer = await self._answer(request, endpoint, parameters)
        except ClientDisconnected:
            return
        except Exception as error:
            answer = self._error_answer(request, error)
        await answer.send_to(send, request)

    async def _answer(self, request: Request, endpoint: Endpoint, parameters: tuple[str, ...]) -> Answer:
        if not is_write(endpoint):
            answer: Answer = await endpoint.function(request, *parameters)
            return answer
        async with self.service.writer.writing() as leader_url:
            if leader_url is not None:
                return await forward(request, leader_url)
            written: Answer = await endpoint.function(request, *parameters)
        return written

    def _error_answer(self, request: Request, error: Exception) -> Response:
        status, code, message = self._told(error)
        if status == 500 and not isinstance(error, RegistryError):
            log.error("request failed method=%s path=%s", request.method, request.path, exc_info=error)
        headers: list[tuple[bytes, bytes]] = []
        if isinstance(error, MethodNotAllowed):
            headers.append((b"allow", ", ".join(error.allowed).encode()))
        body = encode({"error_code": code, "message": message})
        return Response(status, body, request.media_type or V1, tuple(headers))

    def _told(self, error: Exception) -> tuple[int, int, str]:
        """HTTP status, error_code and message."""
        match error:
            case IncompatibleSchema():
                return 409, self.service.settings.incompatible_error_code, error.message
            case RegistryError() | SchemaError():
                return error.error_code // 100, error.error_code, str(error)
            case HttpError():
                return error.status, error.error_code, error.message
            case ClusterUnreachable():
                return 500, 50002, f"The Kafka cluster does not answer: {error}"
            case KafkaError():
                return 500, 50001, f"The Kafka cluster refused: {error}"
            case _:
                return 500, 500, InternalServerError.default_message


def _negotiate(request: Request, endpoint: Endpoint) -> None:
    """Set the answer's media type. Raises UnsupportedMediaType, NotAcceptable."""
    if request.scope["method"] in _METHODS_WITH_BODY:
        content_type = request.headers.get(b"content-type", b"")
        if content_type and parse_content_type(content_type).name not in endpoint.consumes:
            raise UnsupportedMediaType
    chosen = endpoint.offers.choose(request.headers.get(b"accept", b""))
    if chosen is None:
        raise NotAcceptable
    request.media_type = chosen


def _enter_context(request: Request) -> None:
    """`/contexts/C/<path>` is the same call in context C: its subjects qualified, its lists narrowed."""
    name, _, rest = request.path.removeprefix(_PREFIX).partition("/")
    if not rest:
        return
    context = context_name(decode_segment(name))
    whole = f":{context}:"
    query: dict[str, str] = dict(request.query)
    segments = rest.split("/")
    match segments:
        case ["subjects"] | ["schemas"]:
            query["subjectPrefix"] = _with_context(context, query.get("subjectPrefix", ""))
        case ["subjects" | "config" | "mode", subject, *_] if subject:
            segments[1] = _qualified(context, subject)
        case ["compatibility", "subjects", subject, *_]:
            segments[2] = _qualified(context, subject)
        case ["config" | "mode"] | ["config" | "mode", ""]:
            segments = [segments[0], quote(whole, safe="")]
        case ["schemas", "ids", *_]:
            query["subject"] = _with_context(context, query.get("subject", ""))
        case _:
            pass
    request.path = "/" + "/".join(segments)
    _set_query(request, query)


def _qualified(context: str, segment: str) -> str:
    subject = decode_segment(segment)
    return quote(subject if subject.startswith(":.") else f":{context}:{subject}", safe="")


def _with_context(context: str, subject: str) -> str:
    """One that names a context itself, or all of them, is left as it is."""
    return subject if subject.startswith((":.", WILDCARD)) else f":{context}:{subject}"


def _set_query(request: Request, query: Mapping[str, str]) -> None:
    request.__dict__["query"] = query
