"""The OpenAPI 3.1 document, made of routes and their descriptions."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

import app.rest.errors
from app.http.routing import Endpoint, Routes
from app.rest.errors import RestError
from app.rest.openapi import ours, v2, v3
from app.rest.openapi.described import (
    ERRORS_ANY,
    ERRORS_WITH_BODY,
    PATH_PARAMETERS,
    ByMediaType,
    Described,
    Parameter,
    Surface,
)
from app.rest.openapi.types import Components, Schema
from app.version import VERSION

SURFACES: Final = (v2.SURFACE, v3.SURFACE, ours.SURFACE)
BY_ROUTE: Final[Mapping[str, tuple[Surface, Described]]] = {
    route: (surface, described) for surface in SURFACES for route, described in surface.operations.items()
}
_ERROR: Final = {
    "title": "Error",
    "type": "object",
    "properties": {"error_code": {"type": "integer"}, "message": {"type": "string"}},
    "required": ["error_code", "message"],
}
_ERROR_OF_GATE: Final = {401: "401: Unauthorized", 403: "403: Forbidden", 429: "429: Too many requests"}
_PROBABLY: Final = {200: "Success", 201: "Created", 204: "Done", 207: "One receipt per entry"}


def build(routes: Iterable[Routes]) -> Schema:
    """The document of these routes, in their order. Raises KeyError for a route that nobody described."""
    components = Components()
    components.schemas["Error"] = dict(_ERROR)
    paths: dict[str, Schema] = {}
    for method, template, endpoint in _found(routes):
        surface, described = BY_ROUTE[f"{method} {template}"]
        operation = _operation(components, method, template, endpoint, surface, described)
        paths.setdefault(template, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Caudal REST Proxy",
            "version": VERSION,
            "description": "Kafka over HTTP: REST API v2 and v3, compatible with Confluent's, and what is ours.",
        },
        "servers": [{"url": "."}],
        "tags": [{"name": surface.name, "description": surface.description} for surface in SURFACES],
        "security": [{}, {"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "responses": {
                f"{surface.name}.{status}": _error_answer(surface, status)
                for surface in SURFACES
                for status in sorted(_causes())
            },
            "schemas": dict(sorted(components.schemas.items())),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _found(routes: Iterable[Routes]) -> Iterator[tuple[str, str, Endpoint]]:
    for module in routes:
        yield from module.found


def _operation(
    components: Components, method: str, template: str, endpoint: Endpoint, surface: Surface, described: Described
) -> Schema:
    own = [_parameter(components, one) for one in described.parameters]
    operation: Schema = {
        "operationId": f"{surface.name}_{endpoint.function.__name__}_{method.lower()}",
        "summary": described.summary,
        "tags": [surface.name],
        "parameters": [*_path_parameters(template), *own],
        "responses": _responses(components, endpoint, surface, described),
    }
    if endpoint.body is not None:
        operation["requestBody"] = _request_body(components, endpoint, described)
    return operation


def _path_parameters(template: str) -> Iterator[Schema]:
    for segment in template.split("/"):
        if segment.startswith("{"):
            name = segment.strip("{}")
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": PATH_PARAMETERS[name],
                "schema": {"type": "string", "minLength": 1},
            }


def _parameter(components: Components, parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": components.schema_of(parameter.kind),
    }


def _request_body(components: Components, endpoint: Endpoint, described: Described) -> Schema:
    body = endpoint.body
    content: Schema = {}
    for media_type in sorted(endpoint.consumes):
        kind = body.get(media_type) if isinstance(body, Mapping) else body
        content[media_type] = {"schema": components.schema_of(kind)}
        example: Any = described.example
        if isinstance(example, Mapping) and media_type in example:
            example = example[media_type]
        if example is not None:
            content[media_type]["example"] = example
    return {"required": not described.body_is_optional, "content": content}


def _responses(components: Components, endpoint: Endpoint, surface: Surface, described: Described) -> Schema:
    statuses = ERRORS_ANY | described.errors | (ERRORS_WITH_BODY if endpoint.body is not None else frozenset())
    responses: dict[int, Schema] = {
        status: {"$ref": f"#/components/responses/{surface.name}.{status}"} for status in statuses
    }
    for status, kind in described.answers.items():
        success: Schema = {"description": _PROBABLY.get(status, "")}
        if described.headers:
            success["headers"] = {
                name: {"description": meaning, "schema": {"type": "string"}}
                for name, meaning in described.headers.items()
            }
        if kind is not None:
            success["content"] = _content(components, endpoint, kind)
        responses[status] = _merged(success, _error_answer(surface, status)) if status in responses else success
    return {str(status): responses[status] for status in sorted(responses)}


def _error_answer(surface: Surface, status: int) -> Schema:
    reference = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {"description": _causes()[status], "content": dict.fromkeys(surface.error_media_types, reference)}


def _content(components: Components, endpoint: Endpoint, kind: object) -> Schema:
    if not isinstance(kind, ByMediaType):
        return {name: {"schema": components.schema_of(kind)} for name in endpoint.offers.names}
    rest = next(iter(kind.types.values()))
    return {name: {"schema": components.schema_of(kind.types.get(name, rest))} for name in endpoint.offers.names}


def _merged(answer: Schema, error: Schema) -> Schema:
    """A status that says either: the answer as a whole, or an error."""
    content: dict[str, Any] = {}
    for name in [*error["content"], *answer["content"]]:
        found = [of["content"][name]["schema"] for of in (answer, error) if name in of["content"]]
        content[name] = {"schema": found[0] if len(found) == 1 else {"anyOf": found}}
    return {"description": error["description"], "content": content}


@cache
def _causes() -> Mapping[int, str]:
    """Of each status the codes and what they mean, as the errors' classes say it."""
    lines: dict[int, list[str]] = {status: [text] for status, text in _ERROR_OF_GATE.items()}
    classes = [one for one in vars(app.rest.errors).values() if isinstance(one, type) and issubclass(one, RestError)]
    for one in sorted(classes, key=lambda one: one.error_code):
        line = f"{one.error_code}: {one.default_message}"
        if line not in lines.setdefault(one.status, []):
            lines[one.status].append(line)
    lines.setdefault(409, []).append("409: The group's offsets have moved meanwhile.")
    return {status: " · ".join(found) for status, found in lines.items()}
