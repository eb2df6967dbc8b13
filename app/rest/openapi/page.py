"""The document as a page: rendered on the server, no script, nothing from another host."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.resources import TEMPLATES
from app.rest.openapi.shapes import shape
from app.rest.openapi.types import Schema

BASE: Final = "@BASE@"
"""Stands in the page for the address at which the proxy was called."""

_IN_CURL: Final = {
    "cluster_id": "$CLUSTER",
    "broker_id": "1",
    "topic": "visits",
    "partition": "0",
    "name": "retention.ms",
    "group": "counters",
    "consumer": "$CONSUMER",
    "instance": "c1",
    "resource_type": "TOPIC",
    "pattern_type": "LITERAL",
    "operation": "READ",
    "permission": "ALLOW",
}
_TITLES: Final = {"v2": "REST API v2", "v3": "REST API v3", "caudal": "Our additions"}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    is_required: bool
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class Content:
    """A body in those media types that share its shape."""

    media_types: tuple[str, ...]
    shape: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    headers: tuple[tuple[str, str], ...]
    contents: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    bodies: tuple[Content, ...]
    body_is_required: bool
    answers: tuple[Answer, ...]
    errors: tuple[Answer, ...]
    curl: str


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    title: str
    description: str
    operations: tuple[Operation, ...]


def render(document: Schema) -> str:
    """The page, with BASE where the proxy's own address belongs."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("rest_docs/page.html").render(
        info=document["info"], sections=list(_sections(document)), base=BASE
    )


def _sections(document: Schema) -> Iterator[Section]:
    for tag in document["tags"]:
        operations = tuple(
            _operation(method, path, operation, document["components"])
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        )
        yield Section(tag["name"], _TITLES[tag["name"]], tag["description"], operations)


def _operation(method: str, path: str, operation: Schema, shared: Schema) -> Operation:
    body = operation.get("requestBody", {})
    components = shared["schemas"]
    answers = [
        _answer(status, shared["responses"].get(told.get("$ref", "").rpartition("/")[2], told), components)
        for status, told in operation["responses"].items()
    ]
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        parameters=tuple(
            Parameter(one["name"], one["in"], one["required"], shape(one["schema"], components), one["description"])
            for one in operation["parameters"]
        ),
        bodies=_contents(body.get("content", {}), components),
        body_is_required=body.get("required", False),
        answers=tuple(one for one in answers if one.status < "400"),
        errors=tuple(one for one in answers if one.status >= "400"),
        curl=_curl(method.upper(), path, operation),
    )


def _answer(status: str, told: Schema, components: Mapping[str, Schema]) -> Answer:
    headers = tuple((name, of["description"]) for name, of in told.get("headers", {}).items())
    return Answer(status, told["description"], headers, _contents(told.get("content", {}), components))


def _contents(content: Schema, components: Mapping[str, Schema]) -> tuple[Content, ...]:
    by_shape: dict[str, list[str]] = {}
    for media_type, of in content.items():
        by_shape.setdefault(shape(of["schema"], components), []).append(media_type)
    return tuple(Content(tuple(media_types), text) for text, media_types in by_shape.items())


def _curl(method: str, path: str, operation: Schema) -> str:
    """A line for a shell, with $CLUSTER for the cluster's id."""
    query = []
    for one in operation["parameters"]:
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", _IN_CURL[one["name"]])
        elif one["required"]:
            query.append(f"{one['name']}={_IN_CURL[one['name']]}")
    words = ["curl", "-sS", *(() if method == "GET" else ("-X", method)), f'"{BASE}{path}{_query(query)}"']
    for media_type, of in _preferred(operation):
        words.append(f"-H 'Content-Type: {media_type}'")
        words.append(f"-d '{json.dumps(of['example'])}'")
    return " ".join(words)


def _query(pairs: list[str]) -> str:
    return "?" + "&".join(pairs) if pairs else ""


def _preferred(operation: Schema) -> list[tuple[str, Any]]:
    """The body to show: JSON records where there is a choice."""
    content = operation.get("requestBody", {}).get("content", {})
    with_example = [(name, of) for name, of in content.items() if "example" in of]
    plain: tuple[str, ...] = ("application/vnd.kafka.json.v2+json", "application/vnd.kafka.v2+json", "application/json")
    if any(name == "application/vnd.kafka.v2+json" for name, _ in with_example):
        plain = plain[1:]
    return sorted(with_example, key=lambda one: plain.index(one[0]) if one[0] in plain else len(plain))[:1]
