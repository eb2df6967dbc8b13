"""`/v3/clusters/{cluster_id}/acls`: find, create (one or many), delete."""

from dataclasses import asdict
from enum import IntEnum
from typing import TypeVar
from urllib.parse import quote

import msgspec

from app.http.json_body import answer, decode, read_utf8
from app.kafka.acls import Acl, AclFilter, AclOperation, AclPatternType, AclPermission, AclResourceType
from app.rest.errors import BadRequest, Unprocessable
from app.rest.http import Request, Response
from app.rest.v3.resources import Place, Resource, answer_list, find_cluster, v3_routes

routes = v3_routes("/v3/clusters/{cluster_id}")

E = TypeVar("E", bound=IntEnum)

_REQUIRED_TO_DELETE = ("resource_type", "pattern_type", "operation", "permission")
_QUERY_SAFE = "*:/"  # as people write principals and hosts


class _CreateRequest(msgspec.Struct):
    resource_type: str | None = None
    resource_name: str | None = None
    pattern_type: str | None = None
    principal: str | None = None
    host: str | None = None
    operation: str | None = None
    permission: str | None = None


class _BatchRequest(msgspec.Struct):
    data: list[_CreateRequest] | None = None


_create_decoder = msgspec.json.Decoder(_CreateRequest)
_batch_decoder = msgspec.json.Decoder(_BatchRequest)


@routes.on("GET", "/acls")
async def find_acls(request: Request, cluster_id: str) -> Response:
    """Those that the query finds; what it does not name may be anything."""
    cluster = await find_cluster(request, cluster_id)
    found = await request.context.admin.acls.find(_filter(request))
    resources = [_acl_resource(cluster, cluster_id, acl) for acl in sorted(found)]
    query = request.scope["query_string"].decode("latin-1")
    return answer_list(request, "KafkaAcl", f"{cluster.url}/acls" + (f"?{query}" if query else ""), resources)


@routes.on("POST", "/acls", body=_CreateRequest)
async def create_acl(request: Request, cluster_id: str) -> Response:
    """201 without body; Location is the query that finds it."""
    cluster = await find_cluster(request, cluster_id)
    acl = _new_acl(decode(_create_decoder, await read_utf8(request) or b"{}"))
    await request.context.admin.acls.create([acl])
    return _created(_url(cluster, acl))


@routes.on("POST", "/acls:batch", body=_BatchRequest)
async def create_acls(request: Request, cluster_id: str) -> Response:
    cluster = await find_cluster(request, cluster_id)
    wanted = decode(_batch_decoder, await read_utf8(request) or b"{}").data
    if not wanted:
        raise Unprocessable("data may not be null or empty")
    await request.context.admin.acls.create([_new_acl(one) for one in wanted])
    return _created(f"{cluster.url}/acls")


@routes.on("DELETE", "/acls")
async def delete_acls(request: Request, cluster_id: str) -> Response:
    """Delete all that the query finds; it must say of what kind they are, lest one forgotten word deletes too much."""
    cluster = await find_cluster(request, cluster_id)
    for name in _REQUIRED_TO_DELETE:
        if not request.query.get(name):
            raise BadRequest(f"The query must name {', '.join(_REQUIRED_TO_DELETE)}; {name} is missing")
    deleted = await request.context.admin.acls.delete(_filter(request))
    return answer(request, {"data": [_acl_resource(cluster, cluster_id, acl) for acl in sorted(deleted)]})


def _created(url: str) -> Response:
    return Response(201, headers=((b"location", url.encode()), (b"content-length", b"0")))


def _filter(request: Request) -> AclFilter:
    query = request.query
    return AclFilter(
        _wanted(AclResourceType, "resource_type", query.get("resource_type")),
        query.get("resource_name") or None,
        _wanted(AclPatternType, "pattern_type", query.get("pattern_type")),
        query.get("principal") or None,
        query.get("host") or None,
        _wanted(AclOperation, "operation", query.get("operation")),
        _wanted(AclPermission, "permission", query.get("permission")),
    )


def _wanted(words: type[E], field: str, word: str | None) -> E:
    """The number of a word of the query, in any case; ANY when it is left out. Raises BadRequest, for UNKNOWN too."""
    found = words.__members__.get(word.upper()) if word else words["ANY"]
    if found is None or found.name == "UNKNOWN":
        raise BadRequest(f"{field} is {word!r}, not one of {', '.join(list(words.__members__)[1:])}")
    return found


def _new_acl(wanted: _CreateRequest) -> Acl:
    """Raises Unprocessable for what is missing, BadRequest for a word that no ACL can have."""
    return Acl(
        _stated(AclResourceType, "resource_type", wanted.resource_type),
        _given("resource_name", wanted.resource_name),
        _stated(AclPatternType, "pattern_type", wanted.pattern_type),
        _given("principal", wanted.principal),
        _given("host", wanted.host),
        _stated(AclOperation, "operation", wanted.operation),
        _stated(AclPermission, "permission", wanted.permission),
    )


def _given(field: str, value: str | None) -> str:
    if not value:
        raise Unprocessable(f"{field} may not be null or empty")
    return value


def _stated(words: type[E], field: str, word: str | None) -> E:
    found = words.__members__.get(_given(field, word).upper())
    if found is None or found.name in ("UNKNOWN", "ANY", "MATCH"):
        possible = [name for name in words.__members__ if name not in ("UNKNOWN", "ANY", "MATCH")]
        raise BadRequest(f"{field} is {word!r}, not one of {', '.join(possible)}")
    return found


def _words(acl: Acl) -> dict[str, str]:
    return {field: value.name if isinstance(value, IntEnum) else str(value) for field, value in asdict(acl).items()}


def _url(cluster: Place, acl: Acl) -> str:
    query = "&".join(f"{field}={quote(word, safe=_QUERY_SAFE)}" for field, word in _words(acl).items())
    return f"{cluster.url}/acls?{query}"


def _acl_resource(cluster: Place, cluster_id: str, acl: Acl) -> Resource:
    """An ACL has no name of its own: its address is the query that finds it."""
    return {"kind": "KafkaAcl", "metadata": {"self": _url(cluster, acl)}, "cluster_id": cluster_id, **_words(acl)}
